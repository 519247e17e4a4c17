"""Replays the conditions that ticks decide: by minute where candles suffice, by tick elsewhere.

The condition itself reads two bounds for each minute, from the best and from the worst prices that its ticks may have
had. If the condition does not hold for the best, it holds for no tick. So only the minutes in which a condition may
begin to hold, or be over, are read tick by tick.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import numpy as np
import pandas as pd

from store.alerts.events import Kind
from store.alerts.judge import Watch
from store.alerts.rules.condition import Reading, Way
from store.alerts.rules.tape import Tape
from store.instants import MINUTE
from store.market.realised import MINUTES_A_YEAR, moves_of, realised, square

from .minutes import MICROSECOND, MINUTE_US, Floats, Minutes, Ticks, Times, instant, microseconds

# Adding the same numbers in another order changes a sum by less than this.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Change:
    """A condition began to hold, or is over, with a tick."""

    event: Kind
    reading: Reading
    at: datetime
    price: float
    was_on: bool


class PriceHistory:
    """The observed prices of an index, to replay conditions on.

    Args:
        minutes: from as long before the start as any condition looks back.
        ticks: of the same index.
        since: the time of its first observed tick.
    """

    def __init__(self, minutes: Minutes, ticks: Ticks, since: datetime | None) -> None:
        self.minutes, self.ticks = minutes, ticks
        self.since_us = microseconds(since) if since else np.iinfo(np.int64).max
        self._rolled: dict[tuple[str, int], Floats] = {}

    def changes(self, watch: Watch, start: datetime, end: datetime) -> Iterator[Change]:
        """The changes of a condition in [start, end)."""
        if not self.minutes.count:
            return
        first_us, last_us = microseconds(start), microseconds(end)
        may_hold, may_be_over = self._possible(watch, self.minutes.number(first_us))
        number = 0
        while True:
            if watch.event == "over" and (cooled_us := _cooled_us(watch)) is not None:
                number = max(number, self.minutes.number(cooled_us))
            possible = may_hold if watch.event == "over" else may_be_over
            place = np.searchsorted(possible, number)
            if place == len(possible):
                return
            number = int(possible[place])
            yield from self._within(watch, number, first_us, last_us)
            number += 1

    def rolled(self, what: str, count: int) -> Floats:
        """The lowest or highest price of each minute and those before it, `count` in all; NaN without a price."""
        if (what, count) not in self._rolled:
            values = self.minutes.lows if what == "low" else self.minutes.highs
            window = pd.Series(values).rolling(count, min_periods=1)
            self._rolled[what, count] = (window.min() if what == "low" else window.max()).to_numpy()
        return self._rolled[what, count]

    def volatility(self, over: timedelta) -> Floats:
        """Realised volatility in each minute, but for rounding; NaN where too few minutes have prices."""
        returns = min(over // MINUTE - 1, self.minutes.count)
        squares = pd.Series(np.log(self.minutes.closes)).diff() ** 2
        window = squares.rolling(returns, min_periods=1)
        sums, counts = window.sum().shift(1), window.count().shift(1)
        known = (counts > 0) & (2 * counts >= over // MINUTE - 1)
        values = 100 * np.sqrt(sums.clip(lower=0) / counts * MINUTES_A_YEAR)
        found: Floats = values.where(known).to_numpy(np.float64)
        return found

    def _possible(self, watch: Watch, first: int) -> tuple[Times, Times]:
        """The minutes in which a condition may hold, and those in which it may be over."""
        best, worst = (self._bound(watch, best=best) for best in (True, False))
        may_hold, may_be_over = (np.flatnonzero(flags & self.minutes.known) for flags in (best.holds, worst.over))
        return may_hold[may_hold >= first], may_be_over[may_be_over >= first]

    def _bound(self, watch: Watch, *, best: bool) -> Any:
        """What the condition reads of the best, or the worst, prices of each minute: arrays in place of numbers."""
        return watch.rule.read(cast("Tape", _Bound(self, watch.way, best=best)), watch.way)

    def _within(self, watch: Watch, number: int, first_us: int, last_us: int) -> Iterator[Change]:
        """The changes that the ticks of a minute cause."""
        seen = _Seen(self, number)
        # It has a reading: a minute without one is not among the possible minutes.
        reading = cast("Reading", watch.rule.read(cast("Tape", seen), watch.way))
        columns = np.broadcast_arrays(*reading, seen.price)[:5]
        value, threshold, holds, over, reference = columns
        inside = (seen.times_us >= first_us) & (seen.times_us < last_us)
        place = 0
        while True:
            wanted = inside & (holds if watch.event == "over" else over)
            if watch.event == "over" and (cooled_us := _cooled_us(watch)) is not None:
                wanted &= seen.times_us >= cooled_us
            found = np.flatnonzero(wanted[place:])
            if not len(found):
                return
            place += int(found[0])
            at = instant(seen.times_us[place])
            scalar = Reading(*(column[place].item() for column in (value, threshold, holds, over, reference)))
            was_on = watch.event == "fired"
            event: Kind = "fired" if watch.event == "over" else "over"
            watch.become(event, at)
            yield Change(event, scalar, at, float(seen.price[place]), was_on)
            place += 1


class _Bound:
    """The best, or the worst, prices that the ticks of each minute may have for a condition of one direction."""

    def __init__(self, history: PriceHistory, way: Way, *, best: bool) -> None:
        minutes = history.minutes
        self._history, self._best = history, best
        self.price = minutes.highs if (way == "up") == best else minutes.lows

    def lowest(self, within: timedelta) -> Floats:
        return self._touched("low", within) if self._best else np.fmin(self._whole("low", within), self.price)

    def highest(self, within: timedelta) -> Floats:
        return self._touched("high", within) if self._best else np.fmax(self._whole("high", within), self.price)

    def range_before(self, length: timedelta) -> tuple[Floats, Floats]:
        if not self._best:
            return self._touched("low", length), self._touched("high", length)
        # Where the length contains no whole minute, any price before the tick may have been broken.
        low, high = self._whole("low", length), self._whole("high", length)
        return np.where(np.isnan(low), np.inf, low), np.where(np.isnan(high), -np.inf, high)

    def volatility(self, over: timedelta) -> Floats:
        value = self._history.volatility(over)
        rounding = _ROUNDING * (value + 1)
        return value + rounding if self._best else value - rounding

    def _touched(self, what: str, length: timedelta) -> Floats:
        """Over all minutes that the length before some tick of a minute touches, and that minute itself."""
        return self._history.rolled(what, 1 - (-length // MINUTE))

    def _whole(self, what: str, length: timedelta) -> Floats:
        """Over the minutes that lie wholly within the length before every tick of a minute."""
        count = length // MINUTE - 1
        if count < 1:
            return np.full(self._history.minutes.count, np.nan)
        rolled = self._history.rolled(what, count)
        return np.concatenate([[np.nan], rolled[:-1]])


class _Seen:
    """The ticks of a minute, each with the prices before it."""

    def __init__(self, history: PriceHistory, number: int) -> None:
        self._history, self._number = history, number
        self._begins_us = history.minutes.begins_us(number)
        self.times_us, self.price = history.ticks.between(self._begins_us, self._begins_us + MINUTE_US)

    def lowest(self, within: timedelta) -> Floats:
        return np.fmin(self._before("low", within), self.price)

    def highest(self, within: timedelta) -> Floats:
        return np.fmax(self._before("high", within), self.price)

    def range_before(self, length: timedelta) -> tuple[Floats, Floats]:
        known = self.times_us - length // MICROSECOND >= self._history.since_us
        low, high = (np.where(known, self._before(what, length), np.nan) for what in ("low", "high"))
        return low, high

    def volatility(self, over: timedelta) -> float | None:
        first = max(0, self._number - over // MINUTE)
        closes = self._history.minutes.closes[first : self._number].tolist()
        known = [pair for pair in itertools.pairwise(closes) if not any(map(math.isnan, pair))]
        return realised(moves_of([square(*pair) for pair in known]), over // MINUTE - 1)

    def _before(self, what: str, length: timedelta) -> Floats:
        """The lowest or highest price of `length` before each tick, without the tick itself; NaN without a price."""
        extreme = np.fmin if what == "low" else np.fmax
        start_us = self.times_us - length // MICROSECOND
        # These are ticks up to the next whole minute, then whole minutes, then the earlier ticks of this minute.
        whole_us = min(self._begins_us, -(-int(start_us[-1] + 1) // MINUTE_US) * MINUTE_US)
        times_us, prices = self._history.ticks.between(int(start_us[0]), max(whole_us, int(start_us[0])))
        values = self._history.minutes.lows if what == "low" else self._history.minutes.highs
        between = values[max(0, self._history.minutes.number(whole_us)) : self._number]
        inner = extreme.reduce(between, initial=np.nan)
        first = np.append(extreme.accumulate(prices[::-1])[::-1], np.nan)[np.searchsorted(times_us, start_us)]
        if start_us[-1] >= self._begins_us:  # the length is shorter than the time of this minute's ticks
            return self._slid(extreme, times_us, prices, start_us)
        last = np.append(np.nan, extreme.accumulate(self.price)[:-1])
        found: Floats = extreme(extreme(first, inner), last)
        return found

    def _slid(self, extreme: np.ufunc, times_us: Times, prices: Floats, start_us: Times) -> Floats:
        times_us, prices = np.append(times_us, self.times_us), np.append(prices, self.price)
        firsts, lasts = np.searchsorted(times_us, start_us), np.searchsorted(times_us, self.times_us)
        spans = zip(firsts, lasts, strict=True)
        return np.array([extreme.reduce(prices[first:last], initial=np.nan) for first, last in spans])


def _cooled_us(watch: Watch) -> int | None:
    return None if watch.fired_at is None else microseconds(watch.fired_at + watch.rule.cool_down)
