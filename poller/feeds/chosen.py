"""The feeds that the settings ask for. Only this module turns settings into feeds."""

from collections.abc import Iterable
from datetime import timedelta

from settings import Settings

from .deliveries import delivery_feed
from .dvol import dvol_feeds
from .feed import Feed
from .funding import funding_feed
from .futures import future_feed
from .index import index_feeds
from .log import LogFeed
from .options import option_feeds


def feeds_of(settings: Settings) -> tuple[Feed | LogFeed, ...]:
    """The feeds of a recorder. Feeds of one period and offset are asked in this order."""
    return (*indexes_of(settings), *_markets_of(settings))


def periods_s(feeds: Iterable[Feed | LogFeed]) -> dict[str, int]:
    """Each feed by its name, with the seconds between two of its slots or entries."""
    return {
        feed.name: feed.period_s if isinstance(feed, LogFeed) else int(feed.period.total_seconds()) for feed in feeds
    }


def indexes_of(settings: Settings) -> tuple[Feed, ...]:
    """The feeds of the indexes alone."""
    return index_feeds(settings.indexes, timedelta(seconds=settings.poll_seconds))


def _markets_of(settings: Settings) -> tuple[Feed | LogFeed, ...]:
    period = timedelta(seconds=settings.market_seconds)
    chains = settings.markets if settings.options_seconds else ()
    return (
        *(future_feed(currency, period) for currency in settings.markets),
        *option_feeds(chains, timedelta(seconds=settings.options_seconds)),
        *(feed for currency in settings.markets for feed in dvol_feeds(currency, period)),
        *map(funding_feed, settings.markets),
        *map(delivery_feed, settings.markets),
    )
