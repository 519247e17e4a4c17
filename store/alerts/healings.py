"""The healed or unfillable pieces of gaps that rules judge: each piece once, whoever noted it, at any time."""

from collections.abc import Iterator
from datetime import datetime

from duckdb import DuckDBPyConnection

from store.instants import EVER, FOR_EVER
from store.models import Gap, GapState, from_column, to_column

from .events import Event
from .judge import Judge

_SEEN = """
SELECT coalesce(max(rowid), -1)
FROM gap_events
WHERE noted_at < $since
"""

_CLOSED = """
SELECT
    rowid,
    feed,
    started_at,
    ended_at,
    slots,
    poll_seconds,
    cause,
    detail,
    event,
    source,
    resolution_s,
    noted_at
FROM gap_events
WHERE rowid > $seen
  AND noted_at >= $start
  AND noted_at < $end
  AND event <> 'found'
ORDER BY rowid
"""


_NEWEST = """
SELECT coalesce(max(happened_at), $since)
FROM alert_events
WHERE happened_at >= $since
  AND list_contains($rules, rule)
"""

_TOLD = """
SELECT rule, index_name, happened_at, text
FROM alert_events
WHERE happened_at >= $since
"""


class Healings:
    """The healed or unfillable gaps that no rule has judged yet.

    Args:
        cursor: of a lease.
        judge: with its rules for gaps.
        since: when the rules came into force; earlier gaps cause no events.
    """

    def __init__(self, cursor: DuckDBPyConnection, judge: Judge, since: datetime) -> None:
        rules = [rule.name for rule in judge.gap_rules]
        ((mark,),) = cursor.execute(_NEWEST, {"since": to_column(since), "rules": rules}).fetchall()
        ((self._seen,),) = cursor.execute(_SEEN, {"since": mark}).fetchall()
        self._noted = set(cursor.execute(_TOLD, {"since": mark}).fetchall())

    def events(self, cursor: DuckDBPyConnection, judge: Judge, now: datetime) -> Iterator[Event]:
        """The events of the gaps that were noted since the last call."""
        for row, gap, at in closed(cursor, EVER, FOR_EVER, self._seen) if judge.gap_rules else ():
            self._seen = row
            for event in judge.closed(gap, at, now):
                if (event.rule, event.index_name, to_column(event.at), event.text) not in self._noted:
                    yield event


def closed(
    cursor: DuckDBPyConnection, start: datetime, end: datetime, seen: int = -1
) -> Iterator[tuple[int, Gap, datetime]]:
    """The gaps that became healed or unfillable in [start, end) and after row `seen`, with row and time of each."""
    for row, name, first, last, slots, seconds, cause, detail, event, source, resolution_s, noted_at in cursor.execute(
        _CLOSED, {"seen": seen, "start": to_column(start), "end": to_column(end)}
    ).fetchall():
        state: GapState = event
        gap = Gap(
            name, from_column(first), from_column(last), slots, seconds, cause, detail, state, source, resolution_s
        )
        yield row, gap, from_column(noted_at)
