"""What the tests of the store share."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import portalocker
import pytest
from portalocker import LockFlags

from store.file import schema
from store.file.database import Database

QUERIES = {Path(__file__).parent / room for room in ("alerts", "ledger", "market", "prices")}
"""Rooms whose tests only use SQL and don't depend on the file: they share one that stays open."""


@pytest.fixture(scope="module")
def open_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One database for the tests of a module, since opening takes 20 ms of CPU time. Each test finds it empty."""
    folder: Path = tmp_path_factory.mktemp("open")
    database = Database(folder / "ticks.duckdb")
    database.migrate()
    with database.hold():
        yield database


@pytest.fixture(scope="module")
def make_empty(open_database: Database) -> Callable[[], None]:
    """Resets the rows of the open database to those of a new one."""
    with open_database.read() as cursor:
        tables = set(schema.tables(cursor)) & schema.ours() - {"migrations"}
        first = {table: cursor.execute(f"FROM {table}").fetchall() for table in sorted(tables)}

    def make_empty() -> None:
        with open_database.write() as cursor:
            for table, rows in first.items():
                cursor.execute(f"DELETE FROM {table}")
                for row in rows:
                    cursor.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)

    return make_empty


@pytest.fixture(autouse=True)
def _emptied(request: pytest.FixtureRequest) -> None:
    asked = set(request.fixturenames)
    if "open_database" in asked or ("database" in asked and request.path.parent in QUERIES):
        request.getfixturevalue("make_empty")()


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Database:
    """A database with its tables and no rows: an open one for queries, else one in a file of its own."""
    shared = request.path.parent in QUERIES
    database: Database = request.getfixturevalue("open_database" if shared else "new_database")
    return database


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The path for a backup; nothing exists there yet."""
    return tmp_path / "backup"


class FirstLook:
    """The first look of a file's holder for waiting processes; it lasts until the test ends it.

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
