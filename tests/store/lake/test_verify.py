"""A comparison finds what a lake lacks, has twice, or has with other values; the status tells the rest."""

from dataclasses import replace
from datetime import timedelta

from store.lake.notice import Notice, read_notice
from store.lake.status import status
from store.lake.verify import compare
from store.ledger import arrivals
from store.models import Tick
from store.prices import ticks
from tests.conftest import START
from tests.store.histories import at
from tests.store.lake.recordings import in_file, in_lake, observe, record_everything, share
from tests.store.market.futures import snapshot


def test_a_published_file_is_equal_to_its_lake_day_by_day(file, lake):
    database = file("a")
    record_everything(database)
    share(database, lake)
    told = []

    found = compare(database, lake, lambda done, total: told.append((done, total)))

    assert found.faults == ()
    assert found.days == found.equal == 18  # two days of all that snapshots or ticks bring, one of everything else
    assert told[-1] == (12, 12)


def test_rows_of_other_recorders_are_no_fault(file, lake):
    mine, other = file("a"), file("b")
    observe(mine, range(5), late_ms=10)
    observe(other, range(10), late_ms=30)
    share(other, lake)
    share(mine, lake)

    found = compare(mine, lake)

    assert (found.days, found.equal, found.faults) == (2, 0, ())


def test_what_two_recorders_heard_at_different_times_is_no_fault(file, lake):
    databases = [file("a"), file("b")]
    for database, late in zip(databases, (timedelta(seconds=0.1), timedelta(seconds=0.7)), strict=True):
        with database.write() as cursor:
            arrivals.append(cursor, [replace(snapshot(60), received_at=at(60) + late)])
            ticks.append(cursor, [Tick("btc_usd", at(5), 100.0, received_at=at(5) + late)])
        share(database, lake)

    found = [compare(database, lake) for database in databases]

    assert in_lake(lake, "snapshots") != in_file(databases[1], "snapshots")
    assert [each.faults for each in found] == [(), ()]


def test_each_fault_is_a_line_with_its_day(file, lake):
    database = file("a")
    record_everything(database)
    share(database, lake)
    with lake.open() as cursor:
        cursor.execute("DELETE FROM ticks WHERE ts < TIMESTAMP '2026-11-01 12:00:10'")
        cursor.execute("UPDATE funding SET interest_1h = 0.5")
        cursor.execute("INSERT INTO surfaces FROM surfaces WHERE ts > TIMESTAMP '2026-11-02'")

    found = compare(database, lake)

    assert found.faults == (
        "surfaces: 1 rows of 2026-11-02 are doubles",
        "ticks: 2 rows of 2026-11-01 are not in the lake",
        "funding: 1 rows of 2026-11-01 have other values in the lake",
    )


def test_the_status_tells_how_far_a_file_is_shared_and_what_the_lake_has(file, place, lake):
    database = file("a")
    empty = status(lake, read_notice(database.path), START)
    record_everything(database)
    share(database, lake, START)

    found = status(lake, read_notice(database.path), START + timedelta(seconds=65))

    assert (empty.exchange, empty.lag_s, empty.tables["ticks"].newest) == (None, None, None)
    assert empty.in_words().splitlines()[1:3] == [
        "this file was not published yet",
        "snapshots: rows 0, none, files 0, bytes 0",
    ]
    ticks = in_file(database, "ticks")
    first, second, *tables = found.in_words().splitlines()
    assert first == f"files in {place.files}/, prices of Deribit"
    total = sum(shared.rows for shared in found.tables.values())
    assert second == (
        f"this file is shared up to 2026-11-01 12:00:00 UTC, 65 s ago; rows of the last publication: {total}, "
        "redone because of other recorders: 0"
    )
    assert tables[1].startswith(f"ticks: rows {len(ticks)}, newest 2026-11-02 12:00:45 UTC, files 1, bytes ")
    as_json = found.as_json()
    assert (as_json["shared_to"], as_json["lag_s"], as_json["exchange"]) == (START.isoformat(), 65.0, "Deribit")
    assert as_json["tables"]["ticks"]["rows"] == len(ticks)
    assert {"lake", "marks"} & as_json.keys() == set()


def test_the_status_tells_why_the_last_publication_failed(lake):
    found = status(lake, Notice(trouble="the bucket is gone"), START)

    assert "the last publication failed: the bucket is gone" in found.in_words().splitlines()
