"""The record of a feed, and what comes of one of its slots."""

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
    """Something that exists only now, so that each slot asks for it once.

    Attributes:
        name: the key in runs, misses, gaps and health, such as "btc_usd" or "options/BTC".
        period: between two slots; whole seconds.
        ask: one request, which brings an `Observation` or raises an `ExchangeError`.
        append: stores observations, inside `Database.write`; that of snapshots is `store.ledger.arrivals.append`. Each
            is stored once, however often it is appended.
        repeats: what it means when the exchange time is that of the observation before. "miss": the exchange repeated
            an old reply. "same": it has nothing newer yet, and that is appended like any other.
        history: where gaps are healed from: the exchange's charts of averages. None: nobody has it any more, so a miss
            is unfillable at once.
    """

    name: str
    period: timedelta
    ask: Callable[[DeribitClient], Awaitable[Observation]]
    append: Callable[[Cursor, Sequence[Any]], object]
    repeats: Literal["miss", "same"]
    history: Literal["charts"] | None = None


def requests_a_second(feeds: Sequence[Feed | LogFeed]) -> float:
    """How many requests these feeds make, on average."""
    return sum(1 / feed.period.total_seconds() for feed in feeds)
