"""A card shows the newest tick of an index, its change, and its way there in bars."""

import math
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.file.database import Database
from store.models import Tick
from store.prices import ticks
from store.prices.indexes import index_names
from store.prices.overview import SPAN, Card, cards
from tests.conftest import START, tick
from tests.support.examples import examples

DAY_S = SPAN.total_seconds()


def cards_of(database: Database, *new: Tick, configured: Sequence[str] = ("btc_usd",), **more: timedelta) -> list[Card]:
    with database.write() as cursor:
        cursor.execute("DELETE FROM ticks")
        ticks.append(cursor, new)
    with database.read() as cursor:
        return cards(cursor, index_names(cursor, configured), **more)


def average(second: float, resolution_s: int, price: float = 100.0) -> Tick:
    return tick(second, price=price, source="chart", received_at=None, resolution_s=resolution_s)


def filled(card: Card) -> dict[int, float]:
    """The bars that saw a tick: position -> price."""
    return {bar: price for bar, price in enumerate(card.closes) if not math.isnan(price)}


def test_an_index_without_ticks_has_an_empty_card(database):
    (card,) = cards_of(database)

    assert (card.index_name, card.latest, card.since, card.closes) == ("btc_usd", None, None, ())
    assert all(math.isnan(number) for number in (card.reference, card.change, card.low, card.high))
    assert card.averages_s == 0


def test_a_single_tick_has_not_changed_and_is_the_first_bar(database):
    (card,) = cards_of(database, tick(0))

    assert (card.latest, card.reference, card.since, card.change) == (tick(0), 100.0, START, 0.0)
    assert len(card.closes) == 60
    assert filled(card) == {0: 100.0}


def test_low_and_high_are_those_of_the_day_before_the_newest_tick(database):
    (card,) = cards_of(
        database,
        tick(-1, price=1.0),
        tick(0, price=100.0),
        tick(30, price=80.0),
        tick(31, price=130.0),
        tick(DAY_S, price=110.0),
    )

    assert (card.low, card.high) == (80.0, 130.0)


@pytest.mark.parametrize(("price", "change"), [(150.0, 0.5), (50.0, -0.5), (100.0, 0.0)])
def test_the_change_is_a_fraction_of_the_first_price_of_the_day_before_the_newest_tick(database, price, change):
    (card,) = cards_of(database, tick(-1, price=1.0), tick(0), tick(1000, price=1.0), tick(DAY_S, price=price))

    assert card.reference == 100.0
    assert card.since == START
    assert card.change == change


def test_less_than_a_day_of_history_says_since_when(database):
    (card,) = cards_of(database, tick(0), tick(3600, price=110.0))

    assert card.since == START
    assert card.change == pytest.approx(0.1)


def test_the_day_is_counted_from_the_newest_tick_and_not_from_older_history(database):
    (card,) = cards_of(database, tick(0), tick(10 * DAY_S, price=7.0))

    assert (card.since, card.reference, card.change) == (START + 10 * SPAN, 7.0, 0.0)
    assert filled(card) == {0: 7.0}


def test_each_bar_has_its_last_price_and_a_gap_has_none(database):
    minute = 60
    (card,) = cards_of(
        database,
        tick(0, price=1.0),
        tick(30, price=2.0),
        tick(10 * minute, price=4.0),
        tick(10 * minute - 0.000001, price=3.0),
        tick(60 * minute - 0.000001, price=5.0),
    )

    assert filled(card) == {0: 2.0, 9: 3.0, 10: 4.0, 59: 5.0}
    assert len(card.closes) == 60


def test_ticks_that_come_evenly_fill_each_bar(database):
    (card,) = cards_of(database, *(tick(second, price=second + 1) for second in range(600)))

    assert len(filled(card)) == 60
    assert list(card.closes) == sorted(card.closes)
    assert card.closes[-1] == 600


def test_no_bar_is_shorter_than_two_slots_so_that_only_a_gap_leaves_one_empty(database):
    every_5_s = [tick(5 * number + 0.1 * (number % 3)) for number in range(24) if not 8 <= number < 14]

    (card,) = cards_of(database, *every_5_s, shortest_bar=timedelta(seconds=10))

    assert len(card.closes) == 11
    assert sorted(set(range(11)) - set(filled(card))) == [4, 5]


def test_a_single_tick_has_two_bars(database):
    (card,) = cards_of(database, tick(0), shortest_bar=timedelta(seconds=10))

    assert (len(card.closes), filled(card)) == (2, {0: 100.0})


@examples(40)
@given(microseconds=st.sets(st.integers(0, 2 * 86_400_000_000), min_size=1, max_size=30))
def test_the_bars_begin_at_since_and_end_with_the_newest_price(open_database, microseconds):
    new = [tick(number / 1_000_000, price=number + 1.0) for number in microseconds]

    (card,) = cards_of(open_database, *new)

    newest = max(new, key=lambda each: each.ts)
    day = [each for each in new if each.ts >= newest.ts - SPAN]
    prices = [price for price in card.closes if not math.isnan(price)]
    assert card.latest == newest
    assert card.since == min(each.ts for each in day)
    assert len(card.closes) == 60
    assert prices == sorted(prices)
    assert prices[-1] == newest.price
    assert set(prices) <= {each.price for each in day}
    assert not math.isnan(card.closes[0])


def test_each_index_has_the_bars_of_its_own_ticks(database):
    btc, eth = cards_of(database, tick(0), tick(60, "eth_usd", price=7.0), configured=("btc_usd", "eth_usd"))

    assert (btc.latest, filled(btc)) == (tick(0), {0: 100.0})
    assert (eth.latest, filled(eth)) == (tick(60, "eth_usd", price=7.0), {0: 7.0})


def test_configured_indexes_come_in_their_order_and_then_what_has_only_history(database):
    shown = cards_of(
        database,
        tick(0, "xrp_usd"),
        tick(0, "ada_usd"),
        tick(0, "btc_usd"),
        configured=("sol_usd", "btc_usd"),
    )

    assert [(card.index_name, card.latest is not None) for card in shown] == [
        ("sol_usd", False),
        ("btc_usd", True),
        ("ada_usd", True),
        ("xrp_usd", True),
    ]


def test_an_average_of_history_counts_like_a_tick(database):
    (card,) = cards_of(database, tick(0, source="chart", received_at=None, resolution_s=60), tick(60, price=101.0))

    assert card.change == pytest.approx(0.01)
    assert card.since == START


def test_the_longest_average_of_the_day_is_told_and_older_ones_are_not(database):
    (card,) = cards_of(database, average(-DAY_S, 86_400), average(0, 3600), average(3600, 60), tick(DAY_S))

    assert card.averages_s == 3600


def test_a_day_of_observations_has_no_averages(database):
    (card,) = cards_of(database, average(-1, 60), tick(0), tick(DAY_S))

    assert card.averages_s == 0


def test_without_any_observation_the_newest_average_is_the_price_of_the_card(database):
    (card,) = cards_of(database, average(0, 3600, price=90.0), average(3600, 3600, price=99.0))

    assert card.latest == average(3600, 3600, price=99.0)
    assert card.change == pytest.approx(0.1)
    assert (card.low, card.high, card.averages_s) == (90.0, 99.0, 3600)


def test_an_average_after_the_newest_observation_is_not_on_the_card(database):
    (card,) = cards_of(database, tick(0), tick(10, price=101.0), average(20, 6, price=500.0))

    assert (card.latest, card.high, card.averages_s) == (tick(10, price=101.0), 101.0, 0)
    assert max(card.closes) == 101.0


def test_index_names_are_the_configured_ones_and_those_with_history(database):
    with database.write() as cursor:
        ticks.append(cursor, [tick(0, "xrp_usd"), tick(0, "btc_usd"), tick(1, "btc_usd"), average(0, 60)])

    with database.read() as cursor:
        names = index_names(cursor, ["eth_usd", "btc_usd"])

    assert names == ["eth_usd", "btc_usd", "xrp_usd"]


def test_a_newer_tick_moves_the_end_of_a_card_and_leaves_its_start(database):
    (card,) = cards_of(database, tick(0, price=100.0), tick(30, price=90.0))

    followed = card.followed_by(tick(35, price=120.0))

    assert (followed.latest, followed.closes[-1]) == (tick(35, price=120.0), 120.0)
    assert (followed.low, followed.high, followed.averages_s) == (90.0, 120.0, 0)
    assert (followed.since, followed.reference, followed.closes[:-1]) == (card.since, 100.0, card.closes[:-1])
    assert followed.followed_by(average(40, 60, price=80.0)).averages_s == 60


def test_a_tick_that_a_card_has_already_changes_nothing(database):
    (card,) = cards_of(database, tick(0), tick(30, price=90.0))

    empty = Card("btc_usd")

    assert all(card.followed_by(each) is card for each in (tick(29, price=1.0), tick(30, price=90.0)))
    assert empty.followed_by(tick(0)) is empty


def test_a_card_says_nothing_of_what_it_does_not_know():
    card = Card("btc_usd", tick(0), 80.0, START - timedelta(hours=1))

    assert card.change == 0.25
    assert card.closes == ()
