"""What an export will be made of, looked at before: how many ticks from which source, how complete, with which gaps.

All that follows reads the rows of one instant (`AsOf`), over as many short leases as it takes. The
survey tells exports apart: of two with the same survey each byte is the same.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from settings import VERSION
from store.file.clock import exchange_now
from store.file.database import ROWS_A_LEASE, Database
from store.file.exchange import exchange_of
from store.file.rows import AsOf
from store.instants import HOUR
from store.kinds import TICKS
from store.ledger.coverage import coverage
from store.ledger.gaps import gap_as_json, ledger
from store.models import from_column, to_column
from store.prices.averages import OF_CHARTS
from store.prices.bars import INTERVAL_NAMES, SINGLE_TICKS, bucket
from store.prices.candles import closed_to, floor

from .query import ExportQuery

MATCHES = f"""
list_contains($index_names, index_name)
  AND ts >= $start
  AND ts < $end
  AND ($healed OR NOT ({OF_CHARTS}))
"""
"""Which ticks a query is about; its values are those of `values_of`."""

_COUNTS = f"""
SELECT index_name, source, date_trunc('hour', ts) AS hour, count(*), min(ts), max(ts)
FROM ticks
WHERE rowid >= $first
  AND rowid < $last
  AND {MATCHES}
GROUP BY ALL
"""  # noqa: S608 the condition is the constant above

_GAP_EVENTS = "SELECT count(*) FROM gap_events"

_CAME_SINCE = f"""
SELECT EXISTS (
    FROM ticks
    WHERE rowid >= $rows
      AND {MATCHES}
)
"""  # noqa: S608 the condition is the constant above

_CANDLES_OF_HOURS = """
SELECT
    CAST(coalesce(sum(tick_count), 0) AS BIGINT),
    CAST(coalesce(sum(observed_count), 0) AS BIGINT),
    min(open_time),
    max(open_time) + INTERVAL 1 HOUR
FROM candles_1h
WHERE list_contains($index_names, index_name)
  AND open_time >= $start
  AND open_time < $end
"""

_TAIL = f"""
SELECT count(*), min(ts), max(ts)
FROM ticks
WHERE {MATCHES}
"""  # noqa: S608 the condition is the constant above


@dataclass(frozen=True, slots=True)
class Survey:
    """What an export is made of.

    Attributes:
        query: closed.
        as_of: the rows that it is of.
        gap_events: how many there were.
        hours: how many ticks matched in each hour that had any, ascending.
        facts: what the file and its manifest say of themselves, as JSON types.
    """

    query: ExportQuery
    as_of: AsOf
    gap_events: int
    hours: dict[datetime, int]
    facts: dict[str, Any]

    @property
    def ticks(self) -> int:
        return sum(self.hours.values())

    @property
    def digest(self) -> str:
        """The name of the file that comes of it."""
        facts = {"format": self.query.format, **self.facts}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]

    def still_holds(self, cursor: DuckDBPyConnection) -> bool:
        """Has nothing come since that would belong to it, and nothing gone?"""
        ((gap_events,),) = cursor.execute(_GAP_EVENTS).fetchall()
        ((came,),) = cursor.execute(_CAME_SINCE, {"rows": self.as_of.end, **values_of(self.query)}).fetchall()
        return gap_events == self.gap_events and not came and self.as_of.holds(cursor)

    def windows(self, most_ticks: int) -> Iterator[tuple[datetime, datetime, int]]:
        """Cut it into ranges of about so many ticks at most, each with its number. No candle is cut."""
        start, count = self.query.start, 0
        for opens, more in self._pieces(most_ticks):
            if count and count + more > most_ticks:
                yield start, opens, count
                start, count = opens, 0
            count += more
        if count:
            yield start, self.query.end, count

    def _pieces(self, most_ticks: int) -> Iterator[tuple[datetime, int]]:
        """The hours, or longer candles, and their ticks; an hour with too many is cut as if they came evenly."""
        length = max(HOUR, self.query.interval)
        for opens, count in sorted(_by(self.hours, length).items()):
            parts = 1 if self.query.interval else -(-count // most_ticks)
            for number in range(parts):
                yield opens + length * number / parts, count * (number + 1) // parts - count * number // parts


@dataclass(frozen=True, slots=True)
class Estimate:
    """About how large an export will be: rows, and bytes of the file."""

    rows: int
    size: int


# Measured with two indexes, of 30 M ticks and half a million candles.
_BYTES_A_ROW = {
    ("ticks", "parquet"): 8.3,
    ("ticks", "csv"): 14.7,
    ("ticks", "xlsx"): 36.0,
    ("candles", "parquet"): 14.0,
    ("candles", "csv"): 16.0,
    ("candles", "xlsx"): 45.0,
}


def survey(database: Database, query: ExportQuery) -> Survey:
    """Look at what a closed query is about, over many short leases.

    Raises:
        StoreError: the database can't be read.
    """
    with database.read() as cursor:
        as_of = AsOf.take(cursor, TICKS)
        ((gap_events,),) = cursor.execute(_GAP_EVENTS).fetchall()
        gaps = ledger(cursor, query.start, query.end, exchange_now(database.path), query.index_names)
        complete = coverage(cursor, gaps, query.start, query.end)
        exchange = exchange_of(cursor)
    counts = _Counts()
    for first in range(0, as_of.end, ROWS_A_LEASE):
        with database.read() as cursor:
            values = {"first": first, "last": min(first + ROWS_A_LEASE, as_of.end), **values_of(query)}
            counts.add(cursor.execute(_COUNTS, values).fetchall())
    facts = {
        **_asked(query),
        "exchange": exchange,
        "sources": {name: dict(sorted(its.items())) for name, its in sorted(counts.sources.items())},
        "first": counts.first and bucket(from_column(counts.first), query.interval).isoformat(),
        "last": counts.last and bucket(from_column(counts.last), query.interval).isoformat(),
        "coverage": {
            each.feed: {"due": each.due, "live": each.live, "healed": each.healed, "missing": each.missing}
            for each in complete
            if each.feed in query.index_names
        },
        "gaps": [gap_as_json(gap) for gap in gaps],
    }
    hours = {from_column(hour): count for hour, count in sorted(counts.hours.items())}
    return Survey(query, as_of, gap_events, hours, facts)


def estimate(cursor: DuckDBPyConnection, query: ExportQuery) -> Estimate:
    """About how large the export of a closed query will be, told from candles: quickly, to the hour."""
    closed = floor(closed_to(cursor) or query.start, HOUR)
    values = values_of(query)
    hours = {**values, "start": to_column(floor(query.start, HOUR)), "end": to_column(min(query.end, closed))}
    del hours["healed"]
    ((ticks, live, first, last),) = cursor.execute(_CANDLES_OF_HOURS, hours).fetchall()
    tail = {**values, "start": to_column(max(query.start, closed))}
    ((more, first_of_tail, last_of_tail),) = cursor.execute(_TAIL, tail).fetchall()
    rows = (ticks if query.healed else live) + more
    if query.interval and rows:
        length = max(filter(None, (last, last_of_tail))) - min(filter(None, (first, first_of_tail)))
        rows = min(rows, (length // query.interval + 1) * len(query.index_names))
    return Estimate(rows, round(rows * _BYTES_A_ROW[query.kind, query.format]))


def values_of(query: ExportQuery) -> dict[str, Any]:
    """The values for `MATCHES`."""
    return {
        "index_names": list(query.index_names),
        "start": to_column(query.start),
        "end": to_column(query.end),
        "healed": query.healed,
    }


class _Counts:
    def __init__(self) -> None:
        self.sources: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.hours: Counter[datetime] = Counter()
        self.first: datetime | None = None
        self.last: datetime | None = None

    def add(self, rows: Sequence[tuple[str, str, datetime, int, datetime, datetime]]) -> None:
        for index_name, source, hour, count, first, last in rows:
            self.sources[index_name][source] += count
            self.hours[hour] += count
            self.first = min(first, self.first or first)
            self.last = max(last, self.last or last)


def _by(hours: dict[datetime, int], length: timedelta) -> Counter[datetime]:
    """The counts of hours by the longer stretch that each is of."""
    counts: Counter[datetime] = Counter()
    for hour, count in hours.items():
        counts[bucket(hour, length)] += count
    return counts


def _asked(query: ExportQuery) -> dict[str, Any]:
    """What the query says, and what its numbers mean."""
    return {
        "version": VERSION,
        "rows_are": query.kind,
        "indexes": list(query.index_names),
        "start": query.start.isoformat(),
        "end": query.end.isoformat(),
        "interval": INTERVAL_NAMES[query.interval] if query.interval != SINGLE_TICKS else None,
        "healed": query.healed,
        "units": {name: " per ".join(reversed(name.upper().split("_"))) for name in query.index_names},
        "times": "UTC, the range half-open",
    }
