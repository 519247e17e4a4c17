"""Takes back the rows of a market that an import stored, some instants a lease, from the earliest on."""

from collections.abc import Callable, Container, Mapping
from datetime import datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from store.file.database import Database
from store.intake.rows.work import STAYS_S
from store.kinds import KINDS, Kind, kind_of
from store.ledger import logs, runs
from store.models import from_column

# A chain has a thousand rows, and may heal a gap. A lease for 500,000 ticks removes 50 chains, or 20,000 entries.
_OF_SNAPSHOT, _OF_ENTRY = 10_000, 25

# One lease searches at most this time for gaps, as the ledger does.
_SEARCHED = timedelta(days=10)

_EVER = timedelta(days=100_000)

LookAgain = Callable[[DuckDBPyConnection, str, datetime, datetime], int]
"""Notes the gaps of a feed in a time, both ends included, that lost rows; returns how many."""

_FEED = """
SELECT any_value(index_name)
FROM imported
WHERE import_id = $import_id
  AND contains(index_name, '/')
  AND NOT undone
"""

_TAKEN = """
CREATE OR REPLACE TEMP TABLE taken AS
SELECT
    index_name AS feed,
    substr(index_name, $begin) AS name,
    resolution_s,
    ts,
    instrument_name
FROM imported
WHERE import_id = $import_id
  AND NOT undone
  AND ts <= (
    SELECT least(max(ts), min(ts) + $longest)
    FROM (
        SELECT ts
        FROM imported
        WHERE import_id = $import_id
          AND NOT undone
        ORDER BY ts
        LIMIT $most
    )
  )
"""

_SPAN = "SELECT min(ts), max(ts) FROM taken"

_FEEDS = "SELECT feed, min(ts), max(ts) FROM taken GROUP BY feed"

_FIRST = "SELECT feed, resolution_s, min(ts) FROM taken GROUP BY ALL"

_STRIKE = """
UPDATE imported
SET undone = true
WHERE import_id = $import_id
  AND NOT undone
  AND ts <= $last
"""

# The times are bound, so that DuckDB passes over what is far from them.
_REMOVE = """
DELETE FROM {part} AS {table}
USING taken
WHERE {table}.{time} BETWEEN $first AND $last
  AND taken.ts = {table}.{time}
  AND {alike}
"""


def take_back(
    database: Database, import_id: int, tell: Callable[[int], object], look_again: LookAgain, most_ticks: int
) -> tuple[int, int]:
    """Remove the rows of an import; return how many, and how many gaps, or pieces of gaps, are open again.

    What is made of a snapshot goes with it, and the gaps that it healed or hid are noted in the same transaction. Logs
    ask again for removed entries, because a recorder left out what was there already. Each transaction notes how far
    it got, so it may be repeated.

    Args:
        database: an object that nobody else uses.
        import_id: of the import. If it has prices, they stay.
        tell: called with the number of rows that were removed so far.
        look_again: called inside `Database.write`, for each feed with slots.
        most_ticks: a lease removes rows that take as long as this many ticks, but at least one snapshot or entry.
    """
    with database.read(STAYS_S) as cursor:
        ((feed,),) = cursor.execute(_FEED, {"import_id": import_id}).fetchall()
        with_slots = runs.feeds(cursor)
    kind = None if feed is None else kind_of(feed)
    if kind is None:
        return 0, 0
    removed = reopened = 0
    more = True
    while more:
        with database.write(STAYS_S) as cursor:
            if more := _take(cursor, kind, import_id, most_ticks):
                removed += _remove(cursor, kind)
                reopened += _look_again(cursor, with_slots, look_again)
                if not kind.snapshots:
                    _ask_again(cursor)
        database.checkpoint_when_due(STAYS_S)
        tell(removed)
    return removed, reopened


def _take(cursor: DuckDBPyConnection, kind: Kind, import_id: int, most_ticks: int) -> bool:
    """Put the next rows of the list into the table `taken`, and strike them from the list; False if none is left."""
    values: dict[str, Any] = {"import_id": import_id}
    taken = {
        "longest": _SEARCHED if kind.snapshots else _EVER,
        "begin": len(kind.feed("")) + 1,
        "most": max(1, most_ticks // (_OF_SNAPSHOT if kind.snapshots else _OF_ENTRY)),
    }
    ((count,),) = cursor.execute(_TAKEN, values | taken).fetchall()
    if count:
        ((_, last),) = cursor.execute(_SPAN).fetchall()
        cursor.execute(_STRIKE, values | {"last": last})
    return bool(count)


def _remove(cursor: DuckDBPyConnection, kind: Kind) -> int:
    """Remove the rows that `taken` lists and what was made of them; return the number of listed rows."""
    ((first, last),) = cursor.execute(_SPAN).fetchall()
    span = {"first": first, "last": last}
    if kind.snapshots:
        alike = "taken.feed = snapshots.feed AND taken.resolution_s = 0"
        cursor.execute(_REMOVE.format(part="snapshots", table="snapshots", time="ts", alike=alike), span)
    for each in (each for each in KINDS if each.derived and each.snapshots == kind.name):
        _remove_of(cursor, each, span)
    return _remove_of(cursor, kind, span)


def _remove_of(cursor: DuckDBPyConnection, kind: Kind, span: Mapping[str, datetime]) -> int:
    removed = 0
    for part in kind.tables:
        statement = _REMOVE.format(part=part, table=kind.table, time=kind.time, alike=_alike(kind))
        ((count,),) = cursor.execute(statement, span).fetchall()
        removed += count
    return removed


def _look_again(cursor: DuckDBPyConnection, with_slots: Container[str], look_again: LookAgain) -> int:
    """Note the gaps that the removed rows healed or hid; return how many."""
    found = cursor.execute(_FEEDS).fetchall()
    return sum(
        look_again(cursor, feed, from_column(first), from_column(last))
        for feed, first, last in found
        if feed in with_slots
    )


def _ask_again(cursor: DuckDBPyConnection) -> None:
    for feed, resolution_s, first in cursor.execute(_FIRST).fetchall():
        logs.ask_again(cursor, logs.log_of(feed, resolution_s), from_column(first))


def _alike(kind: Kind) -> str:
    """The SQL condition that a row of the kind's table is one that `taken` lists."""
    conditions = [f"taken.name = {kind.table}.{kind.key[0]}"]
    if "resolution_s" in kind.column_names:
        conditions.append(f"taken.resolution_s = {kind.table}.resolution_s")
    if "instrument_name" in kind.key[1:]:
        conditions.append(
            f"{kind.table}.instrument_name = coalesce(taken.instrument_name, {kind.table}.instrument_name)"
        )
    return " AND ".join(conditions)
