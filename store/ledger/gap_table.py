"""How the ledger keeps gaps: each word on them as a row of gap_events, and what holds at present as rows of gaps.

The rows of gap_events are only ever added. Of each stretch of a gap the newest round counts: those pieces are in gaps,
which the same transaction changes. So gaps has nothing that could not be made anew of gap_events.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from duckdb import DuckDBPyConnection

from store.models import Gap, from_column, to_column

COLUMNS = """
    feed,
    started_at,
    ended_at,
    slots,
    poll_seconds,
    cause,
    detail,
    state,
    source,
    resolution_s,
    gap,
    round
"""

# A list for each column: placeholders for each value of each row take 20 times as long.
_PIECES = """
SELECT
    unnest($feed::VARCHAR[]) AS feed,
    unnest($started_at::TIMESTAMP[]) AS started_at,
    unnest($ended_at::TIMESTAMP[]) AS ended_at,
    unnest($slots::INTEGER[]) AS slots,
    unnest($poll_seconds::INTEGER[]) AS poll_seconds,
    unnest($cause::VARCHAR[]) AS cause,
    unnest($detail::VARCHAR[]) AS detail,
    unnest($state::VARCHAR[]) AS state,
    unnest($source::VARCHAR[]) AS source,
    unnest($resolution_s::INTEGER[]) AS resolution_s,
    unnest($gap::TIMESTAMP[]) AS gap,
    unnest($round::INTEGER[]) AS round
"""

_MAKE_PIECES = f"CREATE OR REPLACE TEMP TABLE pieces AS {_PIECES}"

_INSERT_EVENTS = """
INSERT INTO gap_events (
    feed, gap, round, event, started_at, ended_at, slots, poll_seconds, cause, detail, source, resolution_s,
    noted_at
)
SELECT
    feed,
    gap,
    round,
    CASE state WHEN 'open' THEN 'found' ELSE state END,
    started_at,
    ended_at,
    slots,
    poll_seconds,
    cause,
    detail,
    source,
    resolution_s,
    $noted_at
FROM pieces
"""

# $start and $end are bound as values. Without them DuckDB compares each new piece of a long gap with all its old ones.
_DELETE_REPLACED = """
DELETE FROM gaps
USING pieces
WHERE gaps.started_at < $end
  AND gaps.ended_at > $start
  AND pieces.feed = gaps.feed
  AND pieces.gap = gaps.gap
  AND pieces.round > gaps.round
  AND pieces.started_at < gaps.ended_at
  AND pieces.ended_at > gaps.started_at
"""

_INSERT_PRESENT = f"""
INSERT INTO gaps ({COLUMNS})
SELECT {COLUMNS}
FROM pieces
"""  # noqa: S608 the columns are the constant above

# The pieces of a later round lie within one of an earlier round: a piece is replaced when a later one begins in it.
_PRESENT = f"""
SELECT {COLUMNS}
FROM (
    SELECT
        *,
        CASE event WHEN 'found' THEN 'open' ELSE event END AS state,
        max(round) OVER (
            PARTITION BY feed, gap
            ORDER BY started_at
            RANGE BETWEEN CURRENT ROW AND ended_at - started_at - INTERVAL 1 MICROSECOND FOLLOWING
        ) AS newest
    FROM gap_events
)
WHERE round = newest
"""  # noqa: S608 the columns are the constant above

_MAKE_ANEW = f"""
INSERT INTO gaps ({COLUMNS})
{_PRESENT}
ORDER BY started_at, feed
"""

_UNLIKE = f"""
SELECT count(*)
FROM (
    (({_PRESENT}) EXCEPT ALL (SELECT {COLUMNS} FROM gaps))
    UNION ALL
    ((SELECT {COLUMNS} FROM gaps) EXCEPT ALL ({_PRESENT}))
)
"""  # noqa: S608 the queries are the constants above


def append(cursor: DuckDBPyConnection, gaps: Sequence[Gap], noted_at: datetime) -> None:
    """Add gaps of round 0, or pieces that a later round cut gaps into: one at least. Call it in `Database.write`."""
    rows = [_row(gap) for gap in gaps]
    names = COLUMNS.replace(",", "").split()
    cursor.execute(_MAKE_PIECES, dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    cursor.execute(_INSERT_EVENTS, {"noted_at": to_column(noted_at)})
    if any(gap.round for gap in gaps):
        start, end = min(gap.start for gap in gaps), max(gap.end for gap in gaps)
        cursor.execute(_DELETE_REPLACED, {"start": to_column(start), "end": to_column(end)})
    cursor.execute(_INSERT_PRESENT)
    cursor.execute("DROP TABLE pieces")


def unlike(cursor: DuckDBPyConnection) -> int:
    """How many rows `gaps` has too few or too many, by what gap_events says: none, unless it was changed by hand."""
    ((count,),) = cursor.execute(_UNLIKE).fetchall()
    return int(count)


def rebuild(cursor: DuckDBPyConnection) -> None:
    """Make `gaps` anew of gap_events. Call it inside `Database.write`."""
    cursor.execute("DELETE FROM gaps")
    cursor.execute(_MAKE_ANEW)


def as_gaps(rows: Iterable[tuple[Any, ...]]) -> Iterator[Gap]:
    """Rows of `COLUMNS` as gaps."""
    aware = _Aware()  # a piece begins where the one before ends, and has its gap's start
    for feed, start, end, slots, poll_seconds, cause, detail, state, source, resolution_s, gap, number in rows:
        yield Gap(
            feed,
            aware[start],
            aware[end],
            slots,
            poll_seconds,
            cause,
            detail,
            state,
            source,
            resolution_s,
            aware[gap],
            number,
        )


class _Aware(dict[datetime, datetime]):
    """Instants as the database keeps them, and as aware ones; each is made once."""

    def __missing__(self, instant: datetime) -> datetime:
        aware = self[instant] = from_column(instant)
        return aware


def _row(gap: Gap) -> tuple[Any, ...]:
    return (
        gap.feed,
        to_column(gap.start),
        to_column(gap.end),
        gap.slots,
        gap.poll_seconds,
        gap.cause,
        gap.detail,
        gap.state,
        gap.source,
        gap.resolution_s,
        to_column(gap.gap or gap.start),
        gap.round,
    )
