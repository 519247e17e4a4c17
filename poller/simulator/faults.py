"""What can be made to go wrong, for how long, and for which calls."""

import dataclasses
import json
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from settings import TickwellError

from .replies import METHODS, WINDOWS

_COMMON = ("method", "seconds", "times")

# For each kind the fields it takes besides `kind`.
KINDS: dict[str, tuple[str, ...]] = {
    "error": (*_COMMON, "code", "message", "data", "status"),  # a JSON-RPC error
    "rate_limit": (*_COMMON, "retry_after"),  # HTTP 429, with the JSON-RPC error 10028
    "html": (*_COMMON, "status"),  # a page, as from the edge in front of the exchange
    "not_json": _COMMON,  # HTTP 200 with plain text
    "reset": _COMMON,  # TCP RST in place of a reply
    "cut_off": _COMMON,  # half of the promised body, then the end of the connection
    "hang_up": _COMMON,  # a good reply that promises keep-alive; the next request on the connection finds it closed
    "slow": (*_COMMON, "delay_s"),
    "skew": (*_COMMON, "by_s"),  # of usIn, usOut and get_time; prices are those of the shifted time
    "settlement": ("method", "seconds"),  # error 10041 in the first 10 s after 08:00 UTC
    "bad_price": (*_COMMON, "value"),  # in the place of index_price
    "jump": (*_COMMON, "factor"),  # of prices, not of history
    "truncated_chart": _COMMON,  # the second half of the points
    "other_step": (*_COMMON, "step_s", "window"),
    "locked": (*_COMMON, "locked_indices"),  # status "partial"
    "outage": ("seconds",),  # the port closed, all connections cut
}

# Kinds that take the place of the whole reply: only the first of them counts for a request, so they queue up.
INSTEAD = ("error", "rate_limit", "html", "not_json", "reset")

_ONLY_FOR = {
    "bad_price": "get_index_price",
    "jump": "get_index_price",
    "truncated_chart": "get_index_chart_data",
    "other_step": "get_index_chart_data",
    "locked": "status",
}

BAD_PRICES = ("nan", "null", "negative", "zero", "text", "missing")


class FaultError(TickwellError):
    """A fault was described wrongly. Whoever asked for it corrects the field that the message names."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    kind: a key of `KINDS`, which says what fields it takes.
    method: the only method it bears on, e.g. "get_index_price"; None for every one it can bear on.
    seconds: how long it lasts; None for without end.
    times: after how many calls it ends; None for without end. Whichever comes first ends it.
    code, message, data: of the JSON-RPC error (error).
    status: of HTTP; None for the usual one, 400 (error) or 502 (html).
    retry_after: seconds, sent as the header of that name; None for no header (rate_limit).
    delay_s: how late the reply starts (slow).
    by_s: how far the exchange's clock is ahead of ours; negative when behind (skew).
    value: one of `BAD_PRICES` (bad_price).
    factor: what prices are multiplied by (jump).
    step_s, window: the distance of points, and the `range` whose chart has it (other_step).
    locked_indices: names in the status (locked).
    """

    kind: str
    method: str | None = None
    seconds: float | None = None
    times: int | None = None
    code: int = 10001
    message: str = "error"
    data: Any = None
    status: int | None = None
    retry_after: float | None = None
    delay_s: float = 5.0
    by_s: float = 60.0
    value: str = "null"
    factor: float = 1.1
    step_s: int = 300
    window: str = "2d"
    locked_indices: Sequence[str] = ("btc_usd",)

    def __post_init__(self) -> None:
        if self.kind not in tuple(KINDS):
            raise FaultError(f"kind = {self.kind!r}: must be one of {', '.join(KINDS)}")
        for field in dataclasses.fields(self)[1:]:
            if getattr(self, field.name) != field.default:
                self._check(field.name, getattr(self, field.name))
        if self.kind == "outage" and self.seconds is None:
            raise FaultError("outage needs seconds: nobody could reach the simulator to end it")

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a fault from a JSON object with its fields.

        Raises:
            FaultError: one line that names the field, its value and what is allowed.
        """
        try:
            fields = json.loads(text)
        except ValueError as error:
            raise FaultError(f"a fault is a JSON object: {error}") from error
        if not isinstance(fields, dict) or "kind" not in fields:
            raise FaultError('a fault is a JSON object with a kind, such as {"kind": "slow", "delay_s": 3, "times": 1}')
        unknown = fields.keys() - {field.name for field in dataclasses.fields(cls)}
        if unknown:
            raise FaultError(f"not a field of a fault: {', '.join(sorted(unknown))}")
        return cls(**fields)

    def as_fields(self) -> dict[str, Any]:
        """The fields that its kind takes, without those that are None."""
        fields = {name: getattr(self, name) for name in ("kind", *KINDS[self.kind])}
        return {name: value for name, value in fields.items() if value is not None}

    def bears_on(self, method: str) -> bool:
        return self.kind != "outage" and (self.method or _ONLY_FOR.get(self.kind)) in (None, method)

    def _check(self, name: str, value: object) -> None:
        if name not in KINDS[self.kind]:
            raise FaultError(f"{name} = {value!r}: {self.kind} takes {', '.join(KINDS[self.kind])}")
        if name == "method" and value != _ONLY_FOR.get(self.kind, value):
            raise FaultError(f"method = {value!r}: {self.kind} bears on {_ONLY_FOR[self.kind]}")
        fits, allowed = _CHECKS[name]
        if not fits(value):
            raise FaultError(f"{name} = {value!r}: must be {allowed}")


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _positive(value: Any) -> bool:
    return _number(value) and value > 0


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _one_of(names: Sequence[str]) -> tuple[Callable[[Any], bool], str]:
    return lambda value: value in names, f"one of {', '.join(names)}"


_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "method": _one_of(tuple(METHODS)),
    "seconds": (_positive, "a number above 0"),
    "times": (lambda value: _whole(value) and value > 0, "a whole number from 1"),
    "code": (_whole, "a whole number"),
    "message": (lambda value: isinstance(value, str), "a text"),
    "data": (lambda _: True, "anything"),
    "status": (lambda value: _whole(value) and 400 <= value <= 599, "a whole number from 400 to 599"),
    "retry_after": (lambda value: _number(value) and value >= 0, "a number from 0"),
    "delay_s": (_positive, "a number above 0"),
    "by_s": (lambda value: _number(value) and abs(value) <= 86400, "a number from -86400 to 86400"),
    "value": _one_of(BAD_PRICES),
    "factor": (_positive, "a number above 0"),
    "step_s": (lambda value: _whole(value) and value > 0, "a whole number from 1"),
    "window": _one_of(tuple(WINDOWS)),
    "locked_indices": (
        lambda value: isinstance(value, list | tuple) and all(isinstance(name, str) for name in value),
        "a list of index names",
    ),
}


@dataclass
class _Posted:
    fault: Fault
    ends_at: float
    times_left: float

    def left(self, now: float) -> Fault:
        seconds = None if self.fault.seconds is None else self.ends_at - now
        times = None if self.fault.times is None else int(self.times_left)
        return dataclasses.replace(self.fault, seconds=seconds, times=times)


class Faults:
    """The faults at work, shared by all threads. Each leaves by itself after its seconds or its times.

    Args:
        on_outage: called after an outage was added, in the thread that did it.
        monotonic: seconds of a clock that never steps.
    """

    def __init__(
        self, on_outage: Callable[[], None] = lambda: None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._on_outage = on_outage
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._posted: list[_Posted] = []

    def add(self, fault: Fault) -> None:
        with self._changed:
            ends_at = math.inf if fault.seconds is None else self._monotonic() + fault.seconds
            self._posted.append(_Posted(fault, ends_at, math.inf if fault.times is None else fault.times))
        if fault.kind == "outage":
            self._on_outage()

    def clear(self) -> None:
        """End all faults at once, an outage among them."""
        with self._changed:
            self._posted.clear()
            self._changed.notify_all()

    def listing(self) -> list[Fault]:
        """The faults at work, oldest first, each with what is left of its seconds and times."""
        with self._changed:
            now = self._drop_ended()
            return [posted.left(now) for posted in self._posted]

    def active(self, method: str) -> list[Fault]:
        """The faults that a call of a method meets, oldest first. The call counts against the times of each."""
        with self._changed:
            self._drop_ended()
            chosen: list[_Posted] = []
            for posted in self._posted:
                replaced = posted.fault.kind in INSTEAD and any(other.fault.kind in INSTEAD for other in chosen)
                if posted.fault.bears_on(method) and not replaced:
                    posted.times_left -= 1
                    chosen.append(posted)
            return [posted.fault for posted in chosen]

    def wait_until_over(self, kind: str) -> None:
        """Return when no fault of a kind is at work any more."""
        with self._changed:
            while True:
                now = self._drop_ended()
                ends = [posted.ends_at for posted in self._posted if posted.fault.kind == kind]
                if not ends:
                    return
                self._changed.wait(max(ends) - now)

    def _drop_ended(self) -> float:
        now = self._monotonic()
        self._posted = [posted for posted in self._posted if posted.ends_at > now and posted.times_left > 0]
        return now
