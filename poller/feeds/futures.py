"""The feeds of futures: each slot brings all futures of a currency and its perpetual, and trades heal gaps."""

from datetime import timedelta

from poller.exchange.market.summaries import FUTURES
from store.market import trades

from .feed import Feed
from .summaries import asking

# The exchange rebuilds summaries every 2 s, and each is about 1.4 s old on arrival (recorded in 2026-09). A reply that
# is asked for 1.6 s after a slot is therefore newer than the slot.
_OFFSET = timedelta(seconds=1.6)


def future_feed(currency: str, period: timedelta) -> Feed:
    """The feed of a currency's futures. The exchange has their past trades, but not their past marks."""
    ask = asking(FUTURES, currency, period)
    name = f"futures/{currency}"
    return Feed(name, period, ask=ask, append=trades.append_observed, offset=_OFFSET, history="trades")
