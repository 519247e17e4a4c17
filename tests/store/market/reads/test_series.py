"""A series in steps of time equals what pandas makes of the same rows, and nothing later has a part in it."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from store.file.database import Database
from store.instants import DAY, HOUR, MINUTE
from store.kinds import SURFACES, TENORS_D
from store.ledger import arrivals
from store.market import chains
from store.market.reads.series import BASIS_D, Series, all_series, closes_by, first_known, values_by
from store.models import Cause, Gap, Tick
from store.prices import averages
from tests.conftest import START
from tests.store.market.snapshots import EXPIRIES, chain
from tests.support.carry import record_funding, record_futures
from tests.support.market import futures, interpolated_basis
from tests.support.stored import append
from tests.support.volatility import dvol, record_all_lengths, record_dvol

DVOL, FUNDING = Series("DVOL", "BTC"), Series("funding", "BTC")
BASIS, IV = Series("basis", "BTC", 90), Series("IV", "BTC", 30)
FIVE = 5 * MINUTE


def read(
    database: Database, series: Series, start: datetime, end: datetime, step: timedelta, gaps: list[Gap] | None = None
) -> pd.DataFrame:
    with database.read() as cursor:
        return values_by(cursor, series, start, end, step, gaps or [])


def by_time(found: pd.DataFrame) -> dict[Any, float]:
    return dict(zip(found["open_time"], found["value"], strict=True))


def opened(known: "pd.Series[float]", step: timedelta) -> pd.DatetimeIndex:
    """The steps of values that are known at the end of something."""
    return (pd.DatetimeIndex(known.index) - pd.Timedelta(microseconds=1)).floor(step)


def record_chains(database: Database, *times: datetime, **more: Any) -> None:
    with database.write() as cursor:
        chains.append(cursor, [chain(at, **more) for at in times])


def gap(feed: str, start: datetime, end: datetime) -> Gap:
    return Gap(feed, start, end, 1, 300, Cause.UNREACHABLE, "refused")


def test_a_series_has_its_name_on_screen_and_in_addresses():
    every = all_series(["BTC", "ETH"])

    assert [Series.of(each.name) for each in every] == every
    assert len(every) == 2 * (2 + len(BASIS_D) + len(TENORS_D))
    assert [each.name for each in (DVOL, BASIS, IV, FUNDING)] == [
        "BTC DVOL",
        "BTC basis 90 d",
        "BTC IV 30 d",
        "BTC funding",
    ]
    assert [each.feed for each in (DVOL, BASIS, IV, FUNDING)] == [None, "futures/BTC", "options/BTC", None]


@pytest.mark.parametrize("name", ["btc_usd", "BTC IV", "BTC IV 31 d", "BTC DVOL 30 d", "BTC price", ""])
def test_any_other_name_is_no_series(name):
    assert Series.of(name) is None


def test_dvol_of_a_step_is_its_last_close(database):
    record_all_lengths(database, START)

    found = read(database, DVOL, START - 6 * HOUR, START, FIVE)

    assert by_time(found) == {
        at: dvol(at + FIVE - MINUTE) for at in (START - 6 * HOUR + number * FIVE for number in range(72))
    }
    assert not found["gap_before"].any()
    assert not found["averaged"].any()


@pytest.mark.parametrize("step", [MINUTE, HOUR, 6 * HOUR, DAY])
def test_the_longer_candles_stand_for_the_time_without_shorter_ones(database, step):
    record_all_lengths(database, START)
    start = START - 60 * DAY

    found = read(database, DVOL, start, START, step)

    ends = set()
    for length, days in ((DAY, 400), (HOUR, 40), (MINUTE, 2)):
        first = START - 12 * HOUR - days * DAY
        ends |= {first + number * length for number in range(1, (START - first) // length + 1)}
    known = pd.Series({at: dvol(at - MINUTE) for at in sorted(ends) if at > start - step})
    expected = known.groupby(opened(known, step)).last()
    expected = expected[expected.index >= pd.Timestamp(start).floor(step)]
    assert by_time(found) == expected.to_dict()
    assert not found["gap_before"].any()


def test_a_line_of_dvol_breaks_where_candles_are_missing(database):
    record_dvol(database, START, START + 10 * MINUTE, MINUTE)
    record_dvol(database, START + 20 * MINUTE, START + 30 * MINUTE, MINUTE)

    found = read(database, DVOL, START, START + HOUR, MINUTE)

    assert list(found["open_time"][found["gap_before"]]) == [START + 20 * MINUTE]
    assert len(found) == 20


def test_funding_of_a_step_is_the_annual_mean_of_its_known_hours(database):
    known = record_funding(database, START, 30, without=(4, 5))

    found = read(database, FUNDING, START - 24 * HOUR, START, 2 * HOUR)
    hours = read(database, FUNDING, START - 24 * HOUR, START, MINUTE)

    rates = pd.Series(dict(known))
    rates = rates[rates.index > START - 24 * HOUR]
    expected = 876_000 * rates.groupby(opened(rates, 2 * HOUR)).mean()
    assert by_time(found) == pytest.approx(expected.to_dict())
    assert by_time(hours) == pytest.approx(
        {at - MINUTE: 876_000 * rate for at, rate in known if at > START - 24 * HOUR}
    )
    assert list(hours["open_time"][hours["gap_before"]]) == [START - 3 * HOUR - MINUTE]


def test_the_basis_of_a_step_is_that_of_its_last_snapshot(database):
    times = [START + number * 2 * MINUTE for number in range(6)]
    snapshots = dict(zip(times, record_futures(database, *times), strict=True))

    found = read(database, BASIS, START, START + HOUR, FIVE)

    last = {START: times[2], START + FIVE: times[4], START + 2 * FIVE: times[5]}
    assert by_time(found) == pytest.approx(
        {at: 100 * interpolated_basis(snapshots[of], 90 * DAY) for at, of in last.items()}
    )


def test_iv_is_the_column_of_the_surface(database):
    times = [START + number * FIVE for number in range(3)]
    record_chains(database, *times)

    found = {days: read(database, Series("IV", "BTC", days), START, START + HOUR, FIVE) for days in TENORS_D}

    with database.read() as cursor:
        columns = ", ".join(f"iv_{days}d" for days in TENORS_D)
        rows = cursor.execute(f"SELECT {columns} FROM {SURFACES.table} ORDER BY ts").fetchall()
    for place, days in enumerate(TENORS_D):
        assert list(found[days]["value"]) == [row[place] for row in rows if row[place] is not None]
    assert len(found[30]) == 3
    assert len(found[365]) == 0


def test_a_gap_that_leaves_a_step_empty_breaks_the_line(database):
    record_chains(database, START, START + FIVE, START + 4 * FIVE, START + 8 * FIVE)
    gaps = [
        gap("options/BTC", START + 2 * FIVE, START + 3 * FIVE),
        gap("options/BTC", START - HOUR, START - HOUR + FIVE),
        gap("options/BTC", START + 2 * HOUR, START + 3 * HOUR),
    ]

    found = read(database, IV, START, START + HOUR, FIVE, gaps)
    coarse = read(database, IV, START, START + HOUR, 30 * MINUTE, gaps)

    assert list(found["open_time"][found["gap_before"]]) == [START + 4 * FIVE]
    assert not coarse["gap_before"].any()


def test_a_snapshot_without_the_value_breaks_the_line(database):
    record_chains(database, START, START + 2 * FIVE)
    record_chains(database, START + FIVE, expiries=EXPIRIES[:1])

    found = read(database, IV, START, START + HOUR, FIVE)

    assert list(found["open_time"]) == [START, START + 2 * FIVE]
    assert list(found["gap_before"]) == [False, True]


def test_a_series_without_a_row_is_empty(database):
    for series in (DVOL, BASIS, IV, FUNDING):
        found = read(database, series, START, START + DAY, HOUR)
        assert list(found.columns) == ["open_time", "value", "averaged", "gap_before"]
        assert found.empty
        with database.read() as cursor:
            assert first_known(cursor, series) is None


def test_the_record_of_a_series_begins_with_its_first_row(database):
    record_dvol(database, START - DAY, START, HOUR)
    record_futures(database, START, START + HOUR)
    record_chains(database, START + FIVE)
    known = record_funding(database, START, 3)

    with database.read() as cursor:
        found = [first_known(cursor, series) for series in (DVOL, BASIS, IV, FUNDING)]

    assert found == [START - DAY, START, START + FIVE, known[0][0]]


@pytest.mark.parametrize("step", [MINUTE, FIVE, HOUR, DAY])
def test_nothing_later_than_the_end_has_a_part(database, step):
    end = START + 32 * MINUTE
    record_all_lengths(database, end)
    record_funding(database, end, 10)
    record_futures(database, START, START + 10 * MINUTE, START + 30 * MINUTE)
    record_chains(database, START, START + 30 * MINUTE)
    append(database, *(Tick("btc_usd", START + number * MINUTE, 100.0 + number) for number in range(32)))
    start = START - DAY

    def everything() -> list[pd.DataFrame]:
        with database.read() as cursor:
            closes = closes_by(cursor, "btc_usd", start, end, step)
        return [*(read(database, series, start, end, step) for series in (DVOL, BASIS, IV, FUNDING)), closes]

    before = everything()
    record_dvol(database, end, end + 3 * HOUR, MINUTE)
    record_dvol(database, START, START + 3 * HOUR, HOUR)
    record_dvol(database, START - 12 * HOUR, START + 12 * HOUR, DAY)
    record_funding(database, end + 3 * HOUR, 3)
    with database.write() as cursor:
        arrivals.append(cursor, [futures("BTC", end)])
    record_chains(database, end, end + FIVE, iv=80.0)
    append(database, Tick("btc_usd", end, 500.0), Tick("btc_usd", end + MINUTE, 600.0))

    for then, now in zip(before, everything(), strict=True):
        assert len(then)
        pd.testing.assert_frame_equal(then, now)


def test_closes_are_the_last_ticks_of_each_step(database):
    noise = np.random.default_rng(3)
    ticks = [
        Tick("btc_usd", START + timedelta(seconds=7 * number), float(noise.uniform(90, 110))) for number in range(500)
    ]
    append(database, *ticks)
    start, end = START + 7 * MINUTE, START + 40 * MINUTE

    with database.read() as cursor:
        found = closes_by(cursor, "btc_usd", start, end, FIVE)

    prices = pd.Series([tick.price for tick in ticks], pd.DatetimeIndex([tick.ts for tick in ticks]))
    expected = prices[(prices.index >= START + FIVE) & (prices.index < end)].groupby(lambda at: at.floor("5min")).last()
    assert by_time(found) == expected.to_dict()


def test_an_average_that_goes_on_after_the_end_has_no_close(database):
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(START + number * HOUR, 100.0 + number) for number in range(-3, 2)], 3600)

    with database.read() as cursor:
        found = closes_by(cursor, "btc_usd", START - 2 * HOUR, START + 30 * MINUTE, HOUR)

    assert by_time(found) == {START - 2 * HOUR: 98.0, START - HOUR: 99.0}
    assert found["averaged"].all()
