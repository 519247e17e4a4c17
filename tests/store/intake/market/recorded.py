"""Files with a market of the simulator, what is exported of them, and what an import makes of that."""

from collections.abc import Container, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from store.export.files import Exports
from store.export.query import ExportQuery, Format
from store.file.database import Cursor, Database
from store.file.exchange import admit
from store.intake.imports import import_files
from store.intake.market_imports import ImportedMarket
from store.intake.rows.foreign import Columns
from store.intake.rows.work import Limits
from store.kinds import DELIVERIES, FUNDING, VOLATILITY_INDEX
from store.ledger import gaps, runs
from store.market import chains, trades
from store.market.entries import EntriesOf
from store.market.trades import Trade
from store.models import Cause, Exchange, Miss, Run, Snapshot
from tests.conftest import START
from tests.support import market
from tests.support.foreign_files import nobody_listens, parquet

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
MINUTES = range(20)
CHAINS = (0, 5, 10, 15)
END = START + 20 * MINUTE

FEEDS = ("options/BTC", "futures/BTC", "dvol/BTC", "funding/BTC-PERPETUAL", "deliveries/btc_usd")
SNAPSHOT_FEEDS = {"options/BTC": 300, "futures/BTC": 60}

TABLES = {
    "options": ("options", "snapshots", "smiles", "surfaces"),
    "futures": ("futures", "snapshots"),
    "dvol": ("volatility_index",),
    "funding": ("funding",),
    "deliveries": ("deliveries",),
}
"""The tables that a file of a kind fills."""


@cache
def chain(minute: int) -> Snapshot:
    return market.chain("BTC", START + minute * MINUTE)


@cache
def futures(minute: int) -> Snapshot:
    return market.futures("BTC", START + minute * MINUTE)


def record(
    database: Database, missing: Container[int] = (), *, healed: Sequence[int] = (), feeds: Sequence[str] = FEEDS
) -> None:
    """Store a run of 20 minutes of some feeds, note its gaps, and heal some minutes of futures by trades.

    The slots and entries of the minutes in `missing` are missing.
    """
    minutes = [minute for minute in MINUTES if minute not in missing]
    with database.write() as cursor:
        admit(cursor, Exchange.SIMULATOR, START)
        runs.note(
            cursor, Run(START, {name: SNAPSHOT_FEEDS[name] for name in SNAPSHOT_FEEDS if name in feeds}, "1", END)
        )
        if "options/BTC" in feeds:
            chains.append(cursor, [chain(minute) for minute in CHAINS if minute in minutes])
        if "futures/BTC" in feeds:
            trades.append_observed(cursor, [futures(minute) for minute in minutes])
        _append_entries(cursor, minutes, feeds)
        absent = [minute for minute in MINUTES if minute in missing]
        runs.append_misses(cursor, [_miss(minute, "futures/BTC") for minute in absent if "futures/BTC" in feeds])
        runs.append_misses(cursor, [_miss(minute, "options/BTC") for minute in absent if minute in CHAINS])
    gaps.advance(database, END, END, 5, timedelta(0))
    heal_by_trades(database, healed)


def heal_by_trades(database: Database, minutes: Sequence[int]) -> None:
    """Store trades of some minutes."""
    with database.write() as cursor:
        found = [Trade("BTC-PERPETUAL", None, START + minute * MINUTE, 90_000.0 + minute) for minute in minutes]
        trades.append(cursor, "BTC", found, "simulator")


def _append_entries(cursor: Cursor, minutes: Sequence[int], feeds: Sequence[str]) -> None:
    if "dvol/BTC" in feeds:
        dvol = [(START + minute * MINUTE, 40.0, 42.5, 39.25, 41.5) for minute in minutes]
        EntriesOf(VOLATILITY_INDEX, "BTC", 60).append(cursor, dvol)
        hours = [(START, 40.0, 42.0, 39.0, 41.5)] if 0 in minutes else []
        EntriesOf(VOLATILITY_INDEX, "BTC", 3600).append(cursor, hours)
    if "funding/BTC-PERPETUAL" in feeds:
        paid = [(START - minute * HOUR, 100_000.5, 0.00001 * minute, -0.0001) for minute in minutes]
        EntriesOf(FUNDING, "BTC-PERPETUAL").append(cursor, paid)
    if "deliveries/btc_usd" in feeds:
        delivered = [(START - 4 * HOUR - minute * 24 * HOUR, 99_000.25 + minute) for minute in minutes]
        EntriesOf(DELIVERIES, "btc_usd").append(cursor, delivered)


def _miss(minute: int, feed: str) -> Miss:
    return Miss(START + minute * MINUTE, feed, Cause.UNREACHABLE, "connection refused")


def export(database: Database, feed: str, form: Format = "parquet") -> Path:
    """The file of all rows of a feed."""
    return Exports(database, 10**9).make(ExportQuery((feed,), START - 1000 * HOUR, START + HOUR, format=form)).path


def imported(database: Database, *paths: Path, limits: Limits = Limits()) -> list[ImportedMarket]:
    """What becomes of files with rows of a market."""
    made = list(import_files(database, paths, Columns(), nobody_listens, limits))
    return [each.market for each in made if each.market is not None]


def altered(path: Path, query: str) -> Path:
    """A Parquet file of what a query makes of the rows of a file, which it calls `its`."""
    return parquet(path.with_name("altered.parquet"), query.replace("its", f"read_parquet('{path}') AS its"))


def as_csv(path: Path, query: str) -> Path:
    """The same as a text."""
    target = path.with_name("altered.csv")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        relation = query.replace("its", f"read_parquet('{path}') AS its")
        connection.execute(f"COPY ({relation}) TO '{target}' (FORMAT csv, HEADER)")
    return target


def digests(database: Database, *tables: str) -> dict[str, tuple[int, int]]:
    """What is in some tables, whatever the order of the rows."""
    with database.read() as cursor:
        return {table: market.digest(cursor, table) for table in tables}


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.read() as cursor:
        return cursor.execute(query).fetchall()
