"""The gap ledger: which due slots brought no tick, why, and what became of each.

A gap is found once, from what was due and what is stored, and noted in gap_events. What becomes of it is noted as
another round, which cuts the gap into pieces, each healed, unfillable or still open; the newest round counts (the view
`gaps`). Behind the watermark the ledger is complete; what came after it is found anew by whoever reads.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from duckdb import DuckDBPyConnection

from .database import Database
from .due import Stretch, at_slot, slots, stretches
from .models import Cause, Source, from_column, to_column
from .runs import runs

State = Literal["open", "healed", "unfillable"]

ONGOING = timedelta(hours=1)
"""A gap that isn't over is noted when it is, or in pieces of this length."""

# What was never looked at is taken in such parts, a lease each: a quarter of a second with two indexes at one second.
_AT_A_TIME = timedelta(days=10)

# The watermark is moved at least that far at a time: until then, it costs little to look at the time after it again.
_WORTH_NOTING = timedelta(minutes=10)

BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)
"""Earlier than any gap."""

# A slot's tick is placed by the time it was received, which is in its slot for sure, unless the local clock is wrong by
# more than this: a clock that is set back or forward neither makes gaps nor hides any.
_CLOCKS_AGREE = timedelta(seconds=2)

# In a run each failed slot left a miss. Fewer empty slots in a row without one are ticks placed in their neighbours.
_UNEXPLAINED_SLOTS = 3

_COLUMNS = """
    index_name,
    started_at,
    ended_at,
    slots,
    poll_seconds,
    cause,
    detail,
    state,
    source,
    resolution_s,
    gap,
    round
"""

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

_NOTED = f"""
SELECT {_COLUMNS}
FROM gaps
WHERE ended_at > $start
  AND started_at < $end
ORDER BY index_name, started_at
"""  # noqa: S608 the columns are the constant above

_UNSETTLED = f"""
SELECT {_COLUMNS}
FROM gaps
WHERE index_name = $index_name
  AND list_contains($states, state)
  AND started_at >= $start
ORDER BY started_at
LIMIT $limit
"""  # noqa: S608 the columns are the constant above

_INDEX_NAMES = """
SELECT DISTINCT index_name
FROM gaps
WHERE list_contains($states, state)
"""

_INSERT = """
INSERT INTO gap_events (
    index_name, gap, round, event, started_at, ended_at, slots, poll_seconds, cause, detail, source, resolution_s,
    noted_at
)
VALUES {rows}
"""
_ROW = f"({', '.join('?' * 13)})"
_ROWS_A_STATEMENT = 500

_WATERMARK = """
SELECT max(complete_to)
FROM watermark
"""

_SET_WATERMARK = """
INSERT INTO watermark (complete_to)
VALUES ($complete_to)
"""


@dataclass(frozen=True, slots=True)
class Gap:
    """Due slots of an index, next to each other, that brought no tick.

    Attributes:
        index_name: as the exchange spells it.
        start, end: from the first of the slots to the one after the last; half-open.
        slots: how many they are.
        poll_seconds: between them.
        cause: a `Cause`, with the exchange's error code where it gave one, such as "exchange error 11051".
        detail: the facts of the first of them.
        state: "open" while it may still be healed, "healed", or "unfillable" when nobody has it any more.
        source, resolution_s: what it was healed with, and the seconds that each of those is an average over; 0 when
            they were observed after all.
        gap: where it began when it was found; together with the index, its name.
        round: how often it was looked at since.
    """

    index_name: str
    start: datetime
    end: datetime
    slots: int
    poll_seconds: int
    cause: str
    detail: str
    state: State = "open"
    source: Source | None = None
    resolution_s: int | None = None
    gap: datetime | None = None
    round: int = 0

    @property
    def healed_by(self) -> str | None:
        """What it was healed with, such as "chart, 6 s"; None while it isn't."""
        if self.source is None:
            return None
        return f"{self.source}, {self.resolution_s} s" if self.resolution_s else str(self.source)


def ledger(cursor: DuckDBPyConnection, start: datetime, end: datetime, now: datetime) -> list[Gap]:
    """The gaps that touch [start, end), by index and start; what is alike and adjacent is one gap.

    It has those of the last minutes too, up to the slots that may still be on their way.
    """
    values = {"start": to_column(start), "end": to_column(end)}
    noted = [_gap(row) for row in cursor.execute(_NOTED, values).fetchall()]
    latest = find(cursor, max(start, watermark(cursor) or start), min(end, _arrived(cursor, now)))
    return list(joined(sorted([*noted, *latest], key=lambda gap: (gap.index_name, gap.start))))


def find(cursor: DuckDBPyConnection, start: datetime, end: datetime) -> list[Gap]:
    """The gaps in [start, end) that are not noted yet."""
    found = [
        gap
        for stretch in stretches(cursor, start, end)
        for name in stretch.indexes
        for first, last in _holes(cursor, name, stretch.slots, stretch.poll_seconds)
        for gap in _explained(cursor, name, stretch, first, last)
    ]
    if not found:
        return []
    values = {"start": to_column(start), "end": to_column(end)}
    noted = [_gap(row) for row in cursor.execute(_NOTED, values).fetchall()]
    return [part for gap in found for part in _without(gap, noted)]


def watermark(cursor: DuckDBPyConnection) -> datetime | None:
    """The time up to which the ledger is complete; None before it was begun."""
    ((complete_to,),) = cursor.execute(_WATERMARK).fetchall()
    return None if complete_to is None else from_column(complete_to)


def note(cursor: DuckDBPyConnection, gaps: Iterable[Gap], noted_at: datetime) -> None:
    """Note gaps, or what became of them. Call it inside `Database.write`."""
    rows = [_row(gap, noted_at) for gap in gaps]
    for first in range(0, len(rows), _ROWS_A_STATEMENT):
        portion = rows[first : first + _ROWS_A_STATEMENT]
        cursor.execute(
            _INSERT.format(rows=", ".join([_ROW] * len(portion))), [value for row in portion for value in row]
        )


def advance(database: Database, until: datetime, now: datetime, wait_s: float) -> None:
    """Note the gaps between the watermark and `until`, up to which all that came is stored.

    A gap that reaches `until` may go on: it is left for the next time unless it is longer than `ONGOING`. What was
    never looked at is taken part by part.

    Raises:
        StoreError: it got as far as it got.
    """
    while True:
        with database.read(wait_s) as cursor:
            start = _begin(cursor, until)
            end = min(until, start + _AT_A_TIME)
            over, complete_to = _over(find(cursor, start, end), end, ongoing=end == until)
        if over or end < until or complete_to - start > _WORTH_NOTING:
            with database.write(wait_s) as cursor:
                over, complete_to = _over(find(cursor, start, end), end, ongoing=end == until)
                note(cursor, over, now)
                cursor.execute("DELETE FROM watermark")
                cursor.execute(_SET_WATERMARK, {"complete_to": to_column(complete_to)})
        if end >= until:
            return


def _begin(cursor: DuckDBPyConnection, until: datetime) -> datetime:
    """Where the ledger goes on: at the watermark; at the last run's start when that lies ahead, as the clock did."""
    mark = watermark(cursor)
    if mark is not None and mark <= until:
        return mark
    starts = [run.started_at for run in runs(cursor) if run.started_at < until]
    return (starts[0] if mark is None else starts[-1]) if starts else until


def _over(found: Sequence[Gap], end: datetime, *, ongoing: bool) -> tuple[list[Gap], datetime]:
    """Those gaps that are over, and the time up to which nothing is left out."""
    if not ongoing:
        return list(found), end
    going_on = {
        hole.index_name: hole.start for hole in _joined_holes(found) if hole.end >= end and end - hole.start < ONGOING
    }
    over = [gap for gap in found if gap.start < going_on.get(gap.index_name, gap.end)]
    return over, min([end, *going_on.values()])


def index_names(cursor: DuckDBPyConnection, states: Sequence[State]) -> set[str]:
    """The indexes that have gaps in one of these states."""
    return {name for (name,) in cursor.execute(_INDEX_NAMES, {"states": list(states)}).fetchall()}


def unsettled(
    cursor: DuckDBPyConnection, index_name: str, states: Sequence[State], *, start: datetime = BEFORE_ALL, limit: int
) -> list[Gap]:
    """The oldest gaps of an index that are in one of these states and begin at `start` or later, ascending."""
    values = {"index_name": index_name, "states": list(states), "start": to_column(start), "limit": limit}
    return [_gap(row) for row in cursor.execute(_UNSETTLED, values).fetchall()]


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


def joined(gaps: Iterable[Gap]) -> Iterator[Gap]:
    """Make one of neighbours that differ in nothing but their time."""
    before: Gap | None = None
    for gap in gaps:
        if before is not None and before.end >= gap.start and _kind(before) == _kind(gap):
            before = replace(before, end=gap.end, slots=before.slots + gap.slots)
            continue
        if before is not None:
            yield before
        before = gap
    if before is not None:
        yield before


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
        yield _made(index_name, stretch, first, last, Cause.RECORDER_DOWN, "")
        return
    start, end = at_slot(first, stretch.poll_seconds), at_slot(last, stretch.poll_seconds)
    values: dict[str, Any] = {"start": to_column(start), "end": to_column(end)}
    values |= {"index_name": index_name, "period_us": stretch.poll_seconds * 1_000_000}
    reasons = [
        (slot, cause if code is None else f"{cause} {code}", detail)
        for slot, cause, code, detail in cursor.execute(_REASONS, values).fetchall()
    ]
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


def _without(gap: Gap, noted: Iterable[Gap]) -> Iterator[Gap]:
    """What of a gap no noted one has."""
    start = gap.start
    for known in noted:
        if known.index_name == gap.index_name and known.end > start and known.start < gap.end:
            yield from _cut(gap, start, known.start)
            start = max(start, known.end)
    yield from _cut(gap, start, gap.end)


def _cut(gap: Gap, start: datetime, end: datetime) -> Iterator[Gap]:
    count = len(slots(start, end, gap.poll_seconds))
    if count:
        yield (
            gap if (start, end) == (gap.start, gap.end) else replace(gap, start=start, end=end, slots=count, gap=start)
        )


def _joined_holes(gaps: Iterable[Gap]) -> list[Gap]:
    """Make one of neighbours, whatever their causes."""
    return list(joined(replace(gap, cause="") for gap in sorted(gaps, key=lambda gap: (gap.index_name, gap.start))))


def _kind(gap: Gap) -> tuple[object, ...]:
    return gap.index_name, gap.poll_seconds, gap.cause, gap.state, gap.source, gap.resolution_s


def _arrived(cursor: DuckDBPyConnection, now: datetime) -> datetime:
    """Up to when all ticks are stored, if recording goes well: the slot before the present one may be on its way."""
    recorded = runs(cursor)
    return now - timedelta(seconds=2 * recorded[-1].poll_seconds) if recorded else now


def _gap(row: tuple[Any, ...]) -> Gap:
    index_name, start, end, count, poll_seconds, cause, detail, state, source, resolution_s, gap, number = row
    start, end, gap = map(from_column, (start, end, gap))
    return Gap(index_name, start, end, count, poll_seconds, cause, detail, state, source, resolution_s, gap, number)


def _row(gap: Gap, noted_at: datetime) -> tuple[Any, ...]:
    return (
        gap.index_name,
        to_column(gap.gap or gap.start),
        gap.round,
        "found" if gap.state == "open" else gap.state,
        to_column(gap.start),
        to_column(gap.end),
        gap.slots,
        gap.poll_seconds,
        gap.cause,
        gap.detail,
        gap.source,
        gap.resolution_s,
        to_column(noted_at),
    )
