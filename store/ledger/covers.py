"""The time that averages cover, and the parts of other stretches that lie in it."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any

from duckdb import DuckDBPyConnection

from store.models import Source, from_column, to_column

# The coarsest averages are one day long, and an average one step beside a gap still counts.
_MARGIN = timedelta(days=2)

_COVERS = """
WITH averages AS (
    SELECT
        ts,
        source,
        resolution_s,
        ts > lag(ts) OVER alike + to_seconds(resolution_s) AS apart
    FROM arrivals
    WHERE feed = $feed
      AND ts >= $start
      AND ts < $end
      AND resolution_s > 0
    WINDOW alike AS (PARTITION BY source, resolution_s ORDER BY ts)
),
numbered AS (
    SELECT
        ts,
        source,
        resolution_s,
        count(*) FILTER (WHERE apart) OVER (PARTITION BY source, resolution_s ORDER BY ts) AS island
    FROM averages
)
SELECT
    min(ts) AS first,
    max(ts) + to_seconds(resolution_s),
    source,
    resolution_s
FROM numbered
GROUP BY source, resolution_s, island
ORDER BY resolution_s, first, source
"""


@dataclass(frozen=True, slots=True)
class Cover:
    """Time that averages of one kind cover without a break."""

    start: datetime
    end: datetime
    source: Source
    resolution_s: int


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """A stretch of time, with the source and the resolution that heal it; None if nothing does."""

    start: datetime
    end: datetime
    source: Source | None = None
    resolution_s: int | None = None


Layer = Sequence[Cover]
"""Covers of one resolution, ascending and disjoint."""


def covers(cursor: DuckDBPyConnection, feed: str, start: datetime, end: datetime) -> list[Cover]:
    """The covers around [start, end): the finest resolution first, and each resolution in the order of time."""
    values: dict[str, Any] = {"feed": feed, "start": to_column(start - _MARGIN)}
    rows = cursor.execute(_COVERS, {**values, "end": to_column(end + _MARGIN)}).fetchall()
    return [Cover(from_column(first), from_column(last), source, seconds) for first, last, source, seconds in rows]


def layers(known: Iterable[Cover]) -> list[Layer]:
    """The covers by resolution, in the order of `covers`, and then again, each extended by one step at both ends."""
    by_resolution = [list(alike) for _, alike in groupby(known, key=attrgetter("resolution_s"))]
    return [list(_disjoint(alike, steps_beside)) for steps_beside in (0, 1) for alike in by_resolution]


def healed(stretches: Iterable[tuple[datetime, datetime]], layers: Iterable[Layer]) -> Iterator[Piece]:
    """Cut ascending stretches into pieces. The first layer that covers a piece heals it. Pieces come in no order."""
    left = list(stretches)
    for layer in layers:
        inside, left = _apart(left, layer)
        yield from inside
    yield from (Piece(start, end) for start, end in left)


def _disjoint(covers: Iterable[Cover], steps_beside: int) -> Iterator[Cover]:
    """Covers extended by `steps_beside` steps at both ends; where two overlap, the first keeps the common time."""
    reached: datetime | None = None
    for cover in covers:
        beside = timedelta(seconds=steps_beside * cover.resolution_s)
        start, end = cover.start - beside, cover.end + beside
        start = start if reached is None else max(start, reached)
        if start < end:
            yield replace(cover, start=start, end=end)
            reached = end


def _apart(
    stretches: Iterable[tuple[datetime, datetime]], layer: Layer
) -> tuple[list[Piece], list[tuple[datetime, datetime]]]:
    """The parts of some stretches that a layer covers, and the parts that it does not cover."""
    inside: list[Piece] = []
    outside: list[tuple[datetime, datetime]] = []
    for start, end in stretches:
        reached = start
        at = bisect_right(layer, start, key=attrgetter("end"))
        while at < len(layer) and layer[at].start < end:
            cover = layer[at]
            if reached < cover.start:
                outside.append((reached, cover.start))
            inside.append(Piece(max(start, cover.start), min(end, cover.end), cover.source, cover.resolution_s))
            reached, at = cover.end, at + 1
        if reached < end:
            outside.append((reached, end))
    return inside, outside
