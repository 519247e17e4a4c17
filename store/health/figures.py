"""What a file holds, in figures, at a cost that does not grow with its ticks: they are counted by the hour."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

from store.instants import EPOCH, HOUR
from store.ledger import gaps
from store.ledger.coverage import coverage
from store.models import to_column
from store.prices import candles, ticks

SPAN = timedelta(hours=24)
"""Coverage is of that time before now."""

_TICKS = """
SELECT
    index_name,
    CAST(sum(tick_count) AS BIGINT),
    CAST(sum(observed_count) AS BIGINT)
FROM (
    SELECT
        index_name,
        sum(tick_count) AS tick_count,
        sum(observed_count) AS observed_count
    FROM candles_1h
    GROUP BY index_name
    UNION ALL
    SELECT
        index_name,
        count(*),
        count(*) FILTER (WHERE resolution_s = 0)
    FROM ticks
    WHERE ts >= $start
    GROUP BY index_name
)
GROUP BY index_name
"""

_MISSES = """
SELECT feed, cause, count(*)
FROM misses
GROUP BY ALL
"""

_GAPS_BEFORE = """
SELECT feed, state, sum(epoch(ended_at - started_at))
FROM gaps
WHERE ended_at <= $until
GROUP BY ALL
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a file.

    Attributes:
        observed, averages: how many ticks of each index are stored, of either kind.
        newest: when the newest observation of each index was made; that of an average where there is none.
        missed: how many slots of a feed brought nothing, by feed and cause.
        gap_s: how many seconds are missing, by feed and state.
        coverage: the share of the last `SPAN` that is known of each feed of which anything was due.
    """

    observed: dict[str, int]
    averages: dict[str, int]
    newest: dict[str, datetime]
    missed: dict[tuple[str, str], int]
    gap_s: dict[tuple[str, str], float]
    coverage: dict[str, float]


def figures(cursor: DuckDBPyConnection, index_names: Sequence[str], now: datetime) -> Figures:
    """The figures of all indexes in the file; the newest tick is looked for of those that are named."""
    start = candles.floor(candles.closed_to(cursor) or EPOCH, HOUR)
    counted = cursor.execute(_TICKS, {"start": to_column(start)}).fetchall()
    gap_s, shares = _completeness(cursor, now)
    return Figures(
        observed={name: observed for name, _, observed in counted},
        averages={name: count - observed for name, count, observed in counted},
        newest={name: tick.ts for name in index_names if (tick := ticks.latest(cursor, name)) is not None},
        missed={(feed, cause): count for feed, cause, count in cursor.execute(_MISSES).fetchall()},
        gap_s=gap_s,
        coverage=shares,
    )


def _completeness(cursor: DuckDBPyConnection, now: datetime) -> tuple[dict[tuple[str, str], float], dict[str, float]]:
    """The seconds in gaps and the shares known. Gaps that were over for long are summed where they are."""
    since = min(now - SPAN, gaps.watermark(cursor) or now)
    recent = gaps.ledger(cursor, since, now, now)
    before = cursor.execute(_GAPS_BEFORE, {"until": to_column(since)}).fetchall()
    seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
    for feed, state, length in before:
        seconds[feed, state] += length
    for gap in recent:
        seconds[gap.feed, gap.state] += (gap.end - gap.start).total_seconds()
    return dict(seconds), {its.feed: its.share for its in coverage(cursor, recent, now - SPAN, now)}
