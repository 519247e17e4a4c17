"""What became of gaps: cut into the pieces that the stored ticks heal, and the rest."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from .due import EPOCH, at_slot, slots
from .gaps import joined, note, unsettled
from .missing import observed
from .models import Gap, GapState, Source, from_column, to_column

Hopeless = Callable[[datetime, datetime], bool]
"""Has nobody anything any more for what is left of a gap, from start to end?"""

# So many gaps are settled under one lease.
PORTION = 200

# The coarsest averages are those of a day; one step of them beside a gap counts.
_MARGIN = timedelta(days=2)

_COVERS = """
WITH averages AS (
    SELECT
        ts,
        source,
        resolution_s,
        ts > lag(ts) OVER alike + to_seconds(resolution_s) AS apart
    FROM ticks
    WHERE index_name = $index_name
      AND ts >= $start
      AND ts < $end
      AND resolution_s > 0
    WINDOW alike AS (PARTITION BY source, resolution_s ORDER BY ts)
),
numbered AS (
    SELECT
        ts,
        source,
        resolution_s,
        count(*) FILTER (WHERE apart) OVER (PARTITION BY source, resolution_s ORDER BY ts) AS island
    FROM averages
)
SELECT
    min(ts) AS first,
    max(ts) + to_seconds(resolution_s),
    source,
    resolution_s
FROM numbered
GROUP BY source, resolution_s, island
ORDER BY resolution_s, first
"""

_OBSERVED_BY = """
SELECT min(source)
FROM ticks
WHERE index_name = $index_name
  AND ts >= $start
  AND ts < $end
  AND resolution_s = 0
"""


@dataclass(frozen=True, slots=True)
class _Cover:
    """Time that averages of one kind cover without a break."""

    start: datetime
    end: datetime
    source: Source
    resolution_s: int


@dataclass(frozen=True, slots=True, order=True)
class _Piece:
    """A part of a gap, and what heals it, if anything does."""

    start: datetime
    end: datetime
    source: Source | None = None
    resolution_s: int | None = None


def settle(
    cursor: DuckDBPyConnection,
    index_name: str,
    noted_at: datetime,
    *,
    hopeless: Hopeless = lambda _start, _end: False,
    states: Sequence[GapState] = ("open",),
    start: datetime = EPOCH,
) -> tuple[list[Gap], datetime | None]:
    """Note what became of the gaps of an index. Call it inside `Database.write`, once more from where it ended.

    A slot is healed by a tick in it, or by an average that covers it. So is one beside such an average, nearer than the
    average is long: the average over that slot was left out, as observations lie in its time.

    Args:
        cursor: of that lease.
        index_name: as the exchange spells it.
        noted_at: now.
        hopeless: decides over what is left: unfillable or still open.
        states: which gaps are looked at.
        start: and from when on.

    Returns:
        What they are now, as far as that changed, and where to go on; None when all were looked at.
    """
    gaps = unsettled(cursor, index_name, states, start=start, limit=PORTION)
    if not gaps:
        return [], None
    covers = _covers(cursor, index_name, gaps[0].start, gaps[-1].end)
    changed = [piece for gap in gaps for piece in _changed(cursor, gap, covers, hopeless)]
    note(cursor, changed, noted_at)
    return changed, gaps[-1].end if len(gaps) == PORTION else None


def _changed(cursor: DuckDBPyConnection, gap: Gap, covers: Sequence[_Cover], hopeless: Hopeless) -> list[Gap]:
    """The pieces that a gap consists of now; none if nothing changed."""
    pieces = list(joined(_as_gaps(gap, sorted(_pieces(cursor, gap, covers)), hopeless)))
    return [] if [replace(piece, round=gap.round) for piece in pieces] == [gap] else pieces


def _pieces(cursor: DuckDBPyConnection, gap: Gap, covers: Sequence[_Cover]) -> Iterator[_Piece]:
    left: list[tuple[datetime, datetime]] = []
    for seen, start, end in observed(cursor, gap):
        if seen:
            yield _Piece(start, end, _observed_by(cursor, gap.index_name, start, end), 0)
        else:
            left.append((start, end))
    for steps_beside in (0, 1):
        for cover in covers:
            beside = timedelta(seconds=steps_beside * cover.resolution_s)
            healed, left = _apart(left, cover.start - beside, cover.end + beside)
            yield from (_Piece(start, end, cover.source, cover.resolution_s) for start, end in healed)
    yield from (_Piece(start, end) for start, end in left)


def _apart(
    stretches: Iterable[tuple[datetime, datetime]], start: datetime, end: datetime
) -> tuple[list[tuple[datetime, datetime]], list[tuple[datetime, datetime]]]:
    """What of some stretches lies in [start, end), and what does not."""
    inside: list[tuple[datetime, datetime]] = []
    outside: list[tuple[datetime, datetime]] = []
    for first, last in stretches:
        parts = (first, min(last, start)), (max(first, start), min(last, end)), (max(first, end), last)
        for number, (begin, stop) in enumerate(parts):
            if begin < stop:
                (inside if number == 1 else outside).append((begin, stop))
    return inside, outside


def _as_gaps(gap: Gap, pieces: Iterable[_Piece], hopeless: Hopeless) -> Iterator[Gap]:
    """The pieces with a slot in them, as gaps from slot to slot."""
    for piece in pieces:
        numbers = slots(piece.start, piece.end, gap.poll_seconds)
        if not numbers:
            continue
        start = at_slot(numbers.start, gap.poll_seconds)
        end = min(at_slot(numbers.stop, gap.poll_seconds), gap.end)
        state: GapState = "healed"
        if piece.source is None:
            state = "unfillable" if gap.state == "unfillable" or hopeless(start, end) else "open"
        yield replace(
            gap,
            start=start,
            end=end,
            slots=len(numbers),
            state=state,
            source=piece.source,
            resolution_s=piece.resolution_s,
            round=gap.round + 1,
        )


def _covers(cursor: DuckDBPyConnection, index_name: str, start: datetime, end: datetime) -> list[_Cover]:
    """What averages cover around [start, end), finest first."""
    values: dict[str, Any] = {"index_name": index_name, "start": to_column(start - _MARGIN)}
    rows = cursor.execute(_COVERS, {**values, "end": to_column(end + _MARGIN)}).fetchall()
    return [_Cover(from_column(first), from_column(last), source, seconds) for first, last, source, seconds in rows]


def _observed_by(cursor: DuckDBPyConnection, index_name: str, start: datetime, end: datetime) -> Source:
    values = {"index_name": index_name, "start": to_column(start), "end": to_column(end)}
    ((source,),) = cursor.execute(_OBSERVED_BY, values).fetchall()
    return source or "live"
