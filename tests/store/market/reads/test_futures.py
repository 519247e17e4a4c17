"""Futures, their basis and funding equal what pandas and plain arithmetic make of the simulator's market."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from poller.simulator.truth.funding import funding
from poller.simulator.truth.listing import second_of
from store.file.database import Cursor, Database
from store.file.exchange import admit
from store.instants import DAY, HOUR
from store.kinds import FUNDING
from store.ledger import arrivals
from store.market.carry import funding_over
from store.market.entries import EntriesOf
from store.market.reads.funding import FundingHour, funding_hours
from store.market.reads.futures import Carry, Quoted, Spread, basis_over, carry_of, futures_at, spreads_of
from store.market.reads.snapshots import EACH, SnapshotAt, count_between
from store.models import Exchange, Snapshot
from tests.conftest import START
from tests.support.examples import examples
from tests.support.market import futures

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
YEAR_S = 365 * 86_400
PERPETUAL = "BTC-PERPETUAL"


@pytest.fixture
def simulated(database: Database) -> Database:
    """A file of the simulator."""
    with database.write() as cursor:
        admit(cursor, Exchange.SIMULATOR, START)
    return database


def record(database: Database, *seconds: int, currency: str = "BTC") -> list[Snapshot]:
    snapshots = [futures(currency, START + second * SECOND) for second in seconds]
    with database.write() as cursor:
        arrivals.append(cursor, snapshots)
    return snapshots


def read(database: Database, at: datetime) -> SnapshotAt[Quoted]:
    with database.read() as cursor:
        found = futures_at(cursor, "BTC", at)
    assert found is not None
    return found


def test_futures_at_an_instant_are_those_of_the_newest_snapshot_the_perpetual_first(simulated: Database):
    _, newest, *_ = record(simulated, 0, 60, 120)
    record(simulated, 60, currency="ETH")

    found = read(simulated, START + 119 * SECOND)

    assert (found.ts, found.age) == (START + MINUTE, 59 * SECOND)
    assert (found.index_price, found.row_count) == (newest.index_price, len(newest.rows))
    assert set(found.rows) == set(newest.rows)
    assert found.rows[0].instrument_name == PERPETUAL
    expiries = [each.expiry for each in found.rows[1:]]
    assert expiries == sorted(filter(None, expiries))


def test_each_basis_equals_that_of_pandas(simulated: Database):
    record(simulated, 0)

    found = read(simulated, START)

    assert found.index_price is not None
    frame = pd.DataFrame(found.rows)
    plain = frame["mark_price"] / found.index_price - 1
    left_s = (pd.to_datetime(frame["expiry"]) - START).dt.total_seconds()
    annual = (plain / (left_s / YEAR_S)).where(left_s >= 86_400)
    ours = pd.DataFrame([carry_of(each, found.ts, found.index_price) for each in found.rows], dtype=float)
    np.testing.assert_allclose(ours["basis"], plain, rtol=1e-12)
    np.testing.assert_allclose(ours["annual_basis"], annual, rtol=1e-12)
    assert 1 < annual.notna().sum() < len(annual)


def test_what_is_not_known_has_no_basis(simulated: Database):
    record(simulated, 0)
    future = read(simulated, START).rows[1]

    assert carry_of(future, START, None) == Carry(None, None)
    assert carry_of(future._replace(mark_price=None), START, 100_000) == Carry(None, None)


def test_there_is_no_basis_while_a_snapshot_has_the_mean_of_the_index(simulated: Database):
    half_past_seven, eight = (round((hour - START.hour) * 3600) for hour in (7.5, 8))
    record(simulated, half_past_seven - 60, half_past_seven, eight, eight + 60)

    found = [read(simulated, START + second * SECOND) for second in (half_past_seven - 60, half_past_seven)]
    with simulated.read() as cursor:
        over = basis_over(cursor, "BTC", START - DAY, START, timedelta(days=90))

    bases = [[carry_of(row, each.ts, each.index_price).basis for row in each.rows] for each in found]
    assert None not in bases[0]
    assert set(bases[1]) == {None}
    assert [each.annual_basis is None for each in over] == [False, True, True, False]
    assert None not in [each.index_price for each in over]


def test_rows_of_minutes_and_days_are_no_snapshot(simulated: Database):
    record(simulated, 0)
    with simulated.write() as cursor:
        for resolution_s, second in ((60, 0), (60, 60), (86_400, 0)):
            cursor.execute(
                "INSERT INTO futures (currency, instrument_name, ts, last, source, resolution_s) "
                "VALUES ('BTC', 'BTC-PERPETUAL', ?, 1, 'chart', ?)",
                [(START + second * SECOND).replace(tzinfo=None), resolution_s],
            )

    found = read(simulated, START + MINUTE)

    assert found.ts == START
    assert len(found.rows) == found.row_count


@pytest.mark.parametrize("days", [30, 90, 180])
def test_the_basis_at_a_constant_maturity_equals_interpolation_by_numpy(simulated: Database, days: int):
    snapshots = record(simulated, 0, 600, 1200)

    with simulated.read() as cursor:
        found = basis_over(cursor, "BTC", START, START + 1200 * SECOND, timedelta(days=days))

    for ours, snapshot in zip(found, snapshots[:2], strict=True):
        assert snapshot.index_price is not None
        listed = sorted(
            ((row[1] - snapshot.ts).total_seconds(), math.log(row[2] / snapshot.index_price))
            for row in snapshot.rows
            if row[1] and row[1] - snapshot.ts >= DAY
        )
        seconds, logs = zip(*listed, strict=True)
        expected = math.expm1(np.interp(days * 86_400, seconds, logs)) / (days / 365)
        assert ours[:2] == (snapshot.ts, snapshot.index_price)
        assert ours.annual_basis == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("interval", "seconds"), [(MINUTE, (40, 60, 170)), (HOUR, (170,))])
def test_of_each_interval_the_last_snapshot_counts(simulated: Database, interval: timedelta, seconds: tuple[int, ...]):
    record(simulated, 0, 40, 60, 130, 170, 172)

    with simulated.read() as cursor:
        every = basis_over(cursor, "BTC", START, START + 172 * SECOND, timedelta(days=90))
        found = basis_over(cursor, "BTC", START, START + 172 * SECOND, timedelta(days=90), interval)
        counts = [count_between(cursor, "futures/BTC", START, START + 172 * SECOND, each) for each in (EACH, interval)]

    assert found == [each for each in every if each.ts in {START + second * SECOND for second in seconds}]
    assert counts == [len(every), len(found)] == [5, len(seconds)]


@pytest.mark.parametrize(("interval", "hours"), [(MINUTE, (19, 19.75, 20, 20.25)), (4 * HOUR, (19, 20.25))])
def test_an_interval_that_ends_in_the_half_hour_of_settlement_has_the_basis_before_it(
    simulated: Database, interval: timedelta, hours: tuple[float, ...]
):
    record(simulated, *(round(3600 * hour) for hour in (18, 19, 19.75, 20, 20.25)))  # 20 h after START it is 08:00

    with simulated.read() as cursor:
        found = basis_over(cursor, "BTC", START + 18.5 * HOUR, START + DAY, timedelta(days=90), interval)

    assert [each.ts for each in found] == [START + hour * HOUR for hour in hours]
    assert [each.annual_basis is None for each in found] == [19.5 <= hour <= 20 for hour in hours]


def test_beyond_the_futures_and_without_an_index_price_there_is_no_basis(simulated: Database):
    record(simulated, 0, 60)
    with simulated.write() as cursor:
        cursor.execute("UPDATE snapshots SET index_price = NULL WHERE ts > ?", [START.replace(tzinfo=None)])

    with simulated.read() as cursor:
        far = basis_over(cursor, "BTC", START, START + DAY, timedelta(days=3000))
        near = basis_over(cursor, "BTC", START, START + DAY, timedelta(days=90))

    assert [each.annual_basis for each in far] == [None, None]
    assert [each.annual_basis is None for each in near] == [False, True]


def pay(database: Database, *hours: int, instrument: str = PERPETUAL) -> list[FundingHour]:
    paid = [
        FundingHour(at, 100_000.0, funding("BTC", second_of(at), 1), funding("BTC", second_of(at), 8))
        for at in (START + hour * HOUR for hour in hours)
    ]
    with database.write() as cursor:
        EntriesOf(FUNDING, instrument).append(cursor, paid)
    return paid


@pytest.mark.parametrize(
    ("start_h", "end_h", "ends"), [(0, 4, [1, 2, 4]), (0.01, 4, [2, 4]), (0, 3.99, [1, 2]), (4, 0, [])]
)
def test_the_hours_of_funding_lie_whole_in_the_time_as_in_their_sum(
    simulated: Database, start_h: float, end_h: float, ends: list[int]
):
    paid = {each.ts: each for each in pay(simulated, 4, 0, 1, 2, 5)}
    pay(simulated, 3, instrument="ETH-PERPETUAL")
    start, end = START + start_h * HOUR, START + end_h * HOUR

    with simulated.read() as cursor:
        found = funding_hours(cursor, PERPETUAL, start, end)

    assert found == [paid[START + hour * HOUR] for hour in ends]
    total = funding_over([(each.ts, each.interest_1h) for each in paid.values()], start, end)
    assert (len(found), sum(each.interest_1h for each in found)) == (total.hours_known, total.cumulated or 0)


READS: tuple[Callable[[Cursor, datetime], Any], ...] = (
    lambda cursor, at: futures_at(cursor, "BTC", at),
    lambda cursor, at: basis_over(cursor, "BTC", START - DAY, at, timedelta(days=90)),
    lambda cursor, at: funding_hours(cursor, PERPETUAL, START - DAY, at),
)
SECONDS = st.integers(0, 120).map(lambda half_minutes: 30 * half_minutes)


@examples(15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(known=st.sets(SECONDS, max_size=3), later=st.sets(SECONDS, min_size=1, max_size=3), at=SECONDS)
def test_what_is_recorded_later_changes_no_answer(simulated: Database, known: set[int], later: set[int], at: int):
    instant = START + at * SECOND
    with simulated.write() as cursor:
        for table in ("snapshots", "futures", "funding"):
            cursor.execute(f"DELETE FROM {table}")
    record(simulated, *known)
    pay(simulated, 0)
    with simulated.read() as cursor:
        before = [each(cursor, instant) for each in READS]

    record(simulated, *(at + 2 + each for each in later))
    pay(simulated, *(at // 3600 + 1 + each // 60 for each in later))

    with simulated.read() as cursor:
        assert [each(cursor, instant) for each in READS] == before


def quoted(name: str, expiry: datetime | None, mark_price: float | None) -> Quoted:
    return Quoted(name, expiry, mark_price, *[None] * 8)


def spreads(*rows: Quoted) -> tuple[Spread, ...]:
    return spreads_of(SnapshotAt(START, START, "live", len(rows), 100.0, 0, "futures/BTC", START, rows))


def test_a_spread_is_between_neighbouring_expiries_in_whatever_order_they_come():
    far, near = quoted("far", START + 30 * DAY, 103.0), quoted("near", START + 10 * DAY, 102.0)

    (found,) = spreads(far, quoted("perpetual", None, 99.0), quoted("expired", START, 98.0), near)

    assert found[:4] == ("near", "far", 20 * DAY, 1.0)
    assert found.annual_spread == pytest.approx(1 / 102 * 365 / 20)


@pytest.mark.parametrize("mark_price", [None, 0.0])
def test_a_spread_without_a_mark_is_not_known(mark_price):
    near, far = quoted("near", START + DAY, mark_price), quoted("far", START + 8 * DAY, 103.0)

    assert spreads(near, far) == (Spread("near", "far", 7 * DAY, None, None),)


def test_below_a_day_between_expiries_a_spread_has_no_rate():
    near, far = quoted("near", START + DAY, 100.0), quoted("far", START + DAY + 23 * HOUR, 101.0)

    assert spreads(near, far) == (Spread("near", "far", 23 * HOUR, 1.0, None),)
