"""Each slot of a period is served or missed once."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from poller.feeds.index import index_feeds
from poller.journal.journal import Journal
from poller.recorder.cadence import Cadence, cadences_of
from tests.conftest import START

SECOND = timedelta(seconds=1)


def slot(second: int) -> datetime:
    return START + second * SECOND


@pytest.fixture
def cadence(database) -> Cadence:
    """A cadence of btc_usd with a period of 5 s."""
    return Cadence(index_feeds(("btc_usd",), 5 * SECOND), Journal(database))


def test_feeds_of_one_period_share_their_slots(database):
    fast, slow = index_feeds(("a_usd", "b_usd"), SECOND), index_feeds(("c_usd",), 5 * SECOND)

    cadences = cadences_of((fast[0], *slow, fast[1]), Journal(database))

    assert [(each.period, each.feeds) for each in cadences] == [(SECOND, fast), (5 * SECOND, slow)]


def test_slots_are_known_up_to_the_one_under_way(cadence: Cadence):
    cadence.enter(slot(0))
    known = [cadence.known_to]
    cadence.begin(slot(0))
    known.append(cadence.known_to)
    cadence.served()
    known.append(cadence.known_to)
    cadence.begin(slot(5))
    known.append(cadence.known_to)

    assert known == [slot(0), slot(0), slot(5), slot(5)]


def test_a_slot_is_served_once(cadence: Cadence):
    cadence.enter(slot(1))
    cadence.begin(slot(5))
    cadence.served()
    cadence.leave()

    assert cadence.knows(slot(5))
    assert not cadence.knows(slot(10))


def test_the_first_slot_of_a_run_is_not_earlier_than_the_run(cadence: Cadence):
    cadence.enter(slot(5))
    at_once = cadence.due
    cadence.enter(slot(6))

    assert (at_once, cadence.due) == (slot(5), slot(10))
    assert cadence.knows(slot(5))


def test_feeds_of_one_period_with_offsets_are_asked_at_different_times_of_one_slot(database):
    early, late = index_feeds(("a_usd", "b_usd"), 60 * SECOND)
    late = replace(late, offset=1.6 * SECOND)

    first, second = cadences_of((late, early), Journal(database))

    assert (first.feeds, second.feeds) == ((early,), (late,))
    second.enter(slot(0))
    second.begin(slot(0))
    assert (second.slot, second.asked_at) == (slot(0), slot(0) + 1.6 * SECOND)
    assert second.next_ask(slot(60) + SECOND) == slot(60) + 1.6 * SECOND
    assert second.next_ask(slot(62)) == slot(120) + 1.6 * SECOND
    assert second.move(slot(3600) + SECOND).by == 3540 * SECOND  # the slot at 3600 is not asked for yet
