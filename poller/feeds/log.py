"""The record of a log feed: the exchange keeps its past exactly, so that recording and healing are the same request."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from poller.exchange.client import DeribitClient
from store.file.database import Cursor


@dataclass(frozen=True, slots=True)
class Entries:
    """What a request for a log brought.

    Attributes:
        rows: as the table of the feed has them.
        complete_to: no entry of the asked time before it is missing in `rows`.
    """

    rows: tuple[tuple[Any, ...], ...]
    complete_to: datetime


@dataclass(frozen=True, slots=True)
class LogFeed:
    """Something whose past the exchange keeps, so that each period asks for what came since.

    Attributes:
        name: the key in `logs` and health, such as "dvol/BTC".
        period: between two requests; whole seconds.
        begins: the exchange has nothing before it.
        overlap: of each request with what is stored, as the exchange may correct or add entries that late.
        ask: the entries of [start, end), or the first of them; at most one request, or an `ExchangeError`.
        append: stores rows, inside `Database.write`. Each is stored once, however often it is appended.
    """

    name: str
    period: timedelta
    begins: datetime
    overlap: timedelta
    ask: Callable[[DeribitClient, datetime, datetime], Awaitable[Entries]]
    append: Callable[[Cursor, Sequence[tuple[Any, ...]]], object]
