"""The logs of DVOL: candles of a minute, an hour and a day."""

from datetime import UTC, datetime, timedelta
from functools import partial

from poller.exchange.client import DeribitClient
from poller.exchange.market.entries import Entries, floor
from poller.exchange.market.volatility_index import volatility_index
from store.kinds import VOLATILITY_INDEX
from store.ledger.logs import log_of
from store.market.entries import EntriesOf

from .log import LogFeed

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

_BEGINS = datetime(2021, 3, 1, tzinfo=UTC)
"""The exchange began to publish DVOL on 2021-03-24."""

# The minutes of all years would take 3,000 requests for each currency.
_MINUTES_REACH = timedelta(days=30)

# A candle is there 3 s after its end. The three lengths are not asked for at once.
_OFFSETS = {_MINUTE: timedelta(seconds=3), _HOUR: timedelta(seconds=7), _DAY: timedelta(seconds=13)}

_OVERLAP = 5
"""Each request begins 5 candles before the newest stored one, because the last of them may have come late."""


def dvol_feeds(currency: str, period: timedelta) -> tuple[LogFeed, ...]:
    """The logs of a currency. That of the minutes has its name, and begins 30 days before the first request."""

    def feed(length: timedelta, its_period: timedelta, reach: timedelta | None = None) -> LogFeed:
        length_s = int(length.total_seconds())
        return LogFeed(
            log_of(VOLATILITY_INDEX.feed(currency), length_s),
            its_period,
            _BEGINS,
            _OVERLAP * length,
            ask=partial(_closed, currency=currency, length=length),
            append=EntriesOf(VOLATILITY_INDEX, currency, length_s).append,
            offset=_OFFSETS[length],
            reach=reach,
            step=length,
        )

    return (
        feed(_MINUTE, max(period, _MINUTE), _MINUTES_REACH),
        feed(_HOUR, _HOUR),
        feed(_DAY, _HOUR),
    )


async def _closed(
    client: DeribitClient, start: datetime, end: datetime, *, currency: str, length: timedelta
) -> Entries:
    """The candles that open in [start, end) and are over. Nothing is asked for if there is none after the overlap."""
    over = floor(end, length)
    if over - start <= _OVERLAP * length:
        return Entries((), start)
    return await volatility_index(client, currency, start, over, length)
