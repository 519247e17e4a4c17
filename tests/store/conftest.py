"""What the tests of the store share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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


def is_locked(lock_file: Path) -> bool:
    """Does somebody hold this lock, alone or with others?"""
    lock = FileLock(lock_file)
    free = lock.try_acquire()
    lock.release()
    return not free
