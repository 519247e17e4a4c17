"""A lake is kept: its small files are merged beside publishers and readers, and no row changes."""

from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest

from store.errors import StoreError
from store.instants import DAY
from store.lake.connection import Lake, Patience
from store.lake.tables import ALL, PUBLISHED
from store.lake.upkeep import keep_up
from store.lake.verify import compare
from store.models import utc_now
from tests.store.lake.recordings import PERIOD_S, everything_in, files, observe, record_everything, share, slots_in

A_DAY = 86_400 // PERIOD_S
A_MONTH = 31 * A_DAY


def in_bucket(lake: Lake, place) -> int:
    with lake.open(read_only=True) as cursor:
        ((count,),) = cursor.execute("SELECT count(*) FROM glob(?)", [f"{place.files}/**/*.parquet"]).fetchall()
    return int(count)


def test_the_small_files_of_a_month_become_one_and_no_row_changes(file, lake):
    database = file("a")
    record_everything(database)
    for slot in range(20, 24):
        observe(database, [slot, slot + A_MONTH])
        share(database, lake)
    before = everything_in(lake)

    merged, again = keep_up(lake, utc_now()), keep_up(lake, utc_now())

    assert merged >= 1
    assert again == 0
    assert files(lake)["ticks"] == 2
    assert everything_in(lake) == before
    found = compare(database, lake)
    assert (found.faults, found.days) == ((), found.equal)


def test_every_table_that_is_published_is_merged(file, lake):
    for name, late_ms in (("a", 10), ("b", 30)):
        database = file(name)
        record_everything(database, late_ms)
        observe(database, range(40 + late_ms, 45 + late_ms))
        share(database, lake)

    keep_up(lake, utc_now())

    counts = files(lake)
    assert {name: count for name, count in counts.items() if count > 1 and name in PUBLISHED} == {}
    assert {kind.table for kind in ALL} <= counts.keys()


def test_what_was_merged_is_deleted_a_day_later_and_what_is_read_stays(file, lake, place):
    database = file("a")
    for slot in range(5):
        observe(database, [slot])
        share(database, lake)
    before = everything_in(lake)
    keep_up(lake, utc_now())
    merged = in_bucket(lake, place)

    keep_up(lake, utc_now() + DAY - timedelta(minutes=5))
    a_little_earlier = in_bucket(lake, place)
    keep_up(lake, utc_now() + DAY + timedelta(minutes=5))
    later = in_bucket(lake, place)

    assert (a_little_earlier, later) == (merged, merged - 5)
    assert everything_in(lake) == before


def test_snapshots_are_kept_for_seven_days(file, lake):
    def snapshots() -> int:
        with lake.open(read_only=True) as cursor:
            ((count,),) = cursor.execute("SELECT count(*) FROM ducklake_snapshots('lake')").fetchall()
        return int(count)

    share(file("a"), lake)
    before = snapshots()

    keep_up(lake, utc_now() + 7 * DAY - timedelta(minutes=5))
    kept = snapshots()
    keep_up(lake, utc_now() + 7 * DAY + timedelta(minutes=5))

    assert kept >= before > 1
    assert snapshots() == 1


def test_recorders_publish_and_readers_read_while_two_machines_keep_the_lake(file, lake, place):
    """Nothing is lost or doubled, no reader sees fewer rows than before, and nobody fails."""
    publications = 5
    databases = [file("a"), file("b")]
    patient = Lake(place.url, place.keys, patience=Patience(60, 3), recorder="unnamed")
    recording: list[Future[None]] = []

    def record(number: int) -> None:
        for slot in range(publications):
            observe(databases[number], [2 * slot, 2 * slot + number], late_ms=10 + 20 * number)
            share(databases[number], patient)

    def read() -> list[int]:
        counts = []
        while not all(each.done() for each in recording):
            with patient.open(read_only=True) as cursor:
                ((count,),) = cursor.execute("SELECT count(*) FROM ticks").fetchall()
            counts.append(count)
        return counts

    def keep() -> int:
        merged = 0
        while not all(each.done() for each in recording):
            merged += keep_up(patient, utc_now() + 8 * DAY)
        return merged

    with ThreadPoolExecutor(5) as pool:
        recording += [pool.submit(record, number) for number in range(2)]
        reading = pool.submit(read)
        keeping = [pool.submit(keep) for _ in range(2)]

    assert [each.result() for each in recording] == [None, None]
    assert sum(each.result() for each in keeping) > 0
    counts = reading.result()
    assert counts == sorted(counts)
    assert Counter(slots_in(lake)) == Counter(range(2 * publications))
    assert [compare(database, lake).faults for database in databases] == [(), ()]


def test_a_failed_step_is_one_line(lake, place):
    with place.server.connected(place.url.rpartition("/")[2]) as connection:
        connection.execute("DROP TABLE ducklake_files_scheduled_for_deletion")

    with pytest.raises(StoreError, match="ducklake_files_scheduled_for_deletion") as failed:
        keep_up(lake, utc_now())

    assert "\n" not in str(failed.value)
