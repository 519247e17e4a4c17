"""Snapshots of a file: which of them are whole, and which are new in the database."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from store.export.selection import columns_of
from store.kinds import Kind
from store.ledger.due import heard_at, slot_number
from store.ledger.runs import runs
from store.models import CLOCKS_AGREE, Run, Snapshot, Source, from_column, to_column

from .batches import Group, Row

_SHARED = ("received_at", "source", "rows", "index_price", "rejected")

_STORED = """
SELECT ts, received_at
FROM snapshots
WHERE feed = $feed
  AND ts BETWEEN $start AND $end
"""


def source_of(source: str) -> Source:
    """The source of an imported row, by its source in the file."""
    return "simulator" if source == "simulator" else "import"


def whole(kind: Kind, groups: Iterable[Group]) -> list[Snapshot]:
    """The snapshots that a file has whole: each row once, and the same facts of the snapshot in all rows."""
    names = [column.name for column in columns_of(kind)]
    keys = [names.index(name) for name in kind.key]
    shared = [names.index(name) for name in _SHARED]
    brought = [names.index(column.name) for column in kind.brought]
    found = []
    for group in groups:
        received_at, source, rows, index_price, rejected = _values(group.rows[0], shared)
        if len(group.rows) != rows or len({_values(row, keys) for row in group.rows}) != rows:
            continue
        if len({_values(row, shared) for row in group.rows}) > 1:
            continue
        its = tuple(tuple(map(_aware, _values(row, brought))) for row in group.rows)
        feed, ts = kind.feed(group.name), from_column(group.ts)
        found.append(Snapshot(feed, ts, from_column(received_at), its, source_of(source), index_price, rejected))
    return found


def new(cursor: DuckDBPyConnection, snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """The snapshots whose feed has none of their time and none in their slot.

    The newest run before a snapshot tells the seconds between slots. Before the first run of a feed nothing was due, so
    that only the times count.
    """
    by_feed: defaultdict[str, list[Snapshot]] = defaultdict(list)
    for each in snapshots:
        by_feed[each.feed].append(each)
    recorded = runs(cursor) if by_feed else []
    return [each for feed, its in by_feed.items() for each in _new(cursor, feed, its, _of(recorded, feed))]


def _new(
    cursor: DuckDBPyConnection, feed: str, snapshots: Sequence[Snapshot], recorded: Sequence[Run]
) -> Iterator[Snapshot]:
    longest = timedelta(seconds=max((run.feeds[feed] for run in recorded), default=0)) + CLOCKS_AGREE
    start, end = min(each.ts for each in snapshots) - longest, max(each.ts for each in snapshots) + longest
    stored = cursor.execute(_STORED, {"feed": feed, "start": to_column(start), "end": to_column(end)}).fetchall()
    times = {from_column(ts) for ts, _ in stored}
    heard = [heard_at(from_column(ts), from_column(received_at)) for ts, received_at in stored]
    slots = {seconds: {slot_number(at, seconds) for at in heard} for seconds in {run.feeds[feed] for run in recorded}}
    for each in snapshots:
        at = heard_at(each.ts, each.received_at)
        seconds = next((run.feeds[feed] for run in reversed(recorded) if run.started_at <= at), None)
        if each.ts in times or (seconds and slot_number(at, seconds) in slots[seconds]):
            continue
        times.add(each.ts)
        for its_seconds, numbers in slots.items():
            numbers.add(slot_number(at, its_seconds))
        yield each


def _of(recorded: Iterable[Run], feed: str) -> list[Run]:
    return [run for run in recorded if feed in run.feeds]


def _values(row: Row, places: Iterable[int]) -> Row:
    return tuple(row[place] for place in places)


def _aware(value: Any) -> Any:
    return from_column(value) if isinstance(value, datetime) else value
