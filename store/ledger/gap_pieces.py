"""Gaps as stretches of time: joined where they are alike, cut where something is known."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import accumulate, islice

from store.models import Gap

from .due import slots


def joined(gaps: Iterable[Gap]) -> Iterator[Gap]:
    """Make one of neighbours that differ in nothing but their time."""
    before: Gap | None = None
    for gap in gaps:
        if before is not None and before.end >= gap.start and _alike(before, gap):
            before = before._replace(end=gap.end, slots=before.slots + gap.slots)
            continue
        if before is not None:
            yield before
        before = gap
    if before is not None:
        yield before


def without(found: Iterable[Gap], noted: Iterable[Gap]) -> Iterator[Gap]:
    """What of some gaps no noted one has. The noted ones are in the order of their starts."""
    by_feed: defaultdict[str, list[Gap]] = defaultdict(list)
    for gap in noted:
        by_feed[gap.feed].append(gap)
    reached = {feed: list(accumulate((gap.end for gap in its), max)) for feed, its in by_feed.items()}
    for gap in found:
        start, its = gap.start, by_feed[gap.feed]
        for known in islice(its, bisect_right(reached.get(gap.feed, []), start), None):
            if known.start >= gap.end:
                break
            yield from cut(gap, start, known.start)
            start = max(start, known.end)
        yield from cut(gap, start, gap.end)


def cut(gap: Gap, start: datetime, end: datetime) -> Iterator[Gap]:
    """What of a gap lies in [start, end); nothing without a slot in it."""
    count = len(slots(start, end, gap.poll_seconds))
    if count:
        yield (
            gap if (start, end) == (gap.start, gap.end) else gap._replace(start=start, end=end, slots=count, gap=start)
        )


def _alike(gap: Gap, other: Gap) -> bool:
    """Do two gaps differ in nothing but their time? What differs most often is compared first."""
    return (
        gap.state == other.state
        and gap.feed == other.feed
        and gap.poll_seconds == other.poll_seconds
        and gap.cause == other.cause
        and gap.source == other.source
        and gap.resolution_s == other.resolution_s
    )
