"""The feeds of the market ask the simulator, and what they bring is stored."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from poller.exchange.client import DeribitClient
from poller.exchange.market.entries import Entries, floor
from poller.feeds.deliveries import delivery_feed
from poller.feeds.dvol import dvol_feeds
from poller.feeds.feed import Feed
from poller.feeds.funding import funding_feed
from poller.feeds.futures import future_feed
from poller.feeds.log import LogFeed
from poller.feeds.options import option_feeds
from poller.simulator.server import Simulator
from store.file.database import Database
from store.file.exchange import admit
from store.models import Exchange, Snapshot, to_column, utc_now

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def ask(simulator: Simulator) -> Callable[..., Any]:
    """Asks the simulator with a feed."""

    def do(feed: Feed | LogFeed, *times: datetime) -> Any:
        async def asked() -> Any:
            async with DeribitClient(simulator.url) as client:
                return await feed.ask(client, *times)

        return asyncio.run(asked())

    return do


@pytest.fixture
def stored(database: Database) -> Callable[[Feed | LogFeed, list[Any], str], list[Any]]:
    """Appends observations or rows with a feed, twice; returns what a query finds then."""

    def do(feed: Feed | LogFeed, brought: list[Any], query: str) -> list[Any]:
        with database.write() as cursor:
            admit(cursor, Exchange.SIMULATOR, utc_now())
            feed.append(cursor, brought)
            feed.append(cursor, brought)
            return cursor.execute(query).fetchall()

    return do


def test_the_futures_of_a_currency_are_one_snapshot(ask, stored):
    feed = future_feed("BTC", MINUTE)
    snapshot = ask(feed)

    assert (type(snapshot), snapshot.feed, snapshot.source) == (Snapshot, "futures/BTC", "simulator")
    names = "currency, instrument_name, ts, mark_price > 0, current_funding IS NULL, source, resolution_s"
    query = f"SELECT {names} FROM futures"
    found = stored(feed, [snapshot], query)
    ts = to_column(snapshot.ts)
    assert len(found) == len(snapshot.rows)
    assert ("BTC", "BTC-PERPETUAL", ts, True, False, "simulator", 0) in found
    assert {row[2:] for row in found if row[1] != "BTC-PERPETUAL"} == {(ts, True, True, "simulator", 0)}


def test_a_chain_is_one_snapshot_with_its_smiles_and_its_surface(ask, stored):
    (feed,) = option_feeds(("ETH",), MINUTE)
    snapshot = ask(feed)

    query = "SELECT (FROM options SELECT count(*)), (FROM smiles SELECT count(*)), count(*), min(iv_30d) FROM surfaces"
    ((options, smiles, surfaces, iv_30d),) = stored(feed, [snapshot], query)
    assert (options, smiles, surfaces) == (len(snapshot.rows), len({row[0] for row in snapshot.rows}), 1)
    assert 20 < iv_30d < 120


def test_a_chain_is_newer_than_its_slot(ask):
    (feed,) = option_feeds(("BTC",), 10 * MINUTE)
    now = utc_now()

    assert ask(feed).ts >= floor(now, 10 * MINUTE)


@pytest.mark.parametrize(("number", "length", "name"), [(0, MINUTE, ""), (1, HOUR, "-1h"), (2, DAY, "-1d")])
def test_the_candles_of_dvol_that_are_over_are_entries(ask, stored, number, length, name):
    feed = dvol_feeds("BTC", MINUTE)[number]
    end = utc_now()
    start = floor(end, length) - 20 * length

    entries = ask(feed, start, end)

    assert feed.name == f"dvol/BTC{name}"
    assert entries.complete_to == start + 20 * length
    found = stored(feed, list(entries.rows), "SELECT currency, open_time, source, resolution_s FROM volatility_index")
    seconds = int(length.total_seconds())
    times = [to_column(start + each * length) for each in range(20)]
    assert sorted(found) == [("BTC", at, "simulator", seconds) for at in times]


def test_nothing_is_asked_for_while_no_candle_is_new(simulator: Simulator):
    feed = dvol_feeds("BTC", MINUTE)[1]
    now = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)

    async def asked() -> Entries:
        async with DeribitClient("http://127.0.0.1:9") as client:
            return await feed.ask(client, now.replace(minute=0) - feed.overlap, now)

    assert asyncio.run(asked()) == Entries((), now.replace(minute=0) - feed.overlap)


def test_the_minutes_of_dvol_begin_a_month_ago_and_its_hours_with_dvol(ask):
    minutes, hours, _ = dvol_feeds("ETH", 10 * timedelta(seconds=1))

    assert (minutes.period, minutes.reach) == (MINUTE, 30 * DAY)
    assert (hours.reach, hours.begins.year) == (None, 2021)


def test_the_hours_of_funding_are_entries(ask, stored):
    feed = funding_feed("BTC")
    end = utc_now()

    entries = ask(feed, floor(end, HOUR) - 5 * HOUR, end)

    found = stored(feed, list(entries.rows), "SELECT instrument_name, source, interest_1h IS NULL FROM funding")
    assert len(entries.rows) >= 5
    assert found == [("BTC-PERPETUAL", "simulator", False)] * len(entries.rows)
    assert entries.complete_to == end


def test_the_delivery_prices_of_days_are_entries(ask, stored):
    feed = delivery_feed("ETH")
    end = utc_now()

    entries = ask(feed, end - 4 * DAY, end)

    found = stored(feed, list(entries.rows), "SELECT DISTINCT index_name, hour(ts), source FROM deliveries")
    assert len(entries.rows) == 4
    assert found == [("eth_usd", 8, "simulator")]


def test_the_period_of_a_log_is_that_of_its_entries_or_of_its_requests_if_that_is_longer():
    feeds = (*dvol_feeds("BTC", 10 * MINUTE / 60), funding_feed("BTC"), delivery_feed("BTC"))
    slow, *_ = dvol_feeds("ETH", 10 * MINUTE)

    assert {feed.name: feed.period_s for feed in (*feeds, slow)} == {
        "dvol/BTC": 60,
        "dvol/BTC-1h": 3600,
        "dvol/BTC-1d": 86_400,
        "funding/BTC-PERPETUAL": 3600,
        "deliveries/btc_usd": 86_400,
        "dvol/ETH": 600,
    }
