"""Finer overrules coarser: an average gives way to each finer row in its time, whichever of the two came first.

It moves from `ticks` to `overruled`. There it still overrules what is coarser than itself. So what `ticks` has depends
on which rows are known, not on their order: those without a finer one in their time.
"""

from datetime import datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from store.models import from_column, to_column

_RESOLUTIONS = """
SELECT DISTINCT resolution_s
FROM {table}
WHERE resolution_s > 0
  AND ts <= $last
  AND ts + to_seconds(resolution_s) > $first
"""

_NOBODY = "CREATE OR REPLACE TEMP TABLE {table} (number BIGINT, index_name VARCHAR, ts TIMESTAMP)"

# Time is cut into cells as long as an average covers, so its time lies in two of them: a finer row is in it when the
# last one of the first cell is not before the average, or the first one of the second cell is before the average's end.
_FIND = """
INSERT INTO giving_way
WITH finer AS MATERIALIZED (
    SELECT
        index_name,
        (epoch_us(ts) - epoch_us($start)) // $covered_us AS cell,
        min(ts) AS first,
        max(ts) AS last
    FROM ticks
    WHERE ts >= $first
      AND ts <= $last
      AND resolution_s < $resolution_s
    GROUP BY ALL
),
coarse AS (
    SELECT
        rowid AS number,
        index_name,
        ts,
        (epoch_us(ts) - epoch_us($start)) // $covered_us AS cell
    FROM ticks
    WHERE ts > $start
      AND ts <= $last
      AND resolution_s = $resolution_s
)
SELECT
    coarse.number,
    coarse.index_name,
    coarse.ts
FROM coarse
LEFT JOIN finer AS here ON here.index_name = coarse.index_name AND here.cell = coarse.cell
LEFT JOIN finer AS beyond ON beyond.index_name = coarse.index_name AND beyond.cell = coarse.cell + 1
WHERE here.last >= coarse.ts
   OR beyond.first < coarse.ts + to_microseconds($covered_us)
"""

# As above, but for what overrules nobody any more: neither a tick nor what is overruled itself lies in its time.
_FIND_FREE = """
INSERT INTO coming_back
WITH finer AS MATERIALIZED (
    SELECT
        index_name,
        (epoch_us(ts) - epoch_us($start)) // $covered_us AS cell,
        min(ts) AS first,
        max(ts) AS last
    FROM (
        SELECT index_name, ts, resolution_s
        FROM ticks
        UNION ALL
        SELECT index_name, ts, resolution_s
        FROM overruled
    )
    WHERE ts > $start
      AND ts < $end + to_microseconds($covered_us)
      AND resolution_s < $resolution_s
    GROUP BY ALL
),
coarse AS (
    SELECT
        rowid AS number,
        index_name,
        ts,
        (epoch_us(ts) - epoch_us($start)) // $covered_us AS cell
    FROM overruled
    WHERE ts > $start
      AND ts < $end
      AND resolution_s = $resolution_s
)
SELECT
    coarse.number,
    coarse.index_name,
    coarse.ts
FROM coarse
LEFT JOIN finer AS here ON here.index_name = coarse.index_name AND here.cell = coarse.cell
LEFT JOIN finer AS beyond ON beyond.index_name = coarse.index_name AND beyond.cell = coarse.cell + 1
WHERE (here.last IS NULL OR here.last < coarse.ts)
  AND (beyond.first IS NULL OR beyond.first >= coarse.ts + to_microseconds($covered_us))
"""

_COME_BACK = """
INSERT INTO ticks (index_name, ts, received_at, price, source, resolution_s)
SELECT index_name, ts, received_at, price, source, resolution_s
FROM overruled
WHERE rowid IN (SELECT number FROM coming_back)
ORDER BY ts
"""
_CAME_BACK = "DELETE FROM overruled WHERE rowid IN (SELECT number FROM coming_back)"

_KEEP = """
INSERT INTO overruled (index_name, ts, received_at, price, source, resolution_s, import_id)
SELECT index_name, ts, received_at, price, source, resolution_s, $import_id
FROM ticks
WHERE rowid IN (SELECT number FROM giving_way)
ORDER BY ts
"""
_REMOVE = "DELETE FROM ticks WHERE rowid IN (SELECT number FROM giving_way)"

_MOVED = """
SELECT index_name, ts
FROM {table}
WHERE ts < coalesce($before, TIMESTAMP 'infinity')
"""

_REACH = """
UPDATE candles_closed
SET averaged_to = greatest(averaged_to, $end)
"""

_REACH_OF_ALL = """
UPDATE candles_closed
SET averaged_to = (
    SELECT max(ts + to_seconds(resolution_s))
    FROM (
        SELECT ts, resolution_s
        FROM ticks
        UNION ALL
        SELECT ts, resolution_s
        FROM overruled
    )
    WHERE resolution_s > 0
)
"""


def overrule(cursor: DuckDBPyConnection, first: datetime, last: datetime, import_id: int | None = None) -> int:
    """Have averages give way to the finer ticks from `first` to `last`. Call it in the transaction that stored those.

    The caller folds the candles of `gave_way` anew.

    Args:
        cursor: of that transaction.
        first: the time of the first of those ticks.
        last: the time of the last one.
        import_id: the import that they came with.

    Returns:
        How many gave way.
    """
    values: dict[str, Any] = {"first": to_column(first), "last": to_column(last)}
    resolutions = sorted(each for (each,) in cursor.execute(_RESOLUTIONS.format(table="ticks"), values).fetchall())
    if not resolutions:
        return 0
    cursor.execute(_NOBODY.format(table="giving_way"))
    for resolution_s in resolutions:
        cursor.execute(_FIND, values | _cells(first, resolution_s))
    ((count,),) = cursor.execute(_KEEP, {"import_id": import_id}).fetchall()
    if count:
        cursor.execute(_REMOVE)
    return int(count)


def gave_way(cursor: DuckDBPyConnection, before: datetime | None = None) -> set[tuple[str, datetime]]:
    """Index and time of the averages that the last `overrule` moved, if it moved any; those before a time, or all."""
    return _moved(cursor, "giving_way", before)


def come_back(cursor: DuckDBPyConnection, start: datetime, end: datetime) -> tuple[int, set[tuple[str, datetime]]]:
    """Make ticks again of the overruled averages in whose time nothing finer is any more.

    Call it in the transaction that removed rows in [start, end), which folds the candles anew: of that time, and of
    what this returns.

    Returns:
        How many came back; index and time of those that began before `start`.
    """
    values: dict[str, Any] = {"first": to_column(start), "last": to_column(end)}
    found = cursor.execute(_RESOLUTIONS.format(table="overruled"), values).fetchall()
    cursor.execute(_NOBODY.format(table="coming_back"))
    for (resolution_s,) in found:
        cursor.execute(_FIND_FREE, {"end": to_column(end)} | _cells(start, resolution_s))
    ((count,),) = cursor.execute(_COME_BACK).fetchall()
    cursor.execute(_CAME_BACK)
    return count, _moved(cursor, "coming_back", start)


def _cells(first: datetime, resolution_s: int) -> dict[str, Any]:
    """The values for cells of an average's length, counted from the earliest one that reaches `first`."""
    covered = timedelta(seconds=resolution_s)
    return {
        "resolution_s": resolution_s,
        "covered_us": covered // timedelta(microseconds=1),
        "start": to_column(first) - covered,
    }


def _moved(cursor: DuckDBPyConnection, table: str, before: datetime | None) -> set[tuple[str, datetime]]:
    found = cursor.execute(_MOVED.format(table=table), {"before": before and to_column(before)}).fetchall()
    return {(index_name, from_column(ts)) for index_name, ts in found}


def reach(cursor: DuckDBPyConnection, end: datetime) -> None:
    """Note that an average covers the time up to `end`: ticks from before it are looked at for what they overrule."""
    cursor.execute(_REACH, {"end": to_column(end)})


def reach_of_all(cursor: DuckDBPyConnection) -> None:
    """Note anew how far averages reach, those that are overruled too: they may come back."""
    cursor.execute(_REACH_OF_ALL)
