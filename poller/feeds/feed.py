"""The record of a feed, and the types of a slot's outcome."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from poller.exchange.client import DeribitClient
from store.file.database import Cursor
from store.models import Miss, Snapshot, Tick

from .log import LogFeed

Observation = Tick | Snapshot
Outcome = Observation | Miss


@dataclass(frozen=True, slots=True)
class Feed:
    """A value that the exchange publishes only for the present, so each slot asks for it once.

    Attributes:
        name: the key in runs, misses, gaps and health, such as "btc_usd" or "options/BTC".
        period: the time between two slots; whole seconds.
        ask: makes one request; it returns an `Observation` or raises an `ExchangeError`.
        append: stores observations, inside `Database.write`; for snapshots it calls `store.ledger.arrivals.append`. An
            observation that is appended twice is stored once.
        offset: the time from a slot to its request, shorter than the period. It keeps feeds from asking all at once.
        history: what heals gaps: "charts", which are the exchange's averages, or "trades", which are the last prices in
            its candles. None: nobody has the past of the feed, so a miss is unfillable at once.
    """

    name: str
    period: timedelta
    ask: Callable[[DeribitClient], Awaitable[Observation]]
    append: Callable[[Cursor, Sequence[Any]], object]
    offset: timedelta = timedelta(0)
    history: Literal["charts", "trades"] | None = None


def requests_a_second(feeds: Sequence[Feed | LogFeed]) -> float:
    """The average number of requests a second that these feeds make."""
    return sum(1 / feed.period.total_seconds() for feed in feeds)
