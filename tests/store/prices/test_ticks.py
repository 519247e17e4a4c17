"""Ticks are read as they are: newest first in pages, or a range in order."""

from datetime import timedelta

import pytest

from store.models import Tick, utc_now
from store.prices import averages, candles, ticks
from tests.conftest import START, tick


@pytest.fixture
def seeded(database):
    """Ten seconds of btc_usd and one tick of eth_usd, appended out of order."""
    with database.write() as cursor:
        ticks.append(cursor, [tick(second) for second in (3, 9, 0, 1, 2, 8, 7, 6, 5, 4)])
        ticks.append(cursor, [tick(4, "eth_usd", price=7.5)])
    return database


def test_the_latest_tick_is_the_one_with_the_greatest_exchange_time(seeded):
    with seeded.read() as cursor:
        latest = ticks.latest(cursor, "btc_usd")

    assert latest == tick(9)


def test_an_index_without_ticks_has_no_latest_one(seeded):
    with seeded.read() as cursor:
        latest = ticks.latest(cursor, "sol_usd")

    assert latest is None


def test_pages_go_from_the_newest_tick_to_the_oldest_and_end(seeded):
    with seeded.read() as cursor:
        pages = [ticks.newest_first(cursor, "btc_usd", limit=4, offset=offset) for offset in (0, 4, 8, 12)]

    assert pages == [
        [tick(9), tick(8), tick(7), tick(6)],
        [tick(5), tick(4), tick(3), tick(2)],
        [tick(1), tick(0)],
        [],
    ]


def test_a_range_has_its_start_but_not_its_end_and_ascends(seeded):
    start, end = START + timedelta(seconds=2), START + timedelta(seconds=5)

    with seeded.read() as cursor:
        found = ticks.history(cursor, "btc_usd", start, end)

    assert found == [tick(2), tick(3), tick(4)]


def test_a_range_may_be_limited_to_its_oldest_ticks(seeded):
    with seeded.read() as cursor:
        found = ticks.history(cursor, "btc_usd", START, START + timedelta(days=1), limit=2)

    assert found == [tick(0), tick(1)]


def test_the_summary_counts_each_index_and_names_its_first_and_last_instant(seeded):
    with seeded.read() as cursor:
        summary = ticks.summary(cursor)

    four, nine = START + timedelta(seconds=4), START + timedelta(seconds=9)
    assert summary == {"btc_usd": (10, START, nine), "eth_usd": (1, four, four)}


def test_the_summary_of_an_empty_table_is_empty(database):
    with database.read() as cursor:
        summary = ticks.summary(cursor)

    assert summary == {}


@pytest.fixture
def with_averages(database):
    """Two observations of btc_usd amid averages, and an average of sol_usd alone."""
    with database.write() as cursor:
        ticks.append(cursor, [tick(1), tick(3)])
        averages.append(cursor, "btc_usd", [(START + timedelta(seconds=second), 50.0) for second in (-60, 2, 60)], 1)
        averages.append(cursor, "sol_usd", [(START, 1.0), (START + timedelta(days=1), 2.0)], 86_400)
    return database


@pytest.fixture
def with_stopped(database):
    """An index that goes on, and some that stopped days ago: with observations, averages, both, and in two hours."""
    day = 86_400
    with database.write() as cursor:
        ticks.append(cursor, [tick(3600 * hour) for hour in range(24 * 10)])
        ticks.append(cursor, [tick(0, "doge_usd"), tick(10, "doge_usd"), tick(4000, "doge_usd"), tick(10, "ada_usd")])
        averages.append(cursor, "ada_usd", [(START + timedelta(seconds=day), 5.0)], 60)
        averages.append(cursor, "sol_usd", [(START, 1.0), (START + timedelta(seconds=day + 7), 2.0)], 60)
        while candles.close(cursor, START + timedelta(days=20)):
            pass
    return database


def test_the_latest_of_an_index_that_stopped_is_found_by_its_last_hour(with_stopped):
    with with_stopped.read() as cursor:
        latest = [ticks.latest(cursor, name) for name in ("btc_usd", "doge_usd", "ada_usd", "sol_usd", "no_usd")]

    average = Tick("sol_usd", START + timedelta(seconds=86_407), 2.0, "chart", None, 60)
    assert latest == [tick(3600 * 239), tick(4000, "doge_usd"), tick(10, "ada_usd"), average, None]


def test_the_latest_of_several_indexes_are_those_of_each(with_stopped):
    now = utc_now().replace(microsecond=0)
    received, unknown, older = (
        Tick("btc_usd", now, 7.0, "live", now, 0),
        Tick("eth_usd", now, 8.0, "import", None, 0),
        Tick("eth_usd", now - timedelta(seconds=1), 9.0, "live", now, 0),
    )
    names = ("eth_usd", "btc_usd", "doge_usd", "ada_usd", "sol_usd", "no_usd")
    with with_stopped.write() as cursor:
        ticks.append(cursor, [received, unknown, older])

    with with_stopped.read() as cursor:
        found = ticks.latest_of(cursor, names)
        each = {name: tick for name in names if (tick := ticks.latest(cursor, name))}

    assert found == each
    assert (found["btc_usd"], found["eth_usd"]) == (received, unknown)


@pytest.mark.parametrize(
    ("offset", "seconds"), [(0, [4000, 10]), (1, [10, 0]), (2, [0]), (3, [])], ids=["0", "1", "2", "3"]
)
def test_the_pages_of_an_index_that_stopped_end_where_it_began(with_stopped, offset, seconds):
    with with_stopped.read() as cursor:
        page = ticks.newest_first(cursor, "doge_usd", limit=2, offset=offset)

    assert page == [tick(second, "doge_usd") for second in seconds]


def test_the_ticks_of_others_are_not_searched_for_the_latest_of_an_index_that_stopped(with_stopped):
    with with_stopped.write() as cursor:
        cursor.execute("INSERT INTO ticks VALUES ('doge_usd', '2026-11-03', NULL, 7, 'live', 0)")  # no hour knows of it

        assert ticks.latest(cursor, "doge_usd") == tick(4000, "doge_usd")


def test_the_latest_tick_is_an_observation_although_an_average_is_newer(with_averages):
    with with_averages.read() as cursor:
        latest = ticks.latest(cursor, "btc_usd")

    assert latest == tick(3)


def test_without_any_observation_the_newest_average_is_the_latest_tick(with_averages):
    with with_averages.read() as cursor:
        latest = ticks.latest(cursor, "sol_usd")

    assert latest == Tick("sol_usd", START + timedelta(days=1), 2.0, "chart", None, 86_400)


def test_averages_are_in_no_page_and_in_no_range(with_averages):
    with with_averages.read() as cursor:
        page = ticks.newest_first(cursor, "btc_usd", limit=10)
        found = ticks.history(cursor, "btc_usd", START - timedelta(days=1), START + timedelta(days=1))
        none = ticks.newest_first(cursor, "sol_usd", limit=10)

    assert page == [tick(3), tick(1)]
    assert found == [tick(1), tick(3)]
    assert none == []


def test_the_summary_counts_averages_too(with_averages):
    with with_averages.read() as cursor:
        count, first, last = ticks.summary(cursor)["btc_usd"]

    assert (count, first, last) == (5, START - timedelta(seconds=60), START + timedelta(seconds=60))


def test_prices_are_the_pairs_of_millisecond_and_price_of_a_range_rounded_down(with_averages):
    with with_averages.write() as cursor:
        ticks.append(cursor, [tick(2.9999, price=7.5)])
    start, end = START + timedelta(seconds=1), START + timedelta(seconds=4)

    with with_averages.read() as cursor:
        found = ticks.prices(cursor, "btc_usd", start, end, limit=10)
        limited = ticks.prices(cursor, "btc_usd", start, end, limit=1)

    first = int(START.timestamp()) * 1000
    assert found == [(first + 1000, 100.0), (first + 2999, 7.5), (first + 3000, 100.0)]
    assert limited == found[:1]
