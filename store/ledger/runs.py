"""The runs of recorders, and the slots that failed in them.

A slot that succeeded needs no row here: a tick or a snapshot proves it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

from store.file.rows import insert
from store.models import Cause, Miss, Run, from_column, to_column

_START = """
INSERT INTO runs (started_at, ended_at, version, feeds, recorder)
VALUES ($started_at, $ended_at, $version, map($feeds::VARCHAR[], $periods_s::INTEGER[]), $recorder)
"""

_KNOWN = """
SELECT 1
FROM runs
WHERE started_at = $started_at
  AND map_keys(feeds) = $feeds::VARCHAR[]
"""

_END = """
UPDATE runs
SET ended_at = $ended_at
WHERE started_at = $started_at
  AND map_keys(feeds) = $feeds::VARCHAR[]
"""

_MOVE_RUN = """
UPDATE runs
SET started_at = started_at + $by
WHERE started_at = $started_at
  AND map_keys(feeds) = $feeds::VARCHAR[]
"""

_MOVE_MISSES = """
UPDATE misses
SET slot = slot + $by
WHERE slot BETWEEN $first AND $last
  AND list_contains($feeds::VARCHAR[], feed)
"""

_RUNS = """
SELECT started_at, feeds, version, ended_at, coalesce(recorder, '') AS name
FROM runs
ORDER BY started_at, name
"""

_FEEDS = """
SELECT DISTINCT unnest(map_keys(feeds)) AS feed
FROM runs
ORDER BY feed
"""

_NOTED = """
SELECT slot, feed
FROM misses
WHERE slot BETWEEN ? AND ?
"""

_MISS = ("slot", "feed", "cause", "detail", "code", "recorder")

_MISSES = """
SELECT slot, feed, cause, detail, code
FROM misses
WHERE slot >= $start
  AND slot < $end
ORDER BY slot, feed
"""

_TROUBLES = """
SELECT cause, count(DISTINCT slot), min(slot), max(slot) AS last, arg_max(detail, slot)
FROM misses
WHERE slot >= $since
GROUP BY cause
ORDER BY last DESC
"""

_FAILURES = """
SELECT
    time_bucket(INTERVAL 1 HOUR, slot, $start::TIMESTAMP) AS hour,
    feed,
    cause,
    count(DISTINCT slot)
FROM misses
WHERE slot >= $start
  AND slot < $end
GROUP BY ALL
ORDER BY ALL
"""


@dataclass(frozen=True, slots=True)
class Failures:
    """The number of slots of a feed that failed for one cause in the hour that begins at `hour`."""

    hour: datetime
    feed: str
    cause: Cause
    slots: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """The slots that failed for one cause: their number, the first, the last, and the detail of the last."""

    cause: Cause
    slots: int
    first: datetime
    last: datetime
    detail: str


def note(cursor: DuckDBPyConnection, run: Run) -> None:
    """Note that a run began or, if it has `ended_at`, that it ended in an orderly way.

    A run that ended may be noted twice, and even if its start was never noted.
    """
    which = {"started_at": to_column(run.started_at), "feeds": list(run.feeds)}
    ended_at = run.ended_at and to_column(run.ended_at)
    if ended_at is not None and cursor.execute(_KNOWN, which).fetchone():
        cursor.execute(_END, which | {"ended_at": ended_at})
        return
    values = {"ended_at": ended_at, "periods_s": list(run.feeds.values()), "version": run.version}
    cursor.execute(_START, which | values | {"recorder": run.recorder or None})


def move(cursor: DuckDBPyConnection, run: Run, by: timedelta) -> None:
    """Move the start of a run by `by`: the clock that noted it was wrong."""
    cursor.execute(_MOVE_RUN, {"started_at": to_column(run.started_at), "feeds": list(run.feeds), "by": by})


def move_misses(
    cursor: DuckDBPyConnection, feeds: Iterable[str], first: datetime, last: datetime, by: timedelta
) -> None:
    """Move the failed slots of some feeds by `by`, from `first` to `last`, both included."""
    values = {"feeds": list(feeds), "first": to_column(first), "last": to_column(last), "by": by}
    cursor.execute(_MOVE_MISSES, values)


def runs(cursor: DuckDBPyConnection) -> list[Run]:
    """All runs, ascending by start."""
    return [
        Run(from_column(started), feeds, version, ended and from_column(ended), recorder)
        for started, feeds, version, ended, recorder in cursor.execute(_RUNS).fetchall()
    ]


def feeds(cursor: DuckDBPyConnection) -> list[str]:
    """The feeds that any run recorded, by name."""
    return [feed for (feed,) in cursor.execute(_FEEDS).fetchall()]


def append_misses(cursor: DuckDBPyConnection, misses: Iterable[Miss], recorder: str = "") -> None:
    """Note failed slots of a recorder. The first miss of a slot and a feed stays; later ones are dropped."""
    first_words: dict[tuple[datetime, str], Miss] = {}
    for miss in misses:
        first_words.setdefault((to_column(miss.slot), miss.feed), miss)
    if first_words:
        slots = [slot for slot, _ in first_words]
        noted = set(cursor.execute(_NOTED, [min(slots), max(slots)]).fetchall())
        new = ((key, miss) for key, miss in first_words.items() if key not in noted)
        rows = [(*key, miss.cause, miss.detail, miss.code, recorder or None) for key, miss in new]
        insert(cursor, "misses", _MISS, rows)


def misses(cursor: DuckDBPyConnection, start: datetime, end: datetime) -> list[Miss]:
    """The failed slots in [start, end), ascending."""
    rows = cursor.execute(_MISSES, {"start": to_column(start), "end": to_column(end)}).fetchall()
    return [Miss(from_column(slot), feed, Cause(cause), detail, code) for slot, feed, cause, detail, code in rows]


def troubles(cursor: DuckDBPyConnection, since: datetime) -> list[Trouble]:
    """The troubles since `since`, one for each cause, the latest first."""
    rows = cursor.execute(_TROUBLES, {"since": to_column(since)}).fetchall()
    return [
        Trouble(Cause(cause), slots, from_column(first), from_column(last), detail)
        for cause, slots, first, last, detail in rows
    ]


def failures(cursor: DuckDBPyConnection, start: datetime, end: datetime) -> list[Failures]:
    """The failures in [start, end) by hour, feed and cause; hours are counted from `start`."""
    rows = cursor.execute(_FAILURES, {"start": to_column(start), "end": to_column(end)}).fetchall()
    return [Failures(from_column(hour), feed, Cause(cause), slots) for hour, feed, cause, slots in rows]
