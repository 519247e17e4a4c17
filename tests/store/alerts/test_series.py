"""The numbers that rules of markets watch are those of other calculations, and only observed rows have a part."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from store.alerts.rules.bounded import Series
from store.alerts.series import newest, values
from store.file.database import Database
from store.instants import DAY, EVER, FOR_EVER, HOUR, MINUTE
from store.kinds import FUTURES, OPTIONS, TENORS_D
from store.ledger import arrivals
from store.market import chains, trades
from store.market.carry import funding_over
from store.market.smile import Quote
from store.market.surface import derived
from store.models import Snapshot
from tests.conftest import START
from tests.support.carry import record_funding, record_futures
from tests.support.market import chain, futures, interpolated_basis
from tests.support.volatility import dvol, record_all_lengths, record_dvol

OPEN_INTEREST = [column.name for column in FUTURES.brought].index("open_interest")


def read(database: Database, series: Series, start: datetime = EVER, end: datetime = FOR_EVER):
    with database.read() as cursor:
        return list(values(cursor, series, start, end))


def newest_of(database: Database, series: Series) -> datetime | None:
    with database.read() as cursor:
        return newest(cursor, series)


def record_chains(database: Database, *snapshots: Snapshot) -> None:
    with database.write() as cursor:
        chains.append(cursor, snapshots)


def of(snapshots: Sequence[Snapshot], value) -> list[tuple[datetime, float]]:
    return [(each.ts, value(each)) for each in snapshots]


def test_dvol_is_the_closes_of_minutes_and_before_them_of_hours(database: Database):
    series = Series("dvol/BTC", "dvol")
    assert newest_of(database, series) is None
    record_all_lengths(database, START)
    record_dvol(database, START - HOUR, START, MINUTE, "ETH")

    found = read(database, series)

    first = found[0][0]
    minutes_from = next(at for at, _ in found if at.minute) - MINUTE
    hours = [first + number * HOUR for number in range((minutes_from - first) // HOUR + 1)]
    minutes = [minutes_from + (number + 1) * MINUTE for number in range((START - minutes_from) // MINUTE)]
    assert [at for at, _ in found] == [*hours, *minutes]
    assert (len(hours), minutes[-1]) > (900, START)
    assert found == [(at, dvol(at - MINUTE)) for at, _ in found]
    assert newest_of(database, series) == START
    assert read(database, series, START - 2 * MINUTE, START) == found[-3:-1]


def test_dvol_without_minutes_is_that_of_hours(database: Database):
    record_dvol(database, START - DAY, START, HOUR)

    assert len(read(database, Series("dvol/BTC", "dvol"))) == 24


@pytest.mark.parametrize("number", ["iv", "rr25"])
def test_iv_and_skew_are_those_of_each_surface(database: Database, number):
    snapshots = [chain("BTC", START + each * HOUR) for each in range(3)]
    record_chains(database, *snapshots, chain("ETH", START))

    for place, days in enumerate(TENORS_D):
        series = Series("options/BTC", number, days * DAY)
        expected = [(each.ts, surface_of(each)[0 if number == "iv" else 1][place]) for each in snapshots]
        assert read(database, series) == [each for each in expected if each[1] is not None]
        assert newest_of(database, series) == snapshots[-1].ts


def surface_of(snapshot: Snapshot):
    names = [column.name for column in OPTIONS.brought]
    quotes = [Quote(*(row[names.index(name)] for name in Quote._fields)) for row in snapshot.rows]
    return derived(snapshot.ts, quotes, snapshot.index_price).surface


def test_basis_is_that_of_each_snapshot_but_for_the_half_hour_of_settlement(database: Database):
    at = START.replace(hour=7, minute=0)
    taken = record_futures(database, *(at + each * 10 * MINUTE for each in range(10)))
    record_futures(database, at, currency="ETH")

    for days in (30, 90, 270):
        found = read(database, Series("futures/BTC", "basis", days * DAY))
        counted = [each for each in taken if not at + 30 * MINUTE <= each.ts <= at + HOUR]
        assert [ts for ts, _ in found] == [each.ts for each in counted]
        for (_, value), each in zip(found, counted, strict=True):
            assert value == pytest.approx(100 * interpolated_basis(each, days * DAY), rel=1e-9)
    assert read(database, Series("futures/BTC", "basis", 365 * DAY)) == []


def test_a_basis_at_the_expiry_of_a_future_is_that_of_the_future(database: Database):
    (taken,) = record_futures(database, START)
    expiry, mark = next((row[1], row[2]) for row in taken.rows if row[1] and row[1] - START > 20 * DAY)
    left = expiry - START

    ((_, value),) = read(database, Series("futures/BTC", "basis", left))

    assert value == pytest.approx(100 * (mark / taken.index_price - 1) / (left / (365 * DAY)), rel=1e-9)


@pytest.mark.parametrize("hours", [1, 8, 24])
def test_funding_over_a_window_needs_half_of_its_hours(database: Database, hours):
    known = record_funding(database, START, 100, without=(0, 20, 21, 22, 23, 24, 25, 60))
    series = Series("funding/BTC-PERPETUAL", "funding", hours * HOUR)

    found = dict(read(database, series))

    for at, _ in known:
        window = funding_over(known, at - hours * HOUR, at)
        assert (at in found) == (2 * window.hours_known >= hours)
        assert found.get(at, 0) == pytest.approx(100 * (window.annual or 0) if at in found else 0, rel=1e-9)
    assert len(found) > 60
    assert read(database, series, START - 9 * HOUR, START - 4 * HOUR) == [
        (at, value) for at, value in found.items() if START - 9 * HOUR <= at < START - 4 * HOUR
    ]
    assert newest_of(database, series) == known[-1][0]


def test_open_interest_is_the_sum_of_each_snapshot(database: Database):
    taken = record_futures(database, *(START + each * MINUTE for each in range(3)))
    record_chains(database, chain("BTC", START))

    whole = of(taken, lambda each: math.fsum(row[OPEN_INTEREST] for row in each.rows))
    its = of(taken, lambda each: next(row[OPEN_INTEREST] for row in each.rows if row[0] == "BTC-PERPETUAL"))
    surface = surface_of(chain("BTC", START))
    assert approx(read(database, Series("futures/BTC", "open interest of futures"))) == approx(whole)
    assert read(database, Series("futures/BTC", "open interest of perpetual")) == its
    assert read(database, Series("options/BTC", "open interest of options")) == [
        (START, surface.call_oi + surface.put_oi)
    ]


def approx(found: list[tuple[datetime, float]]) -> list[tuple[datetime, float]]:
    return [(at, round(value, 3)) for at, value in found]


def test_open_interest_of_a_snapshot_with_unreadable_rows_is_not_known(database: Database):
    with database.write() as cursor:
        arrivals.append(cursor, [replace(futures("BTC", START), rejected=1)])
    record_chains(database, replace(chain("BTC", START), rejected=1))

    assert read(database, Series("futures/BTC", "open interest of futures")) == []
    assert read(database, Series("options/BTC", "open interest of options")) == []


def test_trades_that_healed_a_gap_have_no_part(database: Database):
    with database.write() as cursor:
        trade = trades.Trade("BTC-PERPETUAL", None, START, 100_000.0)
        trades.append(cursor, "BTC", [trade], "simulator")

    for number in ("basis", "open interest of futures", "open interest of perpetual"):
        assert read(database, Series("futures/BTC", number, timedelta(days=30))) == []


def test_what_is_no_number_has_no_part(database: Database):
    record_chains(database, chain("BTC", START), chain("BTC", START + HOUR), chain("BTC", START + 2 * HOUR))
    with database.write() as cursor:
        cursor.execute("UPDATE surfaces SET iv_30d = 'nan', call_oi = 'inf' WHERE ts = ?", [START.replace(tzinfo=None)])
        at = (START + HOUR).replace(tzinfo=None)
        cursor.execute("UPDATE surfaces SET iv_30d = NULL, call_oi = NULL WHERE ts = ?", [at])

    record_funding(database, START, 5)
    record_dvol(database, START - HOUR, START, MINUTE)
    with database.write() as cursor:
        for value, back in (("nan", 1), ("inf", 2), (None, 3), ("1e30", 4)):
            past = (START - back * HOUR).replace(tzinfo=None)
            cursor.execute("UPDATE funding SET interest_1h = ? WHERE ts = ?", [value, past])
        cursor.execute("UPDATE volatility_index SET close = 'nan' WHERE open_time < ?", [START.replace(tzinfo=None)])

    assert [at for at, _ in read(database, Series("funding/BTC-PERPETUAL", "funding", HOUR))] == [START]
    assert read(database, Series("dvol/BTC", "dvol")) == []
    assert [at for at, _ in read(database, Series("options/BTC", "iv", 30 * DAY))] == [START + 2 * HOUR]
    assert [at for at, _ in read(database, Series("options/BTC", "open interest of options"))] == [START + 2 * HOUR]
