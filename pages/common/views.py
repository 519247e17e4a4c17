"""What a reader looks at: a range, and the interval of its bars."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from store.prices.bars import NICE_INTERVALS, nice_interval

MOST_POINTS = 1500
"""A screen can't show more points than this: bars are chosen so that a line has no more."""

MOST_ALERTS = 200
"""More marks than this can't be told apart on a chart."""

_MOST_CANDLES = 200
_MOST_ASKED_FOR = 5000
_SHORTEST = timedelta(seconds=1)
_LONGEST_STEP_S = 5
EARLIEST, LATEST = datetime(2001, 1, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC)
"""No range reaches beyond these times."""

SPANS: Mapping[str, timedelta | None] = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "1d": timedelta(days=1),
    "1w": timedelta(weeks=1),
    "1M": timedelta(days=30),
    "1y": timedelta(days=365),
    "All": None,
}
"""Ranges that end now, by their names on screen and in the URL. M is a month, m a minute; All begins with the first
tick."""

EXACT = "Exact"
"""The range between two times that the reader gave."""


@dataclass(frozen=True)
class View:
    """What to draw.

    Attributes:
        span: of `SPANS`, or `EXACT`.
        start, end: of an exact range, UTC, half-open. With an end alone, the span ends there.
        interval: of a bar; None for one that suits the range.
        candles: bars are drawn as candles, so a range has fewer of them.
    """

    span: str
    start: datetime | None = None
    end: datetime | None = None
    interval: timedelta | None = None
    candles: bool = False

    def bounds(self, now: datetime, first: datetime) -> tuple[datetime, datetime]:
        """Start and end of the range; `first` is the start of "All"."""
        end = self.end or now
        if self.start:
            return self.start, end
        length = SPANS[self.span]
        return (first if length is None else end - length), end

    def auto_interval(self, length: timedelta, poll_seconds: int) -> timedelta:
        """The bar interval that suits a range of that length."""
        if self.candles:
            return nice_interval(length, _MOST_CANDLES, at_least=timedelta(seconds=4 * poll_seconds))
        return nice_interval(length, MOST_POINTS)

    def step(self) -> timedelta:
        """How far the end of the range may move on before it is read again: less than its line can show."""
        length = self.end - self.start if self.start and self.end else SPANS[self.span]
        seconds = math.inf if length is None else length.total_seconds() // 3600
        return timedelta(seconds=min(_LONGEST_STEP_S, max(1, seconds)))

    def lives(self, now: datetime) -> bool:
        """Does the range still grow?"""
        return self.end is None or self.end > now


def intervals_for(length: timedelta) -> list[timedelta]:
    """The bar intervals that a reader can choose for a range of that length."""
    return [each for each in NICE_INTERVALS if each * 2 <= length <= each * _MOST_ASKED_FOR]


def to_url(at: datetime) -> str:
    """A time as it stands in a URL: UTC, to the millisecond where it needs them."""
    written = at.astimezone(UTC).isoformat(timespec="milliseconds" if at.microsecond else "seconds")
    return written.replace("+00:00", "Z")


def first_midnight(now: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The start of the first of `days` days of a zone, today being the last; in UTC."""
    day = now.astimezone(zone).date() - timedelta(days=days - 1)
    return datetime.combine(day, time(), zone).astimezone(UTC)


def from_chart(written: str) -> datetime:
    """The instant of a time on a chart, written with the offset of that chart's clock."""
    return datetime.fromisoformat(written).astimezone(UTC)


def within_reach(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """A range within this century, at least a second long, around the same middle."""
    start, end = (min(max(at, EARLIEST), LATEST) for at in (start, end))
    if end - start >= _SHORTEST:
        return start, end
    middle = min(max(start + (end - start) / 2, EARLIEST + _SHORTEST / 2), LATEST - _SHORTEST / 2)
    return middle - _SHORTEST / 2, middle + _SHORTEST / 2
