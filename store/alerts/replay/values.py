"""Replays the conditions of a number of a market: all its values at once, as arrays, through the rules themselves."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import numpy as np
import pandas as pd

from store.alerts.judge import Watch
from store.alerts.rules.bounded import Series
from store.alerts.rules.condition import Reading
from store.alerts.rules.tape import Tape
from store.alerts.series import execute_series

from .minutes import DAY_US, MICROSECOND, Floats, Leases, Times, instant, microseconds
from .ticks import Change

_AT_ONCE = timedelta(days=90)
"""One lease reads 90 days: a year of a market's futures by minute takes up to 3 s on a busy machine."""


@dataclass(frozen=True)
class Values:
    """The known values of a number, ascending by time in microseconds. A condition reads them as it reads a tape."""

    times_us: Times
    price: Floats

    def days(self, start: datetime) -> set[int]:
        """The days from `start` on, numbered from it, in which a value is known."""
        inside = self.times_us[self.times_us >= microseconds(start)]
        return set(((inside - microseconds(start)) // DAY_US).tolist())

    def lowest(self, within: timedelta) -> Floats:
        return np.asarray(self._rolling(within).min(), np.float64)

    def highest(self, within: timedelta) -> Floats:
        return np.asarray(self._rolling(within).max(), np.float64)

    def changes(self, watch: Watch, start: datetime) -> Iterator[Change]:
        """The changes of a condition from `start` on."""
        # It has a reading of each value.
        reading = cast("Reading", watch.rule.read(cast("Tape", self), watch.way))
        columns = np.broadcast_arrays(*reading, self.price)
        holds, over = np.flatnonzero(columns[2]), np.flatnonzero(columns[3])
        place = int(np.searchsorted(self.times_us, microseconds(start)))
        while (found := self._next(watch, place, holds, over)) is not None:
            value, threshold, is_holding, is_over, reference, price = (column[found].item() for column in columns)
            was_on, at = watch.event == "fired", instant(self.times_us[found])
            watch.become("over" if was_on else "fired", at)
            yield Change(
                "over" if was_on else "fired",
                Reading(value, threshold, is_holding, is_over, reference),
                at,
                price,
                was_on,
            )
            place = found + 1

    def _next(self, watch: Watch, place: int, holds: Times, over: Times) -> int | None:
        """The first value from `place` on at which a condition changes; None if it changes no more."""
        if watch.event == "over" and watch.fired_at is not None:
            cooled_us = microseconds(watch.fired_at + watch.rule.cool_down)
            place = max(place, int(np.searchsorted(self.times_us, cooled_us)))
        possible = holds if watch.event == "over" else over
        number = int(np.searchsorted(possible, place))
        return int(possible[number]) if number < len(possible) else None

    def _rolling(self, within: timedelta) -> Any:
        """Windows up to each value, both ends included."""
        its = pd.Series(self.price, pd.to_datetime(self.times_us, unit="us"))
        return its.rolling(pd.Timedelta(within // MICROSECOND, "us"), closed="both")


def read_values(leases: Leases, series: Series, start: datetime, end: datetime) -> Values:
    """The known values of a number in [start, end)."""
    times_us, prices = [np.empty(0, np.int64)], [np.empty(0)]
    while start < end:
        until = min(end, start + _AT_ONCE)
        found = execute_series(leases.cursor(), series, start, until).fetchnumpy()
        times_us.append(np.asarray(found["at_us"], np.int64))
        prices.append(np.asarray(found["value"], np.float64))
        start = until
    return Values(np.concatenate(times_us), np.concatenate(prices))
