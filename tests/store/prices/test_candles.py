"""Candles equal their ticks, in whatever order these come, and whatever is asked of them is what the ticks answer."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.file.database import Cursor, Database
from store.prices import averages, candles, ticks
from store.prices.bars import NICE_INTERVALS, bars
from tests.conftest import START, tick
from tests.support.candles import HOUR, MINUTE, all_ticks, by_hand, expect_candles_of_ticks, stored
from tests.support.examples import examples

NAMES = ("btc_usd", "eth_usd")


@pytest.fixture(scope="module")
def database(open_database: Database) -> Database:
    """Kept open: each test empties it."""
    return open_database


def empty(cursor: Cursor) -> None:
    for table in ("ticks", "overruled", "runs", "candles_1m", "candles_1h"):
        cursor.execute(f"DELETE FROM {table}")
    cursor.execute("UPDATE candles_closed SET closed_to = NULL, averaged_to = NULL")


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


seconds = st.floats(-3 * 3600, 3 * 3600).map(lambda second: round(second, 3))
prices = st.sampled_from([99.5, 100.0, 100.25, 101.0, 250.0])
observed = st.tuples(
    st.just("observed"), st.lists(st.tuples(st.sampled_from(NAMES), seconds, prices), min_size=1, max_size=30)
)
healed = st.tuples(
    st.just("healed"),
    st.tuples(st.sampled_from(NAMES), st.sampled_from([6, 60, 3600]), st.integers(-120, 120), st.integers(1, 40)),
)
closed = st.tuples(st.just("closed"), seconds)
histories = st.lists(st.one_of(observed, healed, closed), min_size=1, max_size=12)


def happen(cursor: Cursor, history: Sequence[tuple[str, Any]]) -> None:
    """Store ticks and averages and close candles, in this order."""
    for what, facts in history:
        if what == "observed":
            ticks.append(cursor, [tick(second, name, price) for name, second, price in facts])
        elif what == "healed":
            name, step_s, first, count = facts
            points = [(at((first + number) * step_s), 50.0 + number) for number in range(count)]
            averages.append(cursor, name, points, step_s)
        else:
            while candles.close(cursor, at(facts)):
                pass


@examples(60)
@given(history=histories)
def test_candles_equal_their_ticks_whatever_happened(database, history):
    with database.write() as cursor:
        empty(cursor)
        happen(cursor, history)

        expect_candles_of_ticks(cursor)


@examples(30)
@given(
    history=histories,
    start=seconds,
    length=st.integers(1, 20_000),
    interval=st.sampled_from([each for each in NICE_INTERVALS if each <= timedelta(days=1)]),
)
def test_bars_are_the_same_with_candles_and_without(database, history, start, length, interval):
    with database.write() as cursor:
        empty(cursor)
        happen(cursor, history)
        with_candles = bars(cursor, "btc_usd", at(start), at(start + length), interval)
        cursor.execute("UPDATE candles_closed SET closed_to = NULL")

        without = bars(cursor, "btc_usd", at(start), at(start + length), interval)

        pd.testing.assert_frame_equal(with_candles.drop(columns="averaged"), without.drop(columns="averaged"))


@examples(30)
@given(history=histories)
def test_the_summary_is_that_of_all_ticks(database, history):
    with database.write() as cursor:
        empty(cursor)
        happen(cursor, history)
        found = all_ticks(cursor)

        its = ticks.summary(cursor)

        assert its == {
            name: (len(instants), min(instants), max(instants))
            for name in NAMES
            if (instants := [each.ts for each in found if each.index_name == name])
        }


def test_a_candle_is_stored_when_its_time_is_over_and_not_before(database):
    with database.write() as cursor:
        empty(cursor)
        ticks.append(cursor, [tick(0), tick(59.9), tick(60)])

        candles.close(cursor, at(59.999))
        before = stored(cursor, "candles_1m")
        candles.close(cursor, at(119))

        assert before == []
        assert [each[1] for each in stored(cursor, "candles_1m")] == [at(0)]
        assert candles.closed_to(cursor) == at(60)


def test_closing_again_and_closing_earlier_change_nothing(database):
    with database.write() as cursor:
        empty(cursor)
        ticks.append(cursor, [tick(0), tick(60), tick(120)])
        candles.close(cursor, at(120))
        before = stored(cursor, "candles_1m")

        again = [candles.close(cursor, at(second)) for second in (120, 60, -3600)]

        assert again == [False, False, False]
        assert stored(cursor, "candles_1m") == before
        assert candles.closed_to(cursor) == at(120)


@pytest.mark.parametrize("ahead", [timedelta(minutes=2), timedelta(days=300)])
def test_a_clock_that_is_ahead_closes_nothing_that_ticks_may_come_into(database, ahead):
    with database.write() as cursor:
        empty(cursor)
        for first in range(0, 300, 30):
            ticks.append(cursor, [tick(second, name) for second in range(first, first + 30, 5) for name in NAMES])
            candles.close(cursor, at(first + 30) + ahead)

        assert candles.closed_to(cursor) == at(240)
        expect_candles_of_ticks(cursor)


def test_the_newest_tick_of_any_index_tells_how_far_candles_are_closed(database):
    with database.write() as cursor:
        empty(cursor)
        ticks.append(cursor, [tick(0), tick(130, "eth_usd")])

        candles.close(cursor, at(3600))

        assert candles.closed_to(cursor) == at(120)


@pytest.mark.parametrize("newest_s", [59, 90, 3600, 5000])
def test_a_mark_that_a_clock_left_far_ahead_is_taken_back_once(database, newest_s):
    """Each new tick would be late, and its minute and hour be folded anew."""
    with database.write() as cursor:
        empty(cursor)
        ticks.append(cursor, [tick(0), tick(newest_s), tick(newest_s - 10, "eth_usd")])
        cursor.execute("UPDATE candles_closed SET closed_to = '2027-09-01'")
        candles.refold_between(cursor, at(0), at(newest_s))
        expect_candles_of_ticks(cursor)

        marks = []
        for _ in range(2):
            candles.close(cursor, at(newest_s))
            marks.append(candles.closed_to(cursor))
            expect_candles_of_ticks(cursor)

        assert marks == [at(newest_s - newest_s % 60)] * 2
        ticks.append(cursor, [tick(newest_s + 3600)])
        candles.close(cursor, at(newest_s + 7200))
        expect_candles_of_ticks(cursor)


def test_a_mark_without_ticks_is_taken_back_to_none(database):
    with database.write() as cursor:
        empty(cursor)
        cursor.execute("UPDATE candles_closed SET closed_to = '2027-09-01'")

        candles.close(cursor, at(0))

        assert candles.closed_to(cursor) is None


def test_what_is_too_much_for_a_lease_is_closed_in_parts(database):
    days = [-400, -30, -3, -2.5, 0, 0.1]
    with database.write() as cursor:
        empty(cursor)
        ticks.append(cursor, [tick(86_400 * day) for day in days])
        ticks.append(cursor, [tick(86_500)])
    parts = []

    candles.rebuild(database, at(86_400), lambda done, total: parts.append((done, total)), most_ticks=2)

    assert len(parts) > 1
    assert parts == sorted(parts)
    assert parts[-1] == (401, 401)
    with database.read() as cursor:
        expect_candles_of_ticks(cursor)
        assert len(stored(cursor, "candles_1m")) == len(days)


def test_a_rebuild_makes_wrong_candles_right(database):
    with database.write() as cursor:
        empty(cursor)
        ticks.append(cursor, [tick(0), tick(3600), tick(7200)])
        candles.close(cursor, at(7200))
        cursor.execute("UPDATE candles_1m SET high = 0")
        cursor.execute("DELETE FROM candles_1h")

    candles.rebuild(database, at(7200))

    with database.read() as cursor:
        expect_candles_of_ticks(cursor)
        assert len(stored(cursor, "candles_1h")) == 2


def test_a_rebuild_of_nothing_is_nothing(database):
    with database.write() as cursor:
        empty(cursor)

    candles.rebuild(database, at(100))

    with database.read() as cursor:
        assert candles.closed_to(cursor) is None
        assert stored(cursor, "candles_1m") == []


@pytest.mark.parametrize("minutes_closed", [None, 0, 30, 90])
def test_a_stretch_is_folded_anew_as_far_as_candles_are_closed(database, minutes_closed):
    closed = None if minutes_closed is None else at(60 * minutes_closed)
    with database.write() as cursor:
        empty(cursor)
        ticks.append(cursor, [tick(second) for second in range(0, 7200, 60)])
        cursor.execute("UPDATE candles_closed SET closed_to = ?", [closed and closed.replace(tzinfo=None)])

        candles.refold_between(cursor, at(0), at(7140))

        assert stored(cursor, "candles_1m") == by_hand(all_ticks(cursor), MINUTE, closed)
        assert stored(cursor, "candles_1h") == by_hand(all_ticks(cursor), HOUR, closed)
