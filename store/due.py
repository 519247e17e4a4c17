"""What was due: the slots at which a recorder polled, or would have polled had it not been down."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from .models import Run, from_column, to_column
from .runs import runs

_LAST_SIGN = """
SELECT max(sign)
FROM (
    SELECT max(coalesce(received_at, ts)) AS sign
    FROM ticks
    WHERE ts >= $start
      AND ts < $end
      AND resolution_s = 0
      AND source <> 'import'
    UNION ALL
    SELECT max(slot)
    FROM misses
    WHERE slot >= $start
      AND slot < $end
)
"""


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Slots are counted from here; nothing was due before."""

# The sign of a run that goes on is fresh; a long run isn't read from its beginning.
_LOOK_BACK = (timedelta(hours=1), timedelta(days=1), timedelta.max)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time in which the same slots were due.

    Attributes:
        start, end: half-open.
        poll_seconds: a slot is due at each multiple of it.
        indexes: of which a tick was due.
        up: a recorder was at work; else it was down, between two that were to record these indexes.
        cut_short: it was killed at the end of it, perhaps in the middle of the last slot.
    """

    start: datetime
    end: datetime
    poll_seconds: int
    indexes: tuple[str, ...]
    up: bool
    cut_short: bool = False

    @property
    def slots(self) -> range:
        """The slots in it, numbered from 1970 on."""
        return slots(self.start, self.end, self.poll_seconds)

    def within(self, start: datetime, end: datetime) -> "Stretch":
        """The part of it in [start, end)."""
        cut_short = self.cut_short and end >= self.end
        return replace(self, start=max(start, self.start), end=min(end, self.end), cut_short=cut_short)


def slots(start: datetime, end: datetime, poll_seconds: int) -> range:
    """The numbers, from 1970 on, of the slots in [start, end)."""
    period_us = poll_seconds * 1_000_000
    return range(-(-_epoch_us(start) // period_us), -(-_epoch_us(end) // period_us))


def at_slot(number: int, poll_seconds: int) -> datetime:
    """When the slot of that number is due."""
    return EPOCH + timedelta(seconds=number * poll_seconds)


def stretches(cursor: DuckDBPyConnection, start: datetime, end: datetime) -> list[Stretch]:
    """What was due in [start, end), ascending.

    A run that was killed lasted until its last tick or miss. The time from one run to the next, or to `end`, was due
    with the seconds of the first of them; after a change of indexes, for those that both have.
    """
    found = _relevant(runs(cursor), start, end)
    due: list[Stretch] = []
    for run, following in zip(found, [*found[1:], None], strict=False):
        begins = following.started_at if following else max(end, run.started_at)
        ends = min(begins, run.ended_at or _last_sign(cursor, run, begins))
        killed = following is not None and run.ended_at is None
        due.append(Stretch(run.started_at, ends, run.poll_seconds, run.indexes, up=True, cut_short=killed))
        kept = tuple(name for name in run.indexes if following is None or name in following.indexes)
        due.append(Stretch(ends, begins, run.poll_seconds, kept, up=False))
    clipped = (each.within(start, end) for each in due)
    return [each for each in clipped if each.start < each.end and each.indexes]


def _relevant(recorded: list[Run], start: datetime, end: datetime) -> list[Run]:
    """The runs that began in a range, with the one before and the one after it."""
    before = [run for run in recorded if run.started_at < start]
    after = [run for run in recorded if run.started_at >= end]
    return [*before[-1:], *(run for run in recorded if start <= run.started_at < end), *after[:1]]


def _last_sign(cursor: DuckDBPyConnection, run: Run, begins: datetime) -> datetime:
    """The end of the last slot in which a run that never ended left a tick or a miss."""
    for back in _LOOK_BACK:
        first = run.started_at if begins - run.started_at <= back else begins - back
        values: dict[str, Any] = {"start": to_column(first), "end": to_column(begins)}
        ((at,),) = cursor.execute(_LAST_SIGN, values).fetchall()
        if at is not None:
            return at_slot(slot_number(from_column(at), run.poll_seconds) + 1, run.poll_seconds)
    return run.started_at


def slot_number(at: datetime, poll_seconds: int) -> int:
    """The number of the slot that an instant lies in."""
    return _epoch_us(at) // (poll_seconds * 1_000_000)


def _epoch_us(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)
