"""How complete the record is: of the slots that were due, how many are live, healed and missing."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from operator import attrgetter

from duckdb import DuckDBPyConnection

from store.models import Gap

from .due import Stretch, slots, stretches

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Slots of a feed in [start, end): `due` of them, of which `healed` and `missing` brought nothing when due."""

    feed: str
    start: datetime
    end: datetime
    due: int
    healed: int
    missing: int

    @property
    def live(self) -> int:
        """How many brought what was due."""
        return self.due - self.healed - self.missing

    @property
    def share(self) -> float:
        """How much of what was due is known, live or healed; 1 when nothing was due."""
        return 1 - self.missing / self.due if self.due else 1.0


def coverage(cursor: DuckDBPyConnection, gaps: Iterable[Gap], start: datetime, end: datetime) -> list[Coverage]:
    """The coverage of each feed of which anything was due in [start, end), by name.

    `gaps` are those of that range or of more, from `gaps.ledger`.
    """
    return _counted(cursor, [(start, end)], gaps)


def calendar(cursor: DuckDBPyConnection, gaps: Iterable[Gap], start: datetime, end: datetime) -> list[Coverage]:
    """The coverage of each feed in each hour of [start, end) in which anything was due, by name and hour.

    `gaps` are those of that range or of more, from `gaps.ledger`. Hours are counted from `start` on; `end` cuts the
    last of them.
    """
    return _counted(cursor, list(_hours(start, end)), gaps)


def totals(parts: Iterable[Coverage]) -> list[Coverage]:
    """The coverage of each feed over adjacent parts, by name."""
    by_feed: defaultdict[str, list[Coverage]] = defaultdict(list)
    for part in parts:
        by_feed[part.feed].append(part)
    return [
        Coverage(
            feed,
            min(part.start for part in its),
            max(part.end for part in its),
            sum(part.due for part in its),
            sum(part.healed for part in its),
            sum(part.missing for part in its),
        )
        for feed, its in sorted(by_feed.items())
    ]


def _counted(
    cursor: DuckDBPyConnection, windows: Sequence[tuple[datetime, datetime]], gaps: Iterable[Gap]
) -> list[Coverage]:
    """What was due is told by the runs, and in the time of a gap by the gap: later runs may tell otherwise."""
    due: defaultdict[tuple[str, datetime, datetime], int] = defaultdict(int)
    healed, missing = due.copy(), due.copy()
    by_feed: defaultdict[str, list[Stretch]] = defaultdict(list)
    for stretch in stretches(cursor, windows[0][0], windows[-1][1]):
        for feed in stretch.feeds:
            by_feed[feed].append(stretch)
        for window in _touched(windows, stretch.start, stretch.end):
            count = len(stretch.within(*window).slots)
            for feed in stretch.feeds:
                due[feed, *window] += count
    for gap in gaps:
        counts = healed if gap.state == "healed" else missing
        for first, last in _touched(windows, gap.start, gap.end):
            start, end = max(gap.start, first), min(gap.end, last)
            count = len(slots(start, end, gap.poll_seconds))
            counts[gap.feed, first, last] += count
            due[gap.feed, first, last] += count - _due(by_feed[gap.feed], start, end)
    return [Coverage(*key, due[key], healed[key], missing[key]) for key in sorted(due) if due[key]]


def _due(its: Sequence[Stretch], start: datetime, end: datetime) -> int:
    """How many slots of ascending stretches lie in [start, end)."""
    count = 0
    for stretch in islice(its, bisect_right(its, start, key=attrgetter("end")), None):
        if stretch.start >= end:
            break
        count += len(slots(max(start, stretch.start), min(end, stretch.end), stretch.poll_seconds))
    return count


def _touched(
    windows: Sequence[tuple[datetime, datetime]], start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """Those of equally long, adjacent windows that a range touches; the last window may be shorter."""
    length = windows[0][1] - windows[0][0]
    first = max(0, (start - windows[0][0]) // length)
    last = max(first, -(-(end - windows[0][0]) // length))
    yield from windows[first:last]


def _hours(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        yield start, min(start + HOUR, end)
        start += HOUR
