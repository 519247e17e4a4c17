"""A file of the last version before markets opens with all that it has, and takes the market in."""

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from store.backup.backup import backup
from store.backup.restore import restore
from store.backup.verify import faults_of_database
from store.file import schema
from store.file.database import Database
from store.ledger import arrivals, runs
from store.market import chains
from store.models import Run, to_column
from tests.conftest import START
from tests.store.market.snapshots import chain

BEFORE = 34

NOW = START + timedelta(hours=1)


@pytest.fixture
def old(database_file: Path) -> Database:
    """A file of the version before, with a tick, a snapshot and a log."""
    with duckdb.connect(database_file) as connection:
        schema.migrate(connection, up_to=BEFORE)
        connection.execute("INSERT INTO ticks VALUES ('btc_usd', ?, NULL, 100.0, 'live', 0)", [to_column(START)])
        connection.execute("INSERT INTO snapshots VALUES ('moons/JUPITER', ?, ?, 'live', 2)", 2 * [to_column(START)])
        connection.execute("INSERT INTO logs VALUES ('tides/NORTH', ?, '')", [to_column(START)])
    return Database(database_file)


def test_the_file_keeps_its_rows_and_takes_chains(old: Database):
    old.migrate()
    with old.write() as cursor:
        runs.note(cursor, Run(NOW, {"options/BTC": 300}, "1"))
        chains.append(cursor, [chain(NOW)])

    with old.read() as cursor:
        assert schema.version(cursor) == schema.newest()
        assert cursor.execute("SELECT price FROM ticks").fetchall() == [(100.0,)]
        assert cursor.execute("SELECT feed, index_price, rejected FROM snapshots ORDER BY ts").fetchall() == [
            ("moons/JUPITER", None, None),
            ("options/BTC", 100_000.0, 1),
        ]
        assert arrivals.newest(cursor) == {"moons/JUPITER": START, "options/BTC": NOW}
    assert list(faults_of_database(old)) == []


def test_its_backup_is_restored_and_goes_on(old: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder, again = tmp_path / "backup", Database(tmp_path / "again.duckdb")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", [step for step in schema.STEPS if schema.number(step) <= BEFORE])
        backup(old, folder)

    restore(folder, again)
    with again.write() as cursor:
        chains.append(cursor, [chain(NOW)])
    made = backup(again, folder)

    assert dict(made.rows) == {"ticks": 1, "options": 42, "smiles": 3, "surfaces": 1}
