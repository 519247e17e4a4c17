"""Several processes use one file: readers share it, a writer has it alone, and everybody gets a turn."""

import errno
import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import duckdb
import portalocker
import psutil
import pyarrow as pa
import pytest
from portalocker import LockFlags

from store.errors import BusyError, StoreError
from store.file.database import Database
from store.file.locks import FileLock, beside
from store.file.opening import holder
from store.prices import ticks
from tests.conftest import tick, wait_until
from tests.store.processes import line, start
from tests.support.locks import is_locked
from tests.support.stored import append


def seconds(database: Database, wait_s: float = 5) -> list[int]:
    """The seconds of all stored ticks."""
    with database.read(wait_s) as cursor:
        return [each.ts.second for each in reversed(ticks.newest_first(cursor, "btc_usd", limit=1000))]


def files(database: Database) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in database.path.parent.iterdir()}


def wal(database: Database) -> Path:
    return database.path.with_name(f"{database.path.name}.wal")


def test_readers_of_several_processes_read_at_once(database):
    append(database, tick(3))

    with start("keep_reading", database.path) as one, start("keep_reading", database.path) as other:
        said = line(one), line(other)
        found = seconds(database, wait_s=1)

    assert said == ("reading", "reading")
    assert found == [3]


def test_a_writer_gets_in_among_eight_busy_readers(database):
    append(database, tick(0))
    waited_s: list[float] = []

    with start("read_busily", database.path, 4) as one, start("read_busily", database.path, 4) as other:
        assert (line(one), line(other)) == ("reading", "reading")
        for second in range(1, 7):
            started = time.monotonic()
            append(database, tick(second), wait_s=20)
            waited_s.append(time.monotonic() - started)

    assert max(waited_s) < 2, waited_s
    assert seconds(database) == list(range(7))


def test_a_reader_gets_in_among_busy_writers(database):
    stop = threading.Event()
    at_work = threading.Barrier(4)

    def write_busily(number: int) -> None:
        mine = Database(database.path)
        append(mine, tick(number), wait_s=20)
        at_work.wait()
        while not stop.is_set():
            append(mine, tick(number), wait_s=20)

    threads = [threading.Thread(target=write_busily, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    at_work.wait()

    started = time.monotonic()
    for _ in range(5):
        seconds(Database(database.path), wait_s=20)
    waited_s = time.monotonic() - started

    stop.set()
    for thread in threads:
        thread.join()
    assert waited_s < 5 * 2


@pytest.mark.parametrize("holder", ["keep_reading", "keep_writing"])
def test_a_writer_whose_deadline_passed_gets_a_busy_error(database, holder):
    with start(holder, database.path) as program:
        line(program)

        with pytest.raises(BusyError, match=r"^ticks\.duckdb\.lease stayed locked by another process$"):
            append(database, tick(0), wait_s=0.2)


def test_a_reader_whose_deadline_passed_gets_a_busy_error(database):
    with start("keep_writing", database.path) as program:
        line(program)
        started = time.monotonic()

        with pytest.raises(BusyError, match=r"^ticks\.duckdb\.lease stayed locked by another process$"):
            seconds(database, wait_s=0.2)

        assert 0.2 <= time.monotonic() - started < 2


def test_a_waiting_process_can_not_be_overtaken(database):
    with start("keep_reading", database.path) as program:
        line(program)
        writer = threading.Thread(target=append, args=(Database(database.path), tick(0)), kwargs={"wait_s": 20})
        writer.start()
        wait_until(lambda: is_locked(beside(database.path, "gate")))

        with pytest.raises(BusyError, match=r"^ticks\.duckdb\.gate stayed locked by another process$"):
            seconds(database, wait_s=0.2)

        program.process.kill()
        writer.join()
    assert seconds(database) == [0]


def test_a_thread_whose_deadline_passed_learns_that_another_one_writes(database):
    with database.write() as cursor:
        ticks.append(cursor, [tick(0)])
        errors: list[BusyError] = []

        def write_too() -> None:
            with pytest.raises(BusyError) as caught:
                append(database, tick(1), wait_s=0.1)
            errors.append(caught.value)

        thread = threading.Thread(target=write_too)
        thread.start()
        thread.join()

    assert [str(error) for error in errors] == ["ticks.duckdb is being written by another thread"]
    assert seconds(database) == [0]


def test_a_reader_that_waits_gets_the_file_from_a_writer_that_was_killed(database):
    append(database, tick(0))
    with start("keep_writing", database.path) as program:
        line(program)
        program.process.kill()

        found = seconds(database)

    assert found == [0]


def test_only_a_few_of_many_threads_read_at_once(database):
    reading, done = threading.Barrier(3), threading.Event()

    def read() -> None:
        with database.read():
            reading.wait(timeout=10)
            done.wait(timeout=10)

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        reading.wait(timeout=10)
        with pytest.raises(BusyError, match=r"^ticks\.duckdb is being read by other threads$"):
            seconds(database, wait_s=0.1)
        of_another_object = seconds(Database(database.path))
        done.set()
        for reader in readers:
            reader.result()

    assert of_another_object == seconds(database) == []


@pytest.mark.parametrize("access", ["read", "write"])
def test_a_foreign_tool_that_keeps_the_file_is_named(database, access):
    with start("hold_like_a_foreign_tool", database.path) as program:
        line(program)

        with pytest.raises(BusyError) as caught, getattr(database, access)(wait_s=0.2):
            pass

        who = rf"ticks\.duckdb is held by python[\d.]*, PID {program.process.pid}, which is not Tickwell"
        assert re.fullmatch(who, str(caught.value))


def test_a_writer_that_waits_gets_the_file_from_a_foreign_tool_that_lets_go(database):
    with start("hold_like_a_foreign_tool", database.path) as program:
        line(program)
        writer = threading.Thread(target=append, args=(database, tick(7)), kwargs={"wait_s": 20})
        writer.start()
        wait_until(lambda: is_locked(beside(database.path, "lease")), look_again_s=0.001)  # it has its turn and tries

        program.process.kill()
        writer.join()

    assert seconds(database) == [7]


def test_a_foreign_tool_in_another_container_is_a_holder_too():
    # DuckDB 1.5.5 and 2.0.0, to a process in a PID namespace of its own (`unshare --pid`), 2026-11
    refusal = (
        'IO Error: Could not set lock on file "/data/ticks.duckdb": Conflicting lock is held in PID 0. '
        "See also https://duckdb.org/docs/current/connect/concurrency"
    )

    who = holder(refusal)

    assert who == "a program in another container"


def test_written_rows_appear_when_the_block_ends_and_not_before(database):
    with database.hold():
        with database.write() as cursor, ThreadPoolExecutor(1) as another:
            ticks.append(cursor, [tick(0)])
            before = another.submit(seconds, database).result()
        after = seconds(database)

    assert before == []
    assert after == [0]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, duckdb.OutOfMemoryException, duckdb.FatalException])
@pytest.mark.parametrize("held", [False, True])
def test_a_block_that_raises_writes_nothing(database, error, held):
    append(database, tick(0))

    def write_half() -> None:
        with database.write() as cursor:
            ticks.append(cursor, [tick(1)])
            raise error

    if held:
        with database.hold(), pytest.raises((error, StoreError)):
            write_half()
    else:
        with pytest.raises((error, StoreError)):
            write_half()

    assert seconds(database) == [0]


def test_a_block_whose_transaction_is_over_raises_its_own_error(database):
    def write_and_fail() -> None:
        with database.write() as cursor:
            cursor.execute("ROLLBACK")
            raise ValueError("the reason")

    with pytest.raises(ValueError, match=r"^the reason$"):
        write_and_fail()


def test_bad_sql_is_a_store_error_in_one_line_that_names_the_file(database):
    with pytest.raises(StoreError) as caught, database.read() as cursor:
        cursor.execute("SELECT * FROM nothing")

    assert str(caught.value).startswith("ticks.duckdb: Catalog Error: Table with name nothing does not exist!")
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value.__cause__, duckdb.CatalogException)


def test_a_variable_never_stands_for_a_missing_table(database: Database):
    nothing = pa.table({"price": [1.0]})  # noqa: F841 DuckDB would find it by its name

    with pytest.raises(StoreError, match="Table with name nothing does not exist"), database.read() as cursor:
        cursor.execute("FROM nothing")


@pytest.mark.parametrize("access", ["read", "write"])
def test_an_error_of_the_callers_own_files_is_raised_unchanged(database, tmp_path, access):
    with pytest.raises(FileNotFoundError) as caught, getattr(database, access)():
        (tmp_path / "of the caller").read_text()

    assert caught.value.filename == str(tmp_path / "of the caller")


def test_an_error_of_the_function_that_fills_a_file_is_raised_unchanged(tmp_path):
    database = Database(tmp_path / "new/ticks.duckdb")

    with pytest.raises(FileNotFoundError) as caught:
        database.create(lambda _: (tmp_path / "of the caller").unlink())

    assert caught.value.filename == str(tmp_path / "of the caller")
    assert list(database.path.parent.iterdir()) == []


def test_a_reader_cannot_write(database):
    with pytest.raises(StoreError, match="read-only"), database.read() as cursor:
        ticks.append(cursor, [tick(0)])

    assert seconds(database) == []


def test_closing_leaves_the_file_alone_and_keeps_the_ticks_in_the_log(database):
    before = files(database)

    append(database, tick(0))

    assert files(database)[database.path.name] == before[database.path.name]
    assert wal(database).stat().st_size > 0
    assert seconds(database) == [0]


def test_a_log_that_has_grown_is_folded_into_the_file(database):
    append(database, *(tick(second) for second in range(5000)))
    grown = wal(database).stat().st_size

    database.checkpoint_when_due()

    assert grown > 128 * 1024
    assert not wal(database).exists()
    with database.read() as cursor:
        assert cursor.execute("SELECT count(*) FROM ticks").fetchall() == [(5000,)]


def test_a_small_log_is_left_alone(database):
    append(database, tick(0))
    before = files(database)

    database.checkpoint_when_due()

    assert files(database) == before


def test_without_a_log_there_is_nothing_to_fold(database, tmp_path):
    before = files(database)

    database.checkpoint_when_due()
    Database(tmp_path / "missing/ticks.duckdb").checkpoint_when_due()

    assert files(database) == before


def test_a_log_is_folded_beside_a_reader_of_the_same_process(database):
    with database.hold():
        append(database, *(tick(second) for second in range(5000)))
        with database.read() as cursor:
            cursor.execute("SELECT ts FROM ticks ORDER BY ts")
            first = cursor.fetchmany(10)

            with ThreadPoolExecutor(1) as another:
                another.submit(database.checkpoint_when_due).result()

            rest = cursor.fetchall()

    assert len({*first, *rest}) == 5000
    assert not wal(database).exists()


def test_locks_that_cannot_be_made_are_a_store_error(database):
    beside(database.path, "lease").unlink()
    beside(database.path, "lease").mkdir()

    with pytest.raises(StoreError, match=r"ticks\.duckdb\.lease can't be opened: Is a directory$"):
        seconds(database)


def test_a_lock_that_is_not_held_is_released_and_rewritten_without_effect(tmp_path):
    lock = FileLock(tmp_path / "lock")

    lock.rewrite("text")
    lock.release()

    assert not lock.path.exists()


def test_a_shared_lock_admits_sharers_only(tmp_path):
    locks = [FileLock(tmp_path / "lock") for _ in range(3)]

    taken = [locks[0].try_acquire(shared=True), locks[1].try_acquire(shared=True), locks[2].try_acquire()]

    for lock in locks:
        lock.release()
    assert taken == [True, True, False]
    assert locks[2].try_acquire()
    locks[2].release()


@pytest.fixture(params=[errno.EROFS, errno.EACCES])
def refusal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The refusal to open a file for writing. For root it takes a read-only mount of the folder."""

    make = os.open

    def refuse(path: str, flags: int, *mode: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(request.param, os.strerror(request.param), path)
        return make(path, flags, *mode)

    monkeypatch.setattr(os, "open", refuse)
    return os.strerror(request.param)


def test_in_a_read_only_folder_readers_take_the_existing_locks(database, refusal):
    with beside(database.path, "lease").open() as lease:
        portalocker.lock(lease, LockFlags.SHARED | LockFlags.NON_BLOCKING)
        beside_a_reader = seconds(database)
        portalocker.lock(lease, LockFlags.EXCLUSIVE | LockFlags.NON_BLOCKING)
        with pytest.raises(BusyError):
            seconds(database, wait_s=0.1)

    assert beside_a_reader == []


def test_where_no_lock_file_can_be_made_readers_read_without_one(database, refusal):
    for kind in ("gate", "lease"):
        beside(database.path, kind).unlink()

    assert seconds(database) == []


def test_in_a_read_only_folder_writers_are_refused(database, refusal):
    with pytest.raises(StoreError, match=rf"ticks\.duckdb\.gate can't be opened: {refusal}$"):
        append(database, tick(0))


def test_a_lock_whose_file_was_deleted_is_lost_and_others_can_have_it(tmp_path):
    first, second = (FileLock(tmp_path / "lock") for _ in range(2))
    before = first.lost
    first.try_acquire()
    held = first.lost

    (tmp_path / "lock").unlink()
    taken = second.try_acquire()

    assert (before, held, first.lost, taken, second.lost) == (False, False, True, True, False)
    first.release()
    second.release()


def test_a_lock_that_the_system_can_not_give_is_a_store_error_and_not_a_busy_error(tmp_path, monkeypatch):
    def refuse(file: IO[bytes], _: LockFlags) -> None:
        raise portalocker.LockException(OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)))

    monkeypatch.setattr(portalocker, "lock", refuse)

    with pytest.raises(StoreError, match=r"lock can't be locked: \[Errno 37\] No locks available$"):
        FileLock(tmp_path / "lock").try_acquire()


def test_a_lock_that_is_given_back_is_free_although_a_process_was_forked_meanwhile(database):
    with start("fork_in_a_lease", database.path) as program:
        assert line(program) == "given back"

        append(database, tick(0), wait_s=1)

        assert len(psutil.Process(program.process.pid).children()) == 1


@pytest.mark.parametrize("again", [False, True], ids=["deleted", "replaced"])
def test_a_file_that_is_deleted_before_it_is_locked_is_not_taken(tmp_path, monkeypatch, again):
    lock, real = FileLock(tmp_path / "lock"), portalocker.lock

    def delete_first(file: IO[bytes], flags: LockFlags) -> None:
        monkeypatch.undo()
        lock.path.unlink()
        if again:
            lock.path.touch()
        real(file, flags)

    monkeypatch.setattr(portalocker, "lock", delete_first)

    assert not lock.try_acquire()
    assert lock.try_acquire()
    assert not lock.lost
    lock.release()
