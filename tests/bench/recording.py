"""What recording costs: until a slot's ticks are durable, until they are seen, and for as long as it goes on."""

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import psutil

from poller.journal.journal import Journal
from poller.simulator.server import Simulator
from store.file.database import Database
from store.models import Tick, to_column, utc_now
from store.prices import ticks
from tests.bench.row import SECONDS, SMALL, Row, medians_ms
from tests.conftest import Program, wait_until
from tests.support.webhook import Webhook

APPENDS = 40 if SMALL else 300
START = utc_now().replace(microsecond=0)


def slot(number: int) -> list[Tick]:
    ts = START + timedelta(seconds=number)
    return [Tick(name, ts, 100.0 + number, received_at=ts) for name in ("btc_usd", "eth_usd")]


@contextmanager
def bare_file(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB file with the columns of our ticks and nothing else."""
    with duckdb.connect(path) as connection:
        connection.execute(
            "CREATE TABLE ticks (index_name VARCHAR, ts TIMESTAMP, received_at TIMESTAMP, price DOUBLE, "
            "source VARCHAR, resolution_s INTEGER)"
        )
        yield connection


def bare_append(connection: duckdb.DuckDBPyConnection, number: int) -> None:
    """One transaction that inserts the rows of a slot."""
    rows = [
        value
        for tick in slot(number)
        for value in (tick.index_name, to_column(tick.ts), to_column(tick.ts), tick.price, tick.source, 0)
    ]
    connection.execute("BEGIN TRANSACTION")
    connection.execute("INSERT INTO ticks VALUES (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?)", rows)
    connection.execute("COMMIT")


def append_embedded(folder: Path) -> Iterator[Row]:
    database = Database(folder / "append.duckdb", threads=1)
    database.migrate()

    def append(number: int) -> None:
        with database.write() as cursor:
            ticks.append(cursor, slot(number))

    with database.hold(), bare_file(folder / "bare.duckdb") as connection:
        ours, bare = medians_ms(append, lambda number: bare_append(connection, number), rounds=APPENDS)
    yield Row("one slot's ticks durable, embedded", ours / bare, 2, "×", f"{ours:.2f} ms, bare {bare:.2f} ms")


def visible_embedded(folder: Path) -> Iterator[Row]:
    """From a reply to its being read, both in the process that holds the file."""
    database = Database(folder / "embedded.duckdb", threads=1)
    database.migrate()
    receive = receiving(database, database)
    with database.hold(), bare_file(folder / "bare-embedded.duckdb") as connection:
        ours, bare = medians_ms(receive, lambda number: bare_append(connection, number), rounds=APPENDS)
    note = f"{ours:.2f} ms, bare transaction {bare:.2f} ms"
    yield Row("reply received -> visible, embedded", ours / bare, 3, "×", note)


def visible_external(folder: Path) -> Iterator[Row]:
    """From a reply to its being read, each with an opening of the file; the bare transaction opens such a file too."""
    path = folder / "bare-external.duckdb"
    database, reader = (Database(folder / "external.duckdb", threads=1) for _ in range(2))
    for each in (database, Database(path)):
        each.migrate()

    def opened(number: int) -> None:
        with duckdb.connect(path) as connection:
            bare_append(connection, number)

    ours, bare = medians_ms(receiving(database, reader), opened, rounds=APPENDS)
    note = f"{ours:.1f} ms, bare opening and transaction {bare:.1f} ms"
    yield Row("reply received -> visible, external", ours / bare, 2, "×", note)


def receiving(database: Database, reader: Database) -> Callable[[int], None]:
    """Keep the ticks of a slot, and read the newest one. Once a minute a recorder checkpoints too."""
    journal = Journal(database)

    def receive(number: int) -> None:
        if number % 60 == 0:
            database.checkpoint_when_due()
        journal.add(START, slot(number))
        journal.flush(5)
        with reader.read() as cursor:
            newest = ticks.latest(cursor, "btc_usd")
        assert newest is not None
        assert newest.ts == START + timedelta(seconds=number)

    return receive


def recorder(folder: Path, simulator: Simulator) -> Iterator[Row]:
    path = folder / "cadence.duckdb"
    with Program("poller", database=path, deribit_url=simulator.url, poll_seconds=1) as program:
        wait_until(lambda: path.exists() and newest(path))
        begin = utc_now()
        memory = memory_until(program, begin + timedelta(seconds=SECONDS + 1))
    with Database(path).read() as cursor:
        found = ticks.history(cursor, "btc_usd", begin, begin + timedelta(seconds=SECONDS))
    late = max(tick.received_at.microsecond / 1000 for tick in found if tick.received_at)
    yield Row(f"slots missed at 1 s, of {SECONDS}", SECONDS - len(found), 0, "", f"latest {late:.0f} ms into its slot")
    yield Row("memory, recorder alone", memory, 120, "MB")


def notifying(folder: Path, simulator: Simulator) -> Iterator[Row]:
    """The memory of a recorder that has told somebody of an alert."""
    path, rules = folder / "notifying.duckdb", folder / "notifying.toml"
    rules.write_text('[[rule]]\nname = "any"\nkind = "move"\npercent = 0.000001\nwithin = "1h"\n')
    with Webhook() as webhook:
        settings = {"notify_urls": webhook.address, "alerts_file": rules}
        with Program("poller", database=path, deribit_url=simulator.url, poll_seconds=1, **settings) as program:
            wait_until(lambda: webhook.messages, timeout_s=30)
            memory = memory_until(program, utc_now() + timedelta(seconds=SECONDS))
    yield Row("memory, recorder that notifies", memory, 140, "MB", f"{len(webhook.messages)} messages")


def memory_until(program: Program, end: datetime) -> float:
    """The median of what a program takes until some time, in MB."""
    process, taken = psutil.Process(program.process.pid), []

    def over() -> bool:
        taken.append(process.memory_info().rss / 1e6)
        return utc_now() > end

    wait_until(over, timeout_s=SECONDS + 10)
    return statistics.median(taken)


def newest(path: Path) -> Tick | None:
    with Database(path).read() as cursor:
        return ticks.latest(cursor, "btc_usd")
