"""Snapshots of many rows go into small transactions, and are the first that are given up."""

from datetime import datetime, timedelta

from poller.journal.limits import Limits
from poller.journal.portions import cut_back, fitting
from store.models import Snapshot, Tick
from tests.conftest import START, tick

LIMITS = Limits(portion=4, portion_rows=10, most_waiting=6, most_rows_waiting=10)

Placed = tuple[datetime, Tick | Snapshot]


def a_tick(second: int) -> Placed:
    return START + timedelta(seconds=second), tick(second)


def a_chain(second: int, rows: int) -> Placed:
    at = START + timedelta(seconds=second)
    return at, Snapshot("options/BTC", at, at, tuple((number,) for number in range(rows)))


def test_a_transaction_takes_observations_up_to_the_limit_of_rows():
    queue = [a_tick(0), a_chain(0, 6), a_tick(1), a_chain(60, 6), a_tick(61)]

    assert fitting(queue, LIMITS) == 3
    assert fitting(queue[3:], LIMITS) == 2
    assert fitting([a_tick(second) for second in range(9)], LIMITS) == 4
    assert fitting([], LIMITS) == 0


def test_a_snapshot_of_very_many_rows_is_a_transaction_by_itself():
    assert fitting([a_chain(0, 99), a_tick(1)], LIMITS) == 1


def test_the_oldest_snapshots_are_given_up_and_no_tick_for_them():
    queue = [a_tick(0), a_chain(0, 6), a_tick(1), a_chain(60, 6), a_tick(61)]

    assert cut_back(queue, LIMITS) == ([queue[0], *queue[2:]], [queue[1]])


def test_within_the_limits_nothing_is_given_up():
    queue = [a_tick(0), a_chain(0, 10)]

    assert cut_back(queue, LIMITS) == (queue, [])


def test_the_oldest_of_too_many_observations_are_given_up():
    queue = [a_chain(0, 9), *(a_tick(second) for second in range(1, 7))]

    assert cut_back(queue, LIMITS) == (queue[1:], queue[:1])
