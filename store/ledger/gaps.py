"""The gap ledger: which due slots brought nothing, why, and what became of each.

A gap is found once, from what was due and what is stored, and noted in gap_events. What becomes of it is noted as
another round. A round cuts the gap, or an open piece of it, into pieces: healed, unfillable or still open. The newest
round of each stretch counts (the table `gaps`). Before the watermark the ledger is complete. Each reader finds the gaps
after the watermark anew.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from store.file.database import Database
from store.instants import EPOCH
from store.kinds import TICKS, kind_of
from store.models import Gap, GapState, from_column, to_column

from .arrivals import brought_to
from .due import at_slot, slot_number
from .gap_pieces import cut, joined, without
from .gap_table import COLUMNS, append, as_gaps
from .healed import as_healed
from .missing import missing
from .recent import Recent
from .runs import runs

ONGOING = timedelta(hours=1)
"""A gap that isn't over is noted when it is, or in pieces of this length."""

# What was never looked at is taken in such parts, a lease each: a quarter of a second with two indexes at one second.
_AT_A_TIME = timedelta(days=10)

# The watermark is moved at least that far at a time: until then, it costs little to look at the time after it again.
_WORTH_NOTING = timedelta(minutes=10)

_NOTED = f"""
SELECT {COLUMNS}
FROM gaps
WHERE ended_at > $start
  AND started_at < $end
ORDER BY feed, started_at
"""  # noqa: S608 the columns are the constant above

# The outer hash mixes the bits of a row: a sum of inner ones could miss two rows that swap a value.
_CHECKSUM = f"""
SELECT count(*), sum(hash(hash({COLUMNS})))
FROM gaps
WHERE ended_at > $start
  AND started_at < $end
"""  # noqa: S608 the columns are the constant above

# A page reads its gaps each second, and they rarely change. With 1,441 gaps a checksum takes 0.7 ms, the rows 4 ms.
_recent = Recent[list[Gap]]()

_OLDEST = f"""
SELECT {COLUMNS}
FROM gaps
WHERE feed = $feed
  AND list_contains($states, state)
  AND started_at >= $start
ORDER BY started_at
LIMIT $limit
"""  # noqa: S608 the columns are the constant above

_FEEDS = """
SELECT DISTINCT feed
FROM gaps
WHERE list_contains($states, state)
"""

_WATERMARK = """
SELECT max(complete_to)
FROM watermark
"""

_SET_WATERMARK = """
INSERT INTO watermark (complete_to)
VALUES ($complete_to)
"""


def ledger(
    cursor: DuckDBPyConnection,
    start: datetime,
    end: datetime,
    now: datetime,
    feeds: Container[str] | None = None,
) -> list[Gap]:
    """The gaps of some feeds, or all, that touch [start, end), by feed and start. Like neighbours are one gap.

    The gaps of the last minutes are among them, up to the slots whose replies may still be on their way.
    """
    noted = [gap for gap in _noted_joined(cursor, start, end) if feeds is None or gap.feed in feeds]
    start = max(start, watermark(cursor) or start)
    latest = [
        gap
        for arrived, its in _arrived(cursor, brought_to(cursor, now))
        for gap in as_healed(
            cursor, find(cursor, start, min(end, arrived), {feed for feed in its if feeds is None or feed in feeds})
        )
    ]
    return list(joined(sorted([*noted, *latest], key=lambda gap: (gap.feed, gap.start)))) if latest else noted


def find(cursor: DuckDBPyConnection, start: datetime, end: datetime, feeds: Container[str] | None = None) -> list[Gap]:
    """The gaps of some feeds or all in [start, end) that are not noted yet."""
    found = missing(cursor, start, end, feeds)
    return list(without(found, _noted(cursor, start, end, feeds))) if found else []


def watermark(cursor: DuckDBPyConnection) -> datetime | None:
    """The time up to which the ledger is complete; None before it was begun."""
    ((complete_to,),) = cursor.execute(_WATERMARK).fetchall()
    return None if complete_to is None else from_column(complete_to)


def note(cursor: DuckDBPyConnection, gaps: Iterable[Gap], noted_at: datetime) -> None:
    """Note gaps, or what became of them. Call it inside `Database.write`."""
    rows = list(gaps)
    if rows:
        append(cursor, rows, noted_at)


def advance(database: Database, until: datetime, now: datetime, wait_s: float, ongoing: timedelta = ONGOING) -> None:
    """Note the gaps between the watermark and `until`, up to which all that came is stored.

    A gap that reaches `until` may go on: it is left for the next time unless it is longer than `ongoing`. What was
    never looked at is taken part by part.

    Raises:
        StoreError: it got as far as it got.
    """
    while True:
        with database.read(wait_s) as cursor:
            start = _begin(cursor, until, now)
            if start >= until:
                return
            end = min(until, start + _AT_A_TIME)
            over, complete_to = _over(find(cursor, start, end), end, ongoing if end == until else None)
        if over or end < until or complete_to - start > _WORTH_NOTING:
            with database.write(wait_s) as cursor:
                if _begin(cursor, until, now) != start:
                    continue  # another process noted gaps meanwhile, perhaps up to later
                over, complete_to = _over(find(cursor, start, end), end, ongoing if end == until else None)
                note(cursor, over, now)
                cursor.execute("DELETE FROM watermark")
                cursor.execute(_SET_WATERMARK, {"complete_to": to_column(complete_to)})
        if end >= until:
            return


def _begin(cursor: DuckDBPyConnection, until: datetime, now: datetime) -> datetime:
    """Where the ledger goes on: at the watermark; at the last run's start when the watermark is ahead of the clock.

    A clock that was ahead left it there. It is only ahead of `until` when another process looked a moment ago.
    """
    mark = watermark(cursor)
    if mark is not None and mark <= now:
        return mark
    starts = [run.started_at for run in runs(cursor) if run.started_at < until]
    return (starts[0] if mark is None else starts[-1]) if starts else until


def _over(found: Sequence[Gap], end: datetime, ongoing: timedelta | None) -> tuple[list[Gap], datetime]:
    """Those gaps that are over, and the time up to which nothing is left out.

    A gap that reaches `end` may go on, and is noted once it is longer than `ongoing`. With None every gap is over.
    """
    if ongoing is None:
        return list(found), end
    going_on = {hole.feed: _kept_from(hole, end, ongoing) for hole in _joined_holes(found) if hole.end >= end}
    over = [part for gap in found for part in cut(gap, gap.start, min(gap.end, going_on.get(gap.feed, gap.end)))]
    return over, min([end, *going_on.values()])


def _kept_from(hole: Gap, end: datetime, ongoing: timedelta) -> datetime:
    """The time from which an ongoing gap is left for the next look: of a long one only the slot that isn't over."""
    if end - hole.start < ongoing:
        return hole.start
    slot = at_slot(slot_number(end, hole.poll_seconds), hole.poll_seconds)
    return slot if slot > hole.start else end


def feeds_with_gaps(cursor: DuckDBPyConnection, states: Sequence[GapState]) -> set[str]:
    """The feeds that have gaps in one of these states."""
    return {feed for (feed,) in cursor.execute(_FEEDS, {"states": list(states)}).fetchall()}


def oldest(
    cursor: DuckDBPyConnection, feed: str, states: Sequence[GapState], *, start: datetime = EPOCH, limit: int
) -> list[Gap]:
    """The oldest gaps of a feed that are in one of these states and begin at `start` or later, ascending."""
    values = {"feed": feed, "states": list(states), "start": to_column(start), "limit": limit}
    return list(as_gaps(cursor.execute(_OLDEST, values).fetchall()))


def gap_as_json(gap: Gap) -> dict[str, Any]:
    """A gap as JSON types; times in ISO 8601, UTC, half-open. A feed that is no index is named under `feed`."""
    return {
        "index_name" if kind_of(gap.feed) is TICKS else "feed": gap.feed,
        "start": gap.start.isoformat(),
        "end": gap.end.isoformat(),
        "slots": gap.slots,
        "cause": gap.cause,
        "state": gap.state,
        "healed_by": gap.healed_by,
    }


def _noted(cursor: DuckDBPyConnection, start: datetime, end: datetime, feeds: Container[str] | None) -> list[Gap]:
    """The noted gaps of some feeds or all that touch [start, end), by feed and start."""
    rows = cursor.execute(_NOTED, {"start": to_column(start), "end": to_column(end)}).fetchall()
    return list(as_gaps(row for row in rows if feeds is None or row[0] in feeds))


def _noted_joined(cursor: DuckDBPyConnection, start: datetime, end: datetime) -> list[Gap]:
    """The noted gaps that touch [start, end), as `ledger` has them. Change nothing in the list: others have it too."""
    values = {"start": to_column(start), "end": to_column(end)}
    ((count, checksum),) = cursor.execute(_CHECKSUM, values).fetchall()
    if not count:
        return []
    return _recent.get((count, checksum), lambda: list(joined(as_gaps(cursor.execute(_NOTED, values).fetchall()))))


def _joined_holes(gaps: Iterable[Gap]) -> list[Gap]:
    """Make one of neighbours, whatever their causes."""
    return list(joined(gap._replace(cause="") for gap in sorted(gaps, key=lambda gap: (gap.feed, gap.start))))


def _arrived(cursor: DuckDBPyConnection, now: datetime) -> list[tuple[datetime, set[str]]]:
    """The times up to which everything is stored while recording goes well, each with the feeds that it holds for.

    The slot before the present one may be on its way. A feed that no recorder has any more in its last run counts as
    one of the shortest period.
    """
    recorded = runs(cursor)
    last = {run.recorder: run for run in recorded}
    periods = {feed: seconds for run in last.values() for feed, seconds in run.feeds.items()}
    shortest = min(periods.values(), default=0)
    feeds: defaultdict[int, set[str]] = defaultdict(set)
    for feed in {feed for run in recorded for feed in run.feeds}:
        feeds[periods.get(feed, shortest)].add(feed)
    return [(now - timedelta(seconds=2 * seconds), its) for seconds, its in feeds.items()]
