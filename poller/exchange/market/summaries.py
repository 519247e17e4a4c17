"""Book summaries (get_book_summary_by_currency): all options, or all futures, of a currency in one reply."""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from poller.exchange.client import DeribitClient
from poller.exchange.errors import ExchangeError, RejectedReplyError
from poller.exchange.wire import finite, instant, items, reject, text
from store.market.instruments import future_of, option_of
from store.models import Snapshot

log = logging.getLogger("tickwell.exchange")

Row = tuple[Any, ...]

_METHOD = "get_book_summary_by_currency"

# The exchange rebuilds summaries every 2 s, as recorded in 2026-09: three more requests in 3 s find a newer one.
_AGAIN = 3

# How far a summary's time may be from the time of its reply.
_OLDEST = timedelta(minutes=10)

_OF_OPTIONS = (
    "mark_iv",
    "underlying_price",
    "bid_price",
    "ask_price",
    "last",
    "open_interest",
    "volume",
    "volume_usd",
)
_OF_FUTURES = (
    "bid_price",
    "ask_price",
    "last",
    "open_interest",
    "volume",
    "volume_usd",
    "current_funding",
    "funding_8h",
)
_SIGNED = frozenset({"current_funding", "funding_8h"})


class _RowError(Exception):
    """A row can't be read. The text says why, in the same words for each row of this kind."""


@dataclass(frozen=True, slots=True)
class Book:
    """A kind of instruments.

    Attributes:
        kind: as the exchange spells it.
        feeds: the start of the feeds' names.
        numbers: the fields of a summary that are numbers, in the order of the row.
        read: makes a row for the table of a summary of a currency.
    """

    kind: str
    feeds: str
    numbers: tuple[str, ...]
    read: Callable[[dict[str, Any], str], Row]


def _option(summary: dict[str, Any], currency: str) -> Row:
    option = _named(option_of, summary, currency)
    mark = _mark(summary)
    return option.expiry, option.strike, option.option_type, mark, *(_number(summary, name) for name in _OF_OPTIONS)


def _future(summary: dict[str, Any], currency: str) -> Row:
    future = _named(future_of, summary, currency)
    mark = _mark(summary)
    if mark == 0:
        raise _RowError("mark_price of 0")
    return summary["instrument_name"], future.expiry, mark, *(_number(summary, name) for name in _OF_FUTURES)


OPTIONS = Book("option", "options", ("mark_price", *_OF_OPTIONS), _option)
"""Rows: expiry, strike, option_type ("call" or "put"), mark_price, mark_iv, underlying_price, bid_price, ask_price,
last, open_interest, volume, volume_usd. Prices are in coin, the IV in percent, the forward in USD. None: no quote, or
no trade.
"""

FUTURES = Book("future", "futures", ("mark_price", *_OF_FUTURES), _future)
"""Rows: instrument_name, expiry (None for the perpetual), mark_price, bid_price, ask_price, last, open_interest,
volume, volume_usd, current_funding, funding_8h. Prices and open interest are in USD. The rates are fractions, and only
the perpetual has them. None: no quote, or no trade.
"""


class Summaries:
    """Asks for the book summaries of one currency. Each request brings a snapshot of the feed, such as "options/BTC".

    A row that can't be read is left out and counted. The log names each kind of trouble when it appears.

    Args:
        book: options or futures.
        currency: such as "BTC".
        again_after_s: seconds before an old summary is asked for again.
    """

    def __init__(self, book: Book, currency: str, *, again_after_s: float = 1.0) -> None:
        self.feed = f"{book.feeds}/{currency}"
        self._book, self._currency, self._again_after_s = book, currency, again_after_s
        self._told: set[str] = set()

    async def ask(self, client: DeribitClient) -> Snapshot:
        """The summaries now, in one request.

        Raises:
            ExchangeError: no usable answer came, or no row of it can be read.
        """
        asked = f"{_METHOD} {self._currency} {self._book.kind}"
        reply = await client.ask(_METHOD, currency=self._currency, kind=self._book.kind)
        client.see_when(reply.sent_at, asked, "usOut")
        summaries = items(reply.result, asked, "result")
        made_ms = _common_time(summaries, asked)
        ts = instant(made_ms, 1e3, asked, "creation_timestamp")
        if abs(ts - reply.sent_at) > _OLDEST:
            reject(asked, "creation_timestamp", ts, f"a time near usOut, {reply.sent_at:%Y-%m-%d %H:%M:%S} UTC")
        rows, troubles = self._read(summaries, made_ms)
        if not rows:
            raise RejectedReplyError(f"{asked}: none of {len(summaries)} rows can be read: {', '.join(troubles)}")
        self._tell(summaries, troubles)
        rejected = len(summaries) - len(rows)
        source, index_price = reply.exchange.source, _index_price(summaries)
        return Snapshot(self.feed, ts, client.local(), rows, source, index_price, rejected)

    async def ask_since(self, client: DeribitClient, since: datetime) -> Snapshot:
        """The summaries now; while they are older than a time, ask again up to three times.

        Returns:
            The newest of the snapshots. It may still be older.

        Raises:
            ExchangeError: the first request brought no usable answer.
        """
        snapshot = await self.ask(client)
        for _ in range(_AGAIN):
            if snapshot.ts >= since:
                break
            await asyncio.sleep(self._again_after_s)
            try:
                snapshot = max(snapshot, await self.ask(client), key=lambda each: each.ts)
            except ExchangeError as error:
                log.warning("%s stays at %s: %s", self.feed, snapshot.ts, error)
                break
        return snapshot

    def _read(self, summaries: list[Any], made_ms: int) -> tuple[tuple[Row, ...], dict[str, list[str]]]:
        """The rows that can be read, and the names of the others by their trouble."""
        rows: dict[str, Row] = {}
        troubles: defaultdict[str, list[str]] = defaultdict(list)
        for summary in summaries:
            try:
                name, row = self._row(summary, made_ms, rows)
                rows[name] = row
            except _RowError as error:
                whose = summary.get("instrument_name") if isinstance(summary, dict) else summary
                troubles[str(error)].append(text(whose))
        return tuple(rows.values()), troubles

    def _row(self, summary: Any, made_ms: int, known: Container[str]) -> tuple[str, Row]:
        if not isinstance(summary, dict):
            raise _RowError("not an object")
        row = self._book.read(summary, self._currency)
        if summary.get("creation_timestamp") != made_ms:
            raise _RowError("another creation_timestamp than most")
        if summary["instrument_name"] in known:
            raise _RowError("a name that another row has")
        return summary["instrument_name"], row

    def _tell(self, summaries: list[Any], troubles: dict[str, list[str]]) -> None:
        """Name each trouble that the last reply did not have, and each field that all rows lack."""
        words = {
            trouble: f"left out {len(names)} of {len(summaries):,} rows: {trouble}, such as {names[0]}"
            for trouble, names in troubles.items()
        }
        for field in self._book.numbers:
            if not any(field in summary for summary in summaries if isinstance(summary, dict)):
                words[field] = f"no row has {field}"
        for trouble in words.keys() - self._told:
            log.warning("%s: %s", self.feed, words[trouble])
        self._told = set(words)


def _common_time(summaries: list[Any], asked: str) -> int:
    """The creation_timestamp of most rows."""
    times = Counter(
        summary["creation_timestamp"]
        for summary in summaries
        if isinstance(summary, dict) and type(summary.get("creation_timestamp")) is int
    )
    if not times:
        reject(asked, "result", summaries, "rows with a creation_timestamp")
    return int(times.most_common(1)[0][0])


def _index_price(summaries: list[Any]) -> float | None:
    """The first price of the index in the rows: it is the same in all."""
    prices = (finite(each.get("estimated_delivery_price")) for each in summaries if isinstance(each, dict))
    return next((price for price in prices if price and price > 0), None)


def _named(of: Callable[[str], Any], summary: dict[str, Any], currency: str) -> Any:
    """The instrument that a summary names."""
    try:
        instrument = of(summary.get("instrument_name", ""))
    except (TypeError, ValueError):
        raise _RowError("an unknown name") from None
    if instrument.underlying != currency:
        raise _RowError(f"an instrument not of {currency}")
    return instrument


def _mark(summary: dict[str, Any]) -> float:
    mark = _number(summary, "mark_price")
    if mark is None:
        raise _RowError("no mark_price")
    return mark


def _number(summary: dict[str, Any], name: str) -> float | None:
    """A number, or None where the exchange has none."""
    if (value := summary.get(name)) is None:
        return None
    number = finite(value)
    if number is None or (number < 0 and name not in _SIGNED):
        raise _RowError(f"{name} that is no possible number")
    return number
