"""The feeds of indexes: each slot brings a price, and charts of averages heal gaps."""

from collections.abc import Iterable
from datetime import timedelta
from operator import methodcaller

from store.prices import ticks

from .feed import Feed


def index_feeds(index_names: Iterable[str], period: timedelta) -> tuple[Feed, ...]:
    """A feed for each index."""
    return tuple(
        Feed(
            name,
            period,
            ask=methodcaller("index_price", name),
            append=ticks.append,
            history="charts",
        )
        for name in index_names
    )
