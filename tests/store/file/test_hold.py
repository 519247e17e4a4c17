"""A recorder that shares its process with the dashboard keeps the file, lends it, and steps aside for others."""

import contextlib
import resource
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial

import duckdb
import pytest

from store.errors import BusyError, NoDatabaseError, StoreError
from store.file.database import Database
from store.file.held import Held, Limits
from store.file.locks import beside
from store.prices import ticks
from tests.conftest import tick, wait_until
from tests.store.files import checkpoint, opened
from tests.store.processes import line, start
from tests.support.locks import is_locked, is_wanted
from tests.support.stored import append


def count(database: Database, wait_s: float = 5) -> int:
    with database.read(wait_s) as cursor:
        return int(cursor.execute("SELECT count(*) FROM ticks").fetchall()[0][0])


def is_kept(database: Database) -> bool:
    """Is the lease held?"""
    return is_locked(beside(database.path, "lease"))


@contextlib.contextmanager
def on_a_thread(work: Callable[[], object]) -> Iterator[None]:
    """Run something in a thread during the block; the block waits for its end."""
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_nothing_is_opened_before_the_first_use(database):
    with database.hold():
        kept = is_kept(database)

    assert not kept


def test_the_file_stays_open_between_uses_and_is_closed_at_the_end(database):
    with database.hold():
        append(database, tick(0))
        kept = is_kept(database)

    assert kept
    assert not is_kept(database)
    assert count(Database(database.path)) == 1


def test_reads_and_writes_of_one_process_go_on_at_once(database):
    together = threading.Barrier(3)
    counts: list[int] = []

    def read() -> None:
        with database.read() as cursor:
            together.wait(timeout=10)  # both readers and the writer are inside their leases now
            counts.append(cursor.execute("SELECT count(*) FROM ticks").fetchall()[0][0])
            together.wait(timeout=10)

    with database.hold(), on_a_thread(read), on_a_thread(read), database.write() as cursor:
        ticks.append(cursor, [tick(0)])
        together.wait(timeout=10)
        together.wait(timeout=10)

    assert counts == [0, 0]
    assert count(database) == 1


def test_many_threads_read_and_write_through_a_held_file(database):
    failures: list[StoreError] = []

    def work(number: int) -> None:
        try:
            for second in range(20):
                append(database, tick(100 * number + second))
                count(database)
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    with database.hold():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stored = count(database)

    assert failures == []
    assert stored == 80


@pytest.mark.parametrize("access", [count, lambda other: append(other, tick(1))])
def test_a_holder_without_work_steps_aside_for_a_waiting_process(database, access):
    other = Database(database.path)
    with database.hold():
        append(database, tick(0))
        started = time.monotonic()

        access(other)

        waited_s = time.monotonic() - started
        assert not is_kept(database)
    assert waited_s < 1


def test_a_holder_in_another_process_steps_aside(database):
    with start("keep_held", database.path) as program:
        assert line(program) == "held"
        kept = is_kept(database)
        started = time.monotonic()

        stored = append(database, tick(0), tick(1))

        waited_s = time.monotonic() - started
    assert kept
    assert stored == {("btc_usd", tick(1).ts)}
    assert waited_s < 1


def test_the_file_is_taken_back_after_stepping_aside(database):
    other = Database(database.path)
    with database.hold():
        for second in range(0, 6, 2):
            append(database, tick(second))
            kept = is_kept(database)
            append(other, tick(second + 1))
            assert kept
        total = count(database)
        kept_again = is_kept(database)

    assert total == 6
    assert kept_again


def test_two_holders_take_turns(database):
    other = Database(database.path)
    with database.hold(), other.hold():
        for second in range(0, 6, 2):
            append(database, tick(second))
            append(other, tick(second + 1))

    assert count(database) == 6


def test_a_waiting_process_gets_the_file_as_soon_as_the_last_cursor_is_back(database):
    waiting = Database(database.path)
    stored: list[set[tuple[str, datetime]]] = []
    with database.hold():
        with contextlib.ExitStack() as stack, database.read() as cursor:
            stack.enter_context(on_a_thread(lambda: stored.append(append(waiting, tick(1)))))
            wait_until(lambda: is_wanted(database))
            before = cursor.execute("SELECT count(*) FROM ticks").fetchall()
        after = count(database)

    assert before == [(0,)]
    assert stored == [{("btc_usd", tick(1).ts)}]
    assert after == 1


def test_others_give_up_waiting_for_a_lease_that_does_not_end(database):
    with database.hold(), contextlib.ExitStack() as stack, database.read():
        stack.enter_context(on_a_thread(lambda: count(Database(database.path))))
        wait_until(lambda: is_wanted(database))

        refused = pytest.raises(BusyError, match=r"^ticks\.duckdb is wanted elsewhere, but a lease on it did not end$")
        with refused, ThreadPoolExecutor(1) as another:
            another.submit(count, database, wait_s=0.1).result()


@pytest.mark.parametrize("error", [duckdb.FatalException, duckdb.InternalException, duckdb.IOException])
def test_after_a_fatal_error_the_file_is_opened_anew(database, error):
    def write_and_fail() -> None:
        with database.write() as cursor:
            ticks.append(cursor, [tick(1)])
            raise error("the database has been invalidated")

    with database.hold():
        append(database, tick(0))

        with pytest.raises(StoreError, match=r"^ticks\.duckdb: the database has been invalidated$"):
            write_and_fail()

        wait_until(lambda: not is_kept(database))  # at once, or when the watcher has looked at the memory
        append(database, tick(2))
        assert is_kept(database)
        assert count(database) == 2


def test_after_a_fatal_error_the_file_is_opened_anew_once_the_last_cursor_is_back(database):
    with database.hold():
        with database.read() as cursor:
            with pytest.raises(StoreError), database.read():
                raise duckdb.FatalException("the database has been invalidated")
            kept = is_kept(database)
            cursor.execute("SELECT 1")

        assert kept
        wait_until(lambda: not is_kept(database))
        assert count(database) == 0


def test_a_checkpoint_on_a_full_disk_fails_no_later_lease(database):
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    with database.hold():
        append(database, tick(0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, unlimited[1]))  # no file may grow
        try:
            with pytest.raises(StoreError, match="Checkpoint failed"):
                database.checkpoint_when_due(from_bytes=0)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)

        append(database, tick(1))
        assert count(database) == 2


def test_a_checkpoint_waits_for_a_transaction_that_is_about_to_end(database):
    with database.hold(), ThreadPoolExecutor(1) as pool:
        append(database, tick(0))
        with database.read() as cursor:
            cursor.execute("BEGIN TRANSACTION")
            cursor.execute("UPDATE ticks SET price = 0")
            checkpointed = pool.submit(database.checkpoint_when_due, from_bytes=0)
            with pytest.raises(TimeoutError):
                checkpointed.result(0.2)
            cursor.execute("ROLLBACK")

        checkpointed.result(5)
        assert count(database) == 1


def test_a_lease_leaves_no_temporary_table_to_the_next(database):
    with database.hold():
        with database.write() as cursor:
            cursor.execute("CREATE TABLE known AS SELECT 'of the user'")
            cursor.execute("CREATE TEMP TABLE known AS SELECT 'of a lease'")

        with database.read() as cursor:
            rows = cursor.execute("FROM main.known").fetchall()

    assert rows == [("of the user",)]


def test_a_lease_leaves_no_rows_to_the_next(database):
    with database.hold():
        with database.read() as cursor:
            cursor.execute("SELECT * FROM range(3)")
            first = cursor.fetchone()

        with pytest.raises(StoreError, match="No open result set"), database.read() as cursor:
            cursor.fetchone()

    assert first == (0,)


def test_any_other_error_leaves_the_file_open(database):
    with database.hold():
        with pytest.raises(StoreError) as caught, database.read() as cursor:
            cursor.execute("SELECT * FROM nothing")

        assert is_kept(database)
        assert "Table with name nothing does not exist!" in str(caught.value)
        assert "LINE" not in str(caught.value)


def test_a_file_that_takes_much_memory_is_closed_once_the_last_cursor_is_back(database):
    database = Database(database.path, limits=Limits(kept_bytes=10_000, look_s=0))
    append(database, *(tick(second) for second in range(1000)))
    checkpoint(database)
    with database.hold():
        with database.read() as cursor:
            cursor.execute("SELECT sum(price) FROM ticks").fetchall()
            wait_until(lambda: is_wanted(database))
            still_read = cursor.execute("SELECT count(*) FROM ticks").fetchall()

        wait_until(lambda: not is_kept(database))

        assert still_read == [(1000,)]
        assert count(database) == 1000


def test_a_file_that_takes_little_memory_stays_open(database, first_look):
    database = Database(database.path, limits=Limits(look_s=0))
    first_look.may_end.set()
    with database.hold():
        append(database, tick())
        assert first_look.dealt_with.wait(5)

        assert is_kept(database)
        assert not is_wanted(database)


def test_checking_the_memory_of_a_closed_file_does_not_open_it(database, first_look):
    with database.hold():
        count(database)
        assert first_look.begun.wait(5)
        with pytest.raises(StoreError), database.read():
            raise duckdb.FatalException("the database has been invalidated")

        first_look.may_end.set()
    assert not is_kept(database)
    assert count(database) == 0


def test_an_old_knock_does_not_close_a_file_that_was_opened_since(database, first_look):
    first_look.knocked = True
    with database.hold():
        count(database)
        assert first_look.begun.wait(5)
        with pytest.raises(StoreError), database.read():
            raise duckdb.FatalException("the database has been invalidated")
        count(database)

        first_look.may_end.set()

        assert first_look.dealt_with.wait(5)
        assert is_kept(database)


def test_reading_does_not_make_a_missing_file(database_file):
    database = Database(database_file)

    with database.hold(), pytest.raises(NoDatabaseError):
        count(database)

    assert list(database_file.parent.iterdir()) == []


def test_a_file_can_be_made_while_it_is_held(database_file):
    database = Database(database_file)
    with database.hold():
        database.migrate()
        append(database, tick(0))
        database.migrate()
        stored = count(database)

    assert stored == 1


def test_a_failed_look_for_knocks_is_repeated(database):
    gate = beside(database.path, "gate")
    with database.hold():
        append(database, tick(0))
        gate.unlink()
        gate.mkdir()
        watcher = next(thread for thread in threading.enumerate() if thread.name == "tickwell-lease")
        watcher.join(0.2)  # some looks, all of them in vain
        gate.rmdir()

        stored = count(Database(database.path))

    assert stored == 1


def test_the_end_waits_only_until_the_last_cursor_is_back(database):
    with contextlib.ExitStack() as holding:
        holding.enter_context(database.hold())
        with database.read() as cursor:
            ended = threading.Thread(target=holding.close)
            ended.start()
            wait_until(lambda: database.revision is None)
            rows = cursor.execute("SELECT count(*) FROM ticks").fetchall()
            started = time.monotonic()
        ended.join()
        waited_s = time.monotonic() - started

    assert rows == [(0,)]
    assert waited_s < 1
    assert not is_kept(database)


def test_a_cursor_that_outlives_the_end_keeps_the_file_until_it_is_back(database):
    with contextlib.ExitStack() as lease:
        with database.hold():
            cursor = lease.enter_context(database.read())
        rows = cursor.execute("SELECT count(*) FROM ticks").fetchall()
        kept = is_kept(database)

    assert rows == [(0,)]
    assert kept
    assert not is_kept(database)


def test_a_thread_that_was_about_to_read_at_the_end_still_reads_and_then_lets_go(database):
    append(database, tick(0))
    held = Held(database.path, partial(opened, database.path))
    held.close()

    with held.lend(time.monotonic() + 1) as cursor:
        rows = cursor.execute("SELECT count(*) FROM ticks").fetchall()

    assert rows == [(1,)]
    assert not is_kept(database)
    assert count(database) == 1
