"""Snapshots that arrived: a row for each reply of a snapshot feed proves its slot, as a tick proves an index's slot."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from duckdb import DuckDBPyConnection

from store.errors import StoreError
from store.file.rows import insert
from store.kinds import Kind, kind_of
from store.models import Snapshot, from_column, to_column

_COLUMNS = ("feed", "ts", "received_at", "source", "rows", "index_price", "rejected")

_KNOWN = """
SELECT feed, ts
FROM snapshots
WHERE ts BETWEEN ? AND ?
"""

_NEWEST = """
SELECT feed, max(ts)
FROM snapshots
GROUP BY feed
"""

_BEFORE = """
SELECT feed, ts
FROM snapshots
WHERE ts < ?
"""


# A lake is attached under this name.
_IS_LAKE = "SELECT current_database() = 'lake'"

_LAST = """
SELECT greatest((SELECT max(ts) FROM ticks), (SELECT max(ts) FROM snapshots))
"""


def append(cursor: DuckDBPyConnection, snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """Store each snapshot whose (feed, ts) is new, with its rows in the table of its kind; return these snapshots.

    Call it inside `Database.write`.
    """
    new: dict[tuple[str, datetime], Snapshot] = {}
    for snapshot in snapshots:
        new.setdefault((snapshot.feed, to_column(snapshot.ts)), snapshot)
    if not new:
        return []
    instants = [ts for _, ts in new]
    for known in cursor.execute(_KNOWN, [min(instants), max(instants)]).fetchall():
        new.pop(known, None)
    insert(cursor, "snapshots", _COLUMNS, map(_note, new.values()))
    for kind, of_kind in _by_kind(each for each in new.values() if each.rows):
        names = (*_shared(kind, of_kind[0]), *(column.name for column in kind.brought))
        insert(cursor, kind.tables[0], names, chain.from_iterable(_rows(kind, each) for each in of_kind))
    return list(new.values())


def newest(cursor: DuckDBPyConnection) -> dict[str, datetime]:
    """The exchange time of the newest snapshot of each feed."""
    return {feed: from_column(ts) for feed, ts in cursor.execute(_NEWEST).fetchall()}


def before(cursor: DuckDBPyConnection, end: datetime) -> set[tuple[str, datetime]]:
    """The feed and the exchange time of each snapshot before `end`."""
    return {(feed, from_column(ts)) for feed, ts in cursor.execute(_BEFORE, [to_column(end)]).fetchall()}


def brought_to(cursor: DuckDBPyConnection, now: datetime) -> datetime:
    """Up to when all that was recorded can be there: now, or of a lake the newest tick or snapshot.

    Nobody knows of what was not published yet whether it is missing.
    """
    ((is_lake,),) = cursor.execute(_IS_LAKE).fetchall()
    if not is_lake:
        return now
    ((last,),) = cursor.execute(_LAST).fetchall()
    return now if last is None else min(now, from_column(last))


def _by_kind(snapshots: Iterable[Snapshot]) -> Iterable[tuple[Kind, Sequence[Snapshot]]]:
    found: defaultdict[Kind, list[Snapshot]] = defaultdict(list)
    for snapshot in snapshots:
        if (kind := kind_of(snapshot.feed)) is None:
            raise StoreError(f"the feed {snapshot.feed} has no kind of rows")
        found[kind].append(snapshot)
    return found.items()


def _note(snapshot: Snapshot) -> tuple[Any, ...]:
    """The row of `snapshots`."""
    instants = to_column(snapshot.ts), to_column(snapshot.received_at)
    return snapshot.feed, *instants, snapshot.source, len(snapshot.rows), snapshot.index_price, snapshot.rejected


def _shared(kind: Kind, snapshot: Snapshot) -> dict[str, Any]:
    """The values that all rows of a snapshot share, by column."""
    shared = {kind.key[0]: kind.end(snapshot.feed), kind.time: to_column(snapshot.ts)}
    return shared | ({"source": snapshot.source, "resolution_s": 0} if kind.has_source else {})


def _rows(kind: Kind, snapshot: Snapshot) -> Iterator[tuple[Any, ...]]:
    """The rows of a snapshot as the table of its kind keeps them."""
    shared = _shared(kind, snapshot).values()
    for row in snapshot.rows:
        values = (to_column(value) if isinstance(value, datetime) else value for value in row)
        yield (*shared, *values)
