"""Which due slots brought no tick, and why: found anew each time, from runs, misses and ticks."""

from collections.abc import Container, Iterator
from datetime import datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from .due import Stretch, at_slot, slots, stretches
from .models import RECORDER_DOWN, Cause, Gap, to_column

# A slot's tick is placed by the time it was received, which is in its slot for sure, unless the local clock is wrong by
# more than this: a clock that is set back or forward neither makes gaps nor hides any.
_CLOCKS_AGREE = timedelta(seconds=2)

# In a run each failed slot left a miss. Fewer empty slots in a row without one are ticks placed in their neighbours.
_UNEXPLAINED_SLOTS = 3

_HOLES = """
WITH present AS (
    SELECT DISTINCT
        epoch_us(
            CASE
                WHEN received_at BETWEEN ts - $clocks_agree AND ts + $clocks_agree THEN received_at
                ELSE ts
            END
        ) // $period_us AS slot
    FROM ticks
    WHERE index_name = $index_name
      AND ts >= $start - $clocks_agree
      AND ts <= $end + $clocks_agree
      AND resolution_s = 0
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
"""

_REASONS = """
SELECT
    epoch_us(slot) // $period_us AS slot,
    cause,
    code,
    detail
FROM misses
WHERE index_name = $index_name
  AND slot >= $start
  AND slot < $end
ORDER BY slot
"""


def missing(
    cursor: DuckDBPyConnection, start: datetime, end: datetime, index_names: Container[str] | None = None
) -> list[Gap]:
    """The gaps in [start, end), noted or not, of some indexes or all."""
    return [
        gap
        for stretch in stretches(cursor, start, end)
        for name in stretch.indexes
        if index_names is None or name in index_names
        for first, last in _holes(cursor, name, stretch.slots, stretch.poll_seconds)
        for gap in _explained(cursor, name, stretch, first, last)
    ]


def observed(cursor: DuckDBPyConnection, gap: Gap) -> Iterator[tuple[bool, datetime, datetime]]:
    """Cut a gap into stretches without a tick and, if some came late, those with one: (observed, start, end)."""
    numbers = slots(gap.start, gap.end, gap.poll_seconds)
    reached = numbers.start
    for first, last in _holes(cursor, gap.index_name, numbers, gap.poll_seconds):
        if first > reached:
            yield True, at_slot(reached, gap.poll_seconds), at_slot(first, gap.poll_seconds)
        yield False, at_slot(first, gap.poll_seconds), at_slot(last, gap.poll_seconds)
        reached = last
    if reached < numbers.stop:
        yield True, at_slot(reached, gap.poll_seconds), at_slot(numbers.stop, gap.poll_seconds)


def _holes(cursor: DuckDBPyConnection, index_name: str, numbers: range, poll_seconds: int) -> list[tuple[int, int]]:
    """The numbers of the slots without a tick, as half-open ranges."""
    values = {
        "index_name": index_name,
        "period_us": poll_seconds * 1_000_000,
        "first": numbers.start,
        "last": numbers.stop,
        "start": to_column(at_slot(numbers.start, poll_seconds)),
        "end": to_column(at_slot(numbers.stop, poll_seconds)),
        "clocks_agree": _CLOCKS_AGREE,
    }
    return cursor.execute(_HOLES, values).fetchall() if numbers else []


def _explained(cursor: DuckDBPyConnection, index_name: str, stretch: Stretch, first: int, last: int) -> Iterator[Gap]:
    """The gaps that a hole consists of: one for each cause in a row."""
    if not stretch.up:
        yield _made(index_name, stretch, first, last, RECORDER_DOWN, "")
        return
    start, end = at_slot(first, stretch.poll_seconds), at_slot(last, stretch.poll_seconds)
    values: dict[str, Any] = {"start": to_column(start), "end": to_column(end)}
    values |= {"index_name": index_name, "period_us": stretch.poll_seconds * 1_000_000}
    reasons = [
        (slot, cause if code is None else f"{cause} {code}", detail)
        for slot, cause, code, detail in cursor.execute(_REASONS, values).fetchall()
    ]
    if not reasons and stretch.cut_short and last == stretch.slots.stop:
        reasons = [(first, RECORDER_DOWN, "")]
    if not reasons and last - first < _UNEXPLAINED_SLOTS:
        return
    reasons = reasons or [(first, Cause.MISSED_SLOT, "no word on why")]
    changes = [reason for at, reason in enumerate(reasons) if not at or reason[1] != reasons[at - 1][1]]
    begins = [first, *(slot for slot, *_ in changes[1:]), last]
    for number, (_, cause, detail) in enumerate(changes):
        yield _made(index_name, stretch, begins[number], begins[number + 1], cause, detail)


def _made(index_name: str, stretch: Stretch, first: int, last: int, cause: str, detail: str) -> Gap:
    start = at_slot(first, stretch.poll_seconds)
    end = min(at_slot(last, stretch.poll_seconds), stretch.end)
    return Gap(index_name, start, end, last - first, stretch.poll_seconds, str(cause), detail, gap=start)
