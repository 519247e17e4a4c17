"""The record of a log feed. The exchange keeps the exact past of a log, so recording and healing are one request."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from poller.exchange.client import DeribitClient
from store.file.database import Cursor


@dataclass(frozen=True, slots=True)
class Entries:
    """The reply to a request for a log.

    Attributes:
        rows: the entries, as rows of the feed's table.
        complete_to: `rows` has all entries from the start of the request to this time.
    """

    rows: tuple[tuple[Any, ...], ...]
    complete_to: datetime


@dataclass(frozen=True, slots=True)
class LogFeed:
    """A series whose past the exchange keeps, so each period asks for the entries since the last request.

    Attributes:
        name: the key in `logs` and health, such as "dvol/BTC".
        period: the time between two requests; whole seconds.
        begins: the exchange has no entries before this time.
        overlap: each request begins this much before the end of the stored entries. The exchange may correct or add
            entries for that long.
        ask: makes at most one request; it returns the entries of [start, end), or the first of them, or raises an
            `ExchangeError`.
        append: stores rows, inside `Database.write`. A row that is appended twice is stored once.
    """

    name: str
    period: timedelta
    begins: datetime
    overlap: timedelta
    ask: Callable[[DeribitClient, datetime, datetime], Awaitable[Entries]]
    append: Callable[[Cursor, Sequence[tuple[Any, ...]]], object]
