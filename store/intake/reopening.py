"""Heals gaps after an import, and opens gaps again after an undo.

What healed a gap may be undone, or replaced by something finer. What an undo removed may also have hidden a gap: nobody
noted it, because the import came first.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from duckdb import DuckDBPyConnection

from store.file.database import Database
from store.instants import EPOCH
from store.ledger import gaps
from store.ledger.heal import heal
from store.ledger.runs import runs
from store.models import CLOCKS_AGREE, GapState, from_column, to_column, utc_now

from .rows.work import STAYS_S

# One lease searches at most this time for gaps, as the ledger does.
_SEARCHED = timedelta(days=10)
_LONGEST_SLOT = timedelta(days=1)

# Three empty slots in a row are a gap also without a word on why. Look for two before a removed row, and two after it.
_BESIDE = timedelta(seconds=3)
"""The margin on each side of a removed row, for each second of the period."""

_UNHEALED: tuple[GapState, ...] = ("open", "unfillable")

_FIRST_HEALED = """
SELECT min(started_at)
FROM gaps
WHERE feed = $feed
  AND state = 'healed'
  AND ended_at > $start
  AND started_at <= $end
"""

_UNFILLABLE = """
SELECT count(*)
FROM gap_events
WHERE feed = $feed
  AND event = 'unfillable'
  AND ended_at > $start
  AND started_at < $end
"""


def heal_all(database: Database, feeds: Iterable[str]) -> int:
    """Note which gaps of some feeds have ticks or snapshots now; return how many pieces became healed."""
    with database.read(STAYS_S) as cursor:
        names = sorted({*feeds} & gaps.feeds_with_gaps(cursor, _UNHEALED))
    healed = 0
    for name in names:
        start: datetime | None = EPOCH
        while start is not None:
            with database.write(STAYS_S) as cursor:
                changed, start = heal(cursor, name, utc_now(), states=_UNHEALED, start=start)
            healed += sum(gap.state == "healed" for gap in changed)
    return healed


def reopen(database: Database, feed: str, first: datetime, last: datetime) -> int:
    """Check again the healed gaps of a feed in a time that lost ticks or snapshots.

    A piece that nothing heals now is unfillable if it was so before, otherwise open. A tick or a snapshot may have been
    received in a slot that lies beside its time.

    Returns:
        How many pieces of gaps are no longer healed.
    """
    with database.read(STAYS_S) as cursor:
        start = _first_healed(cursor, feed, first, last)
    reopened = 0
    while start is not None and start <= last + CLOCKS_AGREE:
        with database.write(STAYS_S) as cursor:
            its, start = _reopen_some(cursor, feed, start)
        reopened += its
    return reopened


def uncover(database: Database, feed: str, first: datetime, last: datetime) -> int:
    """Note the gaps of a feed that ticks or snapshots had hidden, which are gone now; return how many."""
    start, uncovered = first, 0
    while start <= last:
        with database.write(STAYS_S) as cursor:
            end = min(last, start + _SEARCHED)
            uncovered += _uncover_some(cursor, feed, start - _LONGEST_SLOT, end + _LONGEST_SLOT)
        start += _SEARCHED
    return uncovered


def look_again(cursor: DuckDBPyConnection, feed: str, first: datetime, last: datetime) -> int:
    """As `reopen` and `uncover`, for a time of 10 days at most. Call it inside `Database.write`, after the removal.

    The feed has slots.
    """
    start = _first_healed(cursor, feed, first, last)
    reopened = 0
    while start is not None and start <= last + CLOCKS_AGREE:
        its, start = _reopen_some(cursor, feed, start)
        reopened += its
    beside = _BESIDE * max(run.feeds.get(feed, 0) for run in runs(cursor))
    return reopened + _uncover_some(cursor, feed, first - beside, last + beside)


def _first_healed(cursor: DuckDBPyConnection, feed: str, first: datetime, last: datetime) -> datetime | None:
    values = {"feed": feed, "start": to_column(first - CLOCKS_AGREE), "end": to_column(last + CLOCKS_AGREE)}
    ((healed,),) = cursor.execute(_FIRST_HEALED, values).fetchall()
    return None if healed is None else from_column(healed)


def _reopen_some(cursor: DuckDBPyConnection, feed: str, start: datetime) -> tuple[int, datetime | None]:
    """How many of the next healed gaps are not healed now, and where to go on."""
    unfillable = partial(_was_unfillable, cursor, feed)
    changed, start_of_rest = heal(cursor, feed, utc_now(), hopeless=unfillable, states=("healed",), start=start)
    return sum(gap.state != "healed" for gap in changed), start_of_rest


def _uncover_some(cursor: DuckDBPyConnection, feed: str, start: datetime, end: datetime) -> int:
    """Note the hidden gaps of a short time; the next look for gaps finds those after the watermark."""
    mark = gaps.watermark(cursor)
    end = start if mark is None else min(end, mark)
    found = gaps.find(cursor, start, end, {feed}) if start < end else []
    gaps.note(cursor, found, utc_now())
    return len(found)


def _was_unfillable(cursor: DuckDBPyConnection, feed: str, start: datetime, end: datetime) -> bool:
    values = {"feed": feed, "start": to_column(start), "end": to_column(end)}
    ((count,),) = cursor.execute(_UNFILLABLE, values).fetchall()
    return bool(count)
