"""The log of a perpetual's funding, an entry an hour."""

from datetime import UTC, datetime, timedelta

from poller.exchange.client import DeribitClient
from poller.exchange.market.entries import Entries
from poller.exchange.market.funding import funding_rates
from store.kinds import FUNDING
from store.market.entries import EntriesOf

from .log import LogFeed

_HOUR = timedelta(hours=1)

_BEGINS = datetime(2019, 1, 1, tzinfo=UTC)
"""The exchange has funding rates since 2019."""

_OFFSET = timedelta(minutes=5, seconds=3)


def funding_feed(currency: str) -> LogFeed:
    """The log of the funding of a currency's perpetual, asked 5 min past each hour."""
    instrument = f"{currency}-PERPETUAL"

    async def ask(client: DeribitClient, start: datetime, end: datetime) -> Entries:
        return await funding_rates(client, instrument, start, end)

    return LogFeed(
        f"funding/{instrument}",
        _HOUR,
        _BEGINS,
        overlap=3 * _HOUR,
        ask=ask,
        append=EntriesOf(FUNDING, instrument).append,
        offset=_OFFSET,
    )
