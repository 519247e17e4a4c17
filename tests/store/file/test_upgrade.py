"""The database of the first version is updated with every tick in it, and its gaps are found."""

from datetime import timedelta

import pytest

from store.backup.verify import faults_of_database
from store.errors import OlderSchemaError
from store.file import schema
from store.file.database import Database
from store.instants import EPOCH
from store.ledger import gaps
from store.ledger.runs import runs
from store.models import Tick
from store.prices import candles, ticks
from tests.store import first_version

AFTER = first_version.END + timedelta(hours=2)


@pytest.fixture
def old(database_file) -> Database:
    first_version.unpack(database_file)
    return Database(database_file)


def bring_up_to_date(database: Database) -> None:
    """Do what a recorder does at its start and after each hour."""
    database.migrate()
    gaps.advance(database, first_version.END, AFTER, wait_s=5)
    with database.write() as cursor:
        ticks.append(cursor, [Tick("btc_usd", AFTER, 1.0)])
        while candles.close(cursor, AFTER):
            pass


def test_every_tick_of_the_first_version_is_kept_as_it_was(old):
    before = first_version.ticks_in(old.path)

    bring_up_to_date(old)

    assert len(before) == 316
    assert first_version.ticks_in(old.path) == before
    assert list(faults_of_database(old)) == []


def test_the_ticks_of_the_first_version_get_candles_that_equal_them(old):
    bring_up_to_date(old)

    with old.read() as cursor:
        counted = {
            table: cursor.execute(f"SELECT CAST(sum(tick_count) AS INTEGER) FROM {table}").fetchall()
            for table in ("candles_1m", "candles_1h")
        }
    assert counted == {"candles_1m": [(316,)], "candles_1h": [(316,)]}
    assert first_version.unequal_candles(old.path) == []


def test_the_gaps_in_the_record_of_the_first_version_are_found(old):
    bring_up_to_date(old)

    with old.read() as cursor:
        found = gaps.ledger(cursor, EPOCH, first_version.END, first_version.END, {"btc_usd"})
        begun = [({*run.feeds.values()}, run.ended_at is not None) for run in runs(cursor)]
    assert begun == [({1}, True), ({2}, False), ({1}, True)]
    assert [(f"{gap.start:%H:%M:%S}", f"{gap.end:%H:%M:%S}", gap.slots, gap.cause) for gap in found] == [
        ("08:51:28", "08:51:43", 15, "unreachable"),
        ("08:52:28", "08:52:47", 20, "recorder down"),
        ("08:53:48", "08:53:58", 5, "recorder down"),
    ]


def test_readers_of_a_file_of_the_first_version_say_what_brings_it_up_to_date(old):
    with pytest.raises(OlderSchemaError) as caught, old.read():
        pass

    assert str(caught.value) == (
        f"the database has schema {first_version.SCHEMA}, and this version needs {schema.newest()}: "
        "start a recorder, which updates it"
    )
