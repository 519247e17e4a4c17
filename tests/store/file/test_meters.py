"""The work of a process is counted as it happens."""

import threading

import pytest

from store.errors import StoreError
from store.file.database import Database
from store.file.meters import BOUNDS_S, POLL_OUTCOMES, Meters, Timer
from store.prices import ticks
from tests.conftest import tick


def count(timer: Timer) -> int:
    counts, _ = timer.read()
    return sum(counts)


def test_a_time_falls_under_the_first_bound_that_it_does_not_exceed():
    timer = Timer()

    for seconds in (0, 0.001, 0.0011, 5, 7):
        timer.count(seconds)

    counts, total = timer.read()
    assert counts == [2, 1, *[0] * 9, 1, 1]
    assert len(counts) == len(BOUNDS_S) + 1
    assert total == pytest.approx(12.0021)


def test_counts_of_several_threads_are_not_lost():
    timer = Timer()

    def work() -> None:
        for _ in range(5000):
            timer.count(0.5)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert timer.read() == ([*[0] * 8, 20_000, *[0] * 4], 10_000)


def test_each_read_and_each_transaction_of_a_database_is_timed(database: Database):
    with database.write() as cursor:
        ticks.append(cursor, [tick()])
    with database.read(), database.read():
        pass

    assert count(database.meters.writes) == 1
    assert count(database.meters.reads) == 2
    assert database.meters.writes.read()[1] > 0


def test_failed_work_is_not_timed(database: Database):
    with pytest.raises(StoreError), database.read() as cursor:
        cursor.execute("SELECT nothing")
    with pytest.raises(StoreError), database.write() as cursor:
        cursor.execute("SELECT nothing")

    assert count(database.meters.reads) == count(database.meters.writes) == 0


def test_without_a_recorder_there_are_no_counts_of_polls():
    meters = Meters()

    assert meters.polls == {}
    assert meters.retries is None


def test_a_recorder_begins_with_zeros_so_that_the_first_failure_shows():
    meters = Meters()

    meters.begin(["btc_usd", "eth_usd"])

    assert meters.polls == {(name, outcome): 0 for name in ("btc_usd", "eth_usd") for outcome in POLL_OUTCOMES}
    assert meters.retries == 0


def test_a_recorder_that_begins_again_in_the_same_process_continues_the_counts():
    meters = Meters()
    meters.begin(["btc_usd"])
    meters.polls["btc_usd", "ok"] += 3
    meters.retried()

    meters.begin(["btc_usd"])

    assert (meters.polls["btc_usd", "ok"], meters.retries) == (3, 1)
