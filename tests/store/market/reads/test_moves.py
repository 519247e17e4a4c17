"""The known returns of an index are those between minutes next to each other that were observed whole."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from store.file.database import Database
from store.market.reads.moves import moves_by
from store.market.realised import Moves
from store.models import Tick
from store.prices import averages, candles
from tests.support.examples import examples
from tests.support.stored import append

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
NEAR_MIDNIGHT = datetime(2026, 11, 2, 23, 50, tzinfo=UTC)


def record(database: Database, closes: Sequence[float | None], start: datetime = NEAR_MIDNIGHT) -> None:
    """A tick early and a tick late in each minute, the later one with its close; none in a minute of None."""
    for number, close in enumerate(closes):
        if close is not None:
            at = start + number * MINUTE
            append(
                database,
                Tick("btc_usd", at + timedelta(seconds=5), 1.5 * close),
                Tick("btc_usd", at + timedelta(seconds=55), close),
            )


def close_candles(database: Database, until: datetime) -> None:
    with database.write() as cursor:
        candles.close(cursor, until)


def found_in(database: Database, start: datetime, end: datetime, step: timedelta = DAY) -> list[Moves]:
    with database.read() as cursor:
        return moves_by(cursor, "btc_usd", start, end, step)


def by_hand(closes: Sequence[float | None], first: int, last: int) -> Moves:
    """The returns whose later minute is from `first` to before `last`."""
    pairs = [(closes[number - 1], closes[number]) for number in range(max(1, first), min(last, len(closes)))]
    known = [math.log(close / before) ** 2 for before, close in pairs if before is not None and close is not None]
    return Moves(math.fsum(known), len(known))


@pytest.mark.parametrize("closed", [0, 7, 12, 30], ids="{} minutes are candles".format)
def test_the_returns_of_each_day_are_those_by_hand_from_candles_and_from_ticks(database, closed):
    closes = [100, 101, 99, None, 98, 97, 97, 98, 103, 104, 110, 108, None, None, 107, 106, 105]
    record(database, closes)
    close_candles(database, NEAR_MIDNIGHT + closed * MINUTE)

    found = found_in(database, NEAR_MIDNIGHT, NEAR_MIDNIGHT + 17 * MINUTE)

    assert [each.known for each in found] == [7, 4]
    assert found == [pytest.approx(by_hand(closes, 0, 10)), pytest.approx(by_hand(closes, 10, 17))]


def test_the_first_return_begins_with_the_minute_before(database):
    closes = [100, 101, 99, 98]
    record(database, closes)

    (found,) = found_in(database, NEAR_MIDNIGHT + 2 * MINUTE, NEAR_MIDNIGHT + 4 * MINUTE)

    assert found == pytest.approx(by_hand(closes, 2, 4))


@pytest.mark.parametrize("minutes", [1, 5, 15])
def test_steps_are_aligned_and_have_the_returns_of_their_minutes(database, minutes):
    closes = [100, 101, 99, 98, None, 97, 96, 99, 100, 105, 101, 100, 99]
    record(database, closes)

    found = found_in(database, NEAR_MIDNIGHT, NEAR_MIDNIGHT + 13 * MINUTE, minutes * MINUTE)

    begins = range(-5 if minutes == 15 else 0, 13, minutes)  # 23:45 is the start of a quarter
    assert found == [pytest.approx(by_hand(closes, first, first + minutes)) for first in begins]


def test_a_minute_counts_once_it_is_over(database):
    closes = [100, 101, 99]
    record(database, closes)

    (found,) = found_in(database, NEAR_MIDNIGHT, NEAR_MIDNIGHT + 2 * MINUTE + timedelta(seconds=59))

    assert found == pytest.approx(by_hand(closes, 0, 2))


@pytest.mark.parametrize("closed", [0, 30])
def test_an_average_makes_its_minute_unknown(database, closed):
    closes = [100, 101, None, 98, 97]
    record(database, closes)
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(NEAR_MIDNIGHT + 2 * MINUTE, 99.0)], 60)
    close_candles(database, NEAR_MIDNIGHT + closed * MINUTE)

    (found,) = found_in(database, NEAR_MIDNIGHT, NEAR_MIDNIGHT + 5 * MINUTE)

    assert found == pytest.approx(by_hand(closes, 0, 5))


def test_days_without_a_return_are_there_and_other_indexes_are_not(database):
    append(database, Tick("eth_usd", NEAR_MIDNIGHT, 5.0), Tick("eth_usd", NEAR_MIDNIGHT + MINUTE, 6.0))
    record(database, [100, 101], NEAR_MIDNIGHT + 2 * DAY)

    found = found_in(database, NEAR_MIDNIGHT, NEAR_MIDNIGHT + 2 * DAY + 2 * MINUTE)

    assert [each.known for each in found] == [0, 0, 1]
    assert found_in(database, NEAR_MIDNIGHT, NEAR_MIDNIGHT) == [Moves()]
    assert found_in(database, NEAR_MIDNIGHT, NEAR_MIDNIGHT - DAY) == []


@given(
    closes=st.lists(st.none() | st.integers(90, 110).map(float), min_size=4, max_size=25),
    at=st.integers(1, 25),
    closed=st.integers(0, 30),
)
@examples(20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_later_has_a_part_in_an_answer(new_database, closes, at, closed):
    forget(new_database)
    end = NEAR_MIDNIGHT + at * MINUTE
    record(new_database, closes[:at])
    before = found_in(new_database, NEAR_MIDNIGHT, end)

    record(new_database, closes[at:], end)
    close_candles(new_database, NEAR_MIDNIGHT + closed * MINUTE)

    assert found_in(new_database, NEAR_MIDNIGHT, end) == before


def forget(database: Database) -> None:
    """Take all prices out."""
    with database.write() as cursor:
        for table in ("ticks", "candles_1m", "candles_1h"):
            cursor.execute(f"DELETE FROM {table}")
        cursor.execute("UPDATE candles_closed SET closed_to = NULL")
