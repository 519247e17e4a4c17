"""A long history of two indexes at one second, made once and kept.

It is as a recorder leaves it: with averages of the time before, candles, and a ledger of gaps that is complete. It has
a small market too, so that each page has its charts.
"""

from datetime import datetime, timedelta

import duckdb

from settings import ROOT
from store.file import schema
from store.file.database import Database
from store.ledger import gaps
from store.models import from_column, utc_now
from store.prices import averages, candles
from tests.support.history import with_market

PRICES = """
SELECT
    ['btc_usd', 'eth_usd'][1 + i % 2] AS index_name,
    slot + to_microseconds(6_000 + CAST(hash(i) % 9_000 AS BIGINT)) AS ts,
    slot + to_microseconds(16_000 + CAST(hash(i) % 9_000 AS BIGINT)) AS received_at,
    round(100_000 * exp(sin(i / 3e6) / 3) + hash(i) % 10_000 / 500, 2) AS price
FROM (
    SELECT i, $end - to_seconds(($count - i) // 2) AS slot
    FROM range($count) AS r(i)
)
"""
"""$count prices up to $end, in the order of time but for the two of a slot."""

_TICKS = f"""
INSERT INTO ticks
SELECT index_name, ts, received_at, price, 'simulator', 0
FROM ({PRICES})
"""

_RUN = """
INSERT INTO runs
VALUES ($end - to_seconds($count // 2), $end, 'bench', MAP {'btc_usd': 1, 'eth_usd': 1}, 'bench')
"""


def history(count: int) -> Database:
    """A file with `count` ticks and their candles, from the cache if it was made before."""
    path = ROOT / f".cache/recorded-{count}-and-market-schema-{schema.newest()}.duckdb"
    database = Database(path, threads=1)  # as pages have it
    if not path.exists():
        making = Database(path.with_name(f"making-{path.name}"))
        for remains in path.parent.glob(f"{making.path.name}*"):
            remains.unlink()
        making.migrate()
        end = utc_now().replace(microsecond=0, tzinfo=None)
        with duckdb.connect(making.path) as connection:
            for statement in (_TICKS, _RUN):
                connection.execute(statement, {"count": count, "end": end})
        add_averages(making, from_column(end) - timedelta(seconds=count // 2))
        with_market(making, from_column(end))
        candles.rebuild(making, utc_now())
        gaps.advance(making, from_column(end), utc_now(), wait_s=5)
        with duckdb.connect(making.path) as connection:
            connection.execute("CHECKPOINT")  # else the last part of it stays in the log, which is not renamed
        making.path.rename(path)
    return database


def add_averages(database: Database, until: datetime) -> None:
    """A price a day for a year, as the exchange has them of the time before a recorder began."""
    days = [until - timedelta(days=number) for number in range(2, 365)]
    with database.write() as cursor:
        for name in ("btc_usd", "eth_usd"):
            averages.append(cursor, name, [(day, 100_000.0) for day in days], 86_400, "simulator")
