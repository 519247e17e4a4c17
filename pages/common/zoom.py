"""The ranges that a reader zoomed in from, so that zooming out leads back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Shown:
    """A range as it was shown: its name, one of `views.SPANS` or `EXACT`, and its times then."""

    span: str
    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start


Zooms = Sequence[Shown]
"""The ranges that zooms led away from, the newest last. Any other change of the range forgets all of them."""


def push(zooms: Zooms, before: Shown) -> Zooms:
    """The zooms after one more, which leads away from `before`."""
    return (*zooms, before)


def pop(zooms: Zooms, now: Shown) -> tuple[Zooms, Shown | None]:
    """The last range that is longer than `now`, and the zooms that led to it; None if there is none."""
    for count in reversed(range(len(zooms))):
        if zooms[count].length > now.length:
            return zooms[:count], zooms[count]
    return (), None


def doubled(now: Shown) -> tuple[datetime, datetime]:
    """The range around another one with twice its length."""
    return now.start - now.length / 2, now.end + now.length / 2
