"""The prices of an index by minute, and by tick where needed, as arrays for a replay.

The arrays have observations only. Times are microseconds since 1970. Minutes are counted from the first one.
"""

import contextlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from duckdb import DuckDBPyConnection

from store.file.database import Database
from store.instants import EPOCH
from store.models import to_column
from store.prices import candles

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]

MICROSECOND = timedelta(microseconds=1)
MINUTE_US, DAY_US = 60_000_000, 86_400_000_000

_MINUTES = """
SELECT epoch_us(open_time) AS minute_us, low, high, close, observed_count = tick_count AS observed
FROM candles_1m
WHERE index_name = $index_name
  AND open_time >= $start
  AND open_time < least($end, $closed_to)
  AND observed_count > 0
UNION ALL
SELECT epoch_us(time_bucket(INTERVAL 1 MINUTE, ts)) AS minute_us, min(price), max(price), arg_max(price, ts), true
FROM ticks
WHERE index_name = $index_name
  AND ts >= greatest($start, $closed_to)
  AND ts < $end
  AND resolution_s = 0
GROUP BY minute_us
"""

_OBSERVED = """
SELECT
    epoch_us(time_bucket(INTERVAL 1 MINUTE, ts)) AS minute_us,
    min(price) AS low,
    max(price) AS high,
    arg_max(price, ts) AS close
FROM ticks
WHERE index_name = $index_name
  AND ts >= $start
  AND ts < $end
  AND resolution_s = 0
  AND time_bucket(INTERVAL 1 MINUTE, ts) IN (SELECT make_timestamp(unnest($minutes::BIGINT[])))
GROUP BY minute_us
"""

_TICKS = """
SELECT epoch_us(ts) AS ts_us, price
FROM ticks
WHERE index_name = $index_name
  AND ts >= $start
  AND ts < $end
  AND resolution_s = 0
ORDER BY ts
"""


@dataclass(frozen=True)
class Limits:
    """The numbers of a replay.

    Attributes:
        lease_s: the longest time to keep a lease: others wait that long for the file, and each lease costs some 3 ms.
        days: the most days of ticks to keep in memory; a day at one second takes 1.4 MB.
    """

    lease_s: float = 0.5
    days: int = 40


class Leases:
    """A cursor for one query after the other. Its lease is returned from time to time."""

    def __init__(self, database: Database, lease_s: float) -> None:
        self._database = database
        self._lease_s = lease_s
        self._lease = contextlib.ExitStack()
        self._cursor: DuckDBPyConnection | None = None
        self._since = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lease.close()
        self._cursor = None

    def cursor(self) -> DuckDBPyConnection:
        """A cursor of a lease that is not old. Use it for one query only.

        Raises:
            StoreError: as of `Database.read`.
        """
        if self._cursor is not None and time.monotonic() - self._since > self._lease_s:
            self.__exit__()
        if self._cursor is None:
            self._cursor = self._lease.enter_context(self._database.read())
            self._since = time.monotonic()
        return self._cursor


@dataclass(frozen=True)
class Minutes:
    """The lowest, highest and last price of each minute from `start_us` on; NaN for a minute without a tick."""

    start_us: int
    lows: Floats
    highs: Floats
    closes: Floats

    @property
    def count(self) -> int:
        return len(self.lows)

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """For each minute, whether anything was observed."""
        return ~np.isnan(self.lows)

    def days(self, start: datetime) -> set[int]:
        """The days from `start` on, numbered from it, in which anything was observed."""
        begins_us = self.start_us + np.flatnonzero(self.known) * MINUTE_US
        return set(((begins_us[begins_us >= microseconds(start)] - microseconds(start)) // DAY_US).tolist())

    def number(self, at_us: int) -> int:
        """The number of the minute that an instant lies in."""
        return (at_us - self.start_us) // MINUTE_US

    def begins_us(self, number: int) -> int:
        return self.start_us + number * MINUTE_US


def read_minutes(leases: Leases, index_name: str, start: datetime, end: datetime) -> Minutes:
    """The minutes of an index in a range: from candles where these have observations only, else from ticks."""
    first_us = microseconds(start) // MINUTE_US * MINUTE_US
    count = max(0, -(-(microseconds(end) - first_us) // MINUTE_US))
    minutes = Minutes(first_us, *(np.full(count, np.nan) for _ in range(3)))
    cursor = leases.cursor()
    values = {
        "index_name": index_name,
        "start": to_column(start.replace(second=0, microsecond=0)),
        "end": to_column(end),
    }
    closed_to = to_column(candles.closed_to(cursor) or EPOCH)
    found = cursor.execute(_MINUTES, {**values, "closed_to": closed_to}).fetchnumpy()
    _fill(minutes, found)
    mixed = found["minute_us"][np.logical_not(found["observed"])].tolist()
    if mixed:
        _fill(minutes, leases.cursor().execute(_OBSERVED, {**values, "minutes": mixed}).fetchnumpy())
    return minutes


def _fill(minutes: Minutes, found: dict[str, Any]) -> None:
    numbers = (found["minute_us"] - minutes.start_us) // MINUTE_US
    for column, values in (("low", minutes.lows), ("high", minutes.highs), ("close", minutes.closes)):
        values[numbers] = found[column]


class Ticks:
    """The ticks of an index, read one day at a time when needed."""

    def __init__(self, leases: Leases, index_name: str, most_days: int) -> None:
        self._leases, self._index_name, self._most_days = leases, index_name, most_days
        self._days: OrderedDict[int, tuple[Times, Floats]] = OrderedDict()

    def between(self, start_us: int, end_us: int) -> tuple[Times, Floats]:
        """Times and prices in [start, end), ascending."""
        if end_us <= start_us:
            return np.empty(0, np.int64), np.empty(0)
        parts = [self._of_day(day) for day in range(start_us // DAY_US, (end_us - 1) // DAY_US + 1)]
        cut = [(times, prices, *np.searchsorted(times, [start_us, end_us])) for times, prices in parts]
        if len(cut) == 1:
            times, prices, first, last = cut[0]
            return times[first:last], prices[first:last]
        return (
            np.concatenate([times[first:last] for times, _, first, last in cut]),
            np.concatenate([prices[first:last] for _, prices, first, last in cut]),
        )

    def _of_day(self, day: int) -> tuple[Times, Floats]:
        if day not in self._days:
            start = EPOCH + timedelta(days=day)
            values = {
                "index_name": self._index_name,
                "start": to_column(start),
                "end": to_column(start + timedelta(days=1)),
            }
            found = self._leases.cursor().execute(_TICKS, values).fetchnumpy()
            self._days[day] = np.asarray(found["ts_us"], np.int64), np.asarray(found["price"], np.float64)
            if len(self._days) > self._most_days:
                self._days.popitem(last=False)
        self._days.move_to_end(day)
        return self._days[day]


def microseconds(at: datetime) -> int:
    return (at - EPOCH) // MICROSECOND


def instant(at_us: int) -> datetime:
    return EPOCH + int(at_us) * MICROSECOND
