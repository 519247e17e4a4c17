"""Where a page of an index's observations lies, newest first, however deep: found by the counts of its hours."""

from datetime import datetime

from duckdb import DuckDBPyConnection

from store.instants import EVER, HOUR
from store.models import to_column

from . import candles

_STRETCH = """
WITH hours AS (
    SELECT open_time, observed_count AS observed
    FROM candles_1h
    WHERE index_name = $index_name
      AND open_time < $counted_to
    UNION ALL
    SELECT time_bucket(INTERVAL 1 HOUR, ts), count(*)
    FROM ticks
    WHERE index_name = $index_name
      AND ts >= $counted_to
      AND resolution_s = 0
    GROUP BY 1
),
running AS (
    SELECT
        open_time,
        observed,
        CAST(sum(observed) OVER (ORDER BY open_time DESC) AS BIGINT) AS reached
    FROM hours
)
SELECT
    min(open_time) FILTER (WHERE reached - observed < CAST($offset AS BIGINT) + $limit),
    max(open_time) FILTER (WHERE reached > $offset) + INTERVAL 1 HOUR,
    coalesce(max(reached) FILTER (WHERE reached <= $offset), 0)
FROM running
"""


_MOST = 2**62
"""More than any index has; DuckDB's sums stay below twice of it."""


def stretch(
    cursor: DuckDBPyConnection, index_name: str, limit: int, offset: int
) -> tuple[datetime, datetime, int] | None:
    """The hours in which the page of an index lies that starts `offset` observations before the newest.

    Returns:
        As columns: the start of the first of them, the end of the last, and how many observations are newer than that.
        None if there is nothing at that offset.
    """
    mark = candles.closed_to(cursor)
    counted_to = EVER if mark is None else candles.floor(mark, HOUR)
    values = {
        "index_name": index_name,
        "counted_to": to_column(counted_to),
        "offset": min(offset, _MOST),
        "limit": min(limit, _MOST),
    }
    ((start, end, newer),) = cursor.execute(_STRETCH, values).fetchall()
    return None if end is None else (start, end, newer)
