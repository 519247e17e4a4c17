"""Thirty days of chains of two currencies each five minutes, made once and kept, and a table for each question.

The chain of one instant is the simulator's; the later ones walk from it (`tests.support.walked`). The rows lie as a
recorder leaves them: it adds chains of both currencies in turn, and packs each day that is over. The last day is not.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from settings import ROOT
from store.file import schema
from store.file.database import Database
from store.instants import DAY, HOUR, MINUTE
from store.ledger import runs
from store.market import chains, packing
from store.models import Run, to_column
from tests.bench.row import SMALL
from tests.support.market import chain
from tests.support.walked import walk

CURRENCIES = ("BTC", "ETH")
FIRST = datetime(2026, 11, 1, tzinfo=UTC)
PERIOD = 5 * MINUTE
DAYS = 2 if SMALL else 30

_AT_ONCE = 6 * HOUR
"""A recorder adds one chain at a time; adding those of some hours at once leaves the rows in nearly the same places."""

_BY_TIME = "ts, underlying, expiry, strike, option_type"
_BY_CONTRACT = "underlying, expiry, strike, option_type, ts"

# Tables that are made for just one question each.
_BARE = {
    "chains": "CREATE TABLE chains AS FROM recorded.options LIMIT 0",
    "contracts": "CREATE TABLE contracts AS FROM recorded.options LIMIT 0",
    "surfaces": "CREATE TABLE surfaces AS FROM recorded.surfaces ORDER BY underlying, ts",
}

_FILL = {
    "chains": f"""
INSERT INTO chains
FROM recorded.options
WHERE ts >= $start
  AND ts < $start + INTERVAL 1 DAY
ORDER BY {_BY_TIME}
""",
    "contracts": f"""
INSERT INTO contracts
FROM recorded.options
WHERE underlying = $underlying
  AND expiry = $expiry
ORDER BY {_BY_CONTRACT}
""",
}


def market_history() -> Database:
    """A file with all chains, from the cache if it was made before."""
    database = Database(_path("market"), threads=1)  # as pages have it
    if not database.path.exists():
        making = Database(_new("market"))
        making.migrate()
        with making.write() as cursor:
            feeds = {f"options/{each}": PERIOD // timedelta(seconds=1) for each in CURRENCIES}
            runs.note(cursor, Run(FIRST, feeds, "bench"))
            chains.append(cursor, [chain(each, FIRST) for each in CURRENCIES])
        for day in range(DAYS):
            _pack(making, FIRST + day * DAY)
            _record(making, FIRST + day * DAY)
        _keep(making.path, database.path)
    return database


def bare_market(recorded: Path) -> Path:
    """A file with the tables of one question each, made of a market's history."""
    path = _path("bare-market")
    if not path.exists():
        making = _new("bare-market")
        config: dict[str, Any] = {"storage_compatibility_version": "v1.5.0"}
        with duckdb.connect(making, config=config) as connection:
            connection.execute(f"ATTACH '{recorded}' AS recorded (READ_ONLY)")
            for statement in _BARE.values():
                connection.execute(statement)
            for day in range(DAYS):
                connection.execute(_FILL["chains"], {"start": to_column(FIRST + day * DAY)})
            expiries = "SELECT DISTINCT underlying, expiry FROM recorded.smiles ORDER BY ALL"
            for underlying, expiry in connection.execute(expiries).fetchall():
                connection.execute(_FILL["contracts"], {"underlying": underlying, "expiry": expiry})
        _keep(making, path)
    return path


def _record(making: Database, day: datetime) -> None:
    """The chains of a day; the first of all is there."""
    for begin in (day + part * _AT_ONCE for part in range(DAY // _AT_ONCE)):
        first = max(begin, FIRST + PERIOD)
        with making.write() as cursor:
            for currency in CURRENCIES:
                walk(cursor, currency, FIRST, first, PERIOD, (begin + _AT_ONCE - first) // PERIOD)
        making.checkpoint_when_due()


def _pack(making: Database, now: datetime) -> None:
    """Pack the days that were over at `now`, as a recorder does."""
    found = True
    while found:
        with making.write() as cursor:
            found = (chains_ := packing.next_chains(cursor, now)) is not None
            if chains_ is not None:
                packing.pack(cursor, chains_)
        making.checkpoint_when_due()


def _path(name: str) -> Path:
    return ROOT / f".cache/{name}-{DAYS}-days-schema-{schema.newest()}.duckdb"


def _new(name: str) -> Path:
    """The path of a file to make, without the remains of one that was not finished."""
    path = _path(f"making-{name}")
    path.parent.mkdir(exist_ok=True)
    for remains in path.parent.glob(f"{path.name}*"):
        remains.unlink()
    return path


def _keep(made: Path, path: Path) -> None:
    with duckdb.connect(made) as connection:
        connection.execute("CHECKPOINT")  # else the last part of it stays in the log, which is not renamed
    made.rename(path)
