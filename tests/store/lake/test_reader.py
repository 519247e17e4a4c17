"""A reader lends cursors of a lake as a database lends those of its file."""

import threading
import time

import pytest

from settings import BucketKeys
from store.errors import BusyError, NewerSchemaError, StoreError
from store.export.files import Exports, facts_of
from store.export.query import ExportQuery
from store.file.exchange import exchange_of
from store.health.metrics import as_text
from store.health.status import health
from store.instants import DAY
from store.lake.connection import Lake
from store.lake.reader import LakeReader, shared_record
from store.models import Exchange, utc_now
from store.prices import ticks
from tests.conftest import START
from tests.store.lake.recordings import observe, record_everything, share
from tests.support.servers import IN_URL, PASSWORD


@pytest.fixture
def reader(lake, tmp_path):
    reader = LakeReader(lake, tmp_path, try_again_s=0.2)
    yield reader
    reader.close()


def newest(reader: LakeReader) -> float | None:
    with reader.read() as cursor:
        tick = ticks.latest(cursor, "btc_usd")
    return None if tick is None else (tick.ts - START).total_seconds()


def test_a_lake_without_rows_is_an_empty_record(reader):
    with reader.read() as cursor:
        assert ticks.summary(cursor) == {}
        assert exchange_of(cursor) is None


def test_each_lease_reads_what_was_published_last(file, lake, reader):
    database = file("a")
    observe(database, [0])
    share(database, lake)
    first = newest(reader)

    observe(database, [7])
    share(database, lake)

    assert (first, newest(reader)) == (0.01, 35.01)


def test_all_reads_of_a_cursor_see_the_lake_of_one_instant(file, lake, reader):
    database = file("a")
    observe(database, [0])
    share(database, lake)
    observe(database, [7])

    with reader.read() as cursor:
        before = ticks.summary(cursor)
        share(database, lake)
        after = ticks.summary(cursor)

    assert before == after
    assert newest(reader) == 35.01


def test_two_reads_of_one_lease_have_a_cursor_each(file, lake, reader):
    database = file("a")
    observe(database, range(3))
    share(database, lake)

    with reader.read() as cursor:
        rows = cursor.execute("SELECT ts FROM ticks ORDER BY ts")
        with reader.read() as another:
            count = another.execute("SELECT count(*) FROM ticks").fetchall()
        assert (count, len(rows.fetchall())) == ([(3,)], 3)


def test_the_exchange_of_the_lake_is_that_of_its_prices(file, lake, reader):
    share(file("a", Exchange.TEST), lake)

    with reader.read() as cursor:
        assert exchange_of(cursor) is Exchange.TEST


def test_nothing_is_written_through_a_reader(reader):
    with pytest.raises(StoreError, match="read-only"), reader.read() as cursor:
        cursor.execute("DELETE FROM ticks")


def test_readers_that_wait_for_a_place_are_told_so(reader):
    held, done = threading.Semaphore(0), threading.Event()

    def hold() -> None:
        with reader.read():
            held.release()
            done.wait(20)

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert held.acquire(timeout=20)

    with pytest.raises(BusyError) as refused, reader.read(0.01):
        pass

    done.set()
    for thread in threads:
        thread.join()
    assert str(refused.value) == f"{reader.where} is being read by other threads"
    assert newest(reader) is None


def test_a_catalog_that_was_restarted_is_read_again(file, place, lake, reader):
    database = file("a")
    observe(database, [0])
    share(database, lake)
    assert newest(reader) == 0.01
    place.server.stop()
    with pytest.raises(StoreError) as refused:
        newest(reader)
    with pytest.raises(StoreError) as refused_again:
        newest(reader)

    place.server.start()

    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            assert newest(reader) == 0.01
            break
        except StoreError:
            time.sleep(0.05)
    else:
        pytest.fail("the lake is not read again")
    for error in (refused, refused_again):
        assert str(error.value).startswith(f"{reader.where}: ")
        assert "\n" not in str(error.value)
        assert not any(secret in str(error.value) for secret in (PASSWORD, IN_URL))


def test_a_lake_out_of_reach_is_not_asked_by_every_reader(lake_extensions, tmp_path):
    reader = LakeReader(Lake("postgresql://tickwell:secret@127.0.0.1:1/lake", BucketKeys()), tmp_path)
    with pytest.raises(StoreError) as first:
        newest(reader)

    began = time.monotonic()
    with pytest.raises(StoreError) as again:
        newest(reader)

    assert time.monotonic() - began < 0.05
    assert str(again.value) == str(first.value)
    assert str(first.value).startswith("lake 127.0.0.1/lake: ")
    assert "secret" not in str(first.value)


def test_a_lake_of_a_newer_version_is_refused(lake, reader):
    with lake.open() as cursor:
        cursor.execute("UPDATE lake SET layout = 99")

    with pytest.raises(NewerSchemaError, match="update Tickwell"):
        newest(reader)


@pytest.mark.parametrize(
    "query",
    [
        ExportQuery(("btc_usd",), START, START + 2 * DAY),
        ExportQuery(("options/BTC",), START, START + 2 * DAY, format="csv"),
        ExportQuery(("futures/BTC",), START, START + 2 * DAY, format="csv"),
        ExportQuery(("smiles/BTC",), START, START + 2 * DAY, format="csv"),
    ],
    ids=lambda query: query.feeds[0],
)
def test_an_export_of_the_lake_has_the_rows_of_the_file(file, lake, reader, tmp_path, query):
    database = file("a")
    record_everything(database)
    share(database, lake)

    its = Exports(reader, 10**9).make(query)

    expected = Exports(database, 10**9).make(query)
    assert its.rows == expected.rows > 0
    assert its.path.read_bytes()[-1000:] == expected.path.read_bytes()[-1000:] or query.format == "parquet"
    assert facts_of(its.path)["sources"] == facts_of(expected.path)["sources"]
    assert its.path.parent == tmp_path / "exports"


def test_health_says_how_old_the_newest_tick_of_the_lake_is(file, lake, reader, make_settings):
    database = file("a")
    now = utc_now()
    slot = int((now - START).total_seconds()) // 5 - 20
    observe(database, [slot])
    share(database, lake)
    settings = make_settings(poller="lake", lake="postgresql://reader@db/lake", indexes=("btc_usd",))

    report = health(reader, settings, now)

    assert (report["status"], report["database"]["path"]) == ("ok", reader.where)
    assert report["poller"]["state"] == "reading a lake"
    assert report["poller"]["words"] == "reading a shared lake, newest price 1 min old"
    assert 100 <= report["indexes"]["btc_usd"]["age_s"] < 106


def test_health_and_metrics_of_a_lake_out_of_reach_say_so(lake_extensions, tmp_path, make_settings):
    settings = make_settings(poller="lake", lake="postgresql://tickwell:secret@127.0.0.1:1/lake")
    reader = LakeReader(Lake(settings.lake.get_secret_value(), BucketKeys()), tmp_path)

    report = health(reader, settings, START)
    metrics = as_text(reader, settings, START).decode()

    assert report["status"] == "failed"
    assert report["database"]["error"].startswith("lake 127.0.0.1/lake: ")
    assert report["poller"]["words"] == "reading a shared lake, no data yet"
    assert "tickwell_database_up 0.0" in metrics
    assert "tickwell_stale_after_seconds 180.0" in metrics
    assert "secret" not in f"{report} {metrics}"


def test_pages_and_api_of_one_process_share_a_reader(make_settings):
    settings = make_settings(poller="lake", lake="postgresql://reader@db/lake")

    assert shared_record(settings) is shared_record(make_settings(poller="lake", lake="postgresql://reader@db/lake"))
    assert shared_record(settings).where == "lake db/lake"


def test_without_a_lake_the_file_is_read(make_settings):
    settings = make_settings(lake="postgresql://reader@db/lake")

    assert shared_record(settings).path == settings.database
