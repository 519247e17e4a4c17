"""Deribit's wire format: the bytes of a reply become records, or the error that they mean. All text becomes one line.

Source: docs.deribit.com (API v2.1.1) and recorded replies, read 2026-09.
"""

import json
import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, NoReturn

from poller.words import one_line
from store.models import Exchange

from .errors import RateLimitedError, RefusedError, RejectedReplyError, UnavailableError

SIMULATOR = "tickwell-simulator"
"""The Server header of our simulator starts with this; the simulator's prices never pass for the exchange's."""

LONGEST_PAUSE_S = 60.0

# From "RPC Error Codes": codes after which the same request may succeed, and the pause in seconds after each.
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

# The range of the database column that keeps a code.
_CODES = range(-(2**31), 2**31)

# The exchange opened in 2016; an instant outside these years is no exchange time.
_FIRST_INSTANT = datetime(2015, 1, 1, tzinfo=UTC)
_LAST_INSTANT = datetime(2100, 1, 1, tzinfo=UTC)

# How much of a value a rejection shows; a code has at most eleven characters.
_SHOWN = 80
_SHOWN_OF_CODE = 20


@dataclass(frozen=True, slots=True)
class RawReply:
    """An HTTP response. `trouble` says why its body can't be used, and then `body` is empty; otherwise it is ""."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The `result` of a reply, how long the exchange took, when it sent it, and which exchange it was."""

    result: Any
    handled_in: timedelta
    sent_at: datetime
    exchange: Exchange


def read(raw: RawReply, asked: str, *, of_test_host: bool = False) -> Reply:
    """Make a reply of an HTTP response, or raise the error that it means. JSON-RPC errors come with HTTP 400."""
    envelope = _envelope(raw.body)
    error = envelope.get("error") if isinstance(envelope, dict) else None
    _raise_if_unavailable(raw, error, asked)
    if isinstance(error, dict):
        raise RefusedError(f"{asked}:{_words(error)}", code=_code(error))
    if raw.trouble:
        raise RejectedReplyError(f"{asked}: HTTP {raw.status} body {raw.trouble}")
    if not isinstance(envelope, dict) or "result" not in envelope:
        text = raw.body[: 4 * _SHOWN].decode("utf-8", "replace")
        reject(asked, f"HTTP {raw.status} body", text, "JSON with a result")
    if raw.status != HTTPStatus.OK or error is not None:
        reject(asked, f"HTTP {raw.status} with a result and the error", error, "HTTP 200 and no error")
    sent_at = instant(envelope.get("usOut"), 1e6, asked, "usOut")
    exchange = _exchange(raw, envelope, asked, of_test_host=of_test_host)
    return Reply(envelope["result"], _handled_in(envelope), sent_at, exchange)


def price(value: object, asked: str, name: str) -> float:
    """A positive, finite number."""
    found = finite(value)
    if found is None or found <= 0:
        reject(asked, name, value, "a positive number")
    return found


def number(value: object, asked: str, name: str) -> float:
    """A finite number."""
    found = finite(value)
    if found is None:
        reject(asked, name, value, "a number")
    return found


def finite(value: object) -> float | None:
    """The value as a float; None if it is not a finite number."""
    try:
        found = math.nan if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def whole(value: object, asked: str, name: str) -> int:
    """A whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        reject(asked, name, value, "a whole number")
    return value


def instant(value: object, units_per_second: float, asked: str, name: str) -> datetime:
    """A time since 1970 in whole units."""
    if isinstance(value, bool) or not isinstance(value, int):
        reject(asked, name, value, "a time as a whole number")
    microseconds = value * round(1e6 / units_per_second)
    try:
        found = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    except OverflowError:
        found = _LAST_INSTANT
    if not _FIRST_INSTANT <= found < _LAST_INSTANT:
        reject(asked, name, value, "a time between 2015 and 2100")
    return found


def mapping(value: object, asked: str, name: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        reject(asked, name, value, "an object")
    return value


def items(value: object, asked: str, name: str) -> list[Any]:
    """A JSON list."""
    if not isinstance(value, list):
        reject(asked, name, value, "a list")
    return value


def text(value: object) -> str:
    """Any JSON value as one line; an object or list shows its outermost levels and first items."""
    return one_line(reprlib.repr(value) if isinstance(value, dict | list) else str(value))


def reject(asked: str, name: str, value: object, expected: str) -> NoReturn:
    """Reject a reply with a part that is not as documented."""
    raise RejectedReplyError(f"{asked}: {name} is {text(value)[:_SHOWN]!r}, expected {expected}")


def _envelope(body: bytes) -> Any:
    """The JSON of a body; None if it is not JSON, nested too deep, or has a number of thousands of digits."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _raise_if_unavailable(raw: RawReply, error: object, asked: str) -> None:
    code = _code(error)
    if raw.status == HTTPStatus.TOO_MANY_REQUESTS or code == _TOO_MANY_REQUESTS:
        raise RateLimitedError(
            f"{asked}: too many requests (HTTP {raw.status}{_words(error)})",
            code=code,
            pause=_retry_after(raw, _RATE_LIMIT_PAUSE_S),
        )
    if code in _TEMPORARY_PAUSE_S or raw.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        words = _words(error) or f" HTTP {raw.status} {one_line(raw.reason)}"
        raise UnavailableError(
            f"{asked}:{words}", code=code, pause=_retry_after(raw, _TEMPORARY_PAUSE_S.get(code, 0.0))
        )


def _exchange(raw: RawReply, envelope: dict[str, Any], asked: str, *, of_test_host: bool) -> Exchange:
    if any(server.strip().startswith(SIMULATOR) for server in raw.headers.get("server", "").split(",")):
        return Exchange.SIMULATOR
    if not isinstance(testnet := envelope.get("testnet", False), bool):
        reject(asked, "testnet", testnet, "true or false")
    # One reply of the test host, recorded in 2020, says false.
    return Exchange.TEST if of_test_host or testnet else Exchange.REAL


def _handled_in(envelope: dict[str, Any]) -> timedelta:
    """The exchange's own time for a reply; only the comparison of clocks depends on it."""
    took_us = envelope.get("usDiff")
    return timedelta(microseconds=took_us) if isinstance(took_us, int) and 0 <= took_us < 60_000_000 else timedelta(0)


def _code(error: object) -> int | None:
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and not isinstance(code, bool) and code in _CODES else None


def _words(error: object) -> str:
    """A JSON-RPC error as text, e.g. " -32602 Invalid params (index_name: value is required)"."""
    if not isinstance(error, dict):
        return ""
    facts = error.get("data")
    reason = f" ({text(facts.get('param'))}: {text(facts.get('reason'))})" if isinstance(facts, dict) else ""
    return f" {text(error.get('code'))[:_SHOWN_OF_CODE]} {text(error.get('message'))}{reason}"


def _retry_after(raw: RawReply, otherwise_s: float) -> timedelta:
    """The pause in seconds that the server states, if it states one; at most a minute."""
    stated = raw.headers.get("retry-after", "")
    seconds = float(stated) if stated.isdecimal() else otherwise_s
    return timedelta(seconds=min(seconds, LONGEST_PAUSE_S))
