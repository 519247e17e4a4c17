"""Ticks: appended once each. What is read of them are observations; averages are told apart in one place, `latest`."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from store.file.rows import insert
from store.instants import EPOCH, EVER, FOR_EVER, HOUR
from store.kinds import TICKS
from store.models import Tick, from_column, to_column, utc_now

from . import candles, overruled, paging

# The anti-join in two steps, look and insert, costs a slot 1.3 times the bare INSERT; as one statement, 1.6 to 2.1
# times. ts is bounded by values of its own, so that only the newest row groups are looked at. The same statement asks
# for closed_to and averaged_to: a statement of their own would cost twice as much.
_ALREADY_STORED = """
SELECT index_name, ts, NULL
FROM ticks
WHERE ts BETWEEN ? AND ?
  AND ts IN ({instants})
UNION ALL
SELECT NULL, closed_to, averaged_to
FROM candles_closed
"""

_ALREADY_OBSERVED = """
SELECT index_name, ts
FROM ticks
WHERE ts BETWEEN ? AND ?
  AND ts IN ({instants})
  AND resolution_s = 0
"""

_ROWS_A_STATEMENT = 1000

_PAGE = """
SELECT index_name, ts, received_at, price, source, resolution_s
FROM ticks
WHERE index_name = $index_name
  AND ts >= $start
  AND ts < $end
  AND resolution_s = 0
ORDER BY ts DESC
LIMIT $limit OFFSET $offset
"""

# The newest tick is no older than an hour before the end of the candles. Aggregates take less time for an hour and more
# for a day, and that end is years ago while candles are made anew. With a limit of 50 or fewer, DuckDB finds the rows
# first and joins their other columns, which takes 0.3 ms more.
_NEWEST = """
SELECT index_name, ts, received_at, price, source, resolution_s
FROM ticks
WHERE index_name = $index_name
  AND ts >= $start
  AND resolution_s = 0
ORDER BY ts DESC
LIMIT 51
"""

# One statement for many indexes. arg_max would pass over a receipt that is unknown.
_NEWEST_OF_EACH = """
SELECT
    index_name,
    max(ts),
    arg_max_null(received_at, ts),
    arg_max(price, ts),
    arg_max(source, ts),
    0 AS resolution_s
FROM ticks
WHERE ts >= $start
  AND resolution_s = 0
GROUP BY index_name
"""

# Up to this offset DuckDB finds a page of 30 million ticks by itself in 6 ms; at 1 million it took 8 s.
_NEAR = 1000

_NEWEST_AVERAGE = """
SELECT index_name, ts, received_at, price, source, resolution_s
FROM ticks
WHERE index_name = $index_name
  AND ts >= $start
  AND ts < $end
  AND resolution_s > 0
ORDER BY ts DESC
LIMIT 1
"""

_LAST_HOUR_WITH_AVERAGES = """
SELECT max(open_time)
FROM candles_1h
WHERE index_name = $index_name
  AND tick_count > observed_count
"""

_EVER, _FOR_EVER = to_column(EVER), to_column(FOR_EVER)

# A day before the hours that are still open: a day of two indexes at one second lies in two row groups.
_RECENT = timedelta(days=1)

_HISTORY = """
SELECT index_name, ts, received_at, price, source, resolution_s
FROM ticks
WHERE index_name = $index_name
  AND ts >= $start
  AND ts < $end
  AND resolution_s = 0
ORDER BY ts
LIMIT $limit
"""

_PRICES = """
SELECT epoch_us(ts) // 1000, price
FROM ticks
WHERE index_name = $index_name
  AND ts >= $start
  AND ts < $end
  AND resolution_s = 0
ORDER BY ts
LIMIT $limit
"""

_SUMMARY_OF_HOURS = """
SELECT index_name, CAST(sum(tick_count) AS BIGINT), min(open_time), max(open_time)
FROM candles_1h
GROUP BY index_name
"""

_SUMMARY_SINCE = """
SELECT index_name, count(*), min(ts), max(ts)
FROM ticks
WHERE ts >= $start
GROUP BY index_name
"""

_ENDS_OF_HOUR = """
SELECT min(ts), max(ts)
FROM ticks
WHERE index_name = $index_name
  AND ts >= $hour
  AND ts < $hour + INTERVAL 1 HOUR
"""


def append(cursor: DuckDBPyConnection, ticks: Iterable[Tick]) -> set[tuple[str, datetime]]:
    """Store those observations whose (index_name, ts) is new; leave the others alone. Call it inside `Database.write`.

    Of ticks in one batch that share it, the first is stored. Averages in whose time one lies give way to it.

    Returns:
        The (index_name, ts) that were stored.
    """
    # Compared as columns: in the hour that a zone's clocks repeat, Python calls two instants equal, or one unequal to
    # itself in another zone.
    new: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for row in map(_row, ticks):
        new.setdefault(row[:2], row)
    rows = list(new.values())
    stored: set[tuple[str, datetime]] = set()
    for first in range(0, len(rows), _ROWS_A_STATEMENT):
        stored |= _append(cursor, rows[first : first + _ROWS_A_STATEMENT])
    return stored


def latest(cursor: DuckDBPyConnection, index_name: str) -> Tick | None:
    """The newest observation of an index; if there is none the newest average; if there is none either, None.

    An average says so by its `resolution_s`.
    """
    recent = _newest_since(cursor, index_name, utc_now() - HOUR)  # while it is recorded: a query less
    if recent is not None:
        return recent
    mark = candles.closed_to(cursor)
    return (
        _newest_since(cursor, index_name, EVER if mark is None else mark - HOUR)
        or next(iter(newest_first(cursor, index_name, limit=1)), None)
        or _newest_average(cursor, index_name)
    )


def latest_of(cursor: DuckDBPyConnection, index_names: Iterable[str]) -> dict[str, Tick]:
    """What `latest` finds of each index that has ticks. One statement finds it for all that are being recorded."""
    rows = cursor.execute(_NEWEST_OF_EACH, {"start": to_column(utc_now() - HOUR)}).fetchall()
    recent = {tick.index_name: tick for tick in map(_tick, rows)}
    found = {name: recent.get(name) or latest(cursor, name) for name in index_names}
    return {name: tick for name, tick in found.items() if tick}


def newest_first(
    cursor: DuckDBPyConnection, index_name: str, limit: int, offset: int = 0, near: int = _NEAR
) -> list[Tick]:
    """A page of the observations of an index, descending by `ts`. Averages are left out.

    A page whose offset is at most `near` is looked for among the newest ticks first.
    """
    values: dict[str, Any] = {"index_name": index_name, "limit": limit, "offset": offset}
    if offset <= near:
        recent = _recent(cursor)
        found = cursor.execute(_PAGE, {**values, "start": recent, "end": _FOR_EVER}).fetchall()
        if len(found) == limit or recent == _EVER:
            return [_tick(row) for row in found]
    hours = paging.stretch(cursor, index_name, limit, offset)
    if hours is None:
        return []
    start, end, newer = hours
    values |= {"start": start, "end": end, "offset": offset - newer}
    return [_tick(row) for row in cursor.execute(_PAGE, values).fetchall()]


def history(
    cursor: DuckDBPyConnection, index_name: str, start: datetime, end: datetime, limit: int | None = None
) -> list[Tick]:
    """The observations of an index in [start, end), ascending by `ts`, at most `limit`. Averages are left out."""
    values = {"index_name": index_name, "start": to_column(start), "end": to_column(end), "limit": limit}
    return [_tick(row) for row in cursor.execute(_HISTORY, values).fetchall()]


def prices(
    cursor: DuckDBPyConnection, index_name: str, start: datetime, end: datetime, limit: int
) -> list[tuple[int, float]]:
    """What `history` has, as pairs of whole milliseconds since 1970 and the price: a seventh of its time.

    `start` is not before 1970.
    """
    values = {"index_name": index_name, "start": to_column(start), "end": to_column(end), "limit": limit}
    return cursor.execute(_PRICES, values).fetchall()


def summary(cursor: DuckDBPyConnection) -> dict[str, tuple[int, datetime, datetime]]:
    """For each index that has ticks: how many, and the `ts` of the first and the last one, by name. Averages count.

    They are counted by the hour, and one by one only where hours are not closed yet.
    """
    start = to_column(candles.floor(candles.closed_to(cursor) or EPOCH, HOUR))
    since = {name: found for name, *found in cursor.execute(_SUMMARY_SINCE, {"start": start}).fetchall()}
    before = {name: found for name, *found in cursor.execute(_SUMMARY_OF_HOURS).fetchall()}
    found = {}
    for name in sorted(since.keys() | before.keys()):
        parts = [since[name]] if name in since else []
        if name in before:
            count, first_hour, last_hour = before[name]
            parts.append([count, _ends(cursor, name, first_hour)[0], _ends(cursor, name, last_hour)[1]])
        counts, firsts, lasts = zip(*parts, strict=True)
        found[name] = sum(counts), from_column(min(firsts)), from_column(max(lasts))
    return found


def _recent(cursor: DuckDBPyConnection) -> datetime:
    """From when on the newest ticks of an index that goes on are, as a column. What is older is found by its hours.

    Without a bound the newest tick of an index that stopped is looked for among all later ones of the others.
    """
    mark = candles.closed_to(cursor)
    return _EVER if mark is None else to_column(candles.floor(mark, HOUR) - _RECENT)


def _newest_since(cursor: DuckDBPyConnection, index_name: str, start: datetime) -> Tick | None:
    found = cursor.execute(_NEWEST, {"index_name": index_name, "start": to_column(start)}).fetchall()
    return _tick(found[0]) if found else None


def _newest_average(cursor: DuckDBPyConnection, index_name: str) -> Tick | None:
    values = {"index_name": index_name, "start": _recent(cursor), "end": _FOR_EVER}
    found = cursor.execute(_NEWEST_AVERAGE, values).fetchall()
    if not found:
        ((hour,),) = cursor.execute(_LAST_HOUR_WITH_AVERAGES, {"index_name": index_name}).fetchall()
        if hour is None:
            return None
        found = cursor.execute(_NEWEST_AVERAGE, {**values, "start": hour, "end": hour + HOUR}).fetchall()
    return _tick(found[0])


def _ends(cursor: DuckDBPyConnection, index_name: str, hour: datetime) -> tuple[datetime, datetime]:
    """The times of the first and the last tick of an index in an hour that has any."""
    ((first, last),) = cursor.execute(_ENDS_OF_HOUR, {"index_name": index_name, "hour": hour}).fetchall()
    return first, last


def _append(cursor: DuckDBPyConnection, rows: Sequence[tuple[Any, ...]]) -> set[tuple[str, datetime]]:
    instants = sorted({ts for _, ts, *_ in rows})
    places, values = ", ".join("?" * len(instants)), [instants[0], instants[-1], *instants]
    found = cursor.execute(_ALREADY_STORED.format(instants=places), values).fetchall()
    ((mark, averaged_to),) = (ends for name, *ends in found if name is None)
    if averaged := averaged_to is not None and instants[0] < averaged_to:
        found = cursor.execute(_ALREADY_OBSERVED.format(instants=places), values).fetchall()
    there = {(name, ts) for name, ts, *_ in found}
    new = [row for row in rows if row[:2] not in there]
    insert(cursor, TICKS.table, TICKS.column_names, new)
    stored = {(name, from_column(ts)) for name, ts, *_ in new}
    gave_way = _overruled(cursor, instants[0], instants[-1]) if averaged else set()
    candles.refold(cursor, stored | gave_way, mark and from_column(mark))
    return stored


def _overruled(cursor: DuckDBPyConnection, first: datetime, last: datetime) -> set[tuple[str, datetime]]:
    """Index and time of the averages that give way to ticks from `first` to `last`, as the database keeps times."""
    if not overruled.overrule(cursor, from_column(first), from_column(last)):
        return set()
    return overruled.gave_way(cursor)


def _row(tick: Tick) -> tuple[Any, ...]:
    received_at = None if tick.received_at is None else to_column(tick.received_at)
    return tick.index_name, to_column(tick.ts), received_at, tick.price, tick.source, tick.resolution_s


def _tick(row: tuple[Any, ...]) -> Tick:
    index_name, ts, received_at, price, source, resolution_s = row
    received = None if received_at is None else from_column(received_at)
    return Tick(index_name, from_column(ts), price, source, received, resolution_s)
