"""Processes that use a database file during a test: `python -m tests.store.processes <what> <file> …`.

Each prints its progress to stdout, a line at a time, and most run until they are killed.
"""

import contextlib
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import duckdb

from settings import Settings
from store.backup.backup import backup
from store.errors import RecorderError
from store.export.files import Exports
from store.export.query import ExportQuery
from store.file.database import Database
from store.file.locks import lease_locks
from store.file.recorder import Notice, RecorderLock
from store.health.status import health
from store.instants import EPOCH
from store.intake.imports import import_files
from store.intake.rows.foreign import Columns
from store.intake.rows.work import Limits
from store.intake.undo import undo
from store.models import utc_now
from store.prices import candles, ticks
from tests.conftest import START, Program, tick

CONTAINER = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
"""The only part of a container that matters to the store: its own process numbers."""

COPIES = 200
"""The number of indexes in each second of `append_until_killed`: a kill that halved a transaction would show."""


def line(program: Program) -> str:
    """The next line that a process prints; empty when it ended."""
    assert program.process.stdout is not None
    return str(program.process.stdout.readline()).rstrip()


def start(what: str, path: Path, *more: object) -> Program:
    """One of the functions below in a process of its own."""
    return Program("tests.store.processes", what, str(path), *map(str, more))


@contextlib.contextmanager
def held_by_a_tool(path: Path) -> Iterator[Program]:
    """A program that knows no leases has the file open during the block, as soon as the file is free."""
    with start("hold_like_a_foreign_tool_once_it_can", path) as tool:
        assert line(tool) == "held"
        yield tool


def start_in_container(what: str, path: Path) -> Program:
    """One of the functions below as process number 1 of a numbering of its own, as in a container."""
    return start("in_container", path, what)


def say(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def wait_for_the_kill() -> None:
    threading.Event().wait()


def hold_like_a_foreign_tool(path: Path) -> None:
    """Open the file with plain DuckDB, as its command line does."""
    with duckdb.connect(path):
        say("held")
        wait_for_the_kill()


def hold_like_a_foreign_tool_once_it_can(path: Path) -> None:
    """As `hold_like_a_foreign_tool`, but try again until the file is free."""
    while True:
        with contextlib.suppress(duckdb.IOException):
            hold_like_a_foreign_tool(path)


def migrate(path: Path) -> None:
    """Make the file and its tables, or bring them up to date."""
    say("ready")
    Database(path).migrate()


def export_busily(path: Path) -> None:
    """Export all ticks again and again."""
    exports = Exports(Database(path), 10**10)
    while True:
        made = exports.make(ExportQuery(("btc_usd", "eth_usd"), EPOCH, utc_now()))
        made.path.unlink()
        say(made.rows)


def back_up(path: Path, folder: str) -> None:
    """Back up once."""
    say("ready")
    backup(Database(path), Path(folder))


def rebuild_candles(path: Path) -> None:
    """Rebuild candles in many parts, again and again."""
    say("ready")
    while True:
        candles.rebuild(Database(path), START + timedelta(days=2), most_ticks=0)


def import_in_portions(path: Path, file: str, waits_at: str = "0") -> None:
    """Import a file in many portions, and print a line when one is stored; wait for the kill at one of them."""
    told = itertools.count(1)

    def tell(what: str, done: int, total: int) -> None:
        if what.startswith("importing"):
            say(done)
            if next(told) == int(waits_at):
                wait_for_the_kill()

    list(import_files(Database(path), [Path(file)], Columns(), tell, Limits(rows=10_000, market=500)))


def undo_in_stretches(path: Path, import_id: str, waits_at: str = "0") -> None:
    """Undo an import in many stretches, and print a line when one is done; wait for the kill at one of them."""
    told = itertools.count(1)

    def tell(_: str, done: int, __: int) -> None:
        say(done)
        if next(told) == int(waits_at):
            wait_for_the_kill()

    undo(Database(path), int(import_id), tell, most_ticks=10)
    wait_for_the_kill()


def keep_reading(path: Path) -> None:
    """Take a lease for reading and keep it."""
    with Database(path).read():
        say("reading")
        wait_for_the_kill()


def fork_in_a_lease(path: Path) -> None:
    """Fork while the locks of a lease are held; release them, and let the fork live on."""
    with lease_locks(path, time.monotonic() + 5, shared=False):
        if not os.fork():
            wait_for_the_kill()
    say("given back")
    wait_for_the_kill()


def keep_writing(path: Path) -> None:
    """Put a tick into a transaction that never ends."""
    with Database(path).write() as cursor:
        ticks.append(cursor, [tick()])
        say("writing")
        wait_for_the_kill()


def read_busily(path: Path, readers: str) -> None:
    """Read again and again in several threads, each with a database object of its own."""
    at_work = threading.Barrier(int(readers) + 1)

    def read() -> None:
        database = Database(path)
        for round_ in itertools.count():
            with database.read(wait_s=60) as cursor:
                cursor.execute("SELECT count(*) FROM ticks").fetchall()
            if round_ == 0:
                at_work.wait()

    for _ in range(int(readers)):
        threading.Thread(target=read, daemon=True).start()
    at_work.wait()
    say("reading")
    wait_for_the_kill()


def append(path: Path, first: str, batches: str) -> None:
    """Append batches of ten seconds each; say how many ticks were new."""
    database = Database(path)
    seconds = range(int(first), int(first) + 10 * int(batches), 10)
    new = 0
    for second in seconds:
        with database.write(wait_s=60) as cursor:
            new += len(ticks.append(cursor, [tick(second + more) for more in range(10)]))
    say(new)


def append_until_killed(path: Path, how: str) -> None:
    """Append a second at a time and say which one is durable now; checkpoint whenever that is due, or each time."""
    database = Database(path)
    with database.read() as cursor:
        first = len(ticks.newest_first(cursor, "index_0", limit=1_000_000))
    if how == "held":
        database.hold().__enter__()
    for second in itertools.count(first):
        with database.write() as cursor:
            ticks.append(cursor, [tick(second, f"index_{copy}") for copy in range(COPIES)])
        say(second)
        if how == "checkpointing":
            database.checkpoint_when_due(from_bytes=1)
        else:
            database.checkpoint_when_due()


def keep_held(path: Path) -> None:
    """Hold the file like a recorder inside a dashboard, stepping aside for others."""
    database = Database(path)
    with database.hold():
        with database.write() as cursor:
            ticks.append(cursor, [tick()])
        say("held")
        wait_for_the_kill()


def in_container(path: Path, what: str) -> None:
    """Become process number 1 of a new numbering, and run another function of this module."""
    command = [*CONTAINER, sys.executable, "-m", "tests.store.processes", what, str(path)]
    os.execvp(command[0], command)  # noqa: S606 it takes the place of this process


def look_who_records(path: Path) -> None:
    """Print what a dashboard that was to record says about the recorder."""
    say(health(Database(path), Settings(database=path), START)["poller"]["words"])
    wait_for_the_kill()


def record(path: Path) -> None:
    """Be the recorder of the file, unless it has another one."""
    now = utc_now()
    notice = Notice(os.getpid(), "external", START, 5, ("btc_usd",), "0.1.0", "recording", now - timedelta(seconds=1))
    lock = RecorderLock(path)
    try:
        lock.acquire(notice)
    except RecorderError as error:
        say(f"refused: {error}")
        return
    say("recording")
    wait_for_the_kill()


if __name__ == "__main__":
    parts: dict[str, Callable[..., None]] = {
        "hold_like_a_foreign_tool": hold_like_a_foreign_tool,
        "hold_like_a_foreign_tool_once_it_can": hold_like_a_foreign_tool_once_it_can,
        "migrate": migrate,
        "back_up": back_up,
        "export_busily": export_busily,
        "rebuild_candles": rebuild_candles,
        "import_in_portions": import_in_portions,
        "undo_in_stretches": undo_in_stretches,
        "keep_reading": keep_reading,
        "keep_writing": keep_writing,
        "fork_in_a_lease": fork_in_a_lease,
        "read_busily": read_busily,
        "append": append,
        "append_until_killed": append_until_killed,
        "keep_held": keep_held,
        "in_container": in_container,
        "look_who_records": look_who_records,
        "record": record,
    }
    parts[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
