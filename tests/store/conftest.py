"""What the tests of the store share."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import portalocker
import pytest
from portalocker import LockFlags

from store.errors import BusyError
from store.file.database import Database
from store.file.locks import FileLock


@pytest.fixture(scope="module")
def open_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Kept open, for tests that would otherwise open it hundreds of times; each empties it first."""
    folder: Path = tmp_path_factory.mktemp("open")
    database = Database(folder / "ticks.duckdb")
    database.migrate()
    with database.hold():
        yield database


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a backup may be made; nothing is there yet."""
    return tmp_path / "backup"


class FirstLook:
    """The first look that the holder of a file takes for others who wait; it lasts until the test lets it end.

    Attributes:
        knocked: does it find that somebody waits?
        begun, may_end: events of the look.
        dealt_with: set once the holder looks again.
    """

    def __init__(self, lock: Callable[[IO[bytes], LockFlags], None]) -> None:
        self._lock = lock
        self.knocked = False
        self.begun, self.may_end, self.dealt_with = (threading.Event() for _ in range(3))

    def lock(self, file: IO[bytes], flags: LockFlags) -> None:
        """Stands in for `portalocker.lock`."""
        if threading.current_thread().name == "tickwell-lease":
            if self.begun.is_set():
                self.dealt_with.set()
            else:
                self.begun.set()
                assert self.may_end.wait(10)
                if self.knocked:
                    raise portalocker.AlreadyLocked
        self._lock(file, flags)


@pytest.fixture
def first_look(monkeypatch: pytest.MonkeyPatch) -> FirstLook:
    look = FirstLook(portalocker.lock)
    monkeypatch.setattr(portalocker, "lock", look.lock)
    return look


def is_locked(lock_file: Path) -> bool:
    """Does somebody hold this lock, alone or with others?"""
    lock = FileLock(lock_file)
    free = lock.try_acquire()
    lock.release()
    return not free


def refusal(database: Database) -> str:
    """Why another thread gets no lease to read at once; empty when it gets one."""

    def read() -> str:
        try:
            with database.read(wait_s=0):
                return ""
        except BusyError as error:
            return str(error)

    with ThreadPoolExecutor(1) as another:
        return another.submit(read).result()


def is_wanted(database: Database) -> bool:
    """Has the holder of the file noticed that somebody waits? Then it lends the file to nobody else."""
    return "wanted elsewhere" in refusal(database)
