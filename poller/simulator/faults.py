"""The faults that can be asked for: how long each lasts, and which calls it affects."""

import dataclasses
import json
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from settings import TickwellError

from .fields import CHECKS, INSTEAD, KINDS, ONLY_FOR, shown
from .market_replies import OF_ONE_CURRENCY, SUMMARY
from .replies import OF_ONE_INDEX


class FaultError(TickwellError):
    """The description of a fault is wrong. The caller corrects the field that the message names."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    kind: a key of `fields.KINDS`, which says what fields it takes.
    method: the only method that it affects, e.g. "get_index_price"; None for every method that it can affect.
    index_name: it affects only calls for this index, e.g. "btc_usd"; None for all calls.
    currency: it affects only calls for this currency, e.g. "BTC"; None for all calls.
    book: it affects only summaries of this kind, "option" or "future"; None for all calls.
    seconds: how long it lasts; None for without end.
    times: after how many calls it ends; None for without end. Whichever comes first ends it.
    code, message, data: of the JSON-RPC error (error).
    status: of HTTP; None for the usual one, 400 (error) or 502 (html).
    depth: how deep the lists are nested (nested).
    retry_after: seconds, sent as the header of that name; None for no header (rate_limit).
    delay_s: how late the reply starts (slow).
    every_s: seconds before each byte of the body (trickle).
    size_bytes: of the white space (large_body).
    by_s: how far the exchange's clock is ahead of ours; negative when behind (skew).
    value: one of `fields.BAD_PRICES` (bad_price).
    factor: what prices are multiplied by (jump).
    step_s, window: the distance of points, and the `range` whose chart has it (other_step).
    rows: how many rows of a summary it affects (missing_rows, null_marks, unknown_names, double_rows, other_times), or
        how many candles a page has (short_pages).
    old_s: how much older a summary is (old_summary).
    locked_indices: names in the status (locked).
    """

    kind: str
    method: str | None = None
    index_name: str | None = None
    currency: str | None = None
    book: str | None = None
    seconds: float | None = None
    times: int | None = None
    code: int = 10001
    message: str = "error"
    data: Any = None
    status: int | None = None
    retry_after: float | None = None
    depth: int = 10_000
    delay_s: float = 5.0
    every_s: float = 1.0
    size_bytes: int = 200_000_000
    by_s: float = 60.0
    value: str = "null"
    factor: float = 1.1
    step_s: int = 300
    window: str = "2d"
    rows: int = 1
    old_s: float = 60.0
    locked_indices: Sequence[str] = ("btc_usd",)

    def __post_init__(self) -> None:
        if self.kind not in tuple(KINDS):
            raise FaultError(f"kind = {shown(self.kind)}: must be one of {', '.join(KINDS)}")
        for field in dataclasses.fields(self)[1:]:
            value = getattr(self, field.name)
            if field.name in KINDS[self.kind]:
                if value is not None or field.default is not None:
                    self._check(field.name, value)
            elif value != field.default:
                raise self._not_taken(field.name, value)
        self._check_the_whole()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a fault from a JSON object with its fields.

        Raises:
            FaultError: one line that names the field, its value and what is allowed.
        """
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise FaultError(f"a fault is a JSON object: {error}") from error
        if not isinstance(fields, dict) or "kind" not in fields:
            raise FaultError('a fault is a JSON object with a kind, such as {"kind": "slow", "delay_s": 3, "times": 1}')
        unknown = fields.keys() - {field.name for field in dataclasses.fields(cls)}
        if unknown:
            raise FaultError(f"not a field of a fault: {' '.join(', '.join(sorted(unknown)).split())}")
        fault = cls(**fields)
        for name in fields.keys() - {"kind", *KINDS[fault.kind]}:  # equal to its default
            raise fault._not_taken(name, fields[name])
        return fault

    def as_fields(self) -> dict[str, Any]:
        """The fields that its kind takes, without fields that are None."""
        fields = {name: getattr(self, name) for name in ("kind", *KINDS[self.kind])}
        return {name: value for name, value in fields.items() if value is not None}

    def bears_on(self, method: str, params: Mapping[str, str]) -> bool:
        """Does it affect a call of a method with these parameters?"""
        if self.kind == "outage":
            return False
        if self.kind == "delisted":  # the lists of names show it too
            return True
        return (
            (self.method or ONLY_FOR.get(self.kind)) in (None, method)
            and self.index_name in (None, params.get("index_name"))
            and self.currency in (None, params.get("currency"))
            and self.book in (None, params.get("kind"))
        )

    def _check(self, name: str, value: object) -> None:
        fits, allowed = CHECKS[name]
        if not fits(value):
            raise FaultError(f"{name} = {shown(value)}: must be {allowed}")
        if name == "method" and value != ONLY_FOR.get(self.kind, value):
            raise FaultError(f"method = {shown(value)}: {self.kind} affects only {ONLY_FOR[self.kind]}")

    def _check_the_whole(self) -> None:
        if self.kind == "outage" and self.seconds is None:
            raise FaultError("outage needs seconds: no request could reach the simulator to end it")
        if self.kind == "delisted" and self.index_name is None:
            raise FaultError("delisted needs index_name: the index that is no longer published")
        if self.index_name is not None and self.method not in (None, *OF_ONE_INDEX):
            raise FaultError(f"index_name = {self.index_name!r}: calls of {self.method} name no index")
        if self.currency is not None and self.method not in (None, *OF_ONE_CURRENCY):
            raise FaultError(f"currency = {self.currency!r}: calls of {self.method} name no currency")
        if self.book is not None and self.method not in (None, SUMMARY):
            raise FaultError(f"book = {self.book!r}: calls of {self.method} name no kind of instruments")

    def _not_taken(self, name: str, value: object) -> FaultError:
        return FaultError(f"{name} = {shown(value)}: {self.kind} takes {', '.join(KINDS[self.kind])}")


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
    """The faults at work, shared by all threads. Each ends by itself after its seconds or its times.

    Args:
        on_outage: called after an outage was added, in the same thread.
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
        """The faults at work, oldest first, each with the seconds and times that are left."""
        with self._changed:
            now = self._drop_ended()
            return [posted.left(now) for posted in self._posted]

    def active(self, method: str, /, **params: str) -> list[Fault]:
        """The faults that affect a call with these parameters, oldest first.

        The call counts against the times of each.
        """
        with self._changed:
            self._drop_ended()
            chosen: list[_Posted] = []
            for posted in self._posted:
                replaced = posted.fault.kind in INSTEAD and any(other.fault.kind in INSTEAD for other in chosen)
                if posted.fault.bears_on(method, params) and not replaced:
                    posted.times_left -= 1
                    chosen.append(posted)
            return [posted.fault for posted in chosen]

    def wait_until_over(self, kind: str) -> None:
        """Return once no fault of a kind is at work."""
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
