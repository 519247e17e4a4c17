"""Undo of an import: the rows that it stored are removed, and the averages that they replaced are restored.

It works through stretches of time, a lease each, from the earliest on. Each transaction notes how far it got, so an
undo that was killed is simply repeated. Gaps that only the import's ticks healed are checked last; those of snapshots
are checked in the transaction that removes them.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from settings import is_index_name
from store.errors import StoreError
from store.file.database import Database
from store.ledger import runs
from store.models import from_column, to_column, utc_now
from store.prices import candles, overruled
from store.progress import TellWhat

from .import_log import Import, imports
from .imports import folder_alone
from .market.taking_back import take_back
from .reopening import look_again, reopen, uncover
from .rows.work import STAYS_S

_MOST_TICKS = 500_000

_BEGINS = """
SELECT min(first)
FROM (
    SELECT min(first) AS first
    FROM import_spans
    WHERE import_id = $import_id
      AND NOT undone
    UNION ALL
    SELECT min(ts)
    FROM imported
    WHERE import_id = $import_id
      AND NOT undone
)
"""

_TAKEN = """
CREATE OR REPLACE TEMP TABLE taken AS
WITH stored AS (
    SELECT false AS overruled, rowid AS number, index_name, ts, source, resolution_s
    FROM ticks
    WHERE ts >= $start
      AND ts < $end
    UNION ALL
    SELECT true, rowid, index_name, ts, source, resolution_s
    FROM overruled
    WHERE ts >= $start
      AND ts < $end
),
listed AS (
    SELECT import_id, index_name, resolution_s, ts
    FROM imported
    WHERE NOT undone
      AND ts >= $start
      AND ts < $end
),
spans AS (
    SELECT index_name, resolution_s, first, last
    FROM import_spans
    WHERE import_id = $import_id
      AND NOT undone
      AND first < $end
      AND last >= $start
)
SELECT stored.overruled, stored.number
FROM stored
JOIN spans ON
    spans.index_name = stored.index_name
    AND spans.resolution_s = stored.resolution_s
    AND stored.ts BETWEEN spans.first AND spans.last
ANTI JOIN listed ON
    listed.index_name = stored.index_name
    AND listed.resolution_s = stored.resolution_s
    AND listed.ts = stored.ts
WHERE stored.source = 'import'
UNION ALL
SELECT stored.overruled, stored.number
FROM stored
SEMI JOIN listed ON
    listed.index_name = stored.index_name
    AND listed.resolution_s = stored.resolution_s
    AND listed.ts = stored.ts
    AND listed.import_id = $import_id
"""

_REMOVE = "DELETE FROM {table} WHERE rowid IN (SELECT number FROM taken WHERE overruled = {overruled})"

_CUT = """
INSERT INTO import_spans (import_id, index_name, resolution_s, first, last, undone)
SELECT import_id, index_name, resolution_s, first, least(last, $end - INTERVAL 1 MICROSECOND), true
FROM import_spans
WHERE import_id = $import_id
  AND NOT undone
  AND first < $end;
DELETE FROM import_spans
WHERE import_id = $import_id
  AND NOT undone
  AND last < $end;
UPDATE import_spans
SET first = $end
WHERE import_id = $import_id
  AND NOT undone
  AND first < $end
"""

_STRIKE = """
UPDATE imported
SET undone = true
WHERE import_id = $import_id
  AND NOT undone
  AND ts < $end
"""

# An average heals a slot whose distance to the average's time is less than the average's length.
_EXTENTS = """
SELECT
    index_name,
    min(first - to_seconds(resolution_s)),
    max(last + 2 * to_seconds(resolution_s))
FROM (
    SELECT index_name, resolution_s, first, last
    FROM import_spans
    WHERE import_id = $import_id
    UNION ALL
    SELECT index_name, resolution_s, min(ts), max(ts)
    FROM imported
    WHERE import_id = $import_id
    GROUP BY ALL
)
GROUP BY index_name
ORDER BY index_name
"""

_OVERRULED_BY_OTHERS = """
UPDATE overruled
SET import_id = NULL
WHERE import_id = $import_id
"""

_FINISH = """
UPDATE imports
SET undone_at = $undone_at
WHERE id = $import_id
"""


@dataclass(frozen=True, slots=True)
class Undone:
    """The counts of an undo.

    Attributes:
        id: of the import.
        path: of its file.
        taken: how many rows were removed.
        back: how many averages that it had replaced are ticks again.
        reopened: how many gaps, or pieces of gaps, are open or unfillable again.
    """

    id: int
    path: Path
    taken: int
    back: int
    reopened: int


def undo(database: Database, import_id: int | None, tell: TellWhat, most_ticks: int = _MOST_TICKS) -> Undone:
    """Undo an import: the newest one, or the one with this id.

    A later import may have left rows out because of this one. The undo does not store them.

    Args:
        database: an object that nobody else uses: it keeps the file until others want it.
        import_id: of the import.
        tell: called with the progress.
        most_ticks: the most ticks in the time that one lease changes; a single hour may have more. The rows of a market
            that one lease removes take as long.

    Raises:
        StoreError: there is no such import, it was undone already, or the database can't be used. Finished work stays;
            the next undo does the rest.
    """
    with folder_alone(database), database.hold():
        with database.read(STAYS_S) as cursor:
            chosen = _chosen(imports(cursor), import_id)
        of_market, reopened = take_back(database, chosen.id, partial(_tell, tell, chosen), look_again, most_ticks)
        taken, back = _take_back(database, chosen, tell, most_ticks)
        database.checkpoint_when_due(STAYS_S)
        reopened += _look_at_gaps(database, chosen.id)
        with database.write(STAYS_S) as cursor:
            cursor.execute(_OVERRULED_BY_OTHERS, {"import_id": chosen.id})
            cursor.execute(_FINISH, {"import_id": chosen.id, "undone_at": to_column(utc_now())})
    return Undone(chosen.id, Path(chosen.path), of_market + taken, back, reopened)


def _chosen(known: list[Import], import_id: int | None) -> Import:
    fitting = [each for each in known if (each.undone_at is None if import_id is None else each.id == import_id)]
    if not fitting:
        raise StoreError("there is no import to undo" if import_id is None else f"there is no import {import_id}")
    if (undone_at := fitting[-1].undone_at) is not None:
        raise StoreError(f"import {import_id} was undone already, {undone_at:%Y-%m-%d %H:%M:%S} UTC")
    return fitting[-1]


def _take_back(database: Database, undone: Import, tell: TellWhat, most_ticks: int) -> tuple[int, int]:
    """Remove the ticks of an import; return how many, and how many averages were restored."""
    taken = back = 0
    more = True
    while more:
        with database.write(STAYS_S) as cursor:
            start = _begins(cursor, undone.id)
            if more := start is not None:
                end = start + candles.longest_with_few(cursor, start, most_ticks)
                removed, returned = _take_stretch_back(cursor, undone.id, start, end)
                taken, back = taken + removed, back + returned
        database.checkpoint_when_due(STAYS_S)
        _tell(tell, undone, taken)
    return taken, back


def _tell(tell: TellWhat, undone: Import, taken: int) -> None:
    tell(f"undoing import {undone.id}", min(taken, undone.stored), undone.stored)


def _begins(cursor: DuckDBPyConnection, import_id: int) -> datetime | None:
    ((first,),) = cursor.execute(_BEGINS, {"import_id": import_id}).fetchall()
    return None if first is None else from_column(first)


def _take_stretch_back(cursor: DuckDBPyConnection, import_id: int, start: datetime, end: datetime) -> tuple[int, int]:
    to_end: dict[str, Any] = {"import_id": import_id, "end": to_column(end)}
    ((taken,),) = cursor.execute(_TAKEN, to_end | {"start": to_column(start)}).fetchall()
    for table, was_overruled in (("ticks", "false"), ("overruled", "true")):
        cursor.execute(_REMOVE.format(table=table, overruled=was_overruled))
    for statement in (*_CUT.split(";"), _STRIKE):
        cursor.execute(statement, to_end)
    back, earlier = overruled.come_back(cursor, start, end)
    candles.refold_between(cursor, start, end)
    candles.refold(cursor, earlier, candles.closed_to(cursor))
    return taken, back


def _look_at_gaps(database: Database, import_id: int) -> int:
    """Note the gaps of indexes that the import healed or hid; return how many are not healed now."""
    with database.read(STAYS_S) as cursor:
        with_slots = runs.feeds(cursor)
        found = cursor.execute(_EXTENTS, {"import_id": import_id}).fetchall()
    reopened = 0
    for feed, first, last in (each for each in found if is_index_name(each[0]) and each[0] in with_slots):
        start, end = from_column(first), from_column(last)
        reopened += reopen(database, feed, start, end) + uncover(database, feed, start, end)
    return reopened
