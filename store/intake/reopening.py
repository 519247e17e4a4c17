"""Gaps that are no longer healed, because the ticks that healed them were undone or replaced by finer ones."""

from datetime import datetime
from functools import partial

from duckdb import DuckDBPyConnection

from store.file.database import Database
from store.ledger.heal import heal
from store.models import from_column, to_column, utc_now

from .portions import STAYS_S

_FIRST_HEALED = """
SELECT min(started_at)
FROM gaps
WHERE feed = $index_name
  AND state = 'healed'
  AND ended_at > $start
  AND started_at <= $end
"""

_UNFILLABLE = """
SELECT count(*)
FROM gap_events
WHERE feed = $index_name
  AND event = 'unfillable'
  AND ended_at > $start
  AND started_at < $end
"""


def reopen(database: Database, index_name: str, first: datetime, last: datetime) -> int:
    """Check again the healed gaps of an index in a time that lost ticks.

    A piece that nothing heals now is unfillable if it was so before, otherwise open.

    Returns:
        How many pieces of gaps are no longer healed.
    """
    values = {"index_name": index_name, "start": to_column(first), "end": to_column(last)}
    with database.read(STAYS_S) as cursor:
        ((healed,),) = cursor.execute(_FIRST_HEALED, values).fetchall()
    start = None if healed is None else from_column(healed)
    reopened = 0
    while start is not None and start <= last:
        with database.write(STAYS_S) as cursor:
            unfillable = partial(_was_unfillable, cursor, index_name)
            changed, start = heal(cursor, index_name, utc_now(), hopeless=unfillable, states=("healed",), start=start)
        reopened += sum(gap.state != "healed" for gap in changed)
    return reopened


def _was_unfillable(cursor: DuckDBPyConnection, index_name: str, start: datetime, end: datetime) -> bool:
    values = {"index_name": index_name, "start": to_column(start), "end": to_column(end)}
    ((count,),) = cursor.execute(_UNFILLABLE, values).fetchall()
    return bool(count)
