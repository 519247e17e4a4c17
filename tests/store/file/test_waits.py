"""Every wait has one deadline, the caller's own: no other caller's wait makes it longer."""

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from store.errors import BusyError, NoDatabaseError
from store.file.database import Cursor, Database
from store.file.held import Held
from store.file.opening import OutsiderError, patiently
from store.prices import ticks
from tests.conftest import tick, wait_until
from tests.store.files import opened
from tests.store.processes import line, start

SHORT_S = 0.1
"""The longest wait of a write in a recorder's loop."""

SOON_S = 0.5


def count(database: Database, wait_s: float = 5) -> int:
    with database.read(wait_s) as cursor:
        return int(cursor.execute("SELECT count(*) FROM ticks").fetchall()[0][0])


def write(database: Database, wait_s: float) -> None:
    with database.write(wait_s):
        pass


def is_being_written(database: Database) -> bool:
    """Does another thread write, or wait to write?"""
    with ThreadPoolExecutor(1) as another:
        return "by another thread" in str(another.submit(write, database, 0).exception())


def refused_after_s(database: Database) -> float:
    """The seconds that a refused write waited."""
    started = time.monotonic()
    with pytest.raises(BusyError):
        write(database, SHORT_S)
    return time.monotonic() - started


@pytest.mark.parametrize("held", [False, True], ids=["opened for each lease", "held"])
@pytest.mark.parametrize("holder", ["hold_like_a_foreign_tool", "keep_writing", "keep_reading"])
def test_a_writer_with_a_short_deadline_is_not_delayed_by_readers_with_long_ones(database, held, holder):
    with contextlib.ExitStack() as stack:
        if held:
            stack.enter_context(database.hold())
        program = stack.enter_context(start(holder, database.path))
        line(program)
        readers = [stack.enter_context(ThreadPoolExecutor(1)).submit(count, database, 20) for _ in range(2)]

        waited_s = [refused_after_s(database) for _ in range(10)]

        program.process.kill()
        found = [reader.result() for reader in readers]
        with database.write() as cursor:
            ticks.append(cursor, [tick()])
    assert max(waited_s) < SOON_S, waited_s
    assert found == [0, 0]
    assert count(database) == 1


def test_each_of_several_waiting_threads_learns_which_tool_has_the_file(database):
    with start("hold_like_a_foreign_tool", database.path) as program, database.hold(), ThreadPoolExecutor(1) as pool:
        line(program)
        reader = pool.submit(count, database, 20)

        with pytest.raises(BusyError, match=rf"^ticks\.duckdb is held by python[\d.]*, PID {program.process.pid}, "):
            count(database, 0.3)

        program.process.kill()
        assert reader.result() == 0


def test_a_thread_refused_by_a_tool_that_then_waits_for_other_threads_names_the_tool():
    tries = iter([OutsiderError("held by duckdb"), BusyError("being opened by another thread")])

    def take() -> AbstractContextManager[None]:
        raise next(tries)

    with pytest.raises(OutsiderError, match=r"^held by duckdb$"), patiently(take, time.monotonic() + 5):
        pass


def test_the_wait_for_a_turn_among_threads_counts_toward_the_deadline(database):
    with start("keep_writing", database.path) as program, ThreadPoolExecutor(1) as pool:
        line(program)
        started = time.monotonic()
        first = pool.submit(write, database, 1.0)
        wait_until(lambda: is_being_written(database))

        with pytest.raises(BusyError):
            write(database, 1.2)

        waited_s = time.monotonic() - started
        assert isinstance(first.exception(), BusyError)
    assert waited_s < 1.8


class SlowFile:
    """A file that takes as long to open, or to close, as the test wants."""

    def __init__(self, database: Database) -> None:
        self._path = database.path
        self.openings, self.may_close = threading.Semaphore(0), threading.Event()
        self.being_opened, self.being_closed = threading.Event(), threading.Event()
        self.opened = 0
        self.held = Held(database.path, self._opened)

    @contextlib.contextmanager
    def _opened(self, deadline: float, *, read_only: bool) -> Iterator[Cursor]:
        self.being_opened.set()
        self.openings.acquire(timeout=10)
        if not self._path.exists():
            raise NoDatabaseError
        with opened(self._path, deadline, read_only=read_only) as connection:
            self.opened += 1
            yield connection
            self.being_closed.set()
            self.may_close.wait(timeout=10)

    def use(self, wait_s: float) -> None:
        with self.held.lend(time.monotonic() + wait_s):
            pass

    def refused_after_s(self) -> float:
        started = time.monotonic()
        with pytest.raises(BusyError, match=r"^ticks\.duckdb is being opened or closed by another thread$"):
            self.use(SHORT_S)
        return time.monotonic() - started


def test_a_file_that_is_slow_to_open_and_to_close_delays_nobody_beyond_the_deadline(database):
    file = SlowFile(database)
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(file.use, 20)
        assert file.being_opened.wait(timeout=10)
        beside_the_opening_s = file.refused_after_s()
        file.openings.release()
        opening.result()

        closing = pool.submit(file.held.close)
        assert file.being_closed.wait(timeout=10)
        beside_the_closing_s = file.refused_after_s()
        file.may_close.set()
        closing.result()

    assert max(beside_the_opening_s, beside_the_closing_s) < SOON_S


def test_an_error_of_the_thread_that_opens_reaches_no_other_thread(database):
    file, elsewhere = SlowFile(database), database.path.with_name("elsewhere.duckdb")
    database.path.rename(elsewhere)
    with ThreadPoolExecutor(2) as pool:
        opening = pool.submit(file.use, 20)
        assert file.being_opened.wait(timeout=10)
        waiting = pool.submit(file.use, 20)
        file.openings.release()
        failed = opening.exception()
        elsewhere.rename(database.path)
        file.openings.release()
        waiting.result()
    file.may_close.set()
    file.held.close()

    assert isinstance(failed, NoDatabaseError)


def test_a_file_that_is_replaced_while_it_is_opened_is_opened_anew_by_the_next_use(database, tmp_path):
    file, other = SlowFile(database), Database(tmp_path / "other.duckdb")
    other.migrate()
    file.may_close.set()
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(file.use, 20)
        assert file.being_opened.wait(timeout=10)
        other.path.replace(database.path)
        file.openings.release(2)
        opening.result()
        revision = file.held.revision

        file.use(20)

    assert revision is None
    assert file.opened == 2
    assert file.held.revision is not None
    file.held.close()


def test_a_look_for_knocks_that_hangs_delays_nobody(database, first_look):
    with database.hold():
        count(database)
        assert first_look.begun.wait(timeout=10)

        found = count(database, SHORT_S)

        first_look.may_end.set()
    assert found == 0
