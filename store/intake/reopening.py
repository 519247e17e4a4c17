"""Heals gaps after an import, and opens gaps again after an undo.

What healed a gap may be undone, or replaced by something finer.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from duckdb import DuckDBPyConnection

from store.file.database import Database
from store.instants import EPOCH
from store.ledger import gaps
from store.ledger.heal import heal
from store.models import CLOCKS_AGREE, GapState, from_column, to_column, utc_now

from .rows.work import STAYS_S

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
    first, last = first - CLOCKS_AGREE, last + CLOCKS_AGREE
    values = {"feed": feed, "start": to_column(first), "end": to_column(last)}
    with database.read(STAYS_S) as cursor:
        ((healed,),) = cursor.execute(_FIRST_HEALED, values).fetchall()
    start = None if healed is None else from_column(healed)
    reopened = 0
    while start is not None and start <= last:
        with database.write(STAYS_S) as cursor:
            unfillable = partial(_was_unfillable, cursor, feed)
            changed, start = heal(cursor, feed, utc_now(), hopeless=unfillable, states=("healed",), start=start)
        reopened += sum(gap.state != "healed" for gap in changed)
    return reopened


def _was_unfillable(cursor: DuckDBPyConnection, feed: str, start: datetime, end: datetime) -> bool:
    values = {"feed": feed, "start": to_column(start), "end": to_column(end)}
    ((count,),) = cursor.execute(_UNFILLABLE, values).fetchall()
    return bool(count)
