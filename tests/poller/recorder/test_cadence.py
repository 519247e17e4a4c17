"""Each slot of a period is accounted for: it is served, missed, or outside of every run."""

from datetime import datetime, timedelta

import pytest

from poller.feeds.index import index_feeds
from poller.journal.journal import Journal
from poller.recorder.cadence import Cadence, cadences_of
from store.file.database import Database
from store.ledger import runs
from store.models import Cause, Miss, Run
from tests.conftest import START, tick

SECOND = timedelta(seconds=1)


def slot(second: int) -> datetime:
    return START + second * SECOND


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database)


@pytest.fixture
def cadence(journal: Journal) -> Cadence:
    """Of btc_usd, each second."""
    return Cadence(index_feeds(("btc_usd",), SECOND), journal)


def serve(cadence: Cadence, second: int) -> None:
    cadence.begin(slot(second))
    cadence.add([tick(second + 0.5)])
    cadence.served()


def stored(journal: Journal, database: Database) -> tuple[list[Run], list[Miss]]:
    journal.flush(1)
    with database.read() as cursor:
        return runs.runs(cursor), runs.misses(cursor, START - SECOND, slot(3600))


def test_feeds_of_one_period_share_their_slots(journal: Journal):
    fast, slow = index_feeds(("a_usd", "b_usd"), SECOND), index_feeds(("c_usd",), 5 * SECOND)

    cadences = cadences_of((fast[0], *slow, fast[1]), journal)

    assert [(each.period, each.feeds) for each in cadences] == [(SECOND, fast), (5 * SECOND, slow)]


def test_its_slots_are_known_up_to_the_one_under_way(cadence: Cadence):
    before = cadence.known_to
    cadence.begin(slot(0))
    first = cadence.known_to
    cadence.served()
    between = cadence.known_to
    cadence.begin(slot(1))

    assert (before, first, between, cadence.known_to) == (None, slot(0), slot(1), slot(1))


def test_a_run_that_ends_during_a_slot_is_followed_by_another(cadence: Cadence, journal: Journal, database: Database):
    serve(cadence, 0)
    cadence.begin(slot(1))
    cadence.end_run()
    cadence.served()
    cadence.end_run()  # it has ended
    serve(cadence, 2)

    first, second = stored(journal, database)[0]
    assert (first.started_at, first.ended_at) == (slot(0), slot(1))
    assert (second.started_at, second.ended_at) == (slot(2), None)


def test_a_clock_that_moves_during_a_slot_moves_what_comes_of_it(
    cadence: Cadence, journal: Journal, database: Database
):
    cadence.move(slot(60))  # no run has begun
    cadence.begin(slot(0))
    miss = Miss(slot(0), "btc_usd", Cause.UNREACHABLE, "")

    cadence.move(slot(60) + 0.3 * SECOND)
    cadence.add([miss])
    cadence.served()

    assert cadence.knows(slot(60))
    (run,), (moved,) = stored(journal, database)
    assert (run.started_at, moved.slot) == (slot(60), slot(60))


def test_a_stop_before_any_slot_ends_nothing(cadence: Cadence, journal: Journal):
    cadence.stop(slot(0))

    assert journal.empty
