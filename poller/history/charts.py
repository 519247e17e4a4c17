"""What a chart of the exchange has, and what follows for the gaps that it was asked for."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from poller.exchange.client import ChartPoint, ChartRange

REACH: Mapping[ChartRange, timedelta] = {
    "1h": timedelta(hours=1),
    "1d": timedelta(days=1),
    "2d": timedelta(days=2),
    "1m": timedelta(days=30),
    "1y": timedelta(days=365),
    "all": timedelta(days=36_500),
}
"""About how far back each range of the exchange goes. The finest comes first."""

RANGES = tuple(REACH)

# The exchange publishes no average later than this.
_LATE = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Chart:
    """The points of one reply, and the seconds that each point is an average over."""

    resolution_s: int
    points: tuple[tuple[datetime, float], ...]

    def reaches(self, end: datetime) -> bool:
        """Does it have averages up to `end`?"""
        return bool(self.points) and max(self.points)[0] + timedelta(seconds=self.resolution_s) >= end

    def covers(self, start: datetime, end: datetime) -> bool:
        """Does it begin before `start` and have averages up to `end`?"""
        return self.reaches(end) and min(self.points)[0] <= start


def finished_chart(points: Sequence[ChartPoint], asked_at: datetime) -> Chart | None:
    """The points whose time was over when they were asked for, with the step of the reply: its median distance.

    None for a reply of less than two points, which has no step.
    """
    instants = sorted({point.ts for point in points})
    if len(instants) < 2:
        return None
    step_s = statistics.median((later - earlier).total_seconds() for earlier, later in pairwise(instants))
    resolution_s = max(1, round(step_s))
    covered = timedelta(seconds=resolution_s)
    return Chart(resolution_s, tuple((point.ts, point.price) for point in points if point.ts + covered <= asked_at))


def hopeless(charts: Sequence[Chart], now: datetime, start: datetime, end: datetime, *, all_asked: bool) -> bool:
    """Will the exchange never have averages for the rest of a gap?

    That is so in two cases. The gap is too short for the averages of a chart that covers it: coarser charts have even
    longer averages. Or all ranges were asked for, and each chart goes on after the gap or is too late to do so.
    """
    long_enough = [chart for chart in charts if chart.covers(start, end)]
    if any(end - start < timedelta(seconds=2 * chart.resolution_s) for chart in long_enough):
        return True
    return all_asked and (now - end > _LATE or all(chart.reaches(end) for chart in charts))
