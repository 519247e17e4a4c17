"""A long history of two indexes at one second, made once and kept, and what it costs to read it.

It is as a recorder leaves it: with averages of the time before, candles, and a ledger of gaps that is complete.
"""

import statistics
import time
from datetime import datetime, timedelta

import duckdb

from settings import ROOT
from store.file import schema
from store.file.database import Database
from store.ledger import gaps
from store.models import from_column, utc_now
from store.prices import averages, candles, ticks
from store.prices.bars import bars, nice_interval
from tests.bench.row import SMALL

ROUNDS = 5 if SMALL else 15
MOST_POINTS = 1500
SPANS = {
    "15 min": timedelta(minutes=15),
    "1 h": timedelta(hours=1),
    "6 h": timedelta(hours=6),
    "1 d": timedelta(days=1),
    "1 w": timedelta(weeks=1),
    "1 month": timedelta(days=30),
    "1 y": timedelta(days=365),
}

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
"""So many prices up to an instant, in the order of time but for the two of a slot."""

_TICKS = f"""
INSERT INTO ticks
SELECT index_name, ts, received_at, price, 'simulator', 0
FROM ({PRICES})
"""

_RUN = """
INSERT INTO runs
VALUES ($end - to_seconds($count // 2), $end, 'bench', MAP {'btc_usd': 1, 'eth_usd': 1})
"""


def history(count: int) -> Database:
    """A file with so many ticks and their candles, from the cache if it was made before."""
    path = ROOT / f".cache/recorded-{count}-schema-{schema.newest()}.duckdb"
    database = Database(path)
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


def costs_ms(database: Database, span: timedelta) -> tuple[float, float]:
    """The median time of a chart query over the newest part of a history: on an open lease, and with opening one."""
    with database.read() as cursor:
        newest = ticks.latest(cursor, "btc_usd")
    assert newest is not None
    end = newest.ts + timedelta(seconds=1)

    def chart() -> float:
        started = time.perf_counter()
        with database.read() as cursor:
            frame = bars(cursor, "btc_usd", end - span, end, nice_interval(span, MOST_POINTS))
        assert len(frame)
        return 1000 * (time.perf_counter() - started)

    opening = statistics.median(chart() for _ in range(ROUNDS))
    with database.hold():
        chart()
        return statistics.median(chart() for _ in range(ROUNDS)), opening
