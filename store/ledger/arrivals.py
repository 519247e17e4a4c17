"""Snapshots that arrived: a row for each reply of a snapshot feed proves its slot, as a tick proves one of an index."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from duckdb import DuckDBPyConnection

from store.file.rows import insert
from store.kinds import Kind
from store.models import Arrival, from_column, to_column

_COLUMNS = ("feed", "ts", "received_at", "source", "rows")

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


def append(cursor: DuckDBPyConnection, arrivals: Iterable[Arrival]) -> set[tuple[str, datetime]]:
    """Note snapshots whose (feed, ts) is new; leave the others alone. Call it inside `Database.write`.

    Returns:
        The (feed, ts) that were noted: the rows of these replies are new too.
    """
    new: dict[tuple[str, datetime], Arrival] = {}
    for arrival in arrivals:
        new.setdefault((arrival.feed, to_column(arrival.ts)), arrival)
    if not new:
        return set()
    instants = [ts for _, ts in new]
    for known in cursor.execute(_KNOWN, [min(instants), max(instants)]).fetchall():
        new.pop(known, None)
    rows = ((*key, to_column(its.received_at), its.source, its.rows) for key, its in new.items())
    insert(cursor, "snapshots", _COLUMNS, rows)
    return {(feed, from_column(ts)) for feed, ts in new}


def append_rows(
    cursor: DuckDBPyConnection, kind: Kind, replies: Iterable[tuple[Arrival, Sequence[Sequence[Any]]]]
) -> set[tuple[str, datetime]]:
    """Note snapshots whose (feed, ts) is new, each with its rows in the kind's table. Call it inside `Database.write`.

    Args:
        cursor: of that lease.
        kind: of all of them.
        replies: each snapshot, and its rows as values of the kind's columns, as the database keeps them.

    Returns:
        The (feed, ts) that were noted.
    """
    brought: dict[tuple[str, datetime], tuple[Arrival, Sequence[Sequence[Any]]]] = {}
    for arrival, rows in replies:
        brought.setdefault((arrival.feed, from_column(to_column(arrival.ts))), (arrival, rows))
    noted = append(cursor, (arrival for arrival, _ in brought.values()))
    new = (rows for key, (_, rows) in brought.items() if key in noted)
    insert(cursor, kind.table, kind.column_names, chain.from_iterable(new))
    return noted


def newest(cursor: DuckDBPyConnection) -> dict[str, datetime]:
    """When the newest snapshot of each feed was made, by the exchange's time."""
    return {feed: from_column(ts) for feed, ts in cursor.execute(_NEWEST).fetchall()}
