"""Building blocks of faults: a running recorder, an outage, a disk that is small or read-only."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from poller.simulator.truth.prices import average, price
from store.backup.verify import faults_of_backup, what_it_holds
from store.file import schema
from store.file.locks import lease_locks
from store.file.recorder import read_notice
from store.ledger import runs
from store.models import Run, Tick, utc_now
from store.prices import ticks
from tests.conftest import wait_until
from tests.faults.stage import INDEXES, SECOND, Stage
from tests.store.processes import line, start

MINUTE = timedelta(minutes=1)


@contextlib.contextmanager
def recording(stage: Stage) -> Iterator[None]:
    """A running recorder that has recorded already; it is stopped at the end."""
    stage.start()
    stage.wait_for(2)
    yield
    stage.wait_for(1)
    stage.stop()


def with_outage(stage: Stage, ago: timedelta = 20 * MINUTE, lasting: timedelta = 5 * MINUTE) -> None:
    """A file with an outage of this length, this long ago, and with older history, so that none is loaded."""
    end = utc_now().replace(microsecond=0)
    database = stage.database
    database.migrate()
    first = end - ago
    with database.write() as cursor:
        for begin, until in ((first - 10 * SECOND, first), (first + lasting, first + lasting + 10 * SECOND)):
            run = Run(begin, dict.fromkeys(INDEXES, 1), "0")
            runs.note(cursor, run)
            runs.note(cursor, replace(run, ended_at=until))
            instants = [begin + second * SECOND for second in range(10)]
            ticks.append(cursor, [observed(name, at) for name in INDEXES for at in instants])
        for name in INDEXES:
            cursor.execute(
                "INSERT INTO ticks VALUES (?, '2019-01-01', NULL, ?, 'simulator', 86400)", [name, long_ago(name)]
            )


def long_ago(index_name: str) -> float:
    return average(index_name, datetime(2019, 1, 1, tzinfo=UTC), 86400)


def observed(index_name: str, at: datetime) -> Tick:
    return Tick(index_name, at, price(index_name, at), received_at=at, source="simulator")


def with_old_schema(file: Path) -> None:
    """A file of the second version of the tables, with ticks in it."""
    config: dict[str, Any] = {"storage_compatibility_version": "v1.5.0"}
    with duckdb.connect(file, config=config) as connection:
        schema.migrate(connection, up_to=2)
        connection.execute(
            "INSERT INTO ticks SELECT 'btc_usd', $start + to_seconds(i), NULL, 1, 'simulator', 0 "
            "FROM range(500) AS r(i)",
            {"start": datetime(2026, 11, 1)},  # noqa: DTZ001 as the table has it
        )


def kill_a_migration(stage: Stage) -> float:
    """Kill a process during `Database.migrate`; return the time."""
    with start("migrate", stage.file) as program:
        assert line(program) == "ready"
        time.sleep(stage.random.random() / 5)  # until the moment of the kill
        program.process.kill()
        program.finish()
    stage.injected += 1
    return time.monotonic()


def sound(folder: Path) -> None:
    """Check that a backup is sound."""
    manifest = what_it_holds(folder)
    assert manifest is not None
    assert list(faults_of_backup(folder, manifest, "256MB")) == []


def remove(stage: Stage) -> None:
    """Remove the database, so that a new one begins in the same folder."""
    for path in stage.folder.iterdir():
        path.unlink()
    stage.forget()


def fill(folder: Path, leaving: int) -> None:
    """Fill a small disk except for this many bytes."""
    with (folder / "filling").open("wb", buffering=0) as file:
        free = os.statvfs(folder)
        with contextlib.suppress(OSError):
            while free.f_bavail * free.f_bsize > leaving:
                file.write(b"x" * min(1 << 20, free.f_bavail * free.f_bsize - leaving))
                free = os.statvfs(folder)


@contextlib.contextmanager
def no_slot_lost(stage: Stage, names: Sequence[str]) -> Iterator[None]:
    """Count the slots of these indexes during the block whose tick is not durable by its end."""
    began = int(time.time()) + 1
    try:
        yield
    finally:
        count_lost(stage, names, began, int(time.time()) - 2)


def count_lost(stage: Stage, names: Sequence[str], began: int, until: int) -> None:
    """Add the slots without a tick in `[began, until)`, seconds since 1970 on the exchange's clock."""
    lost = [second for name in names for second in {*range(began, until)} - {*stage.seconds(name)}]
    stage.others_lost = (stage.others_lost or 0) + len(lost)


@contextlib.contextmanager
def kept_by_others(stage: Stage) -> Iterator[None]:
    """A program that knows no leases has the file open during the block."""
    with contextlib.ExitStack() as stack:
        # A holder closes the file for another process's lease, and takes it back within a second.
        with lease_locks(stage.file, time.monotonic() + 20, shared=False):
            tool = stack.enter_context(start("hold_like_a_foreign_tool", stage.file))
            assert line(tool) == "held"
        yield


def told(stage: Stage, state: str, detail: str = "") -> None:
    """Wait until the recorder's notice says so."""

    def says() -> bool:
        notice = read_notice(stage.file)
        return notice is not None and notice.alive and notice.state == state and detail in notice.detail

    wait_until(says, timeout_s=20)


@contextlib.contextmanager
def mounted(folder: Path, *options: str | Path) -> Iterator[None]:
    """Mount something on a folder during the block."""
    subprocess.run(["mount", *options, folder], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True, capture_output=True)


def small_disk(folder: Path) -> contextlib.AbstractContextManager[None]:
    """A file system of 24 MB on a folder."""
    return mounted(folder, "-t", "tmpfs", "-o", "size=24m", "tmpfs")


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Mount the folder over itself, read-only."""
    copy = folder.with_name(f"{folder.name}.read-only")
    copy.mkdir(exist_ok=True)
    with mounted(copy, "--bind", folder):
        subprocess.run(["mount", "-o", "remount,ro,bind", copy], check=True, capture_output=True)
        with mounted(folder, "--bind", copy):
            yield


def may_mount(folder: Path) -> bool:
    """Does this process have the right to mount?"""
    try:
        with small_disk(folder):
            return True
    except (subprocess.CalledProcessError, FileNotFoundError):
        return False
