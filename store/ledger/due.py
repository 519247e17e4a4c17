"""The slots that were due: a recorder polled at them, or would have polled if it had not been down."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from store.instants import EPOCH
from store.models import CLOCKS_AGREE, Run, from_column, to_column

from .recorders import KnownTo, Line, in_turn, known_to, lines, union
from .runs import runs

HEARD_AT = "CASE WHEN received_at BETWEEN ts - $clocks_agree AND ts + $clocks_agree THEN received_at ELSE ts END"
"""When a tick or a snapshot was received; its exchange time if that is unknown or the local clock was wrong."""

_LAST_SIGN = f"""
SELECT max(sign)
FROM (
    SELECT max({HEARD_AT}) AS sign
    FROM arrivals
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
"""  # noqa: S608 the time is the constant above

# Finds the last signs of many stretches at once. Each tick finds its stretch by the hours that the stretch touches.
_LAST_SIGNS = f"""
WITH asked AS (
    SELECT
        unnest($numbers::INTEGER[]) AS number,
        unnest($starts::TIMESTAMP[]) AS start,
        unnest($ends::TIMESTAMP[]) AS stop
),
hours AS (
    SELECT
        *,
        unnest(range(epoch_us(start) // 3_600_000_000, epoch_us(stop) // 3_600_000_000 + 1)) AS hour
    FROM asked
),
signs AS (
    SELECT
        ts AS happened,
        {HEARD_AT} AS sign
    FROM arrivals
    WHERE ts >= $start
      AND ts < $end
      AND resolution_s = 0
      AND source <> 'import'
    UNION ALL
    SELECT slot, slot
    FROM misses
    WHERE slot >= $start
      AND slot < $end
)
SELECT
    number,
    max(sign)
FROM signs
JOIN hours ON hour = epoch_us(happened) // 3_600_000_000
WHERE happened >= start
  AND happened < stop
GROUP BY number
"""  # noqa: S608 the time is the constant above

# With 8 M ticks, one stretch takes 1.3 ms by `_LAST_SIGN` and 5 ms by `_LAST_SIGNS`; 90 stretches take 128 and 60 ms.
_FEW = 4

_EACH_VITALS = timedelta(minutes=1)

# Look back one hour first: a running recorder left a sign recently, and a long run need not be read from its start.
_LOOK_BACK = (timedelta(hours=1), timedelta(days=1), timedelta.max)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time in which the same slots were due.

    Attributes:
        start, end: half-open.
        poll_seconds: a slot is due at each multiple of it.
        feeds: the feeds that were due.
        up: a recorder was at work. Otherwise no recorder was at work, between two runs that record these feeds.
        cut_short: the recorder was killed at the end of the stretch, perhaps in the middle of the last slot.
    """

    start: datetime
    end: datetime
    poll_seconds: int
    feeds: tuple[str, ...]
    up: bool
    cut_short: bool = False

    @property
    def slots(self) -> range:
        """The slots of the stretch, numbered from 1970."""
        return slots(self.start, self.end, self.poll_seconds)

    def within(self, start: datetime, end: datetime) -> "Stretch":
        """The part of the stretch in [start, end)."""
        cut_short = self.cut_short and end >= self.end
        return replace(self, start=max(start, self.start), end=min(end, self.end), cut_short=cut_short)


def slots(start: datetime, end: datetime, poll_seconds: int) -> range:
    """The slots in [start, end), numbered from 1970."""
    period_us = poll_seconds * 1_000_000
    return range(-(-_epoch_us(start) // period_us), -(-_epoch_us(end) // period_us))


def at_slot(number: int, poll_seconds: int) -> datetime:
    """The time at which the slot of a number is due."""
    return EPOCH + timedelta(seconds=number * poll_seconds)


def stretches(cursor: DuckDBPyConnection, start: datetime, end: datetime) -> list[Stretch]:
    """The stretches that were due in [start, end), by run and then by period. The stretches of a feed ascend.

    A killed run lasted until the end of the slot of its last sign: a tick, a snapshot or a miss. The time from a run to
    the next one, or to `end`, was due with the periods of the first run, for the feeds that both runs have.

    If several recorders worked at the same time, a slot was due that was due for any of them.
    """
    recorded = runs(cursor)
    if in_turn(recorded):
        due = _of_line(cursor, recorded, start, end, {})
    else:
        known = known_to(cursor)
        its = lines(recorded, known)
        due = union(each for line in its for each in _of_line(cursor, line, start, end, known if len(its) > 1 else {}))
    clipped = (each.within(start, end) for each in due)
    return [each for each in clipped if each.start < each.end and each.feeds]


def _of_line(cursor: DuckDBPyConnection, line: Line, start: datetime, end: datetime, known: KnownTo) -> list[Stretch]:
    """The stretches of runs one after another that are due in [start, end) and around it."""
    found = _relevant(line, start, end)
    all_begins = [*(run.started_at for run in found[1:]), *(max(end, run.started_at) for run in found[-1:])]
    signs = _last_signs(cursor, found, all_begins)
    due: list[Stretch] = []
    for number, (run, begins, following) in enumerate(zip(found, all_begins, [*found[1:], None], strict=False)):
        killed = following is not None and run.ended_at is None
        for seconds, feeds in _by_period(run).items():
            ends = min(begins, _end(run, _its(run, signs.get(number), known), seconds))
            due.append(Stretch(run.started_at, ends, seconds, feeds, up=True, cut_short=killed))
            kept = tuple(feed for feed in feeds if following is None or feed in following.feeds)
            due.append(Stretch(ends, begins, seconds, kept, up=False))
    return due


def _its(run: Run, sign: datetime | None, known: KnownTo) -> datetime | None:
    """The last sign of a run. What came more than a minute after its last vitals is a sign of another recorder."""
    to = known.get((run.recorder, run.started_at))
    return sign if sign is None or to is None else min(sign, to + _EACH_VITALS)


def _by_period(run: Run) -> dict[int, tuple[str, ...]]:
    """The feeds of a run by the seconds between their slots."""
    feeds: defaultdict[int, tuple[str, ...]] = defaultdict(tuple)
    for feed, seconds in run.feeds.items():
        feeds[seconds] += (feed,)
    return feeds


def _end(run: Run, sign: datetime | None, seconds: int) -> datetime:
    """The end of a run for the feeds of a period. A killed run ends with the slot of its last sign, or at its start."""
    if run.ended_at is not None or sign is None:
        return run.ended_at or run.started_at
    return at_slot(slot_number(sign, seconds) + 1, seconds)


def _relevant(recorded: Sequence[Run], start: datetime, end: datetime) -> list[Run]:
    """The runs that began in a range, the run before them and the run after them."""
    before = [run for run in recorded if run.started_at < start]
    after = [run for run in recorded if run.started_at >= end]
    return [*before[-1:], *(run for run in recorded if start <= run.started_at < end), *after[:1]]


def _last_signs(
    cursor: DuckDBPyConnection, recorded: Sequence[Run], all_begins: Sequence[datetime]
) -> dict[int, datetime]:
    """The last sign of each run that has no end, by the number of the run. A run without a sign is absent.

    Only signs before the next run begins count.
    """
    signs: dict[int, datetime] = {}
    left = {number for number, run in enumerate(recorded) if run.ended_at is None}
    for back in _LOOK_BACK:
        starts = {number: _back(all_begins[number], back, recorded[number].started_at) for number in left}
        found = _signs(cursor, {number: (start, all_begins[number]) for number, start in starts.items()})
        signs |= {number: from_column(at) for number, at in found.items()}
        left = {number for number in left - found.keys() if starts[number] > recorded[number].started_at}
    return signs


def _back(at: datetime, length: timedelta, earliest: datetime) -> datetime:
    return earliest if at - earliest <= length else at - length


def _signs(cursor: DuckDBPyConnection, windows: Mapping[int, tuple[datetime, datetime]]) -> dict[int, datetime]:
    """The last sign in each of some stretches of time, as a column value. A stretch without a sign is absent."""
    columns = {
        number: (to_column(start), to_column(end)) for number, (start, end) in sorted(windows.items()) if start < end
    }
    agreeing: dict[str, Any] = {"clocks_agree": CLOCKS_AGREE}
    if len(columns) <= _FEW:
        found = [
            (number, *cursor.execute(_LAST_SIGN, agreeing | {"start": start, "end": end}).fetchall()[0])
            for number, (start, end) in columns.items()
        ]
        return {number: at for number, at in found if at is not None}
    starts, ends = zip(*columns.values(), strict=True)
    values = agreeing | {"numbers": list(columns), "starts": list(starts), "ends": list(ends)}
    return dict(cursor.execute(_LAST_SIGNS, values | {"start": min(starts), "end": max(ends)}).fetchall())


def heard_at(ts: datetime, received_at: datetime) -> datetime:
    """As `HEARD_AT`, of what has both times."""
    return received_at if abs(received_at - ts) <= CLOCKS_AGREE else ts


def slot_number(at: datetime, poll_seconds: int) -> int:
    """The number of the slot that contains an instant."""
    return _epoch_us(at) // (poll_seconds * 1_000_000)


def _epoch_us(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)
