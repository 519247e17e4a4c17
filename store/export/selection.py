"""The columns of a kind that an export has, and the rows that match a query."""

from collections.abc import Iterable
from typing import Any

from duckdb import DuckDBPyConnection

from store import kinds
from store.kinds import TICKS, Column, Kind, kind_of
from store.ledger import arrivals
from store.models import to_column
from store.prices.averages import OF_CHARTS

from . import tardis
from .query import ExportQuery

_ENDS = "SELECT DISTINCT {name} FROM {table}"

_RECEIVED, _SOURCE = Column("received_at", "TIMESTAMP", "UTC"), Column("source", "VARCHAR", "")

_OF_SNAPSHOT = (
    Column("rows", "INTEGER", "rows of the snapshot"),
    Column("index_price", "DOUBLE", "USD"),
    Column("rejected", "INTEGER", "rows of the reply that could not be read"),
)

_JOINED = """
    {rows}
    LEFT JOIN (SELECT {columns} FROM snapshots) AS snapshots ON
        snapshots.ts = {table}.{time}
        AND snapshots.feed = '{snapshots}/' || {table}.{name}
        AND {observed}
"""


def other_feeds(cursor: DuckDBPyConnection) -> list[str]:
    """The feeds with rows that are no ticks, by name. Their rows can be exported like the ticks of indexes."""
    return sorted(
        {feed for feed in arrivals.newest(cursor) if kind_of(feed) is not None}
        | {kind.feed(end) for kind in kinds.KINDS if _lists_its_feeds(kind) for end in _ends(cursor, kind)}
    )


def series_of(feeds: Iterable[str]) -> list[str]:
    """The series that feeds belong to, such as "options" for "options/BTC"."""
    return sorted({feed.partition("/")[0] for feed in feeds})


def of_series(feeds: Iterable[str], series: str) -> list[str]:
    """The names of a series' feeds without the series, such as "BTC" for "options/BTC"."""
    return [feed.removeprefix(f"{series}/") for feed in feeds if feed.startswith(f"{series}/")]


def _lists_its_feeds(kind: Kind) -> bool:
    """Does only the table of a kind tell which feeds have rows? It is so for logs and derived rows."""
    return kind is not TICKS and kind.snapshots != kind.name


def _ends(cursor: DuckDBPyConnection, kind: Kind) -> list[str]:
    return [end for (end,) in cursor.execute(_ENDS.format(name=kind.key[0], table=kind.table)).fetchall()]


def columns_in(query: ExportQuery) -> tuple[Column, ...]:
    """The columns of an export of rows."""
    return tardis.COLUMNS if query.columns == "tardis" else columns_of(query.kind)


def columns_of(kind: Kind) -> tuple[Column, ...]:
    """The columns of the kind's table, and the columns that a snapshot has for all its rows.

    An import makes the snapshot of these columns again, so derived rows don't have all of them.
    """
    return (*kind.columns, *_shared(kind))


def _shared(kind: Kind) -> tuple[Column, ...]:
    """The columns of `snapshots` that an export of the kind has."""
    if not kind.snapshots:
        return ()
    received = (_RECEIVED,) if kind.has_source else (_RECEIVED, _SOURCE)
    return received if kind.derived else (*received, *_OF_SNAPSHOT)


def relation_of(kind: Kind, rows: str) -> str:
    """The SQL relation that has the columns of `columns_of`. A row that healed a gap has no snapshot.

    `rows` is the relation of the kind's rows, with the name of the kind's table.
    """
    if not kind.snapshots:
        return rows
    return _JOINED.format(
        rows=rows,
        table=kind.table,
        columns=", ".join(("feed", "ts", *(column.name for column in _shared(kind)))),
        time=kind.time,
        snapshots=kind.snapshots,
        name=kind.key[0],
        observed=f"{kind.table}.resolution_s = 0" if kind.has_source else "true",
    )


def matches(kind: Kind) -> str:
    """The SQL condition for the rows of the kind's table that match a query, with the values of `values_of`."""
    has_averages = "resolution_s" in kind.column_names and kind.time != "open_time"  # a candle is no average
    time = f"{kind.table}.{kind.time}"
    return f"""
        list_contains($names, {kind.table}.{kind.key[0]})
        AND {time} >= $start
        AND {time} < $end
        AND {f"{time} + to_seconds({kind.table}.resolution_s) <= $until" if _must_be_over(kind) else "true"}
        AND ($healed OR NOT ({OF_CHARTS if has_averages else "false"}))
    """


def values_of(query: ExportQuery) -> dict[str, Any]:
    """The values that the condition of `matches` needs."""
    return {
        "names": list(query.names),
        "start": to_column(query.start),
        "end": to_column(query.end),
        "healed": query.healed,
        **({"until": to_column(query.end)} if _must_be_over(query.kind) else {}),
    }


def _must_be_over(kind: Kind) -> bool:
    """Does a market's row cover a time? It knows what happened until then, so an export that ends before lacks it."""
    return "resolution_s" in kind.column_names and kind is not TICKS
