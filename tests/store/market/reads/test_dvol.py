"""A read of DVOL brings the recorded candles of one length and currency, without those that are not over yet."""

from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from poller.simulator.truth.listing import second_of
from poller.simulator.truth.volatility import candle
from store.file.database import Database
from store.file.exchange import admit
from store.instants import DAY, HOUR, MINUTE
from store.kinds import VOLATILITY_INDEX
from store.market.entries import EntriesOf
from store.market.reads.dvol import DVOL_INTERVALS, DvolCandle, dvol_candles
from store.models import Exchange
from tests.conftest import START
from tests.support.examples import examples

MIDNIGHT = START - timedelta(hours=12)


@pytest.fixture
def known(database: Database) -> Database:
    """A file of the simulator."""
    with database.write() as cursor:
        admit(cursor, Exchange.SIMULATOR, START)
    return database


def record(database: Database, interval: timedelta, *opened: datetime, currency: str = "BTC") -> None:
    length_s = interval // timedelta(seconds=1)
    log = EntriesOf(VOLATILITY_INDEX, currency, length_s)
    with database.write() as cursor:
        log.append(cursor, [(at, *candle(currency, second_of(at), length_s)) for at in opened])


def read(database: Database, start: datetime, end: datetime, interval: timedelta = MINUTE) -> list[DvolCandle]:
    with database.read() as cursor:
        return dvol_candles(cursor, "BTC", start, end, interval)


@pytest.mark.parametrize("interval", DVOL_INTERVALS)
def test_candles_are_what_was_published_ascending_without_those_of_other_lengths_and_currencies(
    known: Database, interval: timedelta
):
    opened = [MIDNIGHT + number * interval for number in (2, 0, 3)]
    for each in DVOL_INTERVALS:
        record(known, each, *(opened if each == interval else [MIDNIGHT]))
    record(known, interval, MIDNIGHT + interval, currency="ETH")

    found = read(known, MIDNIGHT, MIDNIGHT + 4 * interval, interval)

    length_s = interval // timedelta(seconds=1)
    assert found == [(at, *candle("BTC", second_of(at), length_s)) for at in sorted(opened)]
    assert found[0].low <= found[0].open <= found[0].high


@pytest.mark.parametrize(
    ("start_s", "end_s", "minutes"),
    [(60, 180, [1, 2]), (59, 181, [1, 2]), (61, 239, [2]), (60, 119, []), (180, 60, [])],
)
def test_a_candle_counts_if_it_opens_at_the_start_or_later_and_is_over_at_the_end(
    known: Database, start_s: int, end_s: int, minutes: list[int]
):
    record(known, MINUTE, *(START + minute * MINUTE for minute in range(5)))

    found = read(known, START + timedelta(seconds=start_s), START + timedelta(seconds=end_s))

    assert [each.open_time for each in found] == [START + minute * MINUTE for minute in minutes]


def test_a_day_that_is_not_over_is_left_out(known: Database):
    record(known, DAY, MIDNIGHT - DAY, MIDNIGHT)

    assert [each.open_time for each in read(known, MIDNIGHT - DAY, MIDNIGHT + 23 * HOUR, DAY)] == [MIDNIGHT - DAY]


@examples(25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    known_minutes=st.sets(st.integers(0, 20)),
    later=st.sets(st.integers(0, 20), min_size=1),
    end_s=st.integers(0, 1200),
)
def test_what_is_recorded_later_changes_no_answer(
    known: Database, known_minutes: set[int], later: set[int], end_s: int
):
    end = START + timedelta(seconds=end_s)
    with known.write() as cursor:
        cursor.execute("DELETE FROM volatility_index")
    record(known, MINUTE, *(START + minute * MINUTE for minute in known_minutes))
    before = read(known, START, end)

    first = -(-end_s // 60)
    record(known, MINUTE, *(START + (first + minute) * MINUTE for minute in later))

    assert read(known, START, end) == before
