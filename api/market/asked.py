"""How the routes of the market are asked: their parameters, and the questions to the database."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple, Self, TypeVar

from fastapi import Depends, HTTPException, Query
from pydantic import Field

from api.errors import Problem
from api.instants import INTERVALS, Instant, interval_of, require_order, require_past
from api.served import OfServer, Served, ask_known
from store.export.selection import other_feeds
from store.file.database import Cursor
from store.instants import in_iso
from store.kinds import FUNDING, Kind
from store.market.instruments import Future, future_name
from store.market.reads.snapshots import EACH, InSlot, Neighbours, SnapshotAt, cause_at, in_slot, neighbours
from store.prices.indexes import known_indexes

MOST_ROWS = 10_000
"""The most rows of a time that one reply has."""

OR_COARSER = "a shorter range or a longer interval"
"""What to ask for instead where an interval may be given."""

Answer = TypeVar("Answer")
Row = TypeVar("Row")

_A_TIME = "ISO 8601, UTC unless it says otherwise, or seconds or milliseconds"

Currency = Annotated[str, Query(description="The currency of a recorded market, such as BTC.", examples=["BTC"])]
At = Annotated[
    Instant | None, Query(description=f"{_A_TIME}; now if left out. Nothing that came later is in the answer.")
]
LAST = Query(description="The last instant of the time: as `end`, and included. With both, the earlier one counts.")
Explain = Annotated[bool, Query(description="Say of each derived number how it is computed.")]


def _interval(
    interval: Annotated[
        str | None,
        Query(
            description="Only the last snapshot of each interval; all snapshots if left out.",
            json_schema_extra={"enum": list(INTERVALS)},
        ),
    ] = None,
) -> timedelta:
    return EACH if interval is None else interval_of(interval)


Interval = Annotated[timedelta, Depends(_interval)]


class Time(NamedTuple):
    """The time that is asked for: from `start` to `end`, in a reply too."""

    start: datetime
    end: datetime

    def up_to(self, now: datetime) -> Self:
        """The part of the time that is over at `now`. It is empty if the time begins later."""
        return self._replace(end=min(self.end, max(self.start, now)))


def _time(
    served: OfServer,
    start: Annotated[Instant, Query(description=f"{_A_TIME}.")],
    end: Annotated[
        Instant | None, Query(description="Likewise; now if left out. Nothing later is in the answer.")
    ] = None,
    at: Annotated[Instant | None, LAST] = None,
) -> Time:
    """Up to now without an end; 422 if it begins in the future or ends before its start."""
    now = served.now()
    time = Time(start, max(now, start) if end is None else end)
    require_order(*time, now, ("start", "end"))
    return time._replace(end=up_to(time, at, now))


def up_to(time: tuple[datetime, datetime], at: datetime | None, now: datetime) -> datetime:
    """The end of what is asked for: that of the time, or `at` where it is earlier. 422 if `at` is not in the time."""
    start, end = time
    if at is None:
        return end
    require_past(at, now, "at")
    require_order(start, at, now, ("start", "at"))
    return min(end, at + EACH)


Asked = Annotated[Time, Depends(_time)]


class NoSnapshot(Problem):
    """Why there is no snapshot at an instant, and where the nearest ones are."""

    cause: str | None = Field(description="Why nothing was recorded then, if that is known.")
    before: datetime | None = Field(description="The exchange time of the nearest snapshot before.")
    after: datetime | None = Field(description="Of the nearest one after.")


NO_SNAPSHOT: dict[int | str, dict[str, Any]] = {
    404: {"model": NoSnapshot, "description": "No snapshot was recorded then."}
}


def require_few(count: int, what: str, instead: str = "a shorter range") -> None:
    """Answer 422 to a time with more than `MOST_ROWS`."""
    if count > MOST_ROWS:
        raise HTTPException(
            422,
            f"start, end: {count:,} {what} lie between them, and at most {MOST_ROWS:,} are given; "
            f"ask for {instead}, or export them as a file",
        )


def ask_rows(served: Served, parameter: str, name: str, kind: Kind, query: Callable[[Cursor], list[Row]]) -> list[Row]:
    """Ask the database about a feed of a kind by the end of its name; 422 when it is neither configured nor stored."""
    return _ask(served, parameter, name, kind, query) or []


def past_or_now(served: Served, at: datetime | None) -> datetime:
    """The instant that is asked for, or now without one; 422 if it is still to come."""
    now = served.now()
    instant = now if at is None else at
    require_past(instant, now, "at")
    return instant


def as_of(
    served: Served,
    parameter: str,
    name: str,
    kind: Kind,
    at: datetime | None,
    read: Callable[[Cursor, datetime], SnapshotAt[Row] | None],
) -> InSlot[Row]:
    """The snapshot of a feed at an instant, or now; 404 with the nearest ones if there is none."""
    now, instant = served.now(), past_or_now(served, at)

    def query(cursor: Cursor) -> InSlot[Row]:
        found = read(cursor, instant)
        if found is None:
            raise _no_snapshot(cursor, kind.feed(name), instant, now)
        return in_slot(cursor, found)

    found = _ask(served, parameter, name, kind, query)
    if found is None:
        raise HTTPException(404, _absent(kind.feed(name), instant, None, Neighbours(None, None)))
    return found


def _ask(served: Served, parameter: str, name: str, kind: Kind, query: Callable[[Cursor], Answer]) -> Answer | None:
    """The answer, or None when the file does not exist yet."""
    configured = [_end(kind, market) for market in served.settings.markets]

    def all_names(cursor: Cursor) -> list[str]:
        feeds = [feed for feed in other_feeds(cursor) if feed.startswith(f"{kind.name}/")]
        return known_indexes(configured, [kind.end(feed) for feed in feeds])

    return ask_known(served, parameter, name, configured, all_names, query)


def _end(kind: Kind, market: str) -> str:
    """The end of the name of a feed of a configured market."""
    return future_name(Future(market, None)) if kind is FUNDING else market


def _no_snapshot(cursor: Cursor, feed: str, at: datetime, now: datetime) -> HTTPException:
    cause = cause_at(cursor, feed, at, now)
    return HTTPException(404, _absent(feed, at, cause, neighbours(cursor, feed, at)))


def _absent(feed: str, at: datetime, cause: str | None, around: Neighbours) -> dict[str, str | None]:
    times = {side: in_iso(time) if time else None for side, time in around._asdict().items()}
    nearest = " and ".join(f"{time} {side}" for side, time in times.items() if time)
    where = f"the nearest: {nearest}" if nearest else "none is stored"
    why = f" ({cause})" if cause else ""
    return {"detail": f"at = {in_iso(at)}: {feed} has no snapshot then{why}; {where}", "cause": cause, **times}
