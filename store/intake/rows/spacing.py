"""How far apart the rows of a file are, and what that says of candles."""

from dataclasses import dataclass, replace
from datetime import timedelta

from store import words
from store.errors import FileError
from store.instants import DAY
from store.prices.bars import INTERVAL_NAMES

from .foreign import Statement
from .work import Work

LONGEST_CANDLE = timedelta(weeks=1)
"""Months differ in length, so the end of a longer candle is not known."""

_SPACING = """
SELECT
    min(step),
    mode(step),
    coalesce(bool_and(step % shortest = 0), false)
FROM (
    SELECT step, min(step) OVER () AS shortest
    FROM (
        SELECT epoch_us(ts) - epoch_us(lag(ts) OVER (PARTITION BY index_name ORDER BY ts)) AS step
        FROM ({rows})
    )
    WHERE step > 0
)
"""

# Of ticks at any second a sixtieth is at a whole minute.
_WHOLE = """
SELECT
    count(*) FILTER (WHERE epoch_us(ts) % 60_000_000 = 0),
    count(*) FILTER (WHERE epoch_us(ts) % 86_400_000_000 = 0),
    count(ts)
FROM (
    SELECT ts
    FROM ({rows})
    LIMIT 100_000
)
"""


@dataclass(frozen=True, slots=True)
class _Spacing:
    """The distances between the times of an index.

    Attributes:
        shortest: the shortest one.
        usual: the one that most neighbours have.
        even: are all of them multiples of the shortest one?
    """

    shortest: timedelta
    usual: timedelta
    even: bool


def of_candles(work: Work, rows: Statement) -> tuple[Statement, str]:
    """The statement of candles with their length, and in words what becomes of them.

    Raises:
        FileError: the distances of the rows don't tell the length, or tell another one than the user.
    """
    if "candle_s" not in rows.values:
        return rows, "candles: each close is stored as the price at the candle's end"
    length = _length(work, rows)
    said = f"candles of {words.span(length)}: each close is stored as the price at the candle's end"
    return replace(rows, values=rows.values | {"candle_s": round(length.total_seconds())}), said


def refuse_unsaid_candles(work: Work, rows: Statement) -> None:
    """Refuse prices that may be closes, if nobody says whether they are.

    Raises:
        FileError: most times are days or whole minutes, as those are at which candles open.
    """
    if rows.observed:
        return
    ((minutes, days, count),) = work.ask(_WHOLE.format(rows=rows.rows), rows.values)
    if 2 * minutes <= count:
        return
    found = _spacing(work, rows)
    if 2 * days > count:
        when, as_one = "days without a time of day", "when the day began"
    elif found is not None:
        when, as_one = f"whole minutes, {words.span(found.usual)} apart", "at its time"
    else:
        return
    length = DAY if found is None else found.usual
    raise FileError(
        f"{work.path}: its times are {when}: say {_option(length)} if each price is the close of a candle that opens "
        f"then, or --average 0 if it was seen {as_one}"
    )


def _length(work: Work, rows: Statement) -> timedelta:
    found = _spacing(work, rows)
    if rows.candle_s is None:
        if found is None or not found.even or found.shortest % timedelta(seconds=1):
            raise FileError(
                f"{work.path}: how long is a candle? Its times don't tell; say --candle, such as --candle 1h"
            )
        _refuse_long(work, found.shortest)
        return found.shortest
    length = timedelta(seconds=rows.candle_s)
    # Days of a zone with summer time are 23, 24 or 25 hours long, and candles without a trade are left out.
    if found is None or length in {found.usual, found.shortest}:
        return length
    _refuse_long(work, found.usual)
    raise FileError(
        f"{work.path}: you say candles of {words.span(length)}, and its rows are {words.span(found.usual)} apart: "
        f"say {_option(found.usual)}"
    )


def _refuse_long(work: Work, length: timedelta) -> None:
    if length > LONGEST_CANDLE:
        raise FileError(
            f"{work.path}: its rows are {words.span(length)} apart; a candle that is longer than a week is not read, "
            "since months differ in length: import candles of a day"
        )


def _spacing(work: Work, rows: Statement) -> _Spacing | None:
    """The distances between rows; None if no index has two times."""
    ((shortest, usual, even),) = work.ask(_SPACING.format(rows=rows.rows), rows.values)
    if shortest is None:
        return None
    return _Spacing(timedelta(microseconds=shortest), timedelta(microseconds=usual), even)


def _option(length: timedelta) -> str:
    return f"--candle {INTERVAL_NAMES.get(length) or round(length.total_seconds())}"
