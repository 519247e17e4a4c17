"""The survey before an export: its number of rows by source, its coverage and its gaps.

The survey and the export read the rows of one instant (`AsOf`), over as many short leases as they need. Two exports
with the same survey have the same bytes.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from store.file.clock import exchange_now
from store.file.database import ROWS_A_LEASE
from store.file.exchange import exchange_of
from store.file.rows import AsOf
from store.file.shared import Readable
from store.instants import HOUR
from store.kinds import TICKS, Kind
from store.ledger.coverage import coverage
from store.ledger.gaps import gap_as_json, ledger
from store.models import from_column, to_column
from store.prices.bars import bucket
from store.prices.candles import closed_to, floor

from .facts import asked, coverage_as_json
from .query import ExportQuery
from .selection import columns_in, matches, relation_of, values_of

_COUNTS = """
SELECT
    {table}.{name},
    coalesce(source, ''),
    {method},
    date_trunc('hour', {table}.{time}) AS hour,
    count(*),
    min({table}.{time}),
    max({table}.{time})
FROM {relation}
WHERE {table}.rowid >= $first
  AND {table}.rowid < $last
  AND {matches}
GROUP BY ALL
"""

_GAP_EVENTS = "SELECT count(*) FROM gap_events"

_CAME_SINCE = """
SELECT EXISTS (
    FROM {rows}
    WHERE {matches}
)
"""

_CANDLES_OF_HOURS = """
SELECT
    CAST(coalesce(sum(tick_count), 0) AS BIGINT),
    CAST(coalesce(sum(observed_count), 0) AS BIGINT),
    min(open_time),
    max(open_time) + INTERVAL 1 HOUR
FROM candles_1h
WHERE list_contains($names, index_name)
  AND open_time >= $start
  AND open_time < $end
"""

_TAIL = f"""
SELECT count(*), min(ts), max(ts)
FROM ticks
WHERE {matches(TICKS)}
"""  # noqa: S608 the condition is a constant

_ROWS = """
SELECT count(*)
FROM {table}
WHERE {which}
  AND {matches}
"""

_ROWS_OF_SNAPSHOTS = """
SELECT CAST(coalesce(sum(rows), 0) AS BIGINT)
FROM snapshots
WHERE list_contains($feeds, feed)
  AND ts >= $start
  AND ts < $end
"""

_SNAPSHOTS = """
SELECT feed, count(*)
FROM snapshots
WHERE list_contains($feeds, feed)
  AND ts >= $start
  AND ts < $end
GROUP BY feed
ORDER BY feed
"""


@dataclass(frozen=True, slots=True)
class Survey:
    """What an export contains.

    Attributes:
        query: the query, closed.
        as_of: the instant whose rows the export has.
        gap_events: the number of gap events at this instant.
        hours: the number of rows in each hour that has rows, ascending.
        facts: the facts that the file and its manifest state, as JSON types.
    """

    query: ExportQuery
    as_of: AsOf
    gap_events: int
    hours: dict[datetime, int]
    facts: dict[str, Any]

    @property
    def count(self) -> int:
        """The number of rows to read."""
        return sum(self.hours.values())

    @property
    def digest(self) -> str:
        """The digest that names the file of the export."""
        facts = {"format": self.query.format, **self.facts}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]

    def still_holds(self, cursor: DuckDBPyConnection) -> bool:
        """Is the survey still true: no further row matches, no row is gone, and no gap event came?"""
        ((gap_events,),) = cursor.execute(_GAP_EVENTS).fetchall()
        came_since = _CAME_SINCE.format(rows=self.as_of.later_rows, matches=matches(self.query.kind))
        ((came,),) = cursor.execute(came_since, self.as_of.ends | values_of(self.query)).fetchall()
        return gap_events == self.gap_events and not came and self.as_of.holds(cursor)

    def windows(self, most: int) -> Iterator[tuple[datetime, datetime, int]]:
        """Cut the range into windows of at most about `most` rows, each with its number of rows. No candle is cut."""
        start, count = self.query.start, 0
        for opens, more in self._pieces(most):
            if count and count + more > most:
                yield start, opens, count
                start, count = opens, 0
            count += more
        if count:
            yield start, self.query.end, count

    def _pieces(self, most: int) -> Iterator[tuple[datetime, int]]:
        """The hours, or longer candles, with their numbers of rows.

        An hour with more than `most` rows is cut into equal parts, as if its rows came evenly.
        """
        length = max(HOUR, self.query.interval)
        for opens, count in sorted(_by(self.hours, length).items()):
            parts = 1 if self.query.interval else -(-count // most)
            for number in range(parts):
                yield opens + length * number / parts, count * (number + 1) // parts - count * number // parts


@dataclass(frozen=True, slots=True)
class Estimate:
    """The approximate size of an export: its rows, and the bytes of its file."""

    rows: int
    size: int


# Measured with two indexes, for 30 M ticks and half a million candles.
_BYTES_A_ROW = {
    ("ticks", "parquet"): 8.3,
    ("ticks", "csv"): 14.7,
    ("ticks", "xlsx"): 36.0,
    ("candles", "parquet"): 14.0,
    ("candles", "csv"): 16.0,
    ("candles", "xlsx"): 45.0,
}


def survey(database: Readable, query: ExportQuery) -> Survey:
    """Survey the rows of a closed query, over many short leases.

    Raises:
        StoreError: the database can't be read.
    """
    with database.read() as cursor:
        as_of = AsOf.take(cursor, query.kind)
        ((gap_events,),) = cursor.execute(_GAP_EVENTS).fetchall()
        gaps = ledger(cursor, query.start, query.end, exchange_now(database.path), query.recorded)
        complete = coverage(cursor, gaps, query.start, query.end)
        snapshots = _snapshots(cursor, query)
        exchange = exchange_of(cursor)
    counts, kind = _Counts(query.kind), query.kind
    names = {"table": kind.table, "name": kind.key[0], "time": kind.time, "matches": matches(kind)}
    names["method"] = "method" if kind.derived else "NULL"
    for table, first, last in as_of.portions(ROWS_A_LEASE):
        statement = _COUNTS.format(relation=relation_of(kind, f"{table} AS {kind.table}"), **names)
        with database.read() as cursor:
            counts.add(cursor.execute(statement, {"first": first, "last": last, **values_of(query)}).fetchall())
    facts = {
        **asked(query),
        "exchange": exchange,
        "sources": {name: dict(sorted(of_feed.items())) for name, of_feed in sorted(counts.sources.items())},
        "first": counts.first and bucket(from_column(counts.first), query.interval).isoformat(),
        "last": counts.last and bucket(from_column(counts.last), query.interval).isoformat(),
        "coverage": {each.feed: coverage_as_json(each, gaps) for each in complete if each.feed in query.recorded},
        **({"snapshots": snapshots} if kind.snapshots else {}),
        "gaps": [gap_as_json(gap) for gap in gaps],
        **(
            {"methods": {str(method): count for method, count in sorted(counts.methods.items())}}
            if kind.derived
            else {}
        ),
    }
    hours = {from_column(hour): count for hour, count in sorted(counts.hours.items())}
    return Survey(query, as_of, gap_events, hours, facts)


def _snapshots(cursor: DuckDBPyConnection, query: ExportQuery) -> dict[str, int]:
    """The number of stored snapshots of each feed, those before the first run too."""
    values = {"feeds": list(query.recorded), "start": to_column(query.start), "end": to_column(query.end)}
    return dict(cursor.execute(_SNAPSHOTS, values).fetchall())


def estimate(cursor: DuckDBPyConnection, query: ExportQuery) -> Estimate:
    """The approximate size of a closed query's export. Candles or snapshots give it quickly, to the hour."""
    rows = _about(cursor, query) if query.of_prices else _of_others(cursor, query)
    bytes_a_row = _BYTES_A_ROW["candles" if query.interval else "ticks", query.format]
    width = len(columns_in(query)) / len(TICKS.columns)
    return Estimate(rows, round(rows * bytes_a_row * width))


def _about(cursor: DuckDBPyConnection, query: ExportQuery) -> int:
    """The approximate number of ticks or candles of an export."""
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
        rows = min(rows, (length // query.interval + 1) * len(query.feeds))
    return int(rows)


def _of_others(cursor: DuckDBPyConnection, query: ExportQuery) -> int:
    """The number of rows that are no ticks. Snapshots know theirs; rows of charts and other tables are few."""
    kind, rows, which = query.kind, 0, "true"
    if kind.snapshots == kind.name:
        values = {"feeds": list(query.feeds), "start": to_column(query.start), "end": to_column(query.end)}
        ((rows,),) = cursor.execute(_ROWS_OF_SNAPSHOTS, values).fetchall()
        which = "resolution_s > 0" if kind.healed_by else "false"
    others = _ROWS.format(table=kind.table, which=which, matches=matches(kind))
    ((more,),) = cursor.execute(others, values_of(query)).fetchall()
    return int(rows + more)


class _Counts:
    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self.sources: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.methods: Counter[int] = Counter()
        self.hours: Counter[datetime] = Counter()
        self.first: datetime | None = None
        self.last: datetime | None = None

    def add(self, rows: Sequence[tuple[str, str, int, datetime, int, datetime, datetime]]) -> None:
        for name, source, method, hour, count, first, last in rows:
            self.sources[self._kind.feed(name)][source] += count
            self.methods[method] += count
            self.hours[hour] += count
            self.first = min(first, self.first or first)
            self.last = max(last, self.last or last)


def _by(hours: dict[datetime, int], length: timedelta) -> Counter[datetime]:
    """The counts of hours, added up by the longer stretch that contains each hour."""
    counts: Counter[datetime] = Counter()
    for hour, count in hours.items():
        counts[bucket(hour, length)] += count
    return counts
