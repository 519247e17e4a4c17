"""Coverage: how many of the due slots are live, healed and missing."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from operator import attrgetter

from duckdb import DuckDBPyConnection

from store.models import Gap, GapState

from .arrivals import brought_to
from .due import Stretch, slots, stretches

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Coverage:
    """The slots of a feed in [start, end), in numbers.

    Attributes:
        due: all slots.
        healed: slots that brought nothing when due and were healed since.
        missing: slots that have nothing.
    """

    feed: str
    start: datetime
    end: datetime
    due: int
    healed: int
    missing: int

    @property
    def live(self) -> int:
        """The slots that brought a tick or a snapshot when due."""
        return self.due - self.healed - self.missing

    @property
    def share(self) -> float:
        """The share of due slots that are live or healed; 1 when nothing was due."""
        return 1 - self.missing / self.due if self.due else 1.0


def coverage(
    cursor: DuckDBPyConnection, gaps: Iterable[Gap], start: datetime, end: datetime, now: datetime | None = None
) -> list[Coverage]:
    """The coverage of each feed that had due slots in [start, end), by name.

    `gaps` are the gaps of this range or of a longer one, from `gaps.ledger`. With `now`, slots that may still be on
    their way don't count: the ledger does not have them yet, so they would count as live.
    """
    return _counted(cursor, [(start, end)], gaps, now)


def calendar(
    cursor: DuckDBPyConnection, gaps: Iterable[Gap], start: datetime, end: datetime, now: datetime | None = None
) -> list[Coverage]:
    """The coverage of each feed in each hour of [start, end) that had due slots, by name and hour.

    `gaps` and `now` are those of `coverage`. Hours are counted from `start`; `end` cuts the last hour.
    """
    return _counted(cursor, list(_hours(start, end)), gaps, now)


def totals(parts: Iterable[Coverage]) -> list[Coverage]:
    """The coverage of each feed over adjacent parts, by name."""
    by_feed: defaultdict[str, list[Coverage]] = defaultdict(list)
    for part in parts:
        by_feed[part.feed].append(part)
    return [
        Coverage(
            feed,
            min(part.start for part in adjacent),
            max(part.end for part in adjacent),
            sum(part.due for part in adjacent),
            sum(part.healed for part in adjacent),
            sum(part.missing for part in adjacent),
        )
        for feed, adjacent in sorted(by_feed.items())
    ]


def _counted(
    cursor: DuckDBPyConnection, windows: Sequence[tuple[datetime, datetime]], gaps: Iterable[Gap], now: datetime | None
) -> list[Coverage]:
    """Count slots in each window.

    The runs decide which slots were due. Inside a gap the gap decides: runs noted later may have other slots there.
    """
    due: defaultdict[tuple[str, datetime, datetime], int] = defaultdict(int)
    healed, missing = due.copy(), due.copy()
    by_feed: defaultdict[str, list[Stretch]] = defaultdict(list)
    arrived = None if now is None else brought_to(cursor, now)
    for stretch in _arrived(stretches(cursor, windows[0][0], windows[-1][1]), arrived):
        for feed in stretch.feeds:
            by_feed[feed].append(stretch)
        for window in _touched(windows, stretch.start, stretch.end):
            count = len(stretch.within(*window).slots)
            for feed in stretch.feeds:
                due[feed, *window] += count
    for hole in _holes(gaps, windows):
        key = hole.feed, *hole.window
        healed[key] += hole.healed
        missing[key] += hole.missing
        due[key] += hole.healed + hole.missing - _due(by_feed[hole.feed], hole.start, hole.end)
    return [Coverage(*key, due[key], healed[key], missing[key]) for key in sorted(due) if due[key]]


def _arrived(found: Iterable[Stretch], now: datetime | None) -> Iterator[Stretch]:
    """The stretches up to the slots that may still be on their way: the present one and the one before it."""
    for stretch in found:
        arrived = stretch.end if now is None else now - timedelta(seconds=2 * stretch.poll_seconds)
        if stretch.start < arrived:
            yield stretch.within(stretch.start, arrived)


@dataclass(slots=True)
class _Hole:
    """Adjacent gaps of a feed within one window, in any state."""

    feed: str
    window: tuple[datetime, datetime]
    start: datetime
    end: datetime
    poll_seconds: int
    healed: int = 0
    missing: int = 0


def _holes(gaps: Iterable[Gap], windows: Sequence[tuple[datetime, datetime]]) -> Iterator[_Hole]:
    """The gaps joined into holes, within equally long, adjacent windows.

    A sparse history has thousands of gaps; the due slots of a hole are counted once.
    """
    hole: _Hole | None = None
    for gap in gaps:
        if hole is not None and _goes_on(hole, gap):
            hole.end = gap.end
            _add(hole, gap.state, gap.slots)
            continue
        for window in _touched(windows, gap.start, gap.end):
            if hole is not None:
                yield hole
            start, end = max(gap.start, window[0]), min(gap.end, window[1])
            hole = _Hole(gap.feed, window, start, end, gap.poll_seconds)
            _add(hole, gap.state, len(slots(start, end, gap.poll_seconds)))
    if hole is not None:
        yield hole


def _goes_on(hole: _Hole, gap: Gap) -> bool:
    return (
        gap.start == hole.end
        and gap.end <= hole.window[1]
        and gap.feed == hole.feed
        and gap.poll_seconds == hole.poll_seconds
    )


def _add(hole: _Hole, state: GapState, count: int) -> None:
    if state == "healed":
        hole.healed += count
    else:
        hole.missing += count


def _due(ascending: Sequence[Stretch], start: datetime, end: datetime) -> int:
    """The number of slots of ascending stretches in [start, end)."""
    count = 0
    for stretch in islice(ascending, bisect_right(ascending, start, key=attrgetter("end")), None):
        if stretch.start >= end:
            break
        count += len(slots(max(start, stretch.start), min(end, stretch.end), stretch.poll_seconds))
    return count


def _touched(
    windows: Sequence[tuple[datetime, datetime]], start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The windows that a range touches. Windows are adjacent and equally long; the last one may be shorter."""
    length = windows[0][1] - windows[0][0]
    first = max(0, (start - windows[0][0]) // length)
    last = max(first, -(-(end - windows[0][0]) // length))
    yield from windows[first:last]


def _hours(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        yield start, min(start + HOUR, end)
        start += HOUR
