"""Snapshots of a feed: the newest one at an instant, its neighbours, and those of a time."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, TypeVar

from duckdb import DuckDBPyConnection

from store.file.rows import execute
from store.instants import EPOCH, EVER
from store.kinds import FUTURES, OPTIONS
from store.ledger.due import at_slot, heard_at, slot_number
from store.ledger.gaps import ledger
from store.models import from_column, to_column

Row = TypeVar("Row")

EACH = timedelta(microseconds=1)
"""The interval that keeps every snapshot: no two have the same microsecond."""

_USUAL_S = {OPTIONS.name: 300, FUTURES.name: 60}
"""The seconds between two snapshots if no run tells them, as for imports: the defaults of the settings."""

COMES_WITHIN = timedelta(seconds=10)
"""The time from a slot to its snapshot: it is asked for up to 2.2 s after the slot, and a reply may take seconds."""

# Without ORDER BY and LIMIT, which take longer than to read the few rows.
_NEWEST = """
SELECT ts, received_at, source, rows, index_price, rejected
FROM snapshots
WHERE feed = $feed
  AND ts BETWEEN $since AND $at
"""

_PERIOD = """
SELECT arg_max(feeds[$feed], started_at)
FROM runs
WHERE started_at <= $at
"""

_NEIGHBOURS = """
SELECT max(ts) FILTER (WHERE ts <= $at), min(ts) FILTER (WHERE ts > $at)
FROM snapshots
WHERE feed = $feed
"""

_COUNT = """
SELECT count(DISTINCT time_bucket($interval, ts))
FROM snapshots
WHERE feed = $feed
  AND ts >= $start
  AND ts < $end
"""

_BETWEEN = """
SELECT ts, received_at, source, rows, index_price, rejected
FROM snapshots
WHERE feed = $feed
  AND ts >= $start
  AND ts < $end
ORDER BY ts
"""


@dataclass(frozen=True, slots=True)
class Received:
    """What the file has of the reply to one request.

    Attributes:
        ts: exchange time of all rows; aware.
        received_at: local clock at receipt; aware.
        source: "live" or "simulator", as for a tick.
        row_count: how many rows were stored of it.
        index_price: the price of the index at `ts`, in USD; None if the reply had none.
        rejected: how many rows of the reply could not be read.
    """

    ts: datetime
    received_at: datetime
    source: str
    row_count: int
    index_price: float | None
    rejected: int


@dataclass(frozen=True, slots=True)
class SnapshotAt(Received, Generic[Row]):
    """A snapshot as it was known at an instant.

    Attributes:
        feed: such as "options/BTC".
        at: the instant that was asked for.
        rows: all of them, or the part that was asked for.
    """

    feed: str
    at: datetime
    rows: tuple[Row, ...]

    @property
    def age(self) -> timedelta:
        """How old the rows were at the instant that was asked for."""
        return self.at - self.ts


@dataclass(frozen=True)
class InSlot(SnapshotAt[Row]):
    """A snapshot with the slot that it was recorded for."""

    slot: datetime


class Neighbours(NamedTuple):
    """The exchange times of the snapshots on both sides of an instant; None where there is none.

    Attributes:
        before: of the newest one at the instant or before.
        after: of the first one after it.
    """

    before: datetime | None
    after: datetime | None


def snapshot_at(
    cursor: DuckDBPyConnection, feed: str, at: datetime, rows: Callable[[datetime], tuple[Row, ...]]
) -> SnapshotAt[Row] | None:
    """The newest snapshot of a feed at an instant.

    Args:
        cursor: of a lease.
        feed: such as "options/BTC".
        at: the instant; no later snapshot is used.
        rows: reads rows of the snapshot with this `ts`, which is as the database keeps it.

    Returns:
        None if the newest snapshot is older than a period and the seconds that a snapshot takes to come. `neighbours`
        tells where the nearest snapshots are.
    """
    # A snapshot that has just come is new enough for any period. To ask for the period takes 0.3 ms.
    newest = _newest(cursor, feed, at, COMES_WITHIN)
    if newest is None:
        newest = _newest(cursor, feed, at, timedelta(seconds=period_at(cursor, feed, at)) + COMES_WITHIN)
    if newest is None:
        return None
    received = {name: getattr(newest, name) for name in Received.__slots__}  # `asdict` copies, which takes 0.06 ms
    return SnapshotAt(**received, feed=feed, at=at, rows=rows(to_column(newest.ts)))


def in_slot(cursor: DuckDBPyConnection, found: SnapshotAt[Row]) -> InSlot[Row]:
    """A snapshot with its slot, which follows from the period of its feed."""
    period_s = period_at(cursor, found.feed, found.at)
    slot = at_slot(slot_number(heard_at(found.ts, found.received_at), period_s), period_s)
    return InSlot(**{field.name: getattr(found, field.name) for field in fields(found)}, slot=slot)


def period_at(cursor: DuckDBPyConnection, feed: str, at: datetime) -> int:
    """The seconds between the slots of a feed at an instant."""
    ((found,),) = execute(cursor, _PERIOD, {"feed": feed, "at": to_column(at)}).fetchall()
    return _USUAL_S[feed.partition("/")[0]] if found is None else int(found)


def neighbours(cursor: DuckDBPyConnection, feed: str, at: datetime) -> Neighbours:
    """Where the nearest snapshots of a feed are, to step to them. This alone looks later than the instant."""
    ((before, after),) = execute(cursor, _NEIGHBOURS, {"feed": feed, "at": to_column(at)}).fetchall()
    return Neighbours(before and from_column(before), after and from_column(after))


def cause_at(cursor: DuckDBPyConnection, feed: str, at: datetime, now: datetime) -> str | None:
    """Why a feed has no snapshot in the period before an instant; None if that is unknown. `now` is at or after it."""
    period = timedelta(seconds=period_at(cursor, feed, at))
    gaps = ledger(cursor, at - min(period, at - EVER), at, now, {feed})
    return gaps[-1].cause if gaps else None


def count_between(
    cursor: DuckDBPyConnection, feed: str, start: datetime, end: datetime, interval: timedelta = EACH
) -> int:
    """How many intervals in [start, end) have a snapshot of a feed; how many snapshots it has, if none is given."""
    ((count,),) = execute(cursor, _COUNT, _range(feed, start, end) | {"interval": interval}).fetchall()
    return int(count)


def received_between(cursor: DuckDBPyConnection, feed: str, start: datetime, end: datetime) -> list[Received]:
    """The snapshots of a feed in [start, end), ascending, without their rows."""
    return [_received(*row) for row in execute(cursor, _BETWEEN, _range(feed, start, end)).fetchall()]


def _newest(cursor: DuckDBPyConnection, feed: str, at: datetime, within: timedelta) -> Received | None:
    if at - EPOCH < within:
        return None  # there is no snapshot before 1970, and the range may begin before the first year
    found = execute(cursor, _NEWEST, {"feed": feed, "at": to_column(at), "since": to_column(at - within)}).fetchall()
    return max((_received(*row) for row in found), default=None, key=lambda each: each.ts)


def _received(
    ts: datetime, received_at: datetime, source: str, row_count: int, index_price: float | None, rejected: int | None
) -> Received:
    return Received(from_column(ts), from_column(received_at), source, row_count, index_price, rejected or 0)


def _range(feed: str, start: datetime, end: datetime) -> dict[str, object]:
    return {"feed": feed, "start": to_column(start), "end": to_column(end)}
