"""Finds the due slots that brought nothing, and why, from runs, misses, ticks and snapshots."""

from collections.abc import Container, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from duckdb import DuckDBPyConnection

from store.kinds import heals
from store.models import CLOCKS_AGREE, RECORDER_DOWN, Cause, Gap, GapState, Source, to_column

from .due import HEARD_AT, Stretch, at_slot, slots, stretches

# Up to two empty slots in a row without a miss count as ticks that fell into a neighbouring slot: each failed slot of a
# run left a miss.
_UNEXPLAINED_SLOTS = 3

# The time of receipt places a tick, because it certainly lies in the tick's slot. If the local clock was wrong, the
# exchange time places it: a clock that is set back or forward then neither makes gaps nor hides any.
_PLACED = f"""
    SELECT
        epoch_us({HEARD_AT}) AS at_us,
        source
    FROM arrivals
    WHERE feed = $feed
      AND ts >= $start - $clocks_agree
      AND ts <= $end + $clocks_agree
      AND resolution_s = 0
"""  # noqa: S608 the time is a constant

_HOLES = f"""
WITH placed AS (
{_PLACED}
),
present AS (
    SELECT DISTINCT at_us // $period_us AS slot
    FROM placed
),
edges AS (
    SELECT slot
    FROM present
    WHERE slot >= $first
      AND slot < $last
    UNION ALL
    SELECT unnest([$first - 1, $last]) AS slot
)
SELECT
    slot + 1,
    following
FROM (
    SELECT
        slot,
        lead(slot) OVER (ORDER BY slot) AS following
    FROM edges
)
WHERE following > slot + 1
ORDER BY slot
"""  # noqa: S608 the part is the constant above

# Each tick finds its gap by the hours that the gap touches: a join by ranges takes ten times as long.
_OBSERVED = f"""
WITH gaps AS (
    SELECT
        unnest($numbers::INTEGER[]) AS number,
        unnest($firsts::BIGINT[]) AS first,
        unnest($lasts::BIGINT[]) AS last,
        unnest($periods_us::BIGINT[]) AS period_us
),
hours AS (
    SELECT
        *,
        unnest(range(first * period_us // 3_600_000_000, (last * period_us - 1) // 3_600_000_000 + 1)) AS hour
    FROM gaps
),
placed AS (
{_PLACED}
),
present AS (
    SELECT
        number,
        at_us // period_us AS slot,
        min(source) AS source
    FROM placed
    JOIN hours ON hour = at_us // 3_600_000_000
    WHERE at_us // period_us >= first
      AND at_us // period_us < last
    GROUP BY ALL
),
numbered AS (
    SELECT
        *,
        slot - row_number() OVER (PARTITION BY number ORDER BY slot) AS stretch
    FROM present
)
SELECT
    number,
    min(slot) AS first,
    max(slot) + 1,
    min(source)
FROM numbered
GROUP BY number, stretch
ORDER BY number, first
LIMIT $limit
"""  # noqa: S608 the part is the constant above

# Of the misses of several recorders in a slot, one is selected. Of consecutive misses with one cause, the first is.
_REASONS = """
SELECT
    epoch_us(slot) // $period_us AS slot,
    cause || coalesce(' ' || code, '') AS reason,
    detail
FROM (
    SELECT *
    FROM misses
    WHERE feed = $feed
      AND slot >= $start
      AND slot < $end
    QUALIFY recorder IS NULL OR row_number() OVER (PARTITION BY slot ORDER BY recorder) = 1
) AS misses
QUALIFY reason IS DISTINCT FROM lag(reason) OVER (ORDER BY misses.slot)
ORDER BY misses.slot
"""


class Seen(NamedTuple):
    """A stretch of a gap in which each slot has a tick or a snapshot, and their source."""

    start: datetime
    end: datetime
    source: Source


def missing(
    cursor: DuckDBPyConnection, start: datetime, end: datetime, feeds: Container[str] | None = None
) -> list[Gap]:
    """The gaps of some feeds, or all, in [start, end), whether noted or not."""
    return [
        gap
        for stretch in stretches(cursor, start, end)
        for feed in stretch.feeds
        if feeds is None or feed in feeds
        for first, last in _holes(cursor, feed, stretch.slots, stretch.poll_seconds)
        for gap in _explained(cursor, feed, stretch, first, last)
    ]


def observed(cursor: DuckDBPyConnection, gaps: Sequence[Gap], limit: int) -> list[list[Seen]]:
    """The stretches of each gap that have ticks or snapshots, ascending.

    Args:
        cursor: a cursor for reading.
        gaps: at least one gap, all of one feed, ascending.
        limit: only the first `limit` stretches are returned.
    """
    all_slots = [slots(gap.start, gap.end, gap.poll_seconds) for gap in gaps]
    values = {
        "feed": gaps[0].feed,
        "numbers": list(range(len(gaps))),
        "firsts": [numbers.start for numbers in all_slots],
        "lasts": [numbers.stop for numbers in all_slots],
        "periods_us": [gap.poll_seconds * 1_000_000 for gap in gaps],
        "start": to_column(gaps[0].start),
        "end": to_column(
            max(at_slot(numbers.stop, gap.poll_seconds) for numbers, gap in zip(all_slots, gaps, strict=True))
        ),
        "clocks_agree": CLOCKS_AGREE,
        "limit": limit,
    }
    found: list[list[Seen]] = [[] for _ in gaps]
    for number, first, last, source in cursor.execute(_OBSERVED, values).fetchall():
        seconds = gaps[number].poll_seconds
        found[number].append(Seen(at_slot(first, seconds), at_slot(last, seconds), source))
    return found


def _holes(cursor: DuckDBPyConnection, feed: str, numbers: range, poll_seconds: int) -> list[tuple[int, int]]:
    """The slots that brought nothing, as half-open ranges of their numbers."""
    values = {
        "feed": feed,
        "period_us": poll_seconds * 1_000_000,
        "first": numbers.start,
        "last": numbers.stop,
        "start": to_column(at_slot(numbers.start, poll_seconds)),
        "end": to_column(at_slot(numbers.stop, poll_seconds)),
        "clocks_agree": CLOCKS_AGREE,
    }
    return cursor.execute(_HOLES, values).fetchall() if numbers else []


def _explained(cursor: DuckDBPyConnection, feed: str, stretch: Stretch, first: int, last: int) -> Iterator[Gap]:
    """The gaps of a hole: one for consecutive slots with the same cause."""
    if not stretch.up:
        yield _made(feed, stretch, first, last, RECORDER_DOWN, "")
        return
    start, end = at_slot(first, stretch.poll_seconds), at_slot(last, stretch.poll_seconds)
    values: dict[str, Any] = {"start": to_column(start), "end": to_column(end)}
    values |= {"feed": feed, "period_us": stretch.poll_seconds * 1_000_000}
    reasons = cursor.execute(_REASONS, values).fetchall()
    if not reasons and stretch.cut_short and last == stretch.slots.stop:
        reasons = [(first, RECORDER_DOWN, "")]
    if not reasons and last - first < _UNEXPLAINED_SLOTS:
        return
    reasons = reasons or [(first, Cause.MISSED_SLOT, "no word on why")]
    begins = [first, *(slot for slot, *_ in reasons[1:]), last]
    for number, (_, cause, detail) in enumerate(reasons):
        yield _made(feed, stretch, begins[number], begins[number + 1], cause, detail)


def _made(feed: str, stretch: Stretch, first: int, last: int, cause: str, detail: str) -> Gap:
    start = at_slot(first, stretch.poll_seconds)
    end = min(at_slot(last, stretch.poll_seconds), stretch.end)
    state: GapState = "open" if heals(feed) else "unfillable"
    return Gap(feed, start, end, last - first, stretch.poll_seconds, str(cause), detail, state, gap=start)
