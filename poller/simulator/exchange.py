"""The exchange behind the HTTP: one call in, one reply out, with its limits and the faults at work."""

import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from .bodies import TOO_MANY_REQUESTS, Ending, Reply, Stamp, error_reply, replacement
from .faults import Fault, Faults
from .fields import INSTEAD
from .market_replies import SETTLEMENT_IN_PROGRESS
from .methods import answer
from .replies import PAGE, WINDOWS, Call, Json, RpcError, Window, settling

_PARSE_ERROR = (-32700, "Parse error", {"reason": "invalid json"})


class Bucket:
    """The credits of one caller, counted in requests: `burst` at once, refilled continuously.

    The defaults are documented for accounts: 50000 credits and 10000 a second at 500 a request
    (docs.deribit.com/articles/rate-limits, read 2026-09). The exchange publishes none for anonymous readers.
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
        pause: waits for some seconds, or less if the server stops meanwhile.
        testnet: whether replies say that they come from the test environment.
    """

    def __init__(
        self,
        faults: Faults,
        *,
        seed: int,
        clock: Callable[[], datetime],
        bucket: Bucket | None,
        pause: Callable[[float], object],
        testnet: bool = False,
    ) -> None:
        self._faults, self._seed, self._clock, self._bucket, self.pause = faults, seed, clock, bucket, pause
        self._testnet = testnet

    def post(self, body: bytes) -> Reply:
        """Answer a JSON-RPC request; the reply repeats its `id` if it has one."""
        try:
            request = _request(body)
        except RpcError as error:
            return error_reply(error, Stamp(self._clock(), self._clock(), testnet=self._testnet))
        echo = {"id": request["id"]} if "id" in request else {}
        return self.call(request["method"].removeprefix("public/"), request["params"], echo)

    def call(self, method: str, params: Mapping[str, str], echo: Mapping[str, Json] | None = None) -> Reply:
        """Answer a call of a method, given without its "public/"; the envelope repeats `echo`."""
        faults = self._faults.active(method, **params)
        skew = timedelta(seconds=sum(fault.by_s for fault in faults if fault.kind == "skew"))
        came = self._clock() + skew
        self.pause(sum(fault.delay_s for fault in faults if fault.kind == "slow"))
        stamp = Stamp(came, self._clock() + skew, echo or {}, self._testnet)
        for fault in faults:
            if fault.kind in INSTEAD:
                return replacement(fault, stamp)
        try:
            result = self._result(method, params, faults, stamp.leaves)
        except RpcError as error:
            return error_reply(error, stamp)
        return Reply(
            200,
            stamp.envelope({"result": result}),
            ending=_ending(faults),
            blanks=sum(fault.size_bytes for fault in faults if fault.kind == "large_body"),
            byte_every_s=sum(fault.every_s for fault in faults if fault.kind == "trickle"),
        )

    def _result(self, method: str, params: Mapping[str, str], faults: Iterable[Fault], now: datetime) -> Json:
        if self._bucket is not None and not self._bucket.take():
            raise RpcError(*TOO_MANY_REQUESTS)
        if settling(now) and any(fault.kind == "settlement" for fault in faults):
            raise RpcError(*SETTLEMENT_IN_PROGRESS)
        delisted = frozenset(str(fault.index_name) for fault in faults if fault.kind == "delisted")
        late = timedelta(seconds=sum(fault.old_s for fault in faults if fault.kind == "old_summary"))
        page = min((fault.rows for fault in faults if fault.kind == "short_pages"), default=PAGE)
        result = answer(method, Call(params, now, self._seed, _windows(faults), delisted, late, page))
        for fault in faults:
            result = _DISTORTIONS.get(fault.kind, _left_alone)(result, fault)
        return result


def _request(body: bytes) -> dict[str, Any]:
    """The JSON-RPC request with all parameters as texts, like a query's. Batches are refused, as by the exchange."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RpcError(*_PARSE_ERROR) from error
    params = request.get("params", {}) if isinstance(request, dict) else None
    if not isinstance(params, dict) or not isinstance(request.get("method"), str):
        raise RpcError(*_PARSE_ERROR)
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
    return {**request, "params": texts}


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


def _of_rows(change: Callable[[Json], list[Json]]) -> Callable[[Json, Fault], Json]:
    """A distortion that makes other rows of each of the first rows of a summary."""
    return lambda result, fault: [
        *(new for row in result[: fault.rows] for new in change(row)),
        *result[fault.rows :],
    ]


def _locked(_result: Json, fault: Fault) -> Json:
    return {"locked": "partial", "locked_indices": list(fault.locked_indices)}


_DISTORTIONS: dict[str, Callable[[Json, Fault], Json]] = {
    "jump": _jumped,
    "truncated_chart": _truncated,
    "bad_price": _with_bad_price,
    "missing_rows": _of_rows(lambda _: []),
    "null_marks": _of_rows(lambda row: [{**row, "mark_price": None}]),
    "unknown_names": _of_rows(lambda row: [{**row, "instrument_name": "BTC-MOON-1"}]),
    "double_rows": _of_rows(lambda row: [row, row]),
    "other_times": _of_rows(lambda row: [{**row, "creation_timestamp": row["creation_timestamp"] - 2000}]),
    "locked": _locked,
}
