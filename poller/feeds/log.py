"""The record of a log feed. The exchange keeps the exact past of a log, so recording and healing are one request."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from poller.exchange.client import DeribitClient
from poller.exchange.market.entries import Entries
from store.file.database import Cursor


@dataclass(frozen=True, slots=True)
class LogFeed:
    """A series whose past the exchange keeps, so each period asks for the entries since the last request.

    Attributes:
        name: the key in `logs` and health, such as "dvol/BTC".
        period: the time between two requests; whole seconds.
        begins: the exchange has no entries before this time.
        overlap: each request begins this much before the end of the stored entries. The exchange may correct or add
            entries for that long.
        ask: makes at most one request, or a few where the exchange's pages are shorter than expected; it returns the
            entries of [start, end), or the first of them, or raises an `ExchangeError`.
        append: stores rows, inside `Database.write`. A row that is appended twice is stored once.
        offset: the time from a multiple of the period to its request, shorter than the period.
        reach: how long before now the first request begins at most; None: it begins at `begins`.
        step: the time between two entries, if it is longer than the period.
    """

    name: str
    period: timedelta
    begins: datetime
    overlap: timedelta
    ask: Callable[[DeribitClient, datetime, datetime], Awaitable[Entries]]
    append: Callable[[Cursor, Sequence[tuple[Any, ...]]], object]
    offset: timedelta = timedelta(0)
    reach: timedelta | None = None
    step: timedelta = timedelta(0)

    @property
    def period_s(self) -> int:
        """The seconds between two entries, or between two requests if that is longer."""
        return int(max(self.period, self.step).total_seconds())
