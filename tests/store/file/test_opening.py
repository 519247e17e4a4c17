"""DuckDB stays started between leases: the file is attached for each of them alone, whatever the one before left."""

import shutil
import threading
from pathlib import Path

import pytest

from store.errors import StoreError
from store.file.database import Cursor, Database
from tests.conftest import tick
from tests.support.stored import append, stored


def test_a_reader_keeps_the_file_that_another_one_of_the_process_gives_back(database: Database):
    append(database, tick(0))
    reading, read = threading.Event(), threading.Event()

    def read_meanwhile() -> None:
        reading.wait()
        stored(database)
        read.set()

    thread = threading.Thread(target=read_meanwhile)
    thread.start()
    with database.read() as cursor:
        reading.set()
        assert read.wait(10)
        ((count,),) = cursor.execute("SELECT count(*) FROM ticks").fetchall()
    thread.join()

    assert count == 1


def test_a_reader_after_a_writer_can_not_write_and_a_writer_after_a_reader_can(database: Database):
    append(database, tick(0))
    with pytest.raises(StoreError, match="read-only"), database.read() as cursor:
        cursor.execute("DELETE FROM ticks")
    append(database, tick(1))

    assert [each.ts.second for each in stored(database)] == [0, 1]


def test_a_lease_that_lost_its_file_leaves_a_good_one_to_the_next(database: Database):
    append(database, tick(0))
    with database.read() as cursor:
        cursor.execute("USE memory")
        cursor.execute("DETACH file")

    assert len(stored(database)) == 1
    append(database, tick(1))
    assert len(stored(database)) == 2


def test_a_lease_frees_what_duckdb_kept_of_the_file(database: Database):
    with database.write() as cursor:
        cursor.execute("CREATE TABLE much AS SELECT hash(range) AS number FROM range(2_000_000)")
    database.checkpoint_when_due()

    with database.read() as cursor:
        cursor.execute("SELECT sum(number) FROM much").fetchall()
        ((during,),) = cursor.execute("SELECT sum(memory_usage_bytes) FROM duckdb_memory()").fetchall()
    with database.read() as cursor:
        ((after,),) = cursor.execute("SELECT sum(memory_usage_bytes) FROM duckdb_memory()").fetchall()

    assert after < during / 10


def spill(cursor: Cursor) -> None:
    """Sort more rows than fit into 40 MB. A single thread does, as each further one needs memory of its own."""
    cursor.execute("SET threads = 1")
    cursor.execute("CREATE TEMP TABLE sorted AS SELECT range FROM range(3_000_000) ORDER BY hash(range)")


@pytest.fixture
def folder(database: Database, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder into which DuckDB spills on the host "recorder"."""
    monkeypatch.setattr("platform.node", lambda: "recorder")
    return database.path.with_name("ticks.duckdb.tmp-recorder")


def test_what_does_not_fit_into_memory_goes_beside_the_file_into_a_folder_of_the_host(
    database: Database, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    with Database(database.path, "40MB").read() as cursor:
        spill(cursor)
        spilled = [path for path in folder.iterdir() if path.stat().st_size]

    assert spilled
    assert list(elsewhere.iterdir()) == []


def test_the_setting_is_named_where_memory_is_short(database: Database):
    said = r"^ticks\.duckdb: this takes more memory than TICKWELL_MEMORY_LIMIT allows \(Out of Memory Error: [^\n]+\)$"

    with pytest.raises(StoreError, match=said), Database(database.path, "20MB").read() as cursor:
        cursor.execute("SELECT list(number) FROM range(10_000_000) numbers(number)").fetchall()


def test_a_deleted_folder_of_what_did_not_fit_into_memory_fails_one_lease_alone(database: Database, folder: Path):
    database = Database(database.path, "40MB")
    with database.read() as cursor:
        spill(cursor)
    shutil.rmtree(folder)

    with pytest.raises(StoreError, match="No such file or directory"), database.read() as cursor:
        spill(cursor)
    with database.read() as cursor:
        spill(cursor)


def test_after_many_leases_duckdb_is_started_anew(database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("store.file.opening._LEASES_A_START", 3)
    database = Database(database.path)
    with database.read() as cursor:
        cursor.execute("CREATE TABLE memory.main.kept (number INTEGER)")

    for _ in range(2):
        with database.read() as cursor:
            cursor.execute("FROM memory.main.kept")
    with pytest.raises(StoreError, match="kept does not exist"), database.read() as cursor:
        cursor.execute("FROM memory.main.kept")
