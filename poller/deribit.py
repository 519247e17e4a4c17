"""The exchange client: HTTP in, records out. The only module that knows Deribit's wire format.

Source: docs.deribit.com (API v2.1.1) and recorded replies, read 2026-09.
"""

import asyncio
import json
import math
import os
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NoReturn, Self

import httpx

from settings import VERSION
from store import Tick, utc_now

from .errors import (
    ExchangeError,
    RateLimitedError,
    RefusedError,
    RejectedReplyError,
    UnavailableError,
    UnreachableError,
)

MAX_CONCURRENT = 4
USER_AGENT = f"Tickwell/{VERSION} (records index prices; httpx/{httpx.__version__})"
SIMULATOR = "tickwell-simulator"
"""The Server header of our simulator starts so; its prices never pass for the exchange's."""

# Of so many replies one is quick: a connection that is kept, and nothing else under way.
_CLOCKS_KEPT = 60

ChartRange = Literal["1h", "1d", "2d", "1m", "1y", "all"]

# Seconds. A warm round trip takes about 0.15 s; the slot's end bounds the whole of a request besides.
_TIMEOUT = httpx.Timeout(connect=3, read=4, write=3, pool=None)

# "RPC Error Codes": those after which the same request may succeed, and the pause in seconds that they ask for.
_TOO_MANY_REQUESTS = 10028
_RATE_LIMIT_PAUSE_S = 10.0
_TEMPORARY_PAUSE_S: dict[int | None, float] = {
    10001: 0.0,  # error
    10040: 0.0,  # retry
    10041: 2.0,  # settlement_in_progress
    10047: 0.0,  # matching_engine_queue_full
    10066: 1.0,  # too_many_concurrent_requests
    11051: 30.0,  # system_maintenance
    11056: 30.0,  # unauthenticated_public_requests_temporarily_disabled
    11094: 0.0,  # internal_server_error
    13025: 30.0,  # method_switched_off_by_admin
    13028: 0.0,  # temporarily_unavailable
    13503: 30.0,  # unavailable
    13888: 0.0,  # timed_out
}
_LONGEST_PAUSE_S = 60.0

# Those that speak of the method that was asked: the others go on meanwhile.
_OF_ONE_METHOD = frozenset({13025, 13503})
_EVERY_METHOD = ""

# The exchange opened in 2016; an instant outside these years is no exchange time.
_FIRST_INSTANT = datetime(2015, 1, 1, tzinfo=UTC)
_LAST_INSTANT = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """The average price of an index from `ts` on, over the step of the chart that it belongs to."""

    ts: datetime
    price: float


@dataclass(frozen=True, slots=True)
class Status:
    """Whether trading is halted: `locked` for all ("true"), some ("partial") or no ("false") currencies."""

    locked: str
    locked_indices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Reply:
    """The `result` of an answer, how long the exchange took, when it sent it, and whether it was our simulator."""

    result: Any
    handled_in: timedelta
    sent_at: datetime
    simulated: bool


@dataclass(frozen=True, slots=True, order=True)
class _Clocks:
    """What one reply tells of the exchange's clock: seconds on the way, and how far it is ahead of ours."""

    way_s: float
    skew_s: float


@dataclass(frozen=True, slots=True)
class _Pause:
    until: datetime
    reason: str
    code: int | None


class DeribitClient:
    """Reads Deribit's public methods over one connection pool, with at most 4 requests at once.

    Use it as an async context manager. Every method raises an `ExchangeError`, and only that, when no usable answer
    came; after one that asks for a pause, requests fail at once until the pause is over. The pause of a method that is
    switched off is that of this method alone. `simulated` is true once a reply came from our simulator.
    """

    def __init__(self, url: str, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=_TIMEOUT,
            limits=httpx.Limits(max_connections=MAX_CONCURRENT),
            headers={"user-agent": USER_AGENT, "accept": "application/json"},
        )
        self._slots = asyncio.Semaphore(MAX_CONCURRENT)
        self._pauses: dict[str, _Pause] = {}
        self._clocks: deque[_Clocks] = deque(maxlen=_CLOCKS_KEPT)
        self.simulated = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def paused_until(self) -> datetime | None:
        """Until when the exchange wants not to be asked for prices; perhaps over by now."""
        pauses = (self._pauses.get(method) for method in (_EVERY_METHOD, "get_index_price"))
        return max((pause.until for pause in pauses if pause is not None), default=None)

    @property
    def skew_s(self) -> float | None:
        """How far the exchange's clock is ahead of ours, as the quickest of the last replies tells; None without one.

        As in NTP: the way there and the way back are taken to last equally long.
        """
        return min(self._clocks).skew_s if self._clocks else None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def index_price(self, index_name: str) -> Tick:
        """The price of an index now (get_index_price), at the time when the exchange sent it."""
        asked = f"get_index_price {index_name}"
        reply = await self._ask("get_index_price", index_name=index_name)
        result = _mapping(reply.result, asked, "result")
        return Tick(
            index_name,
            reply.sent_at,
            _price(result.get("index_price"), asked, "index_price"),
            source="simulator" if reply.simulated else "live",
            received_at=self._clock(),
        )

    async def supported_index_names(self) -> frozenset[str]:
        """The names of all published indexes (get_supported_index_names and get_index_price_names)."""
        names: set[str] = set()
        for method in ("get_supported_index_names", "get_index_price_names"):
            reply = await self._ask(method)
            for item in _list(reply.result, method, "result"):
                name = item.get("name") if isinstance(item, dict) else item
                if not isinstance(name, str):
                    _reject(method, "index name", item, "a string, or an object with name")
                names.add(name)
        return frozenset(names)

    async def index_chart(self, index_name: str, chart_range: ChartRange) -> list[ChartPoint]:
        """The averages of an index over a window that ends now (get_index_chart_data), as the exchange orders them.

        "1m" is one month. The step follows from the points; it isn't part of the reply.
        """
        asked = f"get_index_chart_data {index_name} {chart_range}"
        reply = await self._ask("get_index_chart_data", index_name=index_name, range=chart_range)
        points = []
        for item in _list(reply.result, asked, "result"):
            point = _list(item, asked, "point")
            if len(point) != 2:
                _reject(asked, "point", item, "[milliseconds, price]")
            points.append(ChartPoint(_instant(point[0], 1e3, asked, "point"), _price(point[1], asked, "point")))
        return points

    async def time(self) -> datetime:
        """The exchange's clock (get_time)."""
        reply = await self._ask("get_time")
        return _instant(reply.result, 1e3, "get_time", "result")

    async def status(self) -> Status:
        """Whether trading is halted (status)."""
        reply = await self._ask("status")
        result = _mapping(reply.result, "status", "result")
        locked = str(result.get("locked")).lower()
        if locked not in {"true", "partial", "false"}:
            _reject("status", "locked", result.get("locked"), "true, partial or false")
        indices = _list(result.get("locked_indices") or [], "status", "locked_indices")
        return Status(locked, tuple(map(str, indices)))

    async def _ask(self, method: str, **params: str) -> _Reply:
        asked = " ".join([method, *params.values()])
        self._refuse_in_a_pause(method)
        async with self._slots:
            self._refuse_in_a_pause(method)  # one may have begun while this request waited for its turn
            try:
                asked_at = self._clock()
                reply = _read(await self._get(f"/public/{method}", params), asked)
            except ExchangeError as error:
                self._pause_after(error, method)
                raise
            self._note(reply, asked_at, self._clock())
            return reply

    def _note(self, reply: _Reply, asked_at: datetime, heard_at: datetime) -> None:
        self.simulated |= reply.simulated
        there, back = reply.sent_at - reply.handled_in - asked_at, reply.sent_at - heard_at
        self._clocks.append(_Clocks((there - back).total_seconds(), (there + back).total_seconds() / 2))

    def _refuse_in_a_pause(self, method: str) -> None:
        for paused in (_EVERY_METHOD, method):
            pause = self._pauses.get(paused)
            if pause is None:
                continue
            left = pause.until - self._clock()
            if left > timedelta(seconds=_LONGEST_PAUSE_S):  # the clock was set back
                del self._pauses[paused]
            elif left > timedelta(0):
                raise UnavailableError(f"paused until {pause.until:%H:%M:%S} UTC: {pause.reason}", code=pause.code)

    def _pause_after(self, error: ExchangeError, method: str) -> None:
        paused = method if error.code in _OF_ONE_METHOD else _EVERY_METHOD
        until = self._clock() + error.pause
        known = self._pauses.get(paused)
        if error.pause and (known is None or until > known.until):
            self._pauses[paused] = _Pause(until, str(error), error.code)

    async def _get(self, path: str, params: Mapping[str, str]) -> httpx.Response:
        """One request, sent again at once when the kept connection turns out to be closed."""
        try:
            return await self._http.get(path, params=params)
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
            pass
        except httpx.RequestError as error:
            raise UnreachableError(_reason(error)) from error
        try:
            return await self._http.get(path, params=params)
        except httpx.RequestError as error:
            raise UnreachableError(_reason(error)) from error


def _read(response: httpx.Response, asked: str) -> _Reply:
    """Make a reply of an HTTP response, or raise what it means. JSON-RPC errors come with HTTP 400."""
    try:
        envelope = json.loads(response.content)
    except (ValueError, RecursionError):
        envelope = None
    error = envelope.get("error") if isinstance(envelope, dict) else None
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS or _code(error) == _TOO_MANY_REQUESTS:
        raise RateLimitedError(
            f"{asked}: too many requests (HTTP {response.status_code}{_words(error)})",
            code=_code(error),
            pause=_retry_after(response, _RATE_LIMIT_PAUSE_S),
        )
    if isinstance(error, dict):
        raise _rpc_error(error, asked, response)
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise UnavailableError(
            f"{asked}: HTTP {response.status_code} {response.reason_phrase}", pause=_retry_after(response, 0)
        )
    if not isinstance(envelope, dict) or "result" not in envelope:
        _reject(asked, f"HTTP {response.status_code} body", response.text, "JSON with a result")
    simulated = response.headers.get("server", "").startswith(SIMULATOR)
    sent_at = _instant(envelope.get("usOut"), 1e6, asked, "usOut")
    return _Reply(envelope["result"], _handled_in(envelope), sent_at, simulated)


def _handled_in(envelope: dict[str, Any]) -> timedelta:
    """The exchange's own time for a reply; nothing depends on it but the comparison of clocks."""
    took_us = envelope.get("usDiff")
    return timedelta(microseconds=took_us) if isinstance(took_us, int) and 0 <= took_us < 60_000_000 else timedelta(0)


def _rpc_error(error: dict[str, Any], asked: str, response: httpx.Response) -> ExchangeError:
    code = _code(error)
    message = f"{asked}:{_words(error)}"
    if code in _TEMPORARY_PAUSE_S or response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        return UnavailableError(message, code=code, pause=_retry_after(response, _TEMPORARY_PAUSE_S.get(code, 0.0)))
    return RefusedError(message, code=code)


def _code(error: object) -> int | None:
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) else None


def _words(error: object) -> str:
    """A JSON-RPC error as text, e.g. " -32602 Invalid params (index_name: value is required)"."""
    if not isinstance(error, dict):
        return ""
    data = error.get("data")
    facts = f" ({data.get('param')}: {data.get('reason')})" if isinstance(data, dict) else ""
    return f" {error.get('code')} {error.get('message')}{facts}"


def _retry_after(response: httpx.Response, otherwise_s: float) -> timedelta:
    """The pause that the server states in seconds, if it does; none longer than a minute is believed."""
    stated = response.headers.get("retry-after", "")
    seconds = float(stated) if stated.isdecimal() else otherwise_s
    return timedelta(seconds=min(seconds, _LONGEST_PAUSE_S))


def _price(value: object, asked: str, name: str) -> float:
    try:
        price = math.nan if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
    except OverflowError:
        price = math.inf
    if not (math.isfinite(price) and price > 0):
        _reject(asked, name, value, "a positive number")
    return price


def _instant(value: object, units_per_second: float, asked: str, name: str) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int):
        _reject(asked, name, value, "a time as a whole number")
    microseconds = value * round(1e6 / units_per_second)
    try:
        instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    except OverflowError:
        instant = _LAST_INSTANT
    if not _FIRST_INSTANT <= instant < _LAST_INSTANT:
        _reject(asked, name, value, "a time between 2015 and 2100")
    return instant


def _mapping(value: object, asked: str, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        _reject(asked, name, value, "an object")
    return value


def _list(value: object, asked: str, name: str) -> list[Any]:
    if not isinstance(value, list):
        _reject(asked, name, value, "a list")
    return value


def _reject(asked: str, name: str, value: object, expected: str) -> NoReturn:
    shown = " ".join(str(value).split())
    raise RejectedReplyError(f"{asked}: {name} is {shown[:80]!r}, expected {expected}")


def _reason(error: httpx.RequestError) -> str:
    """Why no reply came, in the system's words, such as "connection refused"."""
    if isinstance(error, httpx.TimeoutException):
        return f"no reply in time ({type(error).__name__})"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        if isinstance(cause, OSError) and cause.errno:
            # asyncio puts words of its own into strerror; the resolver and TLS have numbers of their own
            numbered_apart = isinstance(cause, socket.gaierror | ssl.SSLError)
            words = str(cause.strerror) if numbered_apart else os.strerror(cause.errno)
            return words[0].lower() + words[1:]
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
