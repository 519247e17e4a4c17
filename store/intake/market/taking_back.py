"""Takes back the rows of a market that an import stored, some instants a lease, from the earliest on."""

from collections.abc import Callable
from typing import Any

from duckdb import DuckDBPyConnection

from store.file.database import Database
from store.intake.rows.work import STAYS_S
from store.kinds import KINDS, Kind, kind_of

# A chain has a thousand rows, so a lease removes 100,000 rows at most.
_SNAPSHOTS, _ENTRIES = 100, 20_000

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
    SELECT max(ts)
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

_STRIKE = """
UPDATE imported
SET undone = true
WHERE import_id = $import_id
  AND NOT undone
  AND ts <= $last
"""

# The times are bound, so that DuckDB passes over what is far from them.
_REMOVE = """
DELETE FROM {table}
USING taken
WHERE {table}.{time} BETWEEN $first AND $last
  AND taken.ts = {table}.{time}
  AND {alike}
"""


def take_back(database: Database, import_id: int, tell: Callable[[int], object]) -> int:
    """Remove the rows of an import, and return how many.

    What is made of a snapshot goes with it. Each transaction notes how far it got, so it may be repeated.

    Args:
        database: an object that nobody else uses.
        import_id: of the import. If it has prices, they stay.
        tell: called with the number of rows that were removed so far.
    """
    with database.read(STAYS_S) as cursor:
        ((feed,),) = cursor.execute(_FEED, {"import_id": import_id}).fetchall()
    kind = None if feed is None else kind_of(feed)
    if kind is None:
        return 0
    removed = 0
    more = True
    while more:
        with database.write(STAYS_S) as cursor:
            if more := _take(cursor, kind, import_id):
                removed += _remove(cursor, kind)
        database.checkpoint_when_due(STAYS_S)
        tell(removed)
    return removed


def _take(cursor: DuckDBPyConnection, kind: Kind, import_id: int) -> bool:
    """Put the next rows of the list into the table `taken`, and strike them from the list; False if none is left."""
    values: dict[str, Any] = {"import_id": import_id}
    taken = {"begin": len(kind.feed("")) + 1, "most": _SNAPSHOTS if kind.snapshots else _ENTRIES}
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
        cursor.execute(_REMOVE.format(table="snapshots", time="ts", alike=alike), span)
    for each in (each for each in KINDS if each.derived and each.snapshots == kind.name):
        cursor.execute(_REMOVE.format(table=each.table, time=each.time, alike=_alike(each)), span)
    removal = _REMOVE.format(table=kind.table, time=kind.time, alike=_alike(kind))
    ((removed,),) = cursor.execute(removal, span).fetchall()
    return int(removed)


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
