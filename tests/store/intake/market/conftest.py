"""What the tests of imported markets share."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.file.database import Database

from .recorded import record


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A file that another machine recorded: the minutes 3 and 5 are missing, and trades healed minute 3."""
    database = Database(tmp_path_factory.mktemp("source") / "source.duckdb")
    database.migrate()
    record(database, {3, 5}, healed=[3])
    yield database
    shutil.rmtree(database.path.parent)


@pytest.fixture
def empty(made_before: Path, tmp_path: Path) -> Database:
    """A file without rows."""
    file = tmp_path / "empty.duckdb"
    shutil.copy(made_before / "ticks.duckdb", file)
    return Database(file)
