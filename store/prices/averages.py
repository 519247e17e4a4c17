"""Averages over a step, such as the exchange's own history: stored where nothing finer is known, as rows of ticks."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from store.models import Source, from_column, to_column

from . import candles, overruled

# Time is cut from $start on into cells. A cell is as long as the time that a point covers, so this time lies in two
# cells. Something finer is in it in two cases: the last finer row of the first cell is not before the point, or the
# first finer row of the second cell is before the point's end. The ticks are read once for all points: 50 ms for 2,900
# days over 10 M ticks. The same rule took 25 s as a range join, and 72 s as an ASOF join.
_UNCOVERED = """
CREATE OR REPLACE TEMP TABLE uncovered AS
WITH points AS MATERIALIZED (
    SELECT
        ts,
        price,
        source,
        (epoch_us(ts) - epoch_us($start)) // $covered_us AS cell
    FROM {points}
),
finer AS MATERIALIZED (
    SELECT
        (epoch_us(ts) - epoch_us($start)) // $covered_us AS cell,
        min(ts) AS first,
        max(ts) AS last
    FROM (
        SELECT index_name, ts, resolution_s
        FROM ticks
        UNION ALL
        SELECT index_name, ts, resolution_s
        FROM overruled
    )
    WHERE index_name = $index_name
      AND ts >= $start
      AND ts < $end
      AND resolution_s < $resolution_s
    GROUP BY ALL
),
alike AS (
    SELECT ts
    FROM ticks
    WHERE index_name = $index_name
      AND ts >= $start
      AND ts < $end
      AND resolution_s = $resolution_s
)
SELECT
    $index_name AS index_name,
    points.ts AS ts,
    points.price AS price,
    points.source AS source
FROM points
LEFT JOIN finer AS here ON here.cell = points.cell
LEFT JOIN finer AS beyond ON beyond.cell = points.cell + 1
WHERE (here.last IS NULL OR here.last < points.ts)
  AND (beyond.first IS NULL OR beyond.first >= points.ts + to_microseconds($covered_us))
  AND points.ts NOT IN (FROM alike)
"""

_INSERT = """
INSERT INTO ticks (index_name, ts, received_at, price, source, resolution_s)
SELECT index_name, ts, NULL, price, source, $resolution_s
FROM uncovered
ORDER BY ts
RETURNING ts
"""

_LEAVE_OUT_COVERED = """
DELETE FROM portion
WHERE index_name = $index_name
  AND ts NOT IN (SELECT ts FROM uncovered)
"""
_POINTS = "(SELECT unnest($instants::TIMESTAMP[]) AS ts, unnest($prices::DOUBLE[]) AS price, $source AS source)"
_OF_PORTION = "(SELECT ts, price, source FROM portion WHERE index_name = $index_name)"

OF_CHARTS = "resolution_s > 0 AND source <> 'import'"
"""Which ticks are averages of the exchange's charts, or of the simulator's."""

_FILLED = f"""
SELECT DISTINCT index_name
FROM (
    SELECT index_name, source, resolution_s
    FROM ticks
    UNION ALL
    SELECT index_name, source, resolution_s
    FROM overruled
)
WHERE {OF_CHARTS}
  AND list_contains($index_names, index_name)
"""  # noqa: S608 the condition is the constant above


def append(
    cursor: DuckDBPyConnection,
    index_name: str,
    points: Iterable[tuple[datetime, float]],
    resolution_s: int,
    source: Source = "chart",
) -> int:
    """Store averages over `resolution_s` seconds, at least 1, from each point on. Call it inside `Database.write`.

    A point is left out when a finer row, such as an observation, lies in the time that it covers, or one as fine at its
    very instant; of points at one instant the first counts. So a second append of the same points stores nothing.
    Coarser averages in whose time a point lies give way to it.

    Args:
        cursor: of that lease.
        index_name: as the exchange spells it.
        points: instant, aware, and price; in any order, on any grid or none.
        resolution_s: what each of them is an average over.
        source: "chart", or "simulator" for the simulator's charts.

    Returns:
        How many were stored.
    """
    prices: dict[datetime, float] = {}
    for ts, price in points:
        prices.setdefault(to_column(ts), price)
    if not prices:
        return 0
    values = {"instants": list(prices), "prices": list(prices.values()), "source": source}
    values |= _which(index_name, min(prices), max(prices), resolution_s)
    cursor.execute(_UNCOVERED.format(points=_POINTS), values)
    stored = {
        (index_name, from_column(ts)) for (ts,) in cursor.execute(_INSERT, {"resolution_s": resolution_s}).fetchall()
    }
    if not stored:
        return 0
    first, last = (pick(ts for _, ts in stored) for pick in (min, max))
    overruled.reach(cursor, last + timedelta(seconds=resolution_s))
    gave_way = overruled.gave_way(cursor) if overruled.overrule(cursor, first, last) else set()
    candles.refold(cursor, stored | gave_way, candles.closed_to(cursor))
    return len(stored)


def leave_out_covered(cursor: DuckDBPyConnection, first: datetime, last: datetime, resolution_s: int) -> None:
    """Take those averages out of the table `portion` (index_name, ts, price, source) that `append` would leave out.

    They are from `first` to `last`, and none of them is there twice.
    """
    for (index_name,) in cursor.execute("SELECT DISTINCT index_name FROM portion").fetchall():
        values = _which(index_name, to_column(first), to_column(last), resolution_s)
        cursor.execute(_UNCOVERED.format(points=_OF_PORTION), values)
        cursor.execute(_LEAVE_OUT_COVERED, {"index_name": index_name})


def _which(index_name: str, first: datetime, last: datetime, resolution_s: int) -> dict[str, Any]:
    covered = timedelta(seconds=resolution_s)
    return {
        "index_name": index_name,
        "resolution_s": resolution_s,
        "covered_us": covered // timedelta(microseconds=1),
        "start": first,
        "end": last + covered,
    }


def filled(cursor: DuckDBPyConnection, index_names: Iterable[str]) -> set[str]:
    """Those of the indexes that have history of the exchange already."""
    return {name for (name,) in cursor.execute(_FILLED, {"index_names": list(index_names)}).fetchall()}
