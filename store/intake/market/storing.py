"""Stores a batch of a file's rows that are new, as a recorder would, and lists them for an undo."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from operator import add
from typing import Any, NamedTuple

from duckdb import DuckDBPyConnection

from store.export.selection import columns_of
from store.file.rows import insert
from store.kinds import FUTURES, OPTIONS, Kind
from store.market import chains, trades
from store.market.entries import append_new
from store.market.trades import Trade
from store.models import Snapshot, Source, from_column, to_column

from .batches import Group
from .snapshots import new, source_of, whole

_COLUMNS = ("import_id", "index_name", "resolution_s", "ts", "undone", "instrument_name")

_APPEND: Mapping[Kind, Callable[[DuckDBPyConnection, Iterable[Snapshot]], None]] = {
    OPTIONS: chains.append,
    FUTURES: trades.append_observed,
}
"""How the snapshots of a kind are stored, with what follows from them."""

_Listed = tuple[str, int, datetime, str | None]
"""What was stored: the feed, the resolution, the time, and the instrument if the feed's other ones may be missing."""


class Done(NamedTuple):
    """What became of the rows of a file.

    Attributes:
        stored: how many rows were stored.
        known: how many were left out, because they are stored already, or something is stored in their slot.
        cut: how many were left out, because the file does not have all rows of their snapshots.
        snapshots, known_snapshots, cut_snapshots: how many snapshots these rows are.
    """

    stored: int = 0
    known: int = 0
    cut: int = 0
    snapshots: int = 0
    known_snapshots: int = 0
    cut_snapshots: int = 0

    def plus(self, other: "Done") -> "Done":
        """The counts of these rows and of others."""
        return Done(*map(add, self, other))


def store(cursor: DuckDBPyConnection, kind: Kind, groups: Sequence[Group], import_id: int) -> Done:
    """Store what is new of a batch, as rows of an import. Call it inside `Database.write`."""
    if kind.snapshots:
        done = _snapshots(cursor, kind, [group for group in groups if not group.resolution_s], import_id)
        return done.plus(_trades(cursor, [group for group in groups if group.resolution_s], import_id))
    return _entries(cursor, kind, groups, import_id)


def _snapshots(cursor: DuckDBPyConnection, kind: Kind, groups: Sequence[Group], import_id: int) -> Done:
    found = whole(kind, groups)
    fresh = new(cursor, found)
    _APPEND[kind](cursor, fresh)
    _list(cursor, import_id, [(each.feed, 0, to_column(each.ts), None) for each in fresh])
    rows, its_rows, stored = (sum(len(each.rows) for each in some) for some in (groups, found, fresh))
    counts = len(fresh), len(found) - len(fresh), len(groups) - len(found)
    return Done(stored, its_rows - stored, rows - its_rows, *counts)


def _trades(cursor: DuckDBPyConnection, groups: Iterable[Group], import_id: int) -> Done:
    names = [column.name for column in columns_of(FUTURES)]
    found: defaultdict[tuple[str, Source], list[Trade]] = defaultdict(list)
    for group in groups:
        for row in group.rows:
            its: dict[str, Any] = dict(zip(names, row, strict=True))
            expiry = its["expiry"] and from_column(its["expiry"])
            trade = Trade(its["instrument_name"], expiry, from_column(group.ts), its["last"])
            found[group.name, source_of(its["source"])].append(trade)
    done = Done()
    for (currency, source), some in found.items():
        stored = trades.append(cursor, currency, some, source)
        feed, over_s = FUTURES.feed(currency), trades.RESOLUTION_S
        _list(cursor, import_id, [(feed, over_s, to_column(each.ts), each.instrument_name) for each in stored])
        done = done.plus(Done(len(stored), len(some) - len(stored)))
    return done


def _entries(cursor: DuckDBPyConnection, kind: Kind, groups: Iterable[Group], import_id: int) -> Done:
    place, name, time = map(kind.column_names.index, ("source", kind.key[0], kind.time))
    rows = [(*row[:place], source_of(row[place]), *row[place + 1 :]) for group in groups for row in group.rows]
    stored = append_new(cursor, kind, rows)
    over_s = kind.column_names.index("resolution_s") if "resolution_s" in kind.column_names else None
    _list(
        cursor,
        import_id,
        [(kind.feed(row[name]), 0 if over_s is None else row[over_s], row[time], None) for row in stored],
    )
    return Done(len(stored), len(rows) - len(stored))


def _list(cursor: DuckDBPyConnection, import_id: int, listed: Iterable[_Listed]) -> None:
    rows = [(import_id, feed, over_s, ts, False, name) for feed, over_s, ts, name in listed]
    insert(cursor, "imported", _COLUMNS, rows)
