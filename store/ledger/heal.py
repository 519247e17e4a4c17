"""Heals gaps: cuts each gap into the pieces that stored ticks heal and the pieces that stay."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

from store.instants import EPOCH
from store.models import Gap, GapState

from .covers import covers, layers
from .due import slots
from .gaps import note, oldest
from .healed import Hopeless, pieces_of
from .missing import Seen, observed

PORTION = 200
"""One lease examines at most 200 gaps, all within `_SPAN`: it reads all ticks from the first gap to the last."""
_SPAN = timedelta(days=10)

MOST_PIECES = 5000
"""One lease notes about 5000 pieces of gaps, which takes 0.25 s. The next lease takes the rest."""


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
    """Note which pieces of a feed's gaps are healed. Call it inside `Database.write`, again from where it ended.

    A tick or a snapshot in a slot heals it, and so does an average that covers it. An average also heals a slot within
    one step beside it: the average over that slot was skipped because it overlapped observations.

    Args:
        cursor: a cursor for writing.
        feed: the name of the feed; for an index, the name of the index.
        noted_at: now.
        hopeless: decides whether the rest of a gap is unfillable or still open.
        states: the states of the gaps to examine.
        start: the time from which gaps are examined.
        most_pieces: the most pieces that one lease notes.

    Returns:
        The pieces of gaps that changed, and the time to go on from; None when all gaps were examined.
    """
    gaps = oldest(cursor, feed, states, start=start, limit=PORTION)
    if not gaps:
        return [], None
    portion = [gap for gap in gaps if gap.end <= gaps[0].start + _SPAN] or gaps[:1]
    seen = observed(cursor, portion, most_pieces)
    if sum(map(len, seen)) >= most_pieces:
        portion = _up_to_the_last(portion, seen)
    known = layers(covers(cursor, feed, portion[0].start, portion[-1].end))
    changes = ((gap, pieces_of(gap, in_gap, known, hopeless)) for gap, in_gap in zip(portion, seen, strict=False))
    changed, stopped_at = _as_many_as_fit(changes, most_pieces)
    rest = _rest(gaps, changed)
    note(cursor, [*changed, *rest], noted_at)
    if rest or stopped_at is not None:
        return changed, rest[0].start if rest else stopped_at
    return changed, portion[-1].end if len(portion) < len(gaps) or len(gaps) == PORTION else None


def _up_to_the_last(portion: Sequence[Gap], seen: Sequence[Sequence[Seen]]) -> list[Gap]:
    """The gaps whose observed stretches are all known; without any, the first gap up to its last known stretch."""
    number, last_seen = max((number, in_gap) for number, in_gap in enumerate(seen) if in_gap)
    return [*portion[:number]] or [portion[0]._replace(end=last_seen[-1].end)]


def _as_many_as_fit(changes: Iterable[tuple[Gap, list[Gap]]], most_pieces: int) -> tuple[list[Gap], datetime | None]:
    """The first pieces that fit into one lease, and the start of the first piece that does not fit, if any."""
    fitting: list[Gap] = []
    for gap, pieces in changes:
        if len(fitting) + len(pieces) > most_pieces:
            return (fitting, gap.start) if fitting else (pieces[:most_pieces], pieces[most_pieces].start)
        fitting += pieces
    return fitting, None


def _rest(gaps: Sequence[Gap], changed: Sequence[Gap]) -> list[Gap]:
    """The part of a gap after its last piece, as a further piece: the next lease examines it."""
    if not changed:
        return []
    end = changed[-1].end
    gap = next(gap for gap in gaps if gap.end >= end)
    count = len(slots(end, gap.end, gap.poll_seconds))
    return [gap._replace(start=end, slots=count, round=gap.round + 1)] if count else []
