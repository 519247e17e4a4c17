"""A lease inside a thread's own lease is the same lease: it waits for nobody."""

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from store.file.database import Cursor, Database
from store.file.locks import beside
from store.prices import ticks
from tests.conftest import tick, wait_until
from tests.support.locks import is_locked, is_wanted
from tests.support.stored import append

SOON_S = 0.2


def seconds(database: Database, wait_s: float = SOON_S) -> list[int]:
    """The seconds of all stored ticks."""
    with database.read(wait_s) as cursor:
        return seconds_of(cursor)


def seconds_of(cursor: Cursor) -> list[int]:
    return [each.ts.second for each in reversed(ticks.newest_first(cursor, "btc_usd", limit=1000))]


def is_kept(database: Database) -> bool:
    """Is the lease held?"""
    return is_locked(beside(database.path, "lease"))


@pytest.fixture(params=["opened for each lease", "held"])
def either(request: pytest.FixtureRequest, database: Database):
    """A database in both of its modes."""
    with database.hold() if request.param == "held" else contextlib.nullcontext():
        yield database


def test_reads_inside_a_read_take_no_further_turn(either):
    append(either, tick(3))

    with contextlib.ExitStack() as stack:
        cursors = [stack.enter_context(either.read(SOON_S)) for _ in range(5)]
        found = [seconds_of(cursor) for cursor in cursors]

    assert found == [[3]] * 5


def test_a_read_inside_a_read_leaves_the_rows_of_the_outer_one_alone(either):
    with either.read() as outer:
        outer.execute("SELECT * FROM range(5)")
        first = outer.fetchmany(2)
        with either.read() as inner:
            inner.execute("SELECT 'others'").fetchall()
        rest = outer.fetchall()

    assert [*first, *rest] == [(0,), (1,), (2,), (3,), (4,)]


def test_reads_one_after_the_other_inside_a_read_leave_its_rows_alone(either):
    with either.read() as outer:
        outer.execute("SELECT * FROM range(3)")
        for _ in range(2):
            with either.read() as inner:
                inner.execute("SELECT 'others'").fetchall()
        rest = outer.fetchall()

    assert rest == [(0,), (1,), (2,)]


def test_the_lease_ends_with_the_outermost_read(database):
    with database.read():
        with database.read():
            pass
        within = is_kept(database)

    assert within
    assert not is_kept(database)


def test_a_lease_outlasts_the_read_that_took_it_while_another_one_is_inside(database):
    with contextlib.ExitStack() as inner:
        with database.read():
            cursor = inner.enter_context(database.read())
        found = seconds_of(cursor)
        within = is_kept(database)

    assert (found, within) == ([], True)
    assert not is_kept(database)


def test_threads_that_read_inside_their_reads_do_not_wait_for_each_other(either):
    together = threading.Barrier(2)

    def read_twice() -> list[int]:
        with either.read():
            together.wait(timeout=10)  # both have one of the two turns now
            return seconds(either)

    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(read_twice) for _ in range(2)]

    assert [each.result() for each in found] == [[], []]


def test_a_read_inside_a_read_of_a_held_file_does_not_wait_for_waiting_processes(database):
    with database.hold(), ThreadPoolExecutor(1) as pool, database.read():
        waiting = pool.submit(append, Database(database.path), tick(1))
        wait_until(lambda: is_wanted(database))

        found = seconds(database)

        assert not waiting.done()
    assert found == []
    assert seconds(database) == [1]


def test_a_read_inside_a_write_sees_what_is_being_written(either):
    with either.write() as cursor:
        ticks.append(cursor, [tick(3)])

        found = seconds(either)

    assert found == [3]


@pytest.mark.parametrize(
    "access",
    [
        lambda database: append(database, tick(1)),
        Database.migrate,
        Database.checkpoint_when_due,
        lambda it: it.create(print),
    ],
    ids=["write", "migrate", "checkpoint", "create"],
)
@pytest.mark.parametrize("outer", [Database.read, Database.write])
def test_a_lease_that_would_wait_for_its_own_thread_is_refused_at_once(
    either, outer, access: Callable[[Database], None]
):
    with outer(either):
        with pytest.raises(RuntimeError, match=r"would wait for itself: leave that block first$"):
            access(either)
        after = seconds(either)

    assert after == []
    append(either, tick(0))


def test_a_lease_that_another_thread_returned_is_not_used_again(database):
    lease = contextlib.ExitStack()
    lease.enter_context(database.read())
    with ThreadPoolExecutor(1) as another:
        another.submit(lease.close).result()

    assert not is_kept(database)
    assert seconds(database) == []
