"""The exchange behind the HTTP: one call in, one reply out, with its limits and whatever faults are at work."""

import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import responses
from threading import Lock
from typing import Any, Literal

from .faults import INSTEAD, Fault, Faults
from .replies import WINDOWS, Call, Json, RpcError, Window, answer, settling

_TOO_MANY_REQUESTS = (10028, "too_many_requests")
_SETTLEMENT_IN_PROGRESS = (10041, "settlement_in_progress")
_PARSE_ERROR = (-32700, "Parse error", {"reason": "invalid json"})

Ending = Literal["as_promised", "reset", "cut_off", "hang_up"]


@dataclass(frozen=True)
class Reply:
    """What goes out over HTTP, and what becomes of the connection: kept or closed as promised, or mistreated."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    ending: Ending = "as_promised"


class Bucket:
    """The credits of one caller, in requests: so many at once, refilled continuously.

    The defaults are those documented for an account: 50000 credits and 10000 a second at 500 a request
    (docs.deribit.com/articles/rate-limits, read 2026-09); the exchange doesn't publish them for anonymous readers.
    """

    def __init__(
        self, burst: float = 100, per_second: float = 20, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst, self._per_second, self._monotonic = burst, per_second, monotonic
        self._left, self._seen = burst, monotonic()
        self._lock = Lock()

    def take(self) -> bool:
        """Is there credit for one more request?"""
        with self._lock:
            now = self._monotonic()
            self._left = min(self._burst, self._left + (now - self._seen) * self._per_second)
            self._seen = now
            if self._left < 1:
                return False
            self._left -= 1
            return True


class Exchange:
    """Answers calls.

    Args:
        faults: at work on every call.
        seed: of the prices.
        clock: the instant, aware.
        bucket: of the rate limit; None for no limit.
        pause: waits for so many seconds, or less if the server stops meanwhile.
    """

    def __init__(
        self,
        faults: Faults,
        *,
        seed: int,
        clock: Callable[[], datetime],
        bucket: Bucket | None,
        pause: Callable[[float], object],
    ) -> None:
        self._faults, self._seed, self._clock, self._bucket, self._pause = faults, seed, clock, bucket, pause

    def post(self, body: bytes) -> Reply:
        """Answer a JSON-RPC request; its `id` is echoed when it has one."""
        try:
            request = _request(body)
        except RpcError as error:
            return _error_reply(error, _Stamp(self._clock(), self._clock()))
        echo = {"id": request["id"]} if "id" in request else {}
        return self.call(request["method"].removeprefix("public/"), request["params"], echo)

    def call(self, method: str, params: Mapping[str, str], echo: Mapping[str, Json] | None = None) -> Reply:
        """Answer a call of a method, given without its "public/"; `echo` goes into the envelope."""
        faults = self._faults.active(method)
        skew = timedelta(seconds=sum(fault.by_s for fault in faults if fault.kind == "skew"))
        came = self._clock() + skew
        self._pause(sum(fault.delay_s for fault in faults if fault.kind == "slow"))
        stamp = _Stamp(came, self._clock() + skew, echo or {})
        for fault in faults:
            if fault.kind in INSTEAD:
                return _replacement(fault, stamp)
        try:
            result = self._result(method, params, faults, stamp.leaves)
        except RpcError as error:
            return _error_reply(error, stamp)
        return Reply(200, stamp.envelope({"result": result}), ending=_ending(faults))

    def _result(self, method: str, params: Mapping[str, str], faults: Iterable[Fault], now: datetime) -> Json:
        if self._bucket is not None and not self._bucket.take():
            raise RpcError(*_TOO_MANY_REQUESTS)
        if settling(now) and any(fault.kind == "settlement" for fault in faults):
            raise RpcError(*_SETTLEMENT_IN_PROGRESS)
        result = answer(method, Call(params, now, self._seed, _windows(faults)))
        for fault in faults:
            result = _DISTORTIONS.get(fault.kind, _left_alone)(result, fault)
        return result


@dataclass(frozen=True)
class _Stamp:
    """The exchange's times of a call, and what its envelope repeats."""

    came: datetime
    leaves: datetime
    echo: Mapping[str, Json] = field(default_factory=dict)

    def envelope(self, content: Mapping[str, Json]) -> bytes:
        came_us, leaves_us = _us(self.came), _us(self.leaves)
        times = {"usIn": came_us, "usOut": leaves_us, "usDiff": leaves_us - came_us}
        return json.dumps({"jsonrpc": "2.0", **self.echo, **content, **times, "testnet": False}).encode()


def _us(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _request(body: bytes) -> dict[str, Any]:
    """The JSON-RPC request with all parameters as texts, as a query has them. Batches are refused, as recorded."""
    try:
        request = json.loads(body)
    except ValueError as error:
        raise RpcError(*_PARSE_ERROR) from error
    params = request.get("params", {}) if isinstance(request, dict) else None
    if not isinstance(params, dict) or not isinstance(request.get("method"), str):
        raise RpcError(*_PARSE_ERROR)
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
    return {**request, "params": texts}


def _error_reply(error: RpcError, stamp: _Stamp, status: int = 400, headers: Mapping[str, str] | None = None) -> Reply:
    content = {"code": error.code, "message": error.message}
    if error.data is not None:
        content["data"] = error.data
    return Reply(status, stamp.envelope({"error": content}), headers=headers or {})


def _replacement(fault: Fault, stamp: _Stamp) -> Reply:
    """The reply that a fault puts in the place of a good one."""
    match fault.kind:
        case "error":
            return _error_reply(RpcError(fault.code, fault.message, fault.data), stamp, fault.status or 400)
        case "rate_limit":
            headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
            return _error_reply(RpcError(*_TOO_MANY_REQUESTS), stamp, 429, headers)
        case "html":
            return html_reply(fault.status or 502)
        case "not_json":
            return Reply(200, b"The exchange is being restarted.\n", "text/plain")
        case _:
            return Reply(200, b"", ending="reset")


def html_reply(status: int) -> Reply:
    """A page as the edge in front of the exchange shows it."""
    title = f"{status} {responses.get(status, 'Unknown')}"
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return Reply(status, page.encode(), "text/html")


def _ending(faults: Iterable[Fault]) -> Ending:
    kinds = {fault.kind for fault in faults}
    return "cut_off" if "cut_off" in kinds else "hang_up" if "hang_up" in kinds else "as_promised"


def _windows(faults: Iterable[Fault]) -> Mapping[str, Window]:
    changed = {
        fault.window: dataclasses.replace(WINDOWS[fault.window], step_s=fault.step_s)
        for fault in faults
        if fault.kind == "other_step"
    }
    return {**WINDOWS, **changed}


def _left_alone(result: Json, _fault: Fault) -> Json:
    return result


def _jumped(result: Json, fault: Fault) -> Json:
    return {name: round(price * fault.factor, 6) for name, price in result.items()}


def _truncated(result: Json, _fault: Fault) -> Json:
    return result[len(result) // 2 :]


def _with_bad_price(result: Json, fault: Fault) -> Json:
    price = result["index_price"]
    bad = {"nan": math.nan, "null": None, "negative": -price, "zero": 0, "text": "n/a"}
    others = {name: value for name, value in result.items() if name != "index_price"}
    return others if fault.value == "missing" else {"index_price": bad[fault.value], **others}


def _locked(_result: Json, fault: Fault) -> Json:
    return {"locked": "partial", "locked_indices": list(fault.locked_indices)}


_DISTORTIONS: dict[str, Callable[[Json, Fault], Json]] = {
    "jump": _jumped,
    "truncated_chart": _truncated,
    "bad_price": _with_bad_price,
    "locked": _locked,
}
