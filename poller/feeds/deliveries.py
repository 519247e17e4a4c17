"""The log of an index's delivery prices, an entry a day."""

from datetime import UTC, datetime, timedelta

from poller.exchange.client import DeribitClient
from poller.exchange.market.deliveries import delivery_prices
from poller.exchange.market.entries import Entries
from store.kinds import DELIVERIES
from store.market.entries import EntriesOf
from store.market.instruments import usd_index

from .log import LogFeed

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)

_BEGINS = datetime(2016, 6, 1, tzinfo=UTC)
"""The exchange opened in June 2016."""

# The price is of 08:00 UTC, and so is there at 08:06.
_OFFSET = timedelta(minutes=6, seconds=3)


def delivery_feed(currency: str) -> LogFeed:
    """The log of the prices at which a currency's futures and options were settled, asked 6 min past each hour."""
    index_name = usd_index(currency)

    async def ask(client: DeribitClient, start: datetime, end: datetime) -> Entries:
        return await delivery_prices(client, index_name, start, end)

    return LogFeed(
        f"deliveries/{index_name}",
        _HOUR,
        _BEGINS,
        overlap=2 * _DAY,
        ask=ask,
        append=EntriesOf(DELIVERIES, index_name).append,
        offset=_OFFSET,
        step=_DAY,
    )
