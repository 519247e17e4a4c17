"""The columns of a kind that an export has, and the rows that match a query."""

from typing import Any

from duckdb import DuckDBPyConnection

from store.kinds import Column, Kind, kind_of
from store.ledger import arrivals
from store.models import to_column
from store.prices.averages import OF_CHARTS

from .query import ExportQuery

_OF_SNAPSHOT = (Column("received_at", "TIMESTAMP", "UTC"), Column("source", "VARCHAR", ""))


def snapshot_feeds(cursor: DuckDBPyConnection) -> list[str]:
    """The feeds that have snapshots, by name. Their rows can be exported like the ticks of indexes."""
    return sorted(feed for feed in arrivals.newest(cursor) if kind_of(feed) is not None)


def columns_of(kind: Kind) -> tuple[Column, ...]:
    """The columns of the kind's table, and the columns that a snapshot has for all its rows."""
    return kind.columns if kind.has_source else (*kind.columns, *_OF_SNAPSHOT)


def relation_of(kind: Kind) -> str:
    """The SQL relation that has the columns of `columns_of`."""
    if kind.has_source:
        return kind.table
    feed = f"'{kind.feed('')}' || {kind.table}.{kind.key[0]}"
    return f"{kind.table} LEFT JOIN snapshots ON snapshots.ts = {kind.table}.ts AND snapshots.feed = {feed}"


def matches(kind: Kind) -> str:
    """The SQL condition for the rows of the kind's table that match a query, with the values of `values_of`."""
    has_averages = {"source", "resolution_s"} <= set(kind.column_names)
    return f"""
        list_contains($names, {kind.table}.{kind.key[0]})
        AND {kind.table}.ts >= $start
        AND {kind.table}.ts < $end
        AND ($healed OR NOT ({OF_CHARTS if has_averages else "false"}))
    """


def values_of(query: ExportQuery) -> dict[str, Any]:
    """The values that the condition of `matches` needs."""
    return {
        "names": list(query.names),
        "start": to_column(query.start),
        "end": to_column(query.end),
        "healed": query.healed,
    }
