"""Anything else at the path of the database causes an error in one line and is left unchanged."""

from pathlib import Path

import duckdb
import pytest

from store.errors import NewerSchemaError, NoDatabaseError, StoreError
from store.file import schema
from store.file.database import Database
from store.prices import ticks
from tests.conftest import tick


def read(database: Database) -> None:
    with database.read():
        pass


def write(database: Database) -> None:
    with database.write():
        pass


def migrate(database: Database) -> None:
    database.migrate()


def read_held(database: Database) -> None:
    with database.hold():
        read(database)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix not in (".gate", ".lease")}


ACCESSES = [read, write, read_held]


@pytest.mark.parametrize("access", ACCESSES)
def test_a_missing_file_is_no_database_yet_and_nothing_is_made(database_file, access):
    with pytest.raises(NoDatabaseError) as caught:
        access(Database(database_file))

    assert str(caught.value) == f"nothing is recorded yet in {database_file}"
    assert list(database_file.parent.iterdir()) == []


@pytest.mark.parametrize("access", ACCESSES)
def test_a_missing_folder_is_no_database_yet_and_is_not_made(tmp_path, access):
    with pytest.raises(NoDatabaseError):
        access(Database(tmp_path / "missing/ticks.duckdb"))

    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_made_with_the_file(tmp_path):
    database = Database(tmp_path / "new/folder/ticks.duckdb")

    database.migrate()

    with database.read() as cursor:
        assert ticks.summary(cursor) == {}


@pytest.mark.parametrize("access", ACCESSES)
def test_a_file_without_tables_is_no_database_yet(database_file, access):
    duckdb.connect(database_file).close()

    with pytest.raises(NoDatabaseError, match=r"^nothing is recorded yet"):
        access(Database(database_file))


@pytest.mark.parametrize("access", ACCESSES)
@pytest.mark.parametrize("content", [b"", b"no database " * 1000])
def test_what_is_not_a_database_is_refused_in_one_line_and_kept(database_file, access, content):
    database_file.write_bytes(content)

    with pytest.raises(StoreError) as caught:
        access(Database(database_file))

    assert str(caught.value).startswith("ticks.duckdb: IO Error: The file ")
    assert "is not a valid DuckDB database file" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert database_file.read_bytes() == content


@pytest.mark.parametrize("access", [*ACCESSES, migrate, Database.checkpoint_when_due])
def test_a_path_below_a_file_is_a_store_error_in_one_line(tmp_path, access):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StoreError) as caught:
        access(Database(tmp_path / "file/ticks.duckdb"))

    assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_folder_in_its_place_is_a_store_error(database_file):
    database_file.mkdir()

    with pytest.raises(StoreError, match=r"^ticks\.duckdb: IO Error"):
        Database(database_file).migrate()


def make_newer(database: Database) -> None:
    """Make the schema newer than this version's, as an update followed by a downgrade would."""
    with database.write() as cursor:
        ticks.append(cursor, [tick(0)])
    with duckdb.connect(database.path) as connection:
        connection.execute("INSERT INTO migrations VALUES (99, '0099_from_the_future', now()::TIMESTAMP)")


@pytest.mark.parametrize("access", [*ACCESSES, migrate])
def test_a_file_of_a_newer_version_is_refused_and_left_as_it_was(database, access):
    make_newer(database)
    before = files(database.path.parent)

    with pytest.raises(NewerSchemaError) as caught:
        access(Database(database.path))

    assert str(caught.value) == (
        f"the database has schema 99, and this version knows schemas up to {schema.newest()}: update Tickwell; "
        "the file was left as it is"
    )
    assert files(database.path.parent) == before


def test_a_file_of_a_newer_version_keeps_its_log_too(database):
    with database.write() as cursor:
        cursor.execute("INSERT INTO migrations VALUES (99, '0099_from_the_future', now()::TIMESTAMP)")
    before = files(database.path.parent)

    with pytest.raises(NewerSchemaError):
        database.migrate()

    assert len(before) == 2
    assert files(database.path.parent) == before


def test_files_are_written_for_duckdb_1_5_and_newer(database):
    with database.read() as cursor:
        rows = cursor.execute("SELECT tags FROM duckdb_databases() WHERE database_name = current_database()").fetchall()

    assert rows == [({"storage_version": "v1.5.0+"},)]


def test_the_memory_limit_is_passed_to_duckdb(database):
    with Database(database.path, "123MiB").read() as cursor:
        rows = cursor.execute("SELECT current_setting('memory_limit')").fetchall()

    assert rows == [("123.0 MiB",)]


def test_a_memory_limit_that_duckdb_refuses_is_a_store_error(database):
    with pytest.raises(StoreError, match=r"^ticks\.duckdb: Parser Error: .*[Mm]emory"):
        read(Database(database.path, "lots"))
