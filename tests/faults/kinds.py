"""The kinds of fault. Each is a function of a stage that injects it, waits until it is over, and checks its own."""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from poller.simulator import Fault, average, price
from store import Database, Run, StoreError, Tick, runs, schema, ticks, utc_now
from store.aside import list_aside, log_of
from store.backup import backup
from store.locks import beside
from store.recorder import read_notice
from store.restore import restore
from store.verify import faults_of_backup, what_it_holds
from tests.conftest import tick, wait_until
from tests.faults.stage import INDEXES, SECOND, Stage, copy_of
from tests.store.processes import COPIES, line, start

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Kind:
    """A fault, and how it is staged.

    inject: does it, `stage.rounds` times.
    kills: how often the long form ends a process with kill -9; 0 for a fault of another kind.
    mode: of the recorder.
    at: what the clocks show when it begins; None for the present.
    small_disk: on a file system of its own with 24 MB.
    mounts: it needs the right to mount.
    """

    inject: Callable[[Stage, int], None]
    kills: int = 0
    mode: str = "external"
    at: datetime | None = None
    small_disk: bool = False
    mounts: bool = False


# The exchange


def exchange(kind: str, stage: Stage, times: int, **fields: Any) -> None:
    for _ in range(times):
        with recording(stage), stage.injected_once():
            stage.exchange_fails(kind, **fields)


def bad_prices(stage: Stage, times: int) -> None:
    for _ in range(times):
        with recording(stage):
            for value in ("nan", "null", "negative", "zero", "text", "missing"):
                with stage.injected_once():
                    stage.exchange_fails("bad_price", seconds=1, value=value)


def prices_jump(stage: Stage, times: int) -> None:
    stage.factors.add(1.5)
    exchange("jump", stage, times, factor=1.5)


def slow_for_one_slot(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                stage.simulator.faults.add(Fault("slow", method="get_index_price", delay_s=1.2, times=1))
                wait_until(lambda: not stage.simulator.faults.listing())


def not_there_at_the_start(stage: Stage, times: int) -> None:
    for _ in range(times):
        with stage.injected_once():
            stage.simulator.stop()
            stage.start()
            wait_until(lambda: beside(stage.file, "recorder").exists())
            time.sleep(2)  # for this long it is not there
            stage.simulator.start()
        stage.stop()


def clock_stands_still(stage: Stage, times: int) -> None:
    """The exchange repeats a reply: the same price of the same instant."""
    for _ in range(times):
        with recording(stage), stage.injected_once():
            stage.simulator._exchange._clock = partial(datetime.fromtimestamp, stage._exchange_time().timestamp(), UTC)
            time.sleep(2.5)  # for this long it stands
            stage.simulator._exchange._clock = stage._exchange_time


def charts(change: Callable[[list[Any]], list[Any]], stage: Stage, times: int) -> None:
    """Charts whose points are not as documented, while an outage is healed by them."""
    answer = stage.simulator._exchange._result

    def changed(method: str, *more: Any) -> Any:
        result = answer(method, *more)
        return change(result) if method == "get_index_chart_data" else result

    stage.simulator._exchange._result = changed  # type: ignore[assignment,method-assign]
    heal(stage, times)


def another_step(stage: Stage, times: int) -> None:
    stage.simulator.faults.add(Fault("other_step", window="1h", step_s=60))
    heal(stage, times)


def heal(stage: Stage, times: int) -> None:
    """An outage of five minutes, some time ago, is healed."""
    for _ in range(times):
        remove(stage)
        with_outage(stage)
        with recording(stage), stage.injected_once():
            wait_until(stage.healed, timeout_s=60)


def week_offline(stage: Stage, times: int) -> None:
    for _ in range(times):
        remove(stage)
        with_outage(stage, ago=timedelta(days=7), lasting=timedelta(days=7) - MINUTE)
        with recording(stage), stage.injected_once():
            wait_until(stage.healed, timeout_s=90)


# The file


def damaged(spoil: Callable[[Path], object], stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            before = len(list_aside(stage.file))
            with stage.injected_once():
                stage.kill()
                stage.damage(spoil)
                stage.start()
            assert len(list_aside(stage.file)) > before
            time.sleep(1)  # names differ by the second


def empty(file: Path) -> None:
    os.truncate(file, 0)


def no_database(file: Path) -> None:
    file.write_bytes(b"no database\n" * 1000)


def cut_in_its_header(file: Path) -> None:
    os.truncate(file, 5000)


def cut_in_its_blocks(file: Path) -> None:
    os.truncate(file, 13_000)


def overwritten(file: Path) -> None:
    with file.open("r+b") as content:
        content.seek(8192)
        content.write(b"\xff" * 100)


def log_of_another_file(stage: Stage, times: int) -> None:
    other = Database(stage.folder / "other.duckdb")
    other.migrate()
    with other.write() as cursor:
        ticks.append(cursor, [tick()])
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                stage.stop()
                fold_log(stage.database)
                log_of(stage.file).write_bytes(log_of(other.path).read_bytes())
                stage.start()
            time.sleep(1)
    assert len(list_aside(stage.file)) == times


def log_of_an_older_state(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                stage.kill()
                old = log_of(stage.file).read_bytes()
                fold_log(stage.database)
                log_of(stage.file).write_bytes(old)
                stage.start()
            time.sleep(1)
    assert len(list_aside(stage.file)) == times


def log_without_its_file(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                stage.kill()
                stage.file.unlink()
                stage.forget()
                stage.start()
            time.sleep(1)
    assert len(list_aside(stage.file)) == times


def torn_log(stage: Stage, times: int) -> None:
    """The end of a commit is missing that nobody was told of, as after a power cut."""
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                stage.kill()
                with log_of(stage.file).open("ab") as log:
                    log.write(log_of(stage.file).read_bytes()[-60:-7])
                stage.start()
    assert list_aside(stage.file) == []


def missing(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once(), stage.stopped():
                stage.file.unlink()
                log_of(stage.file).unlink(missing_ok=True)
                stage.forget()


def deleted_meanwhile(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                stage.file.unlink()
                wait_until(stage.file.exists)
                stage.forget()
            time.sleep(1)


def replaced_meanwhile(stage: Stage, times: int) -> None:
    other = Database(stage.folder / "other.duckdb")
    other.migrate()
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                copy_of(other.path, stage.folder / "copy.duckdb")
                (stage.folder / "copy.duckdb").rename(stage.file)
                stage.forget()
            time.sleep(1)


def newer_version(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                stage.stop()
                with duckdb.connect(stage.file) as connection:
                    connection.execute("INSERT INTO migrations VALUES (99, '0099_newer', now()::TIMESTAMP)")
                before = stage.file.read_bytes()
                stage.start()
                said = stage.end()
                assert said.count("\n") == 1, said
                assert "update Tickwell; the file was left as it is" in said
                assert stage.file.read_bytes() == before
                with duckdb.connect(stage.file) as connection:
                    connection.execute("DELETE FROM migrations WHERE number = 99")
                stage.start()


def lock_files_deleted(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                for kind in ("gate", "lease", "recorder"):
                    beside(stage.file, kind).unlink()
            wait_until(beside(stage.file, "recorder").exists)


def lock_files_left_behind(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                stage.kill()
                beside(stage.file, "recorder").write_text('{"pid": 1, "torn')
                stage.start()


def foreign_program(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once(), start("hold_like_a_foreign_tool_once_it_can", stage.file) as tool:
                assert line(tool) == "held"
                time.sleep(2.5)  # for this long it keeps the file


def folder_moved_away(stage: Stage, times: int) -> None:
    away = stage.folder.with_name(f"{stage.folder.name}.away")
    with recording(stage):
        for _ in range(times):
            with stage.injected_once(), stage.stopped():
                stage.folder.rename(away)
            with stage.injected_once():
                wait_until(stage.file.exists)
            stage.stop()
            for path in away.iterdir():
                path.replace(stage.folder / path.name)
            away.rmdir()
            stage.start()
            stage.wait_for(1)
            stage.forget()


# The disk


def disk_full(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                fill(stage.folder, leaving=0)
                told(stage, "No space left on device")
                (stage.folder / "filling").unlink()


def disk_full_at_a_checkpoint(stage: Stage, times: int) -> None:
    for _ in range(times):
        with recording(stage):
            stage.wait_for(1)
        fill(stage.folder, leaving=4096)
        with contextlib.suppress(StoreError):
            fold_log(stage.database)
        (stage.folder / "filling").unlink()
        with stage.injected_once():
            stage.start()
        stage.stop()


def disk_full_at_the_first_start(stage: Stage, times: int) -> None:
    for _ in range(times):
        remove(stage)
        with stage.injected_once():
            fill(stage.folder, leaving=65_536)
            stage.start()
            told(stage, "No space left on device")
            (stage.folder / "filling").unlink()
        stage.stop()
        assert list_aside(stage.file) == []


def disk_full_at_a_backup(stage: Stage, times: int) -> None:
    folder = stage.folder.with_name(f"{stage.folder.name}.backup")
    folder.mkdir()
    with_outage(stage)
    with small_disk(folder), recording(stage):
        backup(stage.database, folder)
        for _ in range(times):
            with stage.injected_once():
                fill(folder, leaving=0)
                with contextlib.suppress(StoreError):
                    backup(stage.database, folder)
                    raise AssertionError("a full disk was not noticed")
                (folder / "filling").unlink()
            sound(folder)
        backup(stage.database, folder)
        sound(folder)


def read_only_at_the_start(stage: Stage, times: int) -> None:
    with recording(stage):
        stage.wait_for(1)
    for _ in range(times):
        with stage.injected_once():
            with read_only(stage.folder):
                stage.start()
                said = stage.end()
                assert said == f"Error: {beside(stage.file, 'recorder')} can't be opened: Read-only file system\n"
                with stage.database.read() as cursor:
                    assert ticks.summary(cursor)
            stage.start()
        stage.stop()


def read_only_meanwhile(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once(), read_only(stage.folder):
                time.sleep(2.5)  # for this long it can't write


# The clock


def clock_set(seconds: float, stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                stage.set_clocks(recorder_s=seconds)
            stage.wait_for(2)
            with stage.injected_once():
                stage.set_clocks(recorder_s=-seconds)


def summer_time_ends(stage: Stage, times: int) -> None:
    """The hour that local clocks show twice, in a zone that has it."""
    for _ in range(times):
        stage.start(zone="Europe/Berlin")
        with stage.injected_once():
            stage.wait_for(6)
        stage.stop()


# Kills


def kill_recorder(stage: Stage, times: int) -> None:
    """At random moments, half of them in the tenth of a second in which a slot is written."""
    for _ in range(times):
        with stage.injected_once():
            stage.start()
            stage.wait_for(stage.random.choice([1, 1, 2]))
            rest = stage.random.choice([stage.random.random(), (-time.time()) % 1 + stage.random.random() / 10])
            time.sleep(rest)  # until the moment of the kill
            stage.kill()
            stage.start()
        stage.kill()


def kill_while_healing(stage: Stage, times: int) -> None:
    with_outage(stage)
    for _ in range(times):
        stage.injected += 1
        began = time.monotonic()
        stage.start()
        stage.wait_for(1)
        stage.recovery_s.append(time.monotonic() - began)
        time.sleep(stage.random.random() * 3)  # until the moment of the kill
        stage.kill()
    with recording(stage):
        wait_until(stage.healed, timeout_s=90)


def kill_in_a_busy_loop(how: str, stage: Stage, times: int) -> None:
    """A process that does nothing but append and checkpoint, so that each kill meets one of the two."""
    database = Database(stage.file)
    database.migrate()
    acknowledged = -1
    for _ in range(times):
        began = time.monotonic()
        with start("append_until_killed", stage.file, how) as program:
            acknowledged = int(line(program))
            stage.recovery_s.append(time.monotonic() - began)
            time.sleep(stage.random.random() / 5)  # until the moment of the kill
            program.process.kill()
            said = program.finish()[1].split()
            acknowledged = int(said[-1]) if said else acknowledged
        stage.injected += 1
        with database.read() as cursor:
            whole = cursor.execute("SELECT ts, count(DISTINCT index_name), count(*) FROM ticks GROUP BY ts").fetchall()
        assert {each[1:] for each in whole} == {(COPIES, COPIES)}, "a transaction was cut in half"
        assert acknowledged + 1 <= len(whole) <= acknowledged + 2, "a second was lost or invented"
    stage.counted = (acknowledged + 1) * COPIES


def kill_while_migrating(stage: Stage, times: int) -> None:
    for _ in range(times):
        remove(stage)
        with_old_schema(stage.file)
        began = kill_a_migration(stage)
        stage.database.migrate()
        stage.recovery_s.append(time.monotonic() - began)
        with stage.database.read() as cursor:
            assert len(ticks.newest_first(cursor, "btc_usd", limit=1000)) == 500, "ticks of the old file are lost"
        assert list_aside(stage.file) == []
    stage.counted = 500 * times


def kill_while_creating(stage: Stage, times: int) -> None:
    for _ in range(times):
        remove(stage)
        began = kill_a_migration(stage)
        stage.database.migrate()
        stage.recovery_s.append(time.monotonic() - began)
        with stage.database.write() as cursor:
            ticks.append(cursor, [tick()])
        names = {path.name for path in stage.folder.iterdir()}
        assert names <= {stage.file.name + suffix for suffix in ("", ".wal", ".gate", ".lease")}, names
    stage.counted = times


def kill_backup(stage: Stage, times: int) -> None:
    """A backup is killed while a recorder records: the one before stays whole, and the next one finds its way."""
    folder = stage.folder.with_name(f"{stage.folder.name}.backup")
    with_outage(stage, ago=timedelta(days=40), lasting=timedelta(days=39))
    with recording(stage):
        backup(stage.database, folder)
        for _ in range(times):
            with stage.injected_once(), start("back_up", stage.file, folder) as program:
                assert line(program) == "ready"
                time.sleep(stage.random.random() / 5)  # until the moment of the kill
                program.process.kill()
                program.finish()
            sound(folder)
        backup(stage.database, folder)
    restored = Database(folder.with_name(f"{folder.name}.restored"))
    restore(folder, restored)
    with restored.read() as cursor:
        assert ticks.summary(cursor)["btc_usd"][0] > times


def kill_reader(stage: Stage, times: int) -> None:
    """A reader is killed while it holds a lease: the recorder goes on at once and loses no slot."""
    with recording(stage):
        for _ in range(times):
            with stage.injected_once(), start("keep_reading", stage.file) as reader:
                assert line(reader) == "reading"
                time.sleep(stage.random.random())  # until the moment of the kill
                reader.process.kill()


# What they are made of


@contextlib.contextmanager
def recording(stage: Stage) -> Iterator[None]:
    """A recorder that has recorded, and that is stopped at the end."""
    stage.start()
    stage.wait_for(2)
    yield
    stage.wait_for(1)
    stage.stop()


def with_outage(stage: Stage, ago: timedelta = 20 * MINUTE, lasting: timedelta = 5 * MINUTE) -> None:
    """A file whose recorder was cut off so long ago, for so long, and has no older history to load."""
    end = utc_now().replace(microsecond=0)
    database = stage.database
    database.migrate()
    first = end - ago
    with database.write() as cursor:
        for begin, until in ((first - 10 * SECOND, first), (first + lasting, first + lasting + 10 * SECOND)):
            run = Run(begin, 1, INDEXES, "0")
            runs.note(cursor, run)
            runs.note(cursor, replace(run, ended_at=until))
            instants = [begin + second * SECOND for second in range(10)]
            ticks.append(cursor, [observed(name, at) for name in INDEXES for at in instants])
        for name in INDEXES:
            cursor.execute(
                "INSERT INTO ticks VALUES (?, '2019-01-01', NULL, ?, 'chart', 86400)", [name, long_ago(name)]
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
        ticks.append(connection, [tick(second) for second in range(500)])


def kill_a_migration(stage: Stage) -> float:
    """Kill a process somewhere between the start and the end of `Database.migrate`; when that was."""
    with start("migrate", stage.file) as program:
        assert line(program) == "ready"
        time.sleep(stage.random.random() / 5)  # until the moment of the kill
        program.process.kill()
        program.finish()
    stage.injected += 1
    return time.monotonic()


def fold_log(database: Database) -> None:
    with database._one_writer(5), database._translated(), database._cursor(5, read_only=False) as cursor:
        cursor.execute("CHECKPOINT")


def sound(folder: Path) -> None:
    """Nothing is wrong with a backup."""
    manifest = what_it_holds(folder)
    assert manifest is not None
    assert list(faults_of_backup(folder, manifest)) == []


def remove(stage: Stage) -> None:
    """Begin anew in the same folder."""
    for path in stage.folder.iterdir():
        path.unlink()
    stage.forget()


def fill(folder: Path, leaving: int) -> None:
    """Fill a small disk, but for so many bytes."""
    with (folder / "filling").open("wb", buffering=0) as file:
        free = os.statvfs(folder)
        with contextlib.suppress(OSError):
            while free.f_bavail * free.f_bsize > leaving:
                file.write(b"x" * min(1 << 20, free.f_bavail * free.f_bsize - leaving))
                free = os.statvfs(folder)


def told(stage: Stage, words: str) -> None:
    """Wait until the recorder says so where everybody looks."""
    wait_until(lambda: (notice := read_notice(stage.file)) and words in notice.detail, timeout_s=20)


@contextlib.contextmanager
def mounted(folder: Path, *options: str | Path) -> Iterator[None]:
    """Mount something on a folder, as long as the block lasts."""
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
    """Lay the folder over itself so that nobody can open anything in it to write."""
    copy = folder.with_name(f"{folder.name}.read-only")
    copy.mkdir(exist_ok=True)
    with mounted(copy, "--bind", folder):
        subprocess.run(["mount", "-o", "remount,ro,bind", copy], check=True, capture_output=True)
        with mounted(folder, "--bind", copy):
            yield


def may_mount(folder: Path) -> bool:
    """Has this process the right to mount?"""
    try:
        with small_disk(folder):
            return True
    except (subprocess.CalledProcessError, FileNotFoundError):
        return False


def _cut_off(points: list[Any]) -> list[Any]:
    return points[len(points) // 2 :]


def _repeated(points: list[Any]) -> list[Any]:
    return [*points, *points[-20:]]


def _out_of_order(points: list[Any]) -> list[Any]:
    return points[::-1]


SETTLEMENT = datetime(2026, 11, 20, 8, tzinfo=UTC) - 3 * SECOND
SUMMER_TIME_ENDS = datetime(2026, 10, 25, 1, tzinfo=UTC) - 5 * SECOND

KINDS: dict[str, Kind] = {
    "exchange answers with errors": Kind(partial(exchange, "error")),
    "exchange limits the rate": Kind(partial(exchange, "rate_limit")),
    "exchange shows a page": Kind(partial(exchange, "html")),
    "exchange answers no JSON": Kind(partial(exchange, "not_json")),
    "exchange resets connections": Kind(partial(exchange, "reset")),
    "exchange cuts replies off": Kind(partial(exchange, "cut_off")),
    "exchange hangs up": Kind(partial(exchange, "hang_up")),
    "exchange is slow": Kind(partial(exchange, "slow")),
    "exchange is slow for one slot": Kind(slow_for_one_slot),
    "exchange's clock is ahead": Kind(partial(exchange, "skew")),
    "exchange's clock stands still": Kind(clock_stands_still),
    "exchange settles": Kind(partial(exchange, "settlement"), at=SETTLEMENT),
    "exchange locks an index": Kind(partial(exchange, "locked")),
    "exchange is away": Kind(partial(exchange, "outage")),
    "exchange is away at the start": Kind(not_there_at_the_start),
    "prices are none": Kind(bad_prices),
    "prices jump": Kind(prices_jump),
    "outage is healed": Kind(heal),
    "chart is cut off": Kind(partial(charts, _cut_off)),
    "chart has another step": Kind(another_step),
    "chart is out of order": Kind(partial(charts, _out_of_order)),
    "chart repeats points": Kind(partial(charts, _repeated)),
    "a week offline": Kind(week_offline),
    "file is missing": Kind(missing),
    "file is empty": Kind(partial(damaged, empty)),
    "file is no database": Kind(partial(damaged, no_database)),
    "file is cut off in its header": Kind(partial(damaged, cut_in_its_header)),
    "file is cut off in its blocks": Kind(partial(damaged, cut_in_its_blocks)),
    "file is overwritten in part": Kind(partial(damaged, overwritten)),
    "file is of a newer version": Kind(newer_version),
    "file is deleted meanwhile": Kind(deleted_meanwhile),
    "held file is deleted meanwhile": Kind(deleted_meanwhile, mode="embedded"),
    "file is replaced meanwhile": Kind(replaced_meanwhile),
    "held file is replaced meanwhile": Kind(replaced_meanwhile, mode="embedded"),
    "folder is moved away": Kind(folder_moved_away),
    "log is of another file": Kind(log_of_another_file),
    "log is of an older state": Kind(log_of_an_older_state),
    "log is without its file": Kind(log_without_its_file),
    "log is torn": Kind(torn_log),
    "lock files are deleted": Kind(lock_files_deleted),
    "lock files are left behind": Kind(lock_files_left_behind),
    "another program keeps the file": Kind(foreign_program),
    "disk is full": Kind(disk_full, small_disk=True, mounts=True),
    "disk is full, file held": Kind(disk_full, mode="embedded", small_disk=True, mounts=True),
    "disk is full at a checkpoint": Kind(disk_full_at_a_checkpoint, small_disk=True, mounts=True),
    "disk is full at the first start": Kind(disk_full_at_the_first_start, small_disk=True, mounts=True),
    "disk is full at a backup": Kind(disk_full_at_a_backup, mounts=True),
    "folder is read-only at the start": Kind(read_only_at_the_start, mounts=True),
    "folder is read-only meanwhile": Kind(read_only_meanwhile, mounts=True),
    "clock is set forward by an hour": Kind(partial(clock_set, 3600)),
    "clock is set back by an hour": Kind(partial(clock_set, -3600)),
    "summer time ends": Kind(summer_time_ends, at=SUMMER_TIME_ENDS),
    "kill -9 while recording": Kind(kill_recorder, kills=60),
    "kill -9 while recording, file held": Kind(kill_recorder, kills=60, mode="embedded"),
    "kill -9 while healing": Kind(kill_while_healing, kills=40),
    "kill -9 while appending": Kind(partial(kill_in_a_busy_loop, "leased"), kills=40),
    "kill -9 while appending, file held": Kind(partial(kill_in_a_busy_loop, "held"), kills=40),
    "kill -9 while checkpointing": Kind(partial(kill_in_a_busy_loop, "checkpointing"), kills=40),
    "kill -9 while migrating": Kind(kill_while_migrating, kills=30),
    "kill -9 while the file is made": Kind(kill_while_creating, kills=30),
    "kill -9 of a backup": Kind(kill_backup, kills=30),
    "kill -9 of a reader": Kind(kill_reader, kills=30),
}
