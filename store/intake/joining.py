"""Compares the prices of a file with the stored prices near them: overlap, steps, and jumps of a power of ten."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from store import words
from store.models import from_column, to_column

from .jumps import is_jump
from .look import Instrument
from .rows.foreign import Statement

_NEAR = timedelta(days=1)

_NEAREST = """
SELECT price
FROM {rows}
WHERE index_name = $named
  AND ts BETWEEN $since AND $until
ORDER BY abs(epoch_us(ts) - epoch_us(CAST($moment AS TIMESTAMP)))
LIMIT 1
"""

_STORED = """
SELECT
    coalesce(sum(tick_count), 0),
    max(open_time)
FROM candles_1h
WHERE index_name = $index_name
  AND open_time BETWEEN $first AND $last
"""


@dataclass(frozen=True, slots=True)
class Join:
    """How the prices of an index in a file compare with those that are stored.

    Attributes:
        words: for people.
        jump: in words, a price in the file that differs by a power of ten from a stored one near it; None without one.
    """

    words: str
    jump: str | None


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of an index near the prices of a file.

    Attributes:
        start, end: the prices nearest to the first and the last one of the file, at most a day away; None without one.
        ticks: about how many ticks are stored in the time of the file.
        hour: the last hour of these; None without one.
        at_hour: the price there.
    """

    start: float | None
    end: float | None
    ticks: int
    hour: datetime | None
    at_hour: float | None


def stored_near(cursor: DuckDBPyConnection, found: Instrument) -> Stored:
    """What is stored near an index of a file."""
    values = {"index_name": found.index_name, "first": to_column(found.first), "last": to_column(found.last)}
    ((count, newest),) = cursor.execute(_STORED, values).fetchall()
    hour = None if newest is None else from_column(newest)
    start, end, at_hour = (
        None if moment is None else _nearest(cursor, "ticks", found.index_name, moment, {})
        for moment in (found.first, found.last, hour)
    )
    return Stored(start, end, int(count), hour, at_hour)


def join_of(scratch: DuckDBPyConnection, found: Instrument, rows: Statement, stored: Stored) -> Join | None:
    """How an index of a file joins what is stored; None if nothing is stored near it.

    It may read the whole file, so it is called outside a lease.
    """
    pairs = [("start", found.first_price, stored.start), ("end", found.last_price, stored.end)]
    near = [(where, price, its) for where, price, its in pairs if its is not None]
    if not near and stored.hour is not None and stored.at_hour is not None:
        price = _nearest(scratch, f"({rows.rows})", found.index_name, stored.hour, rows.values)
        near = [] if price is None else [("newest stored hour", price, stored.at_hour)]
    if not near:
        return None
    steps = ", ".join(f"{price / its - 1:+.2%} at the {where}" for where, price, its in near)
    overlap = f"; about {stored.ticks:,} ticks are stored in its time" if stored.ticks else ""
    jumps = [_in_words(found.index_name, price, its) for _, price, its in near if is_jump(price, its)]
    return Join(f"{found.index_name} differs from stored prices by {steps}{overlap}", jumps[0] if jumps else None)


def _nearest(
    cursor: DuckDBPyConnection, rows: str, index_name: str, moment: datetime, bound: dict[str, Any]
) -> float | None:
    values = {
        "named": index_name,
        "moment": to_column(moment),
        "since": to_column(moment - _NEAR),
        "until": to_column(moment + _NEAR),
    }
    found = cursor.execute(_NEAREST.format(rows=rows), bound | values).fetchall()
    return float(found[0][0]) if found else None


def _in_words(index_name: str, price: float, near: float) -> str:
    its, stored = words.price(price), words.price(near)
    return f"its price of {index_name} is {its} where {stored} is stored, a step by a power of ten"
