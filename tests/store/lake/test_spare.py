"""A file that is made from a lake has all that the lake has, and records on."""

import asyncio
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

from poller.recorder.once import poll_once
from store.backup.spare import restore_from_lake
from store.backup.verify import faults_of_database
from store.errors import RecorderError, StoreError
from store.file.database import Database
from store.file.exchange import exchange_of
from store.file.recorder import Notice, RecorderLock
from store.kinds import TICKS
from store.lake.connection import Lake
from store.lake.tables import ALL
from store.lake.verify import compare
from store.models import Exchange, to_column
from store.prices import candles
from tests.conftest import START, Program
from tests.store.lake.recordings import everything_in, in_file, new_file, observe, record_everything, share
from tests.support.lakes import Place, place_on


@pytest.fixture
def spare(tmp_path) -> Database:
    return Database(tmp_path / "spare/ticks.duckdb")


@pytest.fixture(scope="module")
def at(server, endpoint) -> Iterator[Place]:
    with place_on(server, endpoint) as place:
        yield place


@pytest.fixture(scope="module")
def shared(at, tmp_path_factory) -> Lake:
    """A lake with rows of two recorders in each table, and with averages that gave way."""
    lake: Lake = at.make()
    for name, late_ms in (("a", 10), ("b", 30)):
        database = new_file(tmp_path_factory.mktemp(name) / f"{name}.duckdb", Exchange.SIMULATOR)
        record_everything(database, late_ms)
        observe(database, range(2 * late_ms, 2 * late_ms + 50), late_ms)
        share(database, lake)
    return lake


def test_a_spare_has_all_rows_of_the_lake_and_is_equal_to_it_day_by_day(shared, spare):
    told = []

    made = restore_from_lake(shared, spare, lambda done, total: told.append((done, total)))

    its = everything_in(shared)
    assert {kind.table: in_file(spare, kind.table) for kind in ALL} == its
    assert all(its.values())
    assert {table: made[table] for table in its} == {table: len(rows) for table, rows in its.items()}
    found = compare(spare, shared)
    assert (found.faults, found.equal) == ((), found.days)
    assert (told[0][0], told[-1][0]) == (0, told[-1][1])
    assert list(faults_of_database(spare)) == []


def test_candles_of_a_spare_are_those_of_its_ticks(shared, spare):
    restore_from_lake(shared, spare)

    with spare.read() as cursor:
        of_candles = cursor.execute("SELECT sum(tick_count), max(high) FROM candles_1m").fetchall()
        closed = candles.closed_to(cursor)
        assert closed is not None
        of_ticks = cursor.execute("SELECT count(*), max(price) FROM ticks WHERE ts < ?", [to_column(closed)]).fetchall()
    assert of_candles == of_ticks


def test_a_spare_is_made_an_hour_at_a_time_where_hours_have_many_rows(shared, spare):
    totals = []

    restore_from_lake(shared, spare, lambda _, total: totals.append(total), at_once=1)

    with spare.read() as cursor:
        hours = [
            hour
            for kind in (*ALL, replace(TICKS, table="overruled"))
            for hour in cursor.execute(f"SELECT DISTINCT date_trunc('hour', {kind.time}) FROM {kind.table}").fetchall()
        ]
    assert totals[-1] == len(hours)
    assert compare(spare, shared).faults == ()


def test_a_spare_records_on_and_publishes_what_came_since(shared, spare, make_settings, simulator):
    restore_from_lake(shared, spare)
    before = len(in_file(spare, "ticks"))
    at_first = share(spare, shared).rows
    settings = make_settings(deribit_url=simulator.url, poll_seconds=5, indexes=("btc_usd",), recorder="spare")

    asyncio.run(poll_once(settings, spare))
    since = share(spare, shared).rows

    assert at_first == 0
    assert len(in_file(spare, "ticks")) == before + 1
    assert since >= 1
    assert compare(spare, shared).faults == ()
    with spare.read() as cursor:
        assert exchange_of(cursor) is Exchange.SIMULATOR


def test_a_spare_knows_which_averages_gave_way(shared, spare):
    query = "SELECT * FROM overruled ORDER BY ALL"
    restore_from_lake(shared, spare)

    with spare.read() as cursor, shared.open(read_only=True) as its:
        known = cursor.execute(query).fetchall()
        assert known == its.execute(query).fetchall()
    assert known


def test_a_lake_without_rows_makes_an_empty_file(lake, spare):
    assert restore_from_lake(lake, spare) == {}
    with spare.read() as cursor:
        assert exchange_of(cursor) is None


def test_a_file_that_exists_is_left_as_it_is(lake, file):
    database = file("a")
    before = database.path.read_bytes()

    with pytest.raises(StoreError, match="exists already and was left as it is"):
        restore_from_lake(lake, database)

    assert database.path.read_bytes() == before


def test_a_recorder_that_waits_for_its_file_keeps_it(lake, spare):
    lock = RecorderLock(spare.path)
    lock.acquire(Notice(1, "external", START, 5, ("btc_usd",), "1", "starting", START))

    with pytest.raises(RecorderError):
        restore_from_lake(lake, spare)

    lock.release()
    assert not spare.path.exists()


def test_a_lake_that_goes_away_leaves_no_file_and_is_told_in_one_line(shared, spare):
    def away(done: int, _: int) -> None:
        if done == 1:
            raise StoreError("the lake is gone")

    with pytest.raises(StoreError, match="the lake is gone"):
        restore_from_lake(shared, spare, away)

    assert [path.name for path in spare.path.parent.iterdir() if path.suffix == ".duckdb"] == []


def test_a_killed_restore_leaves_no_file_and_the_next_one_makes_it(shared, at, spare):
    keys = at.keys
    arguments = (str(spare.path), at.url, keys.endpoint, keys.key_id, keys.secret)
    with Program("tests.store.lake.killed_restore", *arguments) as program:
        assert program.process.wait(60) == -signal.SIGKILL
    began = [path.name for path in spare.path.parent.iterdir()]

    restore_from_lake(shared, spare)

    assert "ticks.duckdb" not in began
    assert "ticks.duckdb.new" in began
    assert compare(spare, shared).faults == ()
    assert not spare.path.with_name("ticks.duckdb.new").exists()
