"""Gaps cut into the pieces that stored ticks heal and the pieces that stay."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby

from duckdb import DuckDBPyConnection

from store.models import Gap, GapState

from .covers import Layer, Piece, covers, healed, layers
from .due import at_slot, slots
from .gap_pieces import joined
from .missing import Seen

Hopeless = Callable[[datetime, datetime], bool]
"""Returns whether nobody can bring ticks any more for the rest of a gap, from start to end."""


def as_healed(cursor: DuckDBPyConnection, found: Iterable[Gap]) -> Iterator[Gap]:
    """The pieces of gaps that were just found, by feed and day of their start: averages heal some of them.

    A gap that nobody noted is healed so when the averages came before it was looked at, such as from another recorder.
    """
    in_order = sorted(found, key=lambda gap: (gap.feed, gap.start))
    for (feed, _), its in groupby(in_order, key=lambda gap: (gap.feed, gap.start.date())):
        gaps = list(its)
        known = layers(covers(cursor, feed, gaps[0].start, max(gap.end for gap in gaps)))
        for gap in gaps:
            yield from pieces_of(gap, [], known, lambda _start, _end: False) or [gap]


def pieces_of(gap: Gap, seen: Sequence[Seen], known: Sequence[Layer], hopeless: Hopeless) -> list[Gap]:
    """The pieces of a gap as they are now; empty if nothing changed.

    Args:
        gap: it is examined.
        seen: its stretches that have ticks or snapshots, ascending.
        known: the averages around it.
        hopeless: decides whether the rest of the gap is unfillable or still open.
    """
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
    """The pieces that contain a slot, as gaps that begin and end at slots."""
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
