"""The rows of an export, window by window, a lease each."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from store.file.database import ROWS_A_LEASE, Database
from store.models import to_column

from .survey import MATCHES, Survey, values_of
from .writers import schema_of

_TICKS = f"""
SELECT index_name, ts, received_at, price, source, resolution_s
FROM ticks
WHERE rowid < $rows
  AND {MATCHES}
ORDER BY ts, index_name
"""  # noqa: S608 the condition is a constant

_CANDLES = f"""
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
FROM ticks
WHERE rowid < $rows
  AND {MATCHES}
GROUP BY ALL
ORDER BY open_time, index_name
"""  # noqa: S608 the condition is a constant


# For CSV, DuckDB makes text of times and prices, ten times as fast as Arrow: a price of 100 as 100.0, so that readers
# who guess types don't take prices for whole numbers.
_TICKS_AS_TEXT = f"""
SELECT * REPLACE (
    strftime(ts, '%Y-%m-%dT%H:%M:%S.%fZ') AS ts,
    strftime(received_at, '%Y-%m-%dT%H:%M:%S.%fZ') AS received_at,
    price::VARCHAR AS price
)
FROM ({_TICKS})
"""  # noqa: S608 the rows are the constant above
_CANDLES_AS_TEXT = f"""
SELECT * REPLACE (
    strftime(open_time, '%Y-%m-%dT%H:%M:%SZ') AS open_time,
    open::VARCHAR AS open,
    high::VARCHAR AS high,
    low::VARCHAR AS low,
    close::VARCHAR AS close
)
FROM ({_CANDLES})
"""  # noqa: S608 the rows are the constant above


def tables_of(database: Database, found: Survey, window: int) -> Iterator[tuple[pa.Table, int]]:
    """The rows in the order of time, in tables of at most `window` ticks, each with the number of its ticks.

    A table of candles is folded from more ticks: it has far fewer rows.
    """
    return _ahead(_windows(database, found, window))


def _windows(database: Database, found: Survey, window: int) -> Iterator[tuple[pa.Table, int]]:
    query, schema = found.query, schema_of(found.query)
    if query.interval:
        statement, most = _CANDLES_AS_TEXT if query.format == "csv" else _CANDLES, ROWS_A_LEASE
    else:
        statement, most = _TICKS_AS_TEXT if query.format == "csv" else _TICKS, window
    values = {"rows": found.as_of.end, **values_of(query)} | ({"interval": query.interval} if query.interval else {})
    for start, end, ticks in found.windows(most):
        values |= {"start": to_column(start), "end": to_column(end)}
        with database.read() as cursor:
            table = cursor.sql(statement, params=values).to_arrow_table()
        yield table.cast(schema), ticks


def _ahead(tables: Iterator[tuple[pa.Table, int]]) -> Iterator[tuple[pa.Table, int]]:
    """Read the next window while one is being written."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, tables, None)
        while (table := coming.result()) is not None:
            coming = reader.submit(next, tables, None)
            yield table
