"""The feeds of option chains: each slot brings all options of a currency, with their smiles and their surface."""

from collections.abc import Sequence
from datetime import timedelta

from poller.exchange.market.summaries import OPTIONS
from store.market import chains

from .feed import Feed
from .summaries import asking

# The chains come after the futures, and not at once: each brings half a megabyte.
_FIRST, _NEXT = timedelta(seconds=1.8), timedelta(seconds=0.4)


def option_feeds(currencies: Sequence[str], period: timedelta) -> tuple[Feed, ...]:
    """A feed for the options of each currency. Nobody has their past, so a miss is unfillable at once."""
    return tuple(
        Feed(
            f"options/{currency}",
            period,
            ask=asking(OPTIONS, currency, period),
            append=chains.append,
            offset=_FIRST + number * _NEXT,
        )
        for number, currency in enumerate(currencies)
    )
