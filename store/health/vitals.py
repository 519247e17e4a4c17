"""How the recording went, minute by minute: delays, the difference of clocks, sizes on disk."""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from duckdb import DuckDBPyConnection

from store.file.aside import size_of
from store.file.rows import insert
from store.models import from_column, to_column

_COLUMNS = ("noted_at", "ticks", "delay_median_s", "delay_p99_s", "skew_s", "database_bytes", "free_bytes", "recorder")

_BETWEEN = """
SELECT noted_at, ticks, delay_median_s, delay_p99_s, skew_s, database_bytes, free_bytes
FROM vitals
WHERE noted_at >= $start
  AND noted_at < $end
ORDER BY noted_at
"""

_FOLDED = """
SELECT
    time_bucket($interval, noted_at) AS begins,
    sum(ticks),
    median(delay_median_s),
    max(delay_p99_s),
    median(skew_s),
    arg_max(database_bytes, noted_at),
    arg_max(free_bytes, noted_at)
FROM vitals
WHERE noted_at >= $start
  AND noted_at < $end
GROUP BY ALL
ORDER BY begins
"""

_GROWTH = """
SELECT
    min(noted_at),
    max(noted_at),
    arg_min(database_bytes, noted_at),
    arg_max(database_bytes, noted_at),
    arg_max(free_bytes, noted_at)
FROM vitals
WHERE noted_at >= $start
  AND noted_at < $end
"""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Vitals:
    """A minute of recording.

    Attributes:
        noted_at: the end of the minute.
        ticks: how many were stored in it.
        delay_median_s, delay_p99_s: from exchange time to the end of the transaction that stored a tick; None without
            a tick.
        skew_s: how far the exchange's clock is ahead of ours, as most comparisons agree; None without a majority.
        database_bytes: the file with its write-ahead log.
        free_bytes: on the disk of the file.
    """

    noted_at: datetime
    ticks: int
    delay_median_s: float | None
    delay_p99_s: float | None
    skew_s: float | None
    database_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Growth:
    """How the file grew from `first` to `last`: by `grown_bytes` to `database_bytes`, with `free_bytes` left."""

    first: datetime
    last: datetime
    grown_bytes: int
    database_bytes: int
    free_bytes: int

    @property
    def bytes_a_day(self) -> float | None:
        """None when the file was measured for less than a day."""
        length = self.last - self.first
        return self.grown_bytes / (length / _DAY) if length >= _DAY else None

    @property
    def days_left(self) -> float | None:
        """Until the disk is full at this growth; None when the growth is unknown or not positive."""
        return self.free_bytes / self.bytes_a_day if self.bytes_a_day and self.bytes_a_day > 0 else None


def measured(database: Path, now: datetime, delays_s: Sequence[float], skew_s: float | None) -> Vitals:
    """The vitals of the minute that ends now. `delays_s` has one delay for each tick that was stored."""
    ordered = sorted(delays_s)
    return Vitals(
        now,
        len(ordered),
        median(ordered) if ordered else None,
        ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] if ordered else None,
        skew_s,
        size_of(database) or 0,
        shutil.disk_usage(database.parent).free,
    )


def append(cursor: DuckDBPyConnection, minutes: Iterable[Vitals], recorder: str = "") -> None:
    """Keep minutes of a recorder. Call it inside `Database.write`."""
    rows = ((to_column(noted_at), *numbers, recorder or None) for noted_at, *numbers in map(astuple, minutes))
    insert(cursor, "vitals", _COLUMNS, rows)


def between(cursor: DuckDBPyConnection, start: datetime, end: datetime) -> list[Vitals]:
    """The minutes in [start, end), ascending."""
    rows = cursor.execute(_BETWEEN, {"start": to_column(start), "end": to_column(end)}).fetchall()
    return [Vitals(from_column(noted_at), *numbers) for noted_at, *numbers in rows]


def folded(cursor: DuckDBPyConnection, start: datetime, end: datetime, interval: timedelta) -> list[Vitals]:
    """The minutes in [start, end) folded into intervals, ascending; `noted_at` is the start of an interval.

    Each has the medians of its minutes' medians and skews, the highest of their p99, and the sizes at its end.
    """
    values: dict[str, Any] = {"start": to_column(start), "end": to_column(end), "interval": interval}
    rows = cursor.execute(_FOLDED, values).fetchall()
    return [Vitals(from_column(begins), *numbers) for begins, *numbers in rows]


def growth(cursor: DuckDBPyConnection, start: datetime, end: datetime) -> Growth | None:
    """How the file grew in [start, end); None when nothing was measured in it."""
    ((first, last, before, after, free),) = cursor.execute(
        _GROWTH, {"start": to_column(start), "end": to_column(end)}
    ).fetchall()
    if first is None:
        return None
    return Growth(from_column(first), from_column(last), after - before, after, free)
