"""What became of gaps: cut into the pieces that the stored ticks heal, and the rest."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

from store.instants import EPOCH
from store.models import Gap, GapState

from .covers import Layer, Piece, covers, healed, layers
from .due import at_slot, slots
from .gap_pieces import joined
from .gaps import note, oldest
from .missing import Seen, observed

Hopeless = Callable[[datetime, datetime], bool]
"""Has nobody anything any more for what is left of a gap, from start to end?"""

PORTION = 200
"""So many gaps are looked at under one lease, if they don't lie further apart than `_SPAN`: all of it is looked at."""
_SPAN = timedelta(days=10)

MOST_PIECES = 5000
"""One lease notes about so many pieces of gaps, in a quarter of a second. What is left goes into the next one."""


def heal(
    cursor: DuckDBPyConnection,
    feed: str,
    noted_at: datetime,
    *,
    hopeless: Hopeless = lambda _start, _end: False,
    states: Sequence[GapState] = ("open",),
    start: datetime = EPOCH,
    most_pieces: int = MOST_PIECES,
) -> tuple[list[Gap], datetime | None]:
    """Note what became of the gaps of a feed. Call it inside `Database.write`, once more from where it ended.

    A slot is healed by a tick or a snapshot in it, or by an average that covers it. So is one beside such an average,
    nearer than the average is long: the average over that slot was left out, as observations lie in its time.

    Args:
        cursor: of that lease.
        feed: that of an index has its name.
        noted_at: now.
        hopeless: decides over what is left: unfillable or still open.
        states: which gaps are looked at.
        start: and from when on.
        most_pieces: that one lease notes.

    Returns:
        What they are now, as far as that changed, and where to go on; None when all were looked at.
    """
    gaps = oldest(cursor, feed, states, start=start, limit=PORTION)
    if not gaps:
        return [], None
    portion = [gap for gap in gaps if gap.end <= gaps[0].start + _SPAN] or gaps[:1]
    seen = observed(cursor, portion, most_pieces)
    if sum(map(len, seen)) >= most_pieces:
        portion = _up_to_the_last(portion, seen)
    known = layers(covers(cursor, feed, portion[0].start, portion[-1].end))
    changes = ((gap, _changed(gap, its, known, hopeless)) for gap, its in zip(portion, seen, strict=False))
    changed, stopped_at = _as_many_as_fit(changes, most_pieces)
    rest = _rest(gaps, changed)
    note(cursor, [*changed, *rest], noted_at)
    if rest or stopped_at is not None:
        return changed, rest[0].start if rest else stopped_at
    return changed, portion[-1].end if len(portion) < len(gaps) or len(gaps) == PORTION else None


def _up_to_the_last(portion: Sequence[Gap], seen: Sequence[Sequence[Seen]]) -> list[Gap]:
    """The gaps of which all observed stretches are known; if there is none, the first gap as far as they are."""
    number, its = max((number, its) for number, its in enumerate(seen) if its)
    return [*portion[:number]] or [portion[0]._replace(end=its[-1].end)]


def _as_many_as_fit(changes: Iterable[tuple[Gap, list[Gap]]], most_pieces: int) -> tuple[list[Gap], datetime | None]:
    """The first pieces that gaps consist of now, and where those begin that are too many for one lease, if any are."""
    fitting: list[Gap] = []
    for gap, pieces in changes:
        if len(fitting) + len(pieces) > most_pieces:
            return (fitting, gap.start) if fitting else (pieces[:most_pieces], pieces[most_pieces].start)
        fitting += pieces
    return fitting, None


def _rest(gaps: Sequence[Gap], changed: Sequence[Gap]) -> list[Gap]:
    """What of a gap lies behind its last piece, as a piece of its own: it is left for the next lease."""
    if not changed:
        return []
    end = changed[-1].end
    gap = next(gap for gap in gaps if gap.end >= end)
    count = len(slots(end, gap.end, gap.poll_seconds))
    return [gap._replace(start=end, slots=count, round=gap.round + 1)] if count else []


def _changed(gap: Gap, seen: Sequence[Seen], known: Sequence[Layer], hopeless: Hopeless) -> list[Gap]:
    """The pieces that a gap consists of now; none if nothing changed."""
    pieces = list(joined(_as_gaps(gap, sorted(_pieces(gap, seen, known)), hopeless)))
    return [] if [piece._replace(round=gap.round) for piece in pieces] == [gap] else pieces


def _pieces(gap: Gap, seen: Sequence[Seen], known: Sequence[Layer]) -> Iterator[Piece]:
    reached = gap.start
    unseen = []
    for start, end, source in seen:
        unseen.append((reached, start))
        yield Piece(start, end, source, 0)
        reached = end
    unseen.append((reached, gap.end))
    yield from healed(((start, end) for start, end in unseen if start < end), known)


def _as_gaps(gap: Gap, pieces: Iterable[Piece], hopeless: Hopeless) -> Iterator[Gap]:
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
        yield gap._replace(
            start=start,
            end=end,
            slots=len(numbers),
            state=state,
            source=piece.source,
            resolution_s=piece.resolution_s,
            round=gap.round + 1,
        )
