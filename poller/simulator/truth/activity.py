"""How much of an instrument is open and was traded: ramps that begin at its listing, with steps of an hour."""

from functools import lru_cache
from typing import NamedTuple

from .noise import normal

_HOUR_S = 3600

# The open interest is at half of its height after so many hours.
_HALF_AFTER = 36

# As recorded: 15 to 23 % of options have no open interest, 45 % no volume. An option that is not held is not traded.
_NOT_HELD, _NOT_TRADED = 0.19, 0.45

_DAY = 24


class Activity(NamedTuple):
    """What happened to an instrument.

    Attributes:
        held: the open interest, as a multiple of the instrument's usual size; 0 at its listing.
        traded: the volume of the last 24 hours, likewise.
        last: the second since 1970 of the last trade; None without one.
    """

    held: float
    traded: float
    last: int | None


NOTHING = Activity(0.0, 0.0, None)


def activity(key: int, listed: int, second: int, rank: float) -> Activity:
    """The activity of an instrument at a second since 1970. Each instrument has its steps at another second of an hour.

    Args:
        key: of the instrument's chance.
        listed: the second since 1970 when it was listed.
        second: since 1970.
        rank: the share of instruments that are less popular, from 0 to 1.
    """
    first = listed + key % _HOUR_S
    steps = (second - first) // _HOUR_S
    return NOTHING if steps <= 0 or rank < _NOT_HELD else _active(key, first, steps, rank)


# Two chains.
@lru_cache(maxsize=1 << 12)
def _active(key: int, first: int, steps: int, rank: float) -> Activity:
    size = 10 ** (normal(key) / 3)
    held = size * steps / (steps + _HALF_AFTER) * (1 + normal(key + steps) / 10)
    if rank < _NOT_TRADED:
        return Activity(held, 0.0, None)
    volume = size / 20 * min(steps, _DAY) / _DAY * (1 + normal(key - steps) / 5)
    return Activity(held, volume, first + steps * _HOUR_S)
