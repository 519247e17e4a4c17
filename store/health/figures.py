"""The figures of a file. They count by the hour, so their cost does not grow with the ticks."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

from store.instants import EPOCH, HOUR
from store.ledger import arrivals, gaps
from store.ledger.coverage import coverage
from store.ledger.logs import Log, logs
from store.models import to_column
from store.prices import candles, ticks

from . import checks
from .checks import Stretch

SPAN = timedelta(hours=24)
"""Coverage counts this time before now."""

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
        observed, averages: how many stored ticks of each index are observed, and how many are averages.
        newest: the time of the newest observation of each index; of the newest average if it has no observation.
        missed: how many slots of a feed had no tick, by feed and cause.
        gap_s: how many seconds are missing, by feed and state.
        coverage: the share of the last `SPAN` that is known, for each feed with slots due.
        logs: how far each log is recorded, by feed.
        snapshots: the time of the newest snapshot of each feed that has any.
        checks: the newest stretch of each self-check of the market.
    """

    observed: dict[str, int]
    averages: dict[str, int]
    newest: dict[str, datetime]
    missed: dict[tuple[str, str], int]
    gap_s: dict[tuple[str, str], float]
    coverage: dict[str, float]
    logs: dict[str, Log]
    snapshots: dict[str, datetime]
    checks: list[Stretch]


def figures(cursor: DuckDBPyConnection, index_names: Sequence[str], now: datetime) -> Figures:
    """The figures of all indexes in the file; `newest` only of `index_names`."""
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
        logs=logs(cursor),
        snapshots=arrivals.newest(cursor),
        checks=checks.newest(cursor),
    )


def _completeness(cursor: DuckDBPyConnection, now: datetime) -> tuple[dict[tuple[str, str], float], dict[str, float]]:
    """The seconds in gaps and the shares known. Gaps that ended before the ledger's range are summed in SQL."""
    since = min(now - SPAN, gaps.watermark(cursor) or now)
    recent = gaps.ledger(cursor, since, now, now)
    before = cursor.execute(_GAPS_BEFORE, {"until": to_column(since)}).fetchall()
    seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
    for feed, state, length in before:
        seconds[feed, state] += length
    for gap in recent:
        seconds[gap.feed, gap.state] += (gap.end - gap.start).total_seconds()
    return dict(seconds), {each.feed: each.share for each in coverage(cursor, recent, now - SPAN, now)}
