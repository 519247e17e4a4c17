"""Reads the rows of an export window by window, with a lease for each."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from store.file.database import ROWS_A_LEASE
from store.file.rows import AsOf
from store.file.shared import Readable
from store.kinds import TICKS, Kind
from store.models import to_column

from . import tardis
from .query import ExportQuery
from .selection import columns_in, columns_of, matches, relation_of, values_of
from .survey import Survey
from .writers import schema_of

_ROWS = """
SELECT {columns}
FROM {relation}
WHERE {matches}
ORDER BY {order}
"""

_CANDLES = """
SELECT
    index_name,
    time_bucket($interval, ts) AS open_time,
    arg_min(price, ts) AS open,
    max(price) AS high,
    min(price) AS low,
    arg_max(price, ts) AS close,
    count(*) AS tick_count,
    count(*) FILTER (resolution_s = 0) AS observed_count,
    max(resolution_s) AS resolution_s
FROM {rows}
WHERE {matches}
GROUP BY ALL
ORDER BY open_time, index_name
"""

# For CSV, DuckDB turns times and numbers into text, ten times as fast as Arrow. A price of 100 becomes 100.0, so that
# programs that guess types don't read prices as whole numbers.
_AS_TEXT = {
    "TIMESTAMP": "strftime({name}, '%Y-%m-%dT%H:%M:%S.%fZ') AS {name}",
    "DOUBLE": "{name}::VARCHAR AS {name}",
}
_CANDLES_AS_TEXT = """
SELECT * REPLACE (
    strftime(open_time, '%Y-%m-%dT%H:%M:%SZ') AS open_time,
    open::VARCHAR AS open,
    high::VARCHAR AS high,
    low::VARCHAR AS low,
    close::VARCHAR AS close
)
FROM ({candles})
"""


def tables_of(database: Readable, found: Survey, window: int) -> Iterator[tuple[pa.Table, int]]:
    """The rows in the order of time, in tables of at most `window` rows, each with the number of rows read for it.

    A table of candles has far fewer rows than the ticks read for it.
    """
    return _ahead(_windows(database, found, window))


def _windows(database: Readable, found: Survey, window: int) -> Iterator[tuple[pa.Table, int]]:
    query, schema = found.query, schema_of(found.query)
    statement = _statement(query, found.as_of)
    values = found.as_of.ends | values_of(query) | ({"interval": query.interval} if query.interval else {})
    if query.columns == "tardis":
        values["exchange"] = tardis.EXCHANGES[found.facts["exchange"]]
    for start, end, read in found.windows(ROWS_A_LEASE if query.interval else _most_rows(query, window)):
        values |= {"start": to_column(start), "end": to_column(end)}
        with database.read() as cursor:
            table = cursor.sql(statement, params=values).to_arrow_table()
        yield table.cast(schema), read


def _most_rows(query: ExportQuery, window: int) -> int:
    """The rows of a window that are as much to read as so many ticks: rows of a market have more columns."""
    return max(1, window * len(TICKS.columns) // len(columns_in(query)))


def _statement(query: ExportQuery, as_of: AsOf) -> str:
    if query.interval:
        candles = _CANDLES.format(rows=as_of.rows, matches=matches(query.kind))
        return _CANDLES_AS_TEXT.format(candles=candles) if query.format == "csv" else candles
    rows = _rows(query.kind, as_of) if query.columns == "own" else tardis.renamed(_rows(query.kind, as_of))
    if query.format != "csv":
        return rows
    texts = [_AS_TEXT[column.type].format(name=column.name) for column in columns_in(query) if column.type in _AS_TEXT]
    return f"SELECT * REPLACE ({', '.join(texts)}) FROM ({rows})"  # noqa: S608 names and rows are of a kind


def _rows(kind: Kind, as_of: AsOf) -> str:
    own = set(kind.column_names)
    names = [f"{kind.table if column.name in own else 'snapshots'}.{column.name}" for column in columns_of(kind)]
    return _ROWS.format(
        columns=", ".join(names),
        relation=relation_of(kind, as_of.rows),
        matches=matches(kind),
        order=", ".join(f"{kind.table}.{name}" for name in (kind.time, *kind.key)),
    )


def _ahead(tables: Iterator[tuple[pa.Table, int]]) -> Iterator[tuple[pa.Table, int]]:
    """Read the next window while one is being written."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, tables, None)
        while (table := coming.result()) is not None:
            coming = reader.submit(next, tables, None)
            yield table
