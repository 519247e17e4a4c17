"""Candles: the ticks of each index folded into minutes and hours, so that a long range costs no more than a short one.

A candle is stored once its time is over and a later tick is there; `closed_to` tells how far that is done. What is
stored later, such as averages that heal a gap, is folded in by the same transaction (`refold`). So before `closed_to`
candles always equal their ticks.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

from store.file.database import ROWS_A_LEASE, Database
from store.instants import DAY, EPOCH, EVER, HOUR, MINUTE
from store.models import from_column, to_column
from store.progress import Tell, unheard

TABLES = frozenset({"candles_1m", "candles_1h", "candles_closed"})
"""Nothing is in them that could not be made anew of the ticks."""

_CLOSED_TO = """
SELECT closed_to
FROM candles_closed
"""

_MARKS = """
SELECT closed_to, averaged_to
FROM candles_closed
"""

_SET_CLOSED = """
UPDATE candles_closed
SET closed_to = $closed_to
"""

# `min` and `max` would read all ticks from `start` on.
_ARRIVED = """
SELECT
    (SELECT ts FROM ticks WHERE ts >= $start ORDER BY ts LIMIT 1),
    (SELECT ts FROM ticks WHERE ts >= $start ORDER BY ts DESC LIMIT 1)
"""

_LAST_MINUTE = """
SELECT max(open_time)
FROM candles_1m
"""

_COUNT = """
SELECT count(*)
FROM (
    SELECT 1
    FROM ticks
    WHERE ts >= $start
      AND ts < $end
    LIMIT $most
)
"""

_MINUTES = """
INSERT INTO candles_1m (index_name, open_time, open, high, low, close, tick_count, observed_count, resolution_s)
SELECT
    index_name,
    time_bucket(INTERVAL 1 MINUTE, ts) AS open_time,
    arg_min(price, ts),
    max(price),
    min(price),
    arg_max(price, ts),
    count(*),
    count(*) FILTER (WHERE resolution_s = 0),
    max(resolution_s)
FROM ticks
WHERE ts >= $start
  AND ts < $end
  {and_which}
GROUP BY index_name, open_time
ORDER BY open_time, index_name
"""

_HOURS = """
INSERT INTO candles_1h (index_name, open_time, open, high, low, close, tick_count, observed_count, resolution_s)
SELECT
    index_name,
    time_bucket(INTERVAL 1 HOUR, minutes.open_time) AS open_time,
    arg_min(open, minutes.open_time),
    max(high),
    min(low),
    arg_max(close, minutes.open_time),
    sum(tick_count),
    sum(observed_count),
    max(resolution_s)
FROM candles_1m AS minutes
WHERE minutes.open_time >= $start
  AND minutes.open_time < $end
  {and_which}
GROUP BY ALL
ORDER BY 2, index_name
"""

_THESE = {
    length: f"AND index_name = $index_name AND time_bucket({its}) IN (SELECT unnest($buckets::TIMESTAMP[]))"
    for length, its in {MINUTE: "INTERVAL 1 MINUTE, ts", HOUR: "INTERVAL 1 HOUR, minutes.open_time"}.items()
}

_DELETE = """
DELETE FROM {table}
WHERE open_time >= $start
  AND open_time < $end
  AND index_name = $index_name
  AND open_time IN (SELECT unnest($buckets::TIMESTAMP[]))
"""

_DELETE_FROM = """
DELETE FROM {table}
WHERE open_time >= $start
"""

_DELETE_BETWEEN = """
DELETE FROM {table}
WHERE open_time >= $start
  AND open_time < $end
"""

_PORTIONS = (HOUR, *(timedelta(days=days) for days in (1, 10, 100, 1000)))


def closed_to(cursor: DuckDBPyConnection) -> datetime | None:
    """The whole minute up to which all candles are stored; None while there are none."""
    ((at,),) = cursor.execute(_CLOSED_TO).fetchall()
    return None if at is None else from_column(at)


def marks(cursor: DuckDBPyConnection) -> tuple[datetime | None, datetime | None]:
    """What `closed_to` says, and the end of the last average of any index; None while there are none."""
    ((closed, averaged),) = cursor.execute(_MARKS).fetchall()
    return closed and from_column(closed), averaged and from_column(averaged)


def close(cursor: DuckDBPyConnection, until: datetime, most_ticks: int = ROWS_A_LEASE) -> bool:
    """Store the candles whose time is over by `until`, as many as fit under one lease. Call it in `Database.write`.

    At most `most_ticks` ticks are folded, or those of an hour if it has more.

    The minute of the newest tick stays open, whatever the local clock says: more ticks may come into it.

    Returns:
        Is there more to do?
    """
    mark = closed_to(cursor)
    ((first, last),) = cursor.execute(_ARRIVED, {"start": to_column(mark or EVER)}).fetchall()
    if first is None:
        _reopen(cursor, mark)
        return False
    start, until = floor(from_column(first), MINUTE), floor(min(until, from_column(last)), MINUTE)
    if start >= until:
        return False
    end = min(until, start + longest_with_few(cursor, start, most_ticks))
    _fold(cursor, _MINUTES, start, end)
    _fold(cursor, _HOURS, floor(mark or start, HOUR), floor(end, HOUR))
    cursor.execute(_SET_CLOSED, {"closed_to": to_column(end)})
    return end < until


def rebuild(database: Database, until: datetime, tell: Tell = unheard, most_ticks: int = ROWS_A_LEASE) -> None:
    """Make all candles anew of the ticks. Meanwhile what is asked of them is answered from the ticks.

    `tell` hears how many days are done.

    Raises:
        StoreError: it stopped part-way. The candles that are there are right; the next rebuild makes the rest.
    """
    with database.write() as cursor:
        cursor.execute("DELETE FROM candles_1m")
        cursor.execute("DELETE FROM candles_1h")
        cursor.execute(_SET_CLOSED, {"closed_to": None})
        ((first, last),) = cursor.execute(_ARRIVED, {"start": to_column(EVER)}).fetchall()
    if first is None:
        return
    start, until = from_column(first), min(until, from_column(last))
    more = True
    while more:
        with database.write() as cursor:
            more = close(cursor, until, most_ticks)
            mark = closed_to(cursor) or start
        database.checkpoint_when_due()
        tell((mark - start) // DAY, max(timedelta(0), floor(until, MINUTE) - start) // DAY)


def refold(cursor: DuckDBPyConnection, stored: Iterable[tuple[str, datetime]], mark: datetime | None) -> None:
    """Bring those candles up to date that ticks belong to which were just stored. Call it in their transaction.

    Args:
        cursor: of that transaction.
        stored: index and time of each tick.
        mark: what `closed_to` says.
    """
    if mark is None:
        return
    late: defaultdict[str, set[datetime]] = defaultdict(set)
    for index_name, ts in stored:
        if ts < mark:
            late[index_name].add(floor(ts, MINUTE))
    for index_name, minutes in late.items():
        _replace(cursor, "candles_1m", _MINUTES, index_name, minutes, MINUTE)
        hours = {hour for minute in minutes if (hour := floor(minute, HOUR)) + HOUR <= mark}
        if hours:
            _replace(cursor, "candles_1h", _HOURS, index_name, hours, HOUR)


def refold_between(cursor: DuckDBPyConnection, first: datetime, last: datetime) -> None:
    """As `refold`, for all ticks from `first` to `last`, whichever of them were just stored."""
    mark = closed_to(cursor)
    if mark is None:
        return
    for table, fold, length in (("candles_1m", _MINUTES, MINUTE), ("candles_1h", _HOURS, HOUR)):
        start, end = floor(first, length), min(floor(last, length) + length, floor(mark, length))
        if start < end:
            cursor.execute(_DELETE_BETWEEN.format(table=table), {"start": to_column(start), "end": to_column(end)})
            _fold(cursor, fold, start, end)


def reopen(cursor: DuckDBPyConnection, start: datetime) -> None:
    """Take back the candles from the hour of an instant on: `close` makes them anew, in portions."""
    start = floor(start, HOUR)
    for table in ("candles_1m", "candles_1h"):
        cursor.execute(_DELETE_FROM.format(table=table), {"start": to_column(start)})
    cursor.execute(_SET_CLOSED, {"closed_to": to_column(start)})


def longest_with_few(cursor: DuckDBPyConnection, start: datetime, most_ticks: int) -> timedelta:
    """The longest time from `start` on, of an hour to 1000 days, that has at most so many ticks; at least an hour."""
    longest = _PORTIONS[0]
    for length in _PORTIONS[1:]:
        values = {"start": to_column(start), "end": to_column(start + length), "most": most_ticks + 1}
        if cursor.execute(_COUNT, values).fetchall()[0][0] > most_ticks:
            break
        longest = length
    return longest


def floor(at: datetime, length: timedelta) -> datetime:
    """The last multiple of a length, counted from 1970 on, at or before an instant."""
    return at - (at - EPOCH) % length


def _reopen(cursor: DuckDBPyConnection, mark: datetime | None) -> None:
    """Take back a mark that lies beyond all ticks, as a clock that was ahead left it: each new tick would be late."""
    ((last,),) = cursor.execute(_LAST_MINUTE).fetchall()
    if last is not None:
        for table, start in (("candles_1m", last), ("candles_1h", to_column(floor(from_column(last), HOUR)))):
            cursor.execute(_DELETE_FROM.format(table=table), {"start": start})
    if mark is not None:
        cursor.execute(_SET_CLOSED, {"closed_to": last})


def _fold(cursor: DuckDBPyConnection, fold: str, start: datetime, end: datetime) -> None:
    cursor.execute(fold.format(and_which=""), {"start": to_column(start), "end": to_column(end)})


def _replace(
    cursor: DuckDBPyConnection, table: str, fold: str, index_name: str, buckets: Collection[datetime], length: timedelta
) -> None:
    """Fold some buckets of an index anew."""
    which = {
        "index_name": index_name,
        "start": to_column(min(buckets)),
        "end": to_column(max(buckets) + length),
        "buckets": sorted(map(to_column, buckets)),
    }
    cursor.execute(_DELETE.format(table=table), which)
    cursor.execute(fold.format(and_which=_THESE[length]), which)
