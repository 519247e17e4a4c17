"""A file whose options are in one table opens with all of them, and packs the days that are over."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from store import kinds
from store.backup.backup import backup
from store.backup.restore import restore
from store.backup.verify import faults_of_database
from store.errors import StoreError
from store.file import schema
from store.file.database import Database
from store.instants import DAY
from store.market import chains, packing
from store.models import to_column
from tests.conftest import START
from tests.store.market.snapshots import chain

BEFORE = 51
TIMES = [START + days * DAY for days in range(3)]
TODAY = TIMES[-1] + timedelta(hours=1)


@pytest.fixture
def as_before(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The steps and the kinds of the version before, until the patches are undone."""
    one_table = tuple(replace(kind, parts=()) for kind in kinds.KINDS)
    monkeypatch.setattr(kinds, "KINDS", one_table)
    monkeypatch.setattr(schema, "STEPS", [step for step in schema.STEPS if schema.number(step) <= BEFORE])
    return monkeypatch


@pytest.fixture
def old(database_file: Path, as_before: pytest.MonkeyPatch) -> Database:
    """A file of the version before, with chains of three days; the first day is packed."""
    database = Database(database_file)
    database.migrate()
    with database.write() as cursor:
        chains.append(cursor, map(chain, TIMES))
        cursor.execute("INSERT INTO packed VALUES ('BTC', ?)", [to_column(TIMES[1])])
    return database


def rows(database: Database, table: str = "options") -> list[Any]:
    with database.read() as cursor:
        return cursor.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall()


def pack_all(database: Database) -> None:
    found = True
    while found:
        with database.write() as cursor:
            if found := (its := packing.next_chains(cursor, TODAY)) is not None:
                packing.pack(cursor, its)


def test_a_file_with_one_table_of_options_keeps_its_rows_and_packs_all_days_that_are_over(
    old: Database, as_before: pytest.MonkeyPatch
):
    before = rows(old)
    as_before.undo()

    old.migrate()

    assert rows(old) == rows(old, "options_by_snapshot") == before
    pack_all(old)
    assert rows(old) == before
    assert {row[4] for row in rows(old, "options_by_snapshot")} == {to_column(TIMES[-1])}
    assert list(faults_of_database(old)) == []


def test_its_backup_is_restored_and_goes_on_without_copying_a_day_again(
    old: Database, as_before: pytest.MonkeyPatch, tmp_path: Path
):
    folder, again = tmp_path / "backup", Database(tmp_path / "again.duckdb")
    backup(old, folder)
    before = rows(old)
    as_before.undo()

    restore(folder, again)
    pack_all(again)

    assert rows(again) == before
    assert backup(again, folder).written == 0


def test_a_table_of_the_user_that_needs_the_name_stays_and_is_told(database_file: Path, as_before: pytest.MonkeyPatch):
    with duckdb.connect(database_file) as connection:
        schema.migrate(connection)
        connection.execute("CREATE TABLE options_by_contract AS SELECT 1 AS mine")
    as_before.undo()

    with pytest.raises(StoreError, match="needs the name of a table of your own"):
        Database(database_file).migrate()

    with duckdb.connect(database_file) as connection:
        assert connection.execute("FROM options_by_contract").fetchall() == [(1,)]
