"""The volatility as of an instant equals an independent calculation, and nothing later has a part in it."""

from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from store.file.database import Database
from store.instants import DAY, HOUR, MINUTE
from store.market import chains
from store.market.reads import as_of
from store.market.reads.volatility import (
    MONTH,
    YEAR,
    Known,
    VolatilityAt,
    cone,
    currencies,
    dvol_at,
    dvol_bars,
    first_surface,
    realised_at,
    realised_by,
    surfaces_by,
    volatility_at,
)
from store.models import Tick
from tests.conftest import START
from tests.store.market.snapshots import chain
from tests.support.stored import append
from tests.support.volatility import dvol, realised_by_hand, record_all_lengths, record_dvol, record_minutes, walk

MICROSECOND = timedelta(microseconds=1)
AT = START + timedelta(minutes=7, seconds=30)
OVER = AT.replace(second=0)
MIDNIGHT = START - 12 * HOUR


def asked(database: Database, at: datetime = AT) -> VolatilityAt:
    with database.read() as cursor:
        return volatility_at(cursor, "BTC", at)


def test_nothing_is_known_of_an_empty_file(database):
    found = asked(database)

    assert (found.dvol, found.before, found.month_before, found.standing) == (None, None, None, None)
    assert (found.moves.known, found.realised, found.surface, found.dvol_of_surface) == (0, None, None, None)
    assert (found.premium_now, found.premium_later) == (None, None)


def test_dvol_is_the_close_of_the_newest_minute_with_that_of_a_before(database):
    record_all_lengths(database, AT)

    found = asked(database)

    assert found.dvol == Known(OVER, dvol(OVER - MINUTE))
    assert found.before == Known(OVER - DAY, dvol(OVER - DAY - MINUTE))
    assert found.month_before == Known(START - MONTH, dvol(START - MONTH - MINUTE))


def test_dvol_alone_is_the_same_at_any_instant(database):
    record_all_lengths(database, AT)

    with database.read() as cursor:
        found = {at: dvol_at(cursor, "BTC", at) for at in (AT, AT - MINUTE, AT - 300 * DAY, AT - 500 * DAY)}

    assert found[AT] == (Known(OVER, dvol(OVER - MINUTE)), Known(OVER - DAY, dvol(OVER - DAY - MINUTE)))
    assert found[AT - 500 * DAY] == (None, None)
    assert all(its == (asked(database, at).dvol, asked(database, at).before) for at, its in found.items())


def test_a_dvol_without_minutes_is_that_of_the_newest_hour_or_day(database):
    record_dvol(database, MIDNIGHT - 10 * DAY, AT, DAY)
    days_only = asked(database)

    record_dvol(database, MIDNIGHT, AT, HOUR)

    assert days_only.dvol == Known(MIDNIGHT, dvol(MIDNIGHT - MINUTE))
    assert asked(database).dvol == Known(START, dvol(START - MINUTE))
    assert asked(database).before is None


def test_rank_and_percentile_rest_on_the_daily_closes_of_a_year(database):
    record_all_lengths(database, AT)

    found = asked(database)

    days = [dvol(MIDNIGHT - number * DAY - MINUTE) for number in range(364)]
    now = dvol(OVER - MINUTE)
    assert found.standing is not None
    assert found.standing.days == 364
    assert found.standing.rank == pytest.approx((now - min(days)) / (max(days) - min(days)))
    assert found.standing.percentile == pytest.approx(np.mean(np.array(days) < now))


def test_days_that_are_known_are_counted(database):
    record_dvol(database, MIDNIGHT - 10 * DAY, AT, DAY)

    found = asked(database).standing

    assert found is not None
    assert found.days == 10


def test_realised_volatility_and_both_premia_are_those_of_thirty_days(database):
    record_all_lengths(database, AT)
    closes = walk(START - 40 * DAY, START + HOUR, known=0.9)
    record_minutes(database, closes)

    found = asked(database)

    expected = realised_by_hand(closes, OVER - MONTH, OVER)
    assert found.realised == pytest.approx(expected)
    assert found.premium_now == pytest.approx(_premium(dvol(OVER - MINUTE), expected))
    assert found.premium_later == pytest.approx(_premium(dvol(START - MONTH - MINUTE), expected))


def _premium(implied: float, realised: float) -> tuple[float, float]:
    return implied - realised, (implied / 100) ** 2 - (realised / 100) ** 2


@pytest.mark.parametrize(("hours", "known"), [(1, True), (3, False)])
def test_an_old_dvol_has_no_premium_of_now(database, hours, known):
    record_dvol(database, AT - DAY, AT - hours * HOUR, MINUTE)
    record_minutes(database, walk(AT - MONTH, AT))

    found = asked(database)

    assert found.dvol is not None
    assert (found.premium_now is not None) == known


@pytest.mark.parametrize(("days", "shown"), [(16, True), (14, False)])
def test_half_of_the_minutes_of_thirty_days_are_enough(database, days, shown):
    record_minutes(database, walk(AT - days * DAY, AT))

    found = asked(database)

    assert found.moves.known > 14 * 1440 - 5
    assert (found.realised is not None) == shown


def test_the_newest_surface_has_the_dvol_of_its_moment_beside_it(database):
    record_all_lengths(database, AT)
    with database.write() as cursor:
        chains.append(cursor, [chain(START - HOUR), chain(START + MINUTE), chain(AT + MINUTE)])

    found = asked(database)

    with database.read() as cursor:
        (row,) = as_of.surfaces(cursor, "BTC", START, AT)
    assert found.surface is not None
    assert (found.surface.ts, found.surface.iv_30d, found.surface.iv_chain_30d) == (START + MINUTE, row[3], row[22])
    assert found.dvol_of_surface == Known(START + MINUTE, dvol(START))


@pytest.mark.parametrize("step", [MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, DAY, 7 * DAY])
def test_bars_of_dvol_are_the_recorded_candles_folded(database, step):
    record_all_lengths(database, AT)

    with database.read() as cursor:
        found = dvol_bars(cursor, "BTC", MIDNIGHT - DAY, AT, step)

    assert found[-1].close == dvol(OVER - MINUTE)
    assert all(before.open_time < bar.open_time for before, bar in pairwise(found))
    assert all(bar.low < min(bar.open, bar.close) <= max(bar.open, bar.close) < bar.high for bar in found)
    whole = found[0]
    assert whole.open_time <= MIDNIGHT - DAY < whole.open_time + step
    assert (whole.open, whole.close) == (
        dvol(whole.open_time),
        dvol(min(whole.open_time + step, OVER) - MINUTE),
    )


def test_a_bar_has_the_extremes_of_its_candles_and_a_missing_one_is_absent(database):
    for hour in (0, 1, 2, 8):
        record_dvol(database, MIDNIGHT + hour * HOUR, MIDNIGHT + (hour + 1) * HOUR, HOUR)

    with database.read() as cursor:
        first, third = dvol_bars(cursor, "BTC", MIDNIGHT, AT, 4 * HOUR)

    hours = [sorted((dvol(MIDNIGHT + hour * HOUR), dvol(MIDNIGHT + (hour + 1) * HOUR - MINUTE))) for hour in range(3)]
    assert (first.high, first.low) == (max(high for _, high in hours) + 0.5, min(low for low, _ in hours) - 0.5)
    assert (first.open_time, third.open_time) == (MIDNIGHT, MIDNIGHT + 8 * HOUR)


@pytest.mark.parametrize("step", [15 * MINUTE, 4 * HOUR, DAY])
def test_realised_volatility_over_a_time_is_that_of_the_thirty_days_before_each_point(database, step):
    closes = walk(START - 45 * DAY, AT, known=0.9)
    record_minutes(database, closes)

    with database.read() as cursor:
        found = realised_by(cursor, "BTC", START - 20 * DAY, AT, step)

    assert all(START - 20 * DAY <= at <= AT and (at - MIDNIGHT) % step == timedelta(0) for at, _ in found)
    assert found[-1][0] > AT - step
    for at, value in found[:: max(1, len(found) // 10)]:
        assert (at - MONTH < closes.index[0] and value is None) or value == pytest.approx(
            realised_by_hand(closes, at - MONTH, at)
        )


def test_a_cone_is_the_spread_of_what_was_realised_at_the_ends_of_the_days(database):
    closes = walk(MIDNIGHT - 40 * DAY, AT)
    record_minutes(database, closes)

    with database.read() as cursor:
        week, month, quarter, half_a_year = cone(cursor, "BTC", AT)

    ends = [MIDNIGHT - number * DAY for number in range(37)]  # half of a week is enough
    of_weeks = [realised_by_hand(closes, end - 7 * DAY, end) for end in ends]
    assert week == pytest.approx((*np.quantile(of_weeks, [0, 0.25, 0.5, 0.75, 1]), 37))
    assert (month and month.days, quarter, half_a_year) == (25, None, None)  # fifteen days lack their first return


def test_surfaces_over_a_time_are_the_last_one_of_each_step(database):
    times = [START + number * timedelta(minutes=5) for number in range(12)]
    with database.write() as cursor:
        chains.append(cursor, [chain(at, iv=40 + number) for number, at in enumerate(times)])
        chains.append(cursor, [chain(START + MINUTE, "ETH")])

    with database.read() as cursor:
        found = surfaces_by(cursor, "BTC", times[1], times[10], 15 * MINUTE)
        whole = as_of.surfaces(cursor, "BTC", times[0], times[-1])
        firsts = [first_surface(cursor, currency) for currency in ("BTC", "ETH", "SOL")]

    assert [each.ts for each in found] == [times[number] for number in (2, 5, 8, 9)]
    columns = {row[0]: row for row in whole}
    assert all(each[1:7] == tuple(columns[each.ts][place] for place in (1, 3, 5, 6, 10, 17)) for each in found)
    assert firsts == [START, START + MINUTE, None]


def test_currencies_are_those_with_a_dvol_or_a_chain(database):
    record_dvol(database, MIDNIGHT, MIDNIGHT + HOUR, HOUR, "ETH")
    record_dvol(database, MIDNIGHT, MIDNIGHT + HOUR, HOUR, "BTC")
    with database.write() as cursor:
        chains.append(cursor, [chain(START, name) for name in ("BTC", "SOL", "SOL_USDC")])

    with database.read() as cursor:
        assert currencies(cursor) == ["BTC", "ETH", "SOL"]


def test_a_chain_of_the_very_instant_is_the_newest_one(database):
    with database.write() as cursor:
        chains.append(cursor, [chain(START), chain(AT)])

    found = asked(database).surface

    assert found is not None
    assert found.ts == AT


def test_the_day_of_the_first_known_return_is_told(database):
    record_minutes(database, walk(AT - 3 * DAY, AT))

    found = asked(database)

    assert found.moves_since == MIDNIGHT - 3 * DAY
    assert found.realised is None


def test_where_there_are_no_minutes_dvol_before_is_that_of_an_hour(database):
    record_dvol(database, MIDNIGHT - 40 * DAY, AT, HOUR)

    with database.read() as cursor:
        found = volatility_at(cursor, "BTC", AT, 7 * DAY)

    assert found.before == Known(START - 7 * DAY, dvol(START - 7 * DAY - MINUTE))


def test_realised_volatility_of_each_window_ends_at_the_instant(database):
    closes = walk(AT - 40 * DAY, AT + HOUR, known=0.95)
    record_minutes(database, closes)

    with database.read() as cursor:
        found = realised_at(cursor, "BTC", AT)

    expected = [realised_by_hand(closes, OVER - days * DAY, OVER) for days in (7, 30)]
    assert found == [*(pytest.approx(each) for each in expected), None, None]


def test_nothing_later_has_a_part_in_an_answer(database):
    record_all_lengths(database, AT)
    closes = walk(AT - 40 * DAY, AT + DAY)
    record_minutes(database, closes[closes.index < AT - MINUTE])
    append(database, Tick("btc_usd", AT - timedelta(seconds=50), 80_000.0))
    with database.write() as cursor:
        chains.append(cursor, [chain(START)])
    before = every_answer(database)

    record_all_lengths(database, AT + DAY)
    append(database, Tick("btc_usd", AT + MINUTE, 90_000.0), Tick("btc_usd", AT + timedelta(seconds=1), 70_000.0))
    with database.write() as cursor:
        chains.append(cursor, [chain(AT + MICROSECOND), chain(AT + HOUR)])

    assert every_answer(database) == before


def every_answer(database: Database) -> list[object]:
    with database.read() as cursor:
        return [
            volatility_at(cursor, "BTC", AT),
            dvol_bars(cursor, "BTC", AT - YEAR, AT, 7 * DAY),
            dvol_bars(cursor, "BTC", AT - DAY, AT, 15 * MINUTE),
            realised_by(cursor, "BTC", AT - DAY, AT, 15 * MINUTE),
            surfaces_by(cursor, "BTC", AT - DAY, AT, HOUR),
            cone(cursor, "BTC", AT),
            realised_at(cursor, "BTC", AT),
        ]
