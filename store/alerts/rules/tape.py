"""What the rules need to know of an index, a feed or a number of a market, updated within microseconds.

The tape has observations only: an average that healed a gap later causes no alert, and does not change the high or low
that a price is compared with.
"""

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from operator import ge, le

from store.instants import EVER, HOUR, MINUTE
from store.market.realised import moves_of, realised, square

# Old items are dropped once a list has this many: dropping costs as much as the items that are kept.
_DROP_AT = 4096


class Extremes:
    """The lowest, or the highest, price since any time within a moving window.

    A price is dropped once a later one is as low. So each price that is left is the lowest from its time on.
    """

    def __init__(self, length: timedelta, *, lowest: bool) -> None:
        self._length = length
        self._beats: Callable[[float, float], bool] = le if lowest else ge
        self._times: list[datetime] = []
        self._prices: list[float] = []

    def add(self, ts: datetime, price: float) -> None:
        while self._prices and self._beats(price, self._prices[-1]):
            self._prices.pop()
            self._times.pop()
        self._times.append(ts)
        self._prices.append(price)
        if len(self._times) >= _DROP_AT:
            gone = bisect_left(self._times, ts - self._length)
            del self._times[:gone], self._prices[:gone]

    def since(self, start: datetime) -> float | None:
        """The lowest, or highest, price from `start` on; None without a price."""
        at = bisect_left(self._times, start)
        return self._prices[at] if at < len(self._prices) else None


class Tape:
    """The recent prices and slots of an index, as the rules see them.

    A feed of a market has slots, and the time of its newest snapshot. A number of a market has values for prices. A
    lake has the time up to which it has the record.

    Args:
        poll_seconds: between two of its slots.
        length: how far back prices are kept.
        since: the time of its first observed tick, if it has one already.
    """

    def __init__(self, poll_seconds: int, length: timedelta, since: datetime | None = None) -> None:
        self.period = timedelta(seconds=poll_seconds)
        self.since = since
        self.ts = EVER
        self.price = math.nan
        self.slot = self.heard = EVER
        self.length = length
        self._lows, self._highs = Extremes(length, lowest=True), Extremes(length, lowest=False)
        self._minutes: list[datetime] = []
        self._squares: list[float] = []
        self._close = math.nan
        self._volatility: dict[timedelta, float | None] = {}
        self._missing: deque[tuple[datetime, datetime]] = deque()
        self._missing_s = 0.0

    def share(self, to: datetime | None, at: datetime) -> None:
        """Take up to when a lake has the record at a time. None is nothing yet, which counts from the first time on."""
        self.ts = to or (at if self.ts is EVER else self.ts)
        self.since, self.slot, self.heard = to, at, at

    def recall(self, ticks: Iterable[tuple[datetime, float]], closes: Iterable[tuple[datetime, float]]) -> None:
        """Take stored prices: the closes of whole minutes, and ticks up to the newest one.

        Ticks that are neither lower nor higher than all ticks after them may be left out.
        """
        for minute, close in closes:
            self.close_minute(minute, close)
        for ts, price in ticks:
            self.take(ts, price)

    def hear(self, ts: datetime, price: float) -> None:
        """Take the newest price of an index, which is later than all before."""
        if self.ts is not EVER and minute_of(ts) > minute_of(self.ts):
            self.close_minute(minute_of(self.ts), self.price)
        self.take(ts, price)
        self.since = self.since or ts

    def take(self, ts: datetime, value: float) -> None:
        """Take the newest value, which is later than all before and may be below 0, without its minute."""
        if self.ts is not EVER:
            self._lows.add(self.ts, self.price)
            self._highs.add(self.ts, self.price)
        self.ts, self.price = ts, value

    def close_minute(self, minute: datetime, close: float) -> None:
        """Take the last price of a whole minute, which is later than all before."""
        follows = bool(self._minutes) and minute - self._minutes[-1] == MINUTE
        self._squares.append(square(self._close, close) if follows else math.nan)
        self._minutes.append(minute)
        self._close = close
        self._volatility.clear()
        if len(self._minutes) >= _DROP_AT:
            gone = bisect_left(self._minutes, minute - self.length)
            del self._minutes[:gone], self._squares[:gone]

    def lowest(self, within: timedelta) -> float:
        """The lowest price of the time up to the newest tick, both ends included."""
        before = self._lows.since(self.ts - within)
        return self.price if before is None or self.price < before else before

    def highest(self, within: timedelta) -> float:
        """The highest price of the time up to the newest tick, both ends included."""
        before = self._highs.since(self.ts - within)
        return self.price if before is None or self.price > before else before

    def range_before(self, length: timedelta) -> tuple[float, float] | None:
        """Low and high of the time before the newest tick; None if a part of the time is not known."""
        start = self.ts - length
        if self.since is None or self.since > start:
            return None
        low, high = self._lows.since(start), self._highs.since(start)
        return None if low is None or high is None else (low, high)

    def volatility(self, over: timedelta) -> float | None:
        """Realised volatility in percent a year, of the closes of the whole minutes before the newest tick.

        Its mean return is assumed to be 0. None where less than half of the returns from minute to minute are known.
        """
        if over not in self._volatility:
            self._volatility[over] = self._realised(over)
        return self._volatility[over]

    def _realised(self, over: timedelta) -> float | None:
        first = bisect_left(self._minutes, minute_of(self.ts) - over)
        # The return of the first close needs a close before the time, so it is left out.
        known = [each for each in self._squares[first + 1 :] if not math.isnan(each)]
        return realised(moves_of(known), over // MINUTE - 1)

    @property
    def late(self) -> int:
        """How many slots ago the newest tick came."""
        return (self.slot - self.heard) // self.period

    def serve(self, slot: datetime, *, heard: bool) -> None:
        """Take the outcome of the next slot. A slot that was left out since the last one had no tick."""
        if self.slot is not EVER and slot - self.slot > self.period:
            self.miss(self.slot + self.period, slot)
        if heard:
            self.heard = slot
        else:
            self.miss(slot, slot + self.period)
        self.slot = slot

    def miss(self, start: datetime, end: datetime) -> None:
        """Note that ticks were due and none came in [start, end), which is later than all before."""
        if self.heard is EVER:
            self.heard = start - self.period
        self._missing.append((start, end))
        self._missing_s += (end - start).total_seconds()

    def coverage(self) -> float:
        """The share of the hour up to the end of the last slot in which the due ticks came, in percent."""
        start = self.slot + self.period - HOUR
        while self._missing and self._missing[0][0] < start:
            first, last = self._missing.popleft()
            self._missing_s -= (last - first).total_seconds()
            if last > start:
                self._missing.appendleft((start, last))
                self._missing_s += (last - start).total_seconds()
        return 100 * (1 - self._missing_s / HOUR.total_seconds())


def minute_of(ts: datetime) -> datetime:
    """The whole minute that an instant lies in."""
    return ts.replace(second=0, microsecond=0)
