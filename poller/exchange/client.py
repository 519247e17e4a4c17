"""The exchange client: it asks Deribit's public methods and returns records. `wire` has the wire format."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Self
from urllib.parse import urlsplit

import httpx

from poller.network.http_client import http_client
from poller.network.proxies import proxy_in_words
from poller.words import one_line
from store.models import Exchange, Tick, utc_now
from store.words import span

from .budget import Budget
from .errors import ClosedError, ExchangeError, RejectedReplyError
from .outliving import MOST, Outliving
from .pauses import Pauses
from .request import Bounds, Way, fetch
from .skew import Comparison
from .wire import Reply, instant, items, mapping, price, read, reject, text

# The most price requests at one time. An index whose replies hang takes one place; at one tick a second there are at
# most 5 indexes. The exchange allows 32 connections per address: 20 prices, 4 others and 4 outliving requests leave 4
# to another process.
MOST_PRICES = 20
MOST_OTHERS = 4

ChartRange = Literal["1h", "1d", "2d", "1m", "1y", "all"]

# A warm round trip takes about 0.15 s. The longest chart has some 4,000 points, 0.1 MB. The event loop parses a reply
# and stands still meanwhile, 0.1 s per MB.
_TIMEOUT = httpx.Timeout(connect=3, read=4, write=3, pool=None)
_BOUNDS = Bounds(seconds=10, most_bytes=1_000_000)
_BOUNDS_OF_CHARTS = Bounds(seconds=30, most_bytes=1_000_000)

# The chain of BTC had 1,038 rows and 0.47 MB in 2026-08.
_BOUNDS_OF = {"get_book_summary_by_currency": Bounds(seconds=10, most_bytes=4_000_000)}

# The exchange is said to keep an idle connection for 15 minutes. A poll once an hour needs a new one anyway.
_LIMITS = httpx.Limits(max_connections=MOST_PRICES + MOST_OTHERS + MOST, keepalive_expiry=300)

_TEST_HOST = "test.deribit.com"

_PRICE = "get_index_price"

# No slot waits for these methods.
_CAN_WAIT = frozenset(
    {
        "get_index_chart_data",
        "get_volatility_index_data",
        "get_funding_rate_history",
        "get_delivery_prices",
        "get_tradingview_chart_data",
    }
)

# A clock that is set by minutes is followed. A price from another hour is not the current price.
_FARTHEST = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """The average price of an index over one step of its chart, from `ts` on."""

    ts: datetime
    price: float


@dataclass(frozen=True, slots=True)
class Status:
    """Whether trading is halted: `locked` for all ("true"), some ("partial") or no ("false") currencies."""

    locked: str
    locked_indices: tuple[str, ...]


class DeribitClient:
    """Reads Deribit's public methods over one connection pool, with at most 20 prices and 4 other requests at once.

    Use it as an async context manager. Every method raises an `ExchangeError`, and no other error, when no usable
    answer came. An error may ask for a pause: the same question then fails at once until the pause is over. After
    "too many requests" all questions fail so, and after a method was switched off all questions of that method.

    A reply from another exchange than `exchange` is rejected.

    `clock` times the pauses. `local` is the clock of this machine: it gives `received_at`, and `skew_s` counts from it.
    Every request takes a token of `budget` first; charts let all other requests go before them.

    Raises:
        SettingsError: an environment variable, such as a proxy, can't be used.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], datetime] = utc_now,
        local: Callable[[], datetime] | None = None,
        steady: Callable[[], float] = time.monotonic,
        bounds: Bounds = _BOUNDS,
        bounds_of_charts: Bounds = _BOUNDS_OF_CHARTS,
        budget: Budget | None = None,
    ) -> None:
        self.budget = budget or Budget()
        self.local, self._steady = local or clock, steady
        self._bounds, self._bounds_of_charts = bounds, bounds_of_charts
        self._url = url
        self._host = urlsplit(url).netloc.rpartition("@")[2]
        self._of_test_host = urlsplit(url).hostname == _TEST_HOST
        self._through = proxy_in_words(url)
        self._http = http_client(url, limits=_LIMITS, timeout=_TIMEOUT)
        self._places_of_prices, self._places = asyncio.Semaphore(MOST_PRICES), asyncio.Semaphore(MOST_OTHERS)
        self._outliving = Outliving()
        self._pauses = Pauses(clock)
        self._compared = Comparison(steady)
        self._first_said: dict[str, Exchange] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def exchange(self) -> Exchange | None:
        """The exchange that most indexes and methods named in their first reply; None without a reply or a majority.

        One odd reply does not decide for all.
        """
        counts = Counter(self._first_said.values()).most_common(2)
        return None if not counts or (len(counts) > 1 and counts[0][1] == counts[1][1]) else counts[0][0]

    @property
    def undecided(self) -> bool:
        """Do the first replies disagree about which exchange it is? Then the reply of another method may decide."""
        return bool(self._first_said) and self.exchange is None

    @property
    def paused_until(self) -> datetime | None:
        """The end of the pause that the exchange asked for prices; it may be past."""
        return self._pauses.until(_PRICE)

    @property
    def silent_until(self) -> datetime | None:
        """The end of the pause that the exchange asked for all requests; it may be past."""
        return self._pauses.silent_until

    @property
    def skew_s(self) -> float | None:
        """How far the exchange's clock is ahead of ours, by most questions; None without a reply or a majority."""
        return self._compared.skew_s

    @property
    def disputed(self) -> bool:
        """Do the replies show different times, and none of the times has a majority?"""
        return self._compared.disputed

    def now(self) -> datetime:
        """The time that most replies show; the local time without a majority of them."""
        return self.local() + timedelta(seconds=self.skew_s or 0)

    def forget_clocks(self) -> None:
        """Start the comparison of clocks again, because our clock was set."""
        self._compared.forget()

    async def aclose(self) -> None:
        """End all running requests and close the connections."""
        await self._outliving.aclose()
        await self._http.aclose()

    async def ask(self, method: str, **params: str) -> Reply:
        """Ask a public method once and return the reply. A feed makes its observation from the reply."""
        return await self._ask(method, _BOUNDS_OF.get(method, self._bounds), **params)

    async def ask_history(self, method: str, of: str, **params: str) -> Reply:
        """Ask for the past of something, and ask once more at once if the kept connection was closed.

        Errors and pauses name the method and `of`, but not the times in the parameters.
        """
        return await self._ask_again_if_closed(method, self._bounds_of_charts, f"{method} {of}", **params)

    async def index_price(self, index_name: str) -> Tick:
        """The price of an index now (get_index_price), at the time when the exchange sent it.

        It sends one request: the caller, `poll`, counts its own retries.
        """
        asked = f"{_PRICE} {index_name}"
        reply = await self.ask(_PRICE, index_name=index_name)
        result = mapping(reply.result, asked, "result")
        self.see_when(reply.sent_at, asked, "usOut")
        return Tick(
            index_name,
            reply.sent_at,
            price(result.get("index_price"), asked, "index_price"),
            source=reply.exchange.source,
            received_at=self.local(),
        )

    async def supported_index_names(self) -> frozenset[str]:
        """The names of all published indexes (get_supported_index_names and get_index_price_names)."""
        names: set[str] = set()
        for method in ("get_supported_index_names", "get_index_price_names"):
            reply = await self._ask_again_if_closed(method)
            for item in items(reply.result, method, "result"):
                name = item.get("name") if isinstance(item, dict) else item
                if not isinstance(name, str):
                    reject(method, "index name", item, "a string, or an object with name")
                names.add(one_line(name))
        return frozenset(names)

    async def index_chart(self, index_name: str, chart_range: ChartRange) -> list[ChartPoint]:
        """The averages of an index over a window that ends now (get_index_chart_data), in the exchange's order.

        "1m" is one month. The step follows from the points; the reply does not name it.
        """
        asked = f"get_index_chart_data {index_name} {chart_range}"
        reply = await self._ask_again_if_closed(
            "get_index_chart_data", self._bounds_of_charts, index_name=index_name, range=chart_range
        )
        points = []
        for item in items(reply.result, asked, "result"):
            point = items(item, asked, "point")
            if len(point) != 2:
                reject(asked, "point", item, "[milliseconds, price]")
            points.append(ChartPoint(instant(point[0], 1e3, asked, "point"), price(point[1], asked, "point")))
        return points

    async def time(self) -> datetime:
        """The exchange's clock (get_time)."""
        reply = await self._ask_again_if_closed("get_time")
        return instant(reply.result, 1e3, "get_time", "result")

    async def status(self) -> Status:
        """Whether trading is halted (status)."""
        reply = await self._ask_again_if_closed("status")
        result = mapping(reply.result, "status", "result")
        locked = text(result.get("locked")).lower()
        if locked not in {"true", "partial", "false"}:
            reject("status", "locked", result.get("locked"), "true, partial or false")
        indices = items(result.get("locked_indices") or [], "status", "locked_indices")
        return Status(locked, tuple(map(text, indices)))

    def see_when(self, at: datetime, asked: str, name: str) -> None:
        """Reject a reply whose time of this name is far from now, by the time that all replies show."""
        if self.skew_s is None:
            return
        now = self.now()
        if abs(at - now) > _FARTHEST:
            reject(asked, name, at, f"a time within {span(_FARTHEST)} of {now:%Y-%m-%d %H:%M:%S} UTC")

    async def _ask_again_if_closed(
        self, method: str, bounds: Bounds | None = None, asked: str = "", **params: str
    ) -> Reply:
        """Ask, and ask once more at once if the kept connection was closed."""
        bounds = bounds or self._bounds
        try:
            return await self._ask(method, bounds, asked, **params)
        except ClosedError:
            return await self._ask(method, bounds, asked, **params)

    async def _ask(self, method: str, bounds: Bounds, asked: str = "", **params: str) -> Reply:
        asked = asked or " ".join([method, *params.values()])
        self._pauses.refuse(method, asked)
        token = await self.budget.take(can_wait=method in _CAN_WAIT)
        async with self._places_of_prices if method == _PRICE else self._places:
            self._pauses.refuse(method, asked)  # a pause may have begun while this request waited for its turn
            way = Way(self._host, self._through, token.sent)
            return await self._outliving.run(asked, way, self._answer(method, params, asked, bounds, way))

    async def _answer(self, method: str, params: dict[str, str], asked: str, bounds: Bounds, way: Way) -> Reply:
        asked_at_s = self._steady()
        try:
            raw = await fetch(self._http, f"{self._url}/public/{method}", params, asked, bounds, way)
            reply = read(raw, asked, of_test_host=self._of_test_host)
        except ExchangeError as error:
            self._pauses.note(error, method, asked)
            raise
        self._see_whose(reply.exchange, params.get("index_name", method), asked)
        waited_s = self._steady() - asked_at_s
        # All questions but prices share one vote: they are asked rarely, and their skew soon is out of date.
        voter = asked if method == _PRICE else ""
        self._compared.note(voter, reply.sent_at, self.local(), waited_s=waited_s, handled_in=reply.handled_in)
        return reply

    def _see_whose(self, exchange: Exchange, whom: str, asked: str) -> None:
        """Reject a reply from another exchange; `whom` is the index or the method that was asked."""
        self._first_said.setdefault(whom, exchange)
        if exchange is not self.exchange:
            others = f"but earlier replies came from {self.exchange}" if self.exchange else "but other replies did not"
            raise RejectedReplyError(f"{asked}: the reply came from {exchange}, {others}")
