"""Days of futures before recording began are rows of their own, and nothing takes them for a minute or a snapshot."""

from datetime import timedelta

import pytest

from store.backup.verify import faults_of_database
from store.export.files import Exports
from store.export.query import ExportQuery
from store.export.survey import estimate
from store.file.database import Cursor, Database
from store.file.rows import insert
from store.instants import DAY, EPOCH
from store.ledger import arrivals, runs
from store.ledger.gaps import ledger
from store.ledger.heal import heal
from store.market import days, trades
from store.market.days import Beginning, Day, Listed
from store.market.trades import Trade
from store.models import Run, to_column
from tests.store.histories import at

from .futures import ASKED, EXPIRY, FEED, NAMES, record, snapshot, stored

DATED, PERPETUAL = NAMES
MINUTE = 60
IMPORTED = ("import_id", "index_name", "resolution_s", "ts", "undone")

# START is at 12:00 UTC.
EIGHT = at(-4 * 3600)


def some(*numbers: int) -> list[Day]:
    """Days that begin so many days before the day of START."""
    return [Day(EIGHT - number * DAY, 90.0 + number, 2.0, 180.0) for number in numbers]


def load(cursor: Cursor, *numbers: int) -> None:
    for name in NAMES:
        days.append(cursor, name, some(*numbers), EIGHT, "chart")


def test_a_day_is_a_row_that_has_a_last_price_and_volumes_alone(database: Database):
    with database.write() as cursor:
        load(cursor, 3)

        nothing = (None,) * 3
        ts, expiry = to_column(EIGHT - 3 * DAY), to_column(EXPIRY)
        numbers = (*nothing, 93.0, None, 2.0, 180.0, None, None)
        assert stored(cursor) == [
            ("BTC", DATED, expiry, ts, *numbers, "chart", 86_400),
            ("BTC", PERPETUAL, None, ts, *numbers, "chart", 86_400),
        ]


def test_a_day_that_is_known_is_not_stored_again(database: Database):
    with database.write() as cursor:
        load(cursor, 3, 2)
        before = stored(cursor)
        load(cursor, 3, 2, 1, 1)
        load(cursor)

        assert stored(cursor)[:4] == before
        assert len(stored(cursor)) == 6


def test_recording_begins_with_the_first_snapshot_or_with_a_run_before_it(database: Database):
    now = at(9999)
    both = (Listed(PERPETUAL, None, None), Listed(DATED, EXPIRY, None))
    with database.write() as cursor:
        runs.note(cursor, Run(at(-99), {"btc_usd": 5}, "1"))
        assert days.beginning(cursor, "BTC", now) is None

        arrivals.append(cursor, [snapshot(60, "BTC-PERPETUAL"), snapshot(0)])
        by_snapshot = days.beginning(cursor, "BTC", now)
        runs.note(cursor, Run(at(-30), {FEED: 60}, "1"))
        by_run = days.beginning(cursor, "BTC", now)

        assert days.beginning(cursor, "ETH", now) is None
    assert by_snapshot == Beginning(at(0) + ASKED, both)
    assert by_run == Beginning(at(-30), both)


def test_an_imported_snapshot_is_not_the_beginning_of_recording(database: Database):
    with database.write() as cursor:
        trades.append_observed(cursor, [snapshot(-90 * 86_400, PERPETUAL), snapshot(0)])
        insert(cursor, "imported", IMPORTED, [(1, FEED, 0, to_column(at(-90 * 86_400) + ASKED), False)])

        found = days.beginning(cursor, "BTC", at(9999))

        arrivals.append(cursor, [snapshot(-91 * 86_400, PERPETUAL)])
        insert(cursor, "imported", IMPORTED, [(2, FEED, 0, to_column(at(-91 * 86_400) + ASKED), True)])
        recorded_again = days.beginning(cursor, "BTC", at(9999))
    both = (Listed(PERPETUAL, None, None), Listed(DATED, EXPIRY, None))
    assert found == Beginning(at(0) + ASKED, both)
    assert recorded_again == Beginning(at(-91 * 86_400) + ASKED, both[:1])


def test_the_listed_futures_have_not_expired_and_know_up_to_when_they_were_asked_for(database: Database):
    record(database, range(0, 600, 60), [], 60)
    with database.write() as cursor:
        days.append(cursor, PERPETUAL, some(9, 8), EIGHT - 7 * DAY, "chart")
        days.append(cursor, PERPETUAL, [], EIGHT - 6 * DAY, "chart")

        found = days.beginning(cursor, "BTC", EXPIRY)

    assert found == Beginning(at(0), (Listed(PERPETUAL, None, EIGHT - 6 * DAY),))


def test_minutes_are_stored_beside_a_day_and_give_way_without_it(database: Database):
    """The minute, the snapshot in it and the day begin at the same time."""
    with database.write() as cursor:
        load(cursor, 0)
        day = stored(cursor)
        minute = [Trade(PERPETUAL, None, EIGHT, 1.0)]

        assert len(trades.append(cursor, "BTC", minute, "chart")) == 1
        assert trades.append(cursor, "BTC", minute, "chart") == []
        trades.append_observed(cursor, [snapshot((EIGHT - at(0)).total_seconds(), PERPETUAL)])

        found = stored(cursor)
    assert [row for row in found if row[-1]] == day
    assert len(found) == 3


def test_a_day_heals_no_gap(database: Database):
    """The first slots are missing, a few hours after the last day."""
    end = record(database, range(0, 20 * MINUTE, MINUTE), range(0, 5 * MINUTE, MINUTE), MINUTE)
    with database.write() as cursor:
        load(cursor, 2, 1)
        heal(cursor, FEED, at(9999))

        (gap,) = ledger(cursor, at(0), end, end)
    assert gap.state == "open"


@pytest.mark.parametrize(("healed", "count"), [(True, 2 * 3 + 2 * 20), (False, 2 * 20)])
def test_an_export_tells_days_from_what_was_observed(database: Database, healed, count):
    end = record(database, range(0, 20 * MINUTE, MINUTE), [], MINUTE)
    with database.write() as cursor:
        load(cursor, 3, 2, 1)
    query = ExportQuery((FEED,), EPOCH, end, format="parquet", healed=healed)

    made = Exports(database, 10**9).make(query)

    with database.read() as cursor:
        assert estimate(cursor, query).rows == made.rows == count
    assert list(faults_of_database(database)) == []


def test_days_alone_can_be_exported(database: Database):
    record(database, range(0, 20 * MINUTE, MINUTE), [], MINUTE)
    with database.write() as cursor:
        load(cursor, 3, 2, 1)
    query = ExportQuery((FEED,), EPOCH, at(0) - timedelta(hours=1), format="parquet")

    with database.read() as cursor:
        assert estimate(cursor, query).rows == Exports(database, 10**9).make(query).rows == 6
