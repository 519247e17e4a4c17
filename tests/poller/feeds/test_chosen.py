"""The settings decide what is recorded, and no second asks for more than the budget."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from poller.feeds.chosen import feeds_of, indexes_of
from poller.feeds.feed import Feed, requests_a_second
from poller.feeds.log import LogFeed
from settings import MAX_REQUESTS_PER_SECOND, Settings

SECOND = timedelta(seconds=1)


def polled(settings: Settings) -> dict[str, tuple[float, float]]:
    """The seconds between slots and the offset of each feed."""
    feeds = [feed for feed in feeds_of(settings) if isinstance(feed, Feed)]
    return {feed.name: (feed.period / SECOND, feed.offset / SECOND) for feed in feeds}


def test_without_markets_only_indexes_are_recorded(make_settings: Callable[..., Settings]):
    settings = make_settings()

    assert [feed.name for feed in feeds_of(settings)] == [feed.name for feed in indexes_of(settings)]
    assert polled(settings) == {"btc_usd": (5, 0), "eth_usd": (5, 0)}


def test_each_market_has_futures_a_chain_and_logs(make_settings: Callable[..., Settings]):
    settings = make_settings(markets=("BTC", "ETH"), market_seconds=30, options_seconds=120, indexes=("btc_usd",))

    assert polled(settings) == {
        "btc_usd": (5, 0),
        "futures/BTC": (30, 1.6),
        "futures/ETH": (30, 1.6),
        "options/BTC": (120, 1.8),
        "options/ETH": (120, 2.2),
    }
    logs = {feed.name: feed.period / SECOND for feed in feeds_of(settings) if isinstance(feed, LogFeed)}
    assert logs == {
        **{f"dvol/{currency}": 60 for currency in ("BTC", "ETH")},
        **{f"dvol/{currency}-{length}": 3600 for currency in ("BTC", "ETH") for length in ("1h", "1d")},
        **{f"funding/{currency}-PERPETUAL": 3600 for currency in ("BTC", "ETH")},
        **{f"deliveries/{name}": 3600 for name in ("btc_usd", "eth_usd")},
    }


def test_zero_seconds_leave_the_chains_out(make_settings: Callable[..., Settings]):
    names = {feed.name for feed in feeds_of(make_settings(markets=("BTC",), options_seconds=0))}

    assert names & {"futures/BTC", "options/BTC", "dvol/BTC"} == {"futures/BTC", "dvol/BTC"}


def test_the_settings_count_the_requests_of_all_feeds(make_settings: Callable[..., Settings]):
    for more in ({}, {"poll_seconds": 1, "market_seconds": 60, "options_seconds": 60}, {"options_seconds": 0}):
        settings = make_settings(markets=("BTC", "ETH"), **more)

        assert requests_a_second(feeds_of(settings)) == pytest.approx(settings.requests_a_second, abs=0.01)


def test_no_second_of_a_day_has_more_requests_than_the_budget(make_settings: Callable[..., Settings]):
    settings = make_settings(markets=("BTC", "ETH"))
    asked: Counter[int] = Counter()
    for feed in feeds_of(settings):
        asked.update(
            int((slot * feed.period + feed.offset) / SECOND) for slot in range(timedelta(days=1) // feed.period)
        )

    assert max(asked.values()) <= MAX_REQUESTS_PER_SECOND
