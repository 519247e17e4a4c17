"""Ticks: appended once each, read as they are."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from duckdb import DuckDBPyConnection

from .models import Tick, from_column, to_column

# A VALUES list takes half the time of unnested list parameters: 1.8 ms and 3.2 ms for the two rows of a slot, where
# the bare INSERT takes 1.2 ms. ts is bounded by values of its own, so that only the newest row groups are looked at.
_APPEND = """
INSERT INTO ticks (index_name, ts, received_at, price, source, resolution_s)
SELECT *
FROM (VALUES {rows}) AS new (index_name, ts, received_at, price, source, resolution_s)
WHERE NOT EXISTS (
    SELECT 1
    FROM ticks
    WHERE ticks.ts BETWEEN ? AND ?
      AND ticks.index_name = new.index_name
      AND ticks.ts = new.ts
)
RETURNING index_name, ts
"""
_ROW = "(?, ?::TIMESTAMP, ?::TIMESTAMP, ?::DOUBLE, ?, ?::INTEGER)"
_ROWS_A_STATEMENT = 1000

_NEWEST_FIRST = """
SELECT index_name, ts, received_at, price, source, resolution_s
FROM ticks
WHERE index_name = $index_name
ORDER BY ts DESC
LIMIT $limit OFFSET $offset
"""

_HISTORY = """
SELECT index_name, ts, received_at, price, source, resolution_s
FROM ticks
WHERE index_name = $index_name
  AND ts >= $start
  AND ts < $end
ORDER BY ts
LIMIT $limit
"""

_SUMMARY = """
SELECT index_name, count(*), min(ts), max(ts)
FROM ticks
GROUP BY index_name
ORDER BY index_name
"""


def append(cursor: DuckDBPyConnection, ticks: Iterable[Tick]) -> set[tuple[str, datetime]]:
    """Store those ticks whose (index_name, ts) is new; leave the others alone. Call it inside `Database.write`.

    Returns:
        The (index_name, ts) that were stored.
    """
    new = list({(tick.index_name, tick.ts): tick for tick in ticks}.values())
    stored: set[tuple[str, datetime]] = set()
    for first in range(0, len(new), _ROWS_A_STATEMENT):
        stored |= _append(cursor, new[first : first + _ROWS_A_STATEMENT])
    return stored


def latest(cursor: DuckDBPyConnection, index_name: str) -> Tick | None:
    """The tick of an index with the greatest `ts`, if it has any."""
    return next(iter(newest_first(cursor, index_name, limit=1)), None)


def newest_first(cursor: DuckDBPyConnection, index_name: str, limit: int, offset: int = 0) -> list[Tick]:
    """A page of the ticks of an index, descending by `ts`."""
    rows = cursor.execute(_NEWEST_FIRST, {"index_name": index_name, "limit": limit, "offset": offset}).fetchall()
    return [_tick(row) for row in rows]


def history(
    cursor: DuckDBPyConnection, index_name: str, start: datetime, end: datetime, limit: int | None = None
) -> list[Tick]:
    """The ticks of an index in [start, end), ascending by `ts`, at most `limit` of them."""
    values = {"index_name": index_name, "start": to_column(start), "end": to_column(end), "limit": limit}
    return [_tick(row) for row in cursor.execute(_HISTORY, values).fetchall()]


def summary(cursor: DuckDBPyConnection) -> dict[str, tuple[int, datetime, datetime]]:
    """For each index that has ticks: how many, and the `ts` of the first and the last one."""
    rows = cursor.execute(_SUMMARY).fetchall()
    return {name: (count, from_column(first), from_column(last)) for name, count, first, last in rows}


def _append(cursor: DuckDBPyConnection, ticks: Sequence[Tick]) -> set[tuple[str, datetime]]:
    values = [value for tick in ticks for value in _row(tick)]
    bounds = [to_column(min(tick.ts for tick in ticks)), to_column(max(tick.ts for tick in ticks))]
    statement = _APPEND.format(rows=", ".join([_ROW] * len(ticks)))
    return {(name, from_column(ts)) for name, ts in cursor.execute(statement, values + bounds).fetchall()}


def _row(tick: Tick) -> tuple[Any, ...]:
    received_at = None if tick.received_at is None else to_column(tick.received_at)
    return tick.index_name, to_column(tick.ts), received_at, tick.price, tick.source, tick.resolution_s


def _tick(row: tuple[Any, ...]) -> Tick:
    index_name, ts, received_at, price, source, resolution_s = row
    received = None if received_at is None else from_column(received_at)
    return Tick(index_name, from_column(ts), price, source, received, resolution_s)
