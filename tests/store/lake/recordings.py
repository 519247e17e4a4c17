"""What the recorders of some machines have in their files, and what a lake has."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from store.file.database import Cursor, Database
from store.file.exchange import admit
from store.health import vitals
from store.health.vitals import Vitals
from store.kinds import DELIVERIES, FUNDING, VOLATILITY_INDEX
from store.lake.connection import Lake
from store.lake.notice import Notice, desk
from store.lake.publish import publish
from store.lake.tables import ALL
from store.ledger import arrivals, runs
from store.market import chains
from store.market.entries import append_new
from store.market.trades import Trade, append
from store.models import Cause, Exchange, Miss, Run, Tick, to_column, utc_now
from store.prices import ticks
from tests.conftest import START
from tests.store.histories import at, averaged
from tests.store.market.futures import snapshot
from tests.store.market.snapshots import chain

PERIOD_S = 5

_FILES = """
SELECT table_name, file_count
FROM ducklake_table_info('lake')
WHERE file_count > 0
"""


def new_file(path: Path, exchange: Exchange | None = Exchange.REAL, period_s: int = PERIOD_S) -> Database:
    """The file of a recorder that polls `btc_usd` each 5 s, the futures each minute and the chains each 5 min.

    The recorder has the name of the file.
    """
    database = Database(path)
    database.migrate()
    with database.write() as cursor:
        admit(cursor, exchange, START)
        feeds = {"btc_usd": period_s, "futures/BTC": 60, "options/BTC": 300}
        runs.note(cursor, Run(at(0), feeds, "1", recorder=path.stem))
    return database


def observe(database: Database, slots: Iterable[int], late_ms: int = 10) -> None:
    """Store a tick of these slots, counted from START. Each recorder hears some ms later than the others."""
    late = timedelta(milliseconds=late_ms)
    instants = [at(slot * PERIOD_S) + late for slot in slots]
    with database.write() as cursor:
        ticks.append(cursor, [Tick("btc_usd", ts, 100.0 + late_ms, received_at=ts + late) for ts in instants])


def miss(database: Database, slots: Iterable[int], cause: Cause = Cause.UNREACHABLE) -> None:
    """Note misses of these slots, counted from START."""
    name = database.path.stem
    with database.write() as cursor:
        runs.append_misses(
            cursor, [Miss(at(slot * PERIOD_S), "btc_usd", cause, f"told by {name}") for slot in slots], name
        )


def live(database: Database, minutes: Iterable[float]) -> None:
    """Note vitals of these minutes from START: the recorder was up then."""
    noted = [Vitals(at(60 * minute), 12, 0.1, 0.2, 0.0, 1000, 2000) for minute in minutes]
    with database.write() as cursor:
        vitals.append(cursor, noted, database.path.stem)


def record_everything(database: Database, late_ms: int = 10) -> None:
    """Store rows of each table, on two days."""
    late = timedelta(milliseconds=late_ms)
    next_day = 86_400 // PERIOD_S
    observe(database, [*range(10), *range(next_day, next_day + 10)], late_ms)
    live(database, [1, 2])
    with database.write() as cursor:
        averaged(cursor, 120, 600, 60)
        chains.append(cursor, [chain(START + late), chain(START + timedelta(days=1) + late)])
        arrivals.append(cursor, [snapshot(second + late_ms / 1000) for second in (0, 60, 86_400)])
        append(cursor, "BTC", [Trade("BTC-PERPETUAL", None, at(120), 100.5)], "chart")
        entry = to_column(START)
        append_new(cursor, VOLATILITY_INDEX, [("BTC", entry, 40.0, 42.0, 39.0, 41.0, "live", 60)])
        append_new(cursor, FUNDING, [("BTC-PERPETUAL", entry, 100.0, 0.0001, 0.0008, "live")])
        runs.append_misses(cursor, [Miss(at(60), "btc_usd", Cause.UNREACHABLE, "no reply", 503)], database.path.stem)
        append_new(cursor, DELIVERIES, [("btc_usd", entry, 100.0, "live")])


def share(database: Database, lake: Lake, now: datetime | None = None) -> Notice:
    """Publish a file once."""
    with desk(database.path) as place:
        return publish(database, lake, place, now or utc_now())


def rows(cursor: Cursor, table: str) -> list[tuple[Any, ...]]:
    """All rows of a table, in an order that does not depend on how they are stored."""
    columns = {kind.table: kind.column_names for kind in ALL}[table]
    found = cursor.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY ALL").fetchall()
    return [tuple(row) for row in found]


def in_lake(lake: Lake, table: str) -> list[tuple[Any, ...]]:
    with lake.open(read_only=True) as cursor:
        return rows(cursor, table)


def everything_in(lake: Lake) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables of a lake."""
    with lake.open(read_only=True) as cursor:
        return {kind.table: rows(cursor, kind.table) for kind in ALL}


def in_file(database: Database, table: str) -> list[tuple[Any, ...]]:
    with database.read() as cursor:
        return rows(cursor, table)


def slots_in(lake: Lake) -> list[int]:
    """The slot of each tick that was observed, counted from START, ascending."""
    received = [received for _, _, received, *_ in in_lake(lake, "ticks") if received is not None]
    return sorted(int((at_ - to_column(START)).total_seconds() // PERIOD_S) for at_ in received)


def files(lake: Lake) -> dict[str, int]:
    """How many files each table of a lake has, without tables that have none."""
    with lake.open(read_only=True) as cursor:
        return dict(cursor.execute(_FILES).fetchall())
