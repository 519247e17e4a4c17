"""What is new in a file since it was last published: portions of it, a day each or many days with few rows.

Row numbers tell new rows. They are a shortcut alone: what is published is decided by what the lake lacks. If rows were
deleted, row numbers tell nothing, and all days count as new.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import NamedTuple, TypeVar

from store.file.database import ROWS_A_LEASE, Database
from store.file.rows import AsOf, Part
from store.kinds import KINDS, Kind

from .notice import Mark
from .tables import MISSES, SNAPSHOTS, VITALS

WATCHED = (SNAPSHOTS, MISSES, VITALS, *(kind for kind in KINDS if not kind.snapshots or kind.has_source))
"""The tables whose row numbers tell what is new. Rows of runs change; the rows of all others come with snapshots."""

_SPANS = """
SELECT {time}::DATE, min({time}), max({time}), {rows}
FROM {table}
WHERE rowid >= $first
  AND rowid < $end
  AND {time} IS NOT NULL
  AND {condition}
GROUP BY ALL
"""

HEALED = "resolution_s > 0"
"""The condition of those rows that snapshots did not bring, of a kind that has snapshots."""

_ROWS_A_PORTION = 200_000
"""A portion is read under one lease and committed at once. Without days that have more rows, it has at most these."""

# Up to these go one by one. More come with the history of the exchange or an import, and are worth a count of all rows.
_FEW_DAYS = 10


Day = TypeVar("Day", bound=date)


class Span(NamedTuple):
    """The time from `first` to `last`, both included, as the database keeps times."""

    first: datetime
    last: datetime

    def around(self, other: "Span") -> "Span":
        """The shortest span that contains both."""
        return Span(min(self.first, other.first), max(self.last, other.last))


Spans = Mapping[str, Span]
"""By table, the span of the rows to look at."""


def look(database: Database, before: Mapping[str, Mark]) -> tuple[dict[str, Mark], list[Spans]]:
    """The marks of the rows that are stored now, and the portions that are new since the marks of `before`."""
    marks: dict[str, Mark] = {}
    days: defaultdict[date, dict[str, Span]] = defaultdict(dict)
    rows: Counter[date] = Counter()
    for kind in WATCHED:
        with database.read() as cursor:
            (now,) = AsOf.take(cursor, kind).parts
            mark = before.get(kind.table)
            known = mark is not None and AsOf(kind, (Part(kind.table, *mark),)).holds(cursor)
        marks[kind.table] = now.end, now.count, now.last
        first = before[kind.table][0] if known else 0
        for day, span, count in _spans(database, kind, first, now.end):
            rows[day] += count
            _widen(days[day], kind.table, span)
    if before and len(days) <= _FEW_DAYS:
        return marks, [days[day] for day in sorted(days)]
    if before:  # what is new of two days may be little, and what lies between them much
        rows = _all_rows(database, marks)
    joined = (_joined(days[day] for day in some if day in days) for some in portions(rows, _ROWS_A_PORTION))
    return marks, [spans for spans in joined if spans]


def _all_rows(database: Database, marks: Mapping[str, Mark]) -> Counter[date]:
    """How many rows each day has, published or not."""
    rows: Counter[date] = Counter()
    for kind in WATCHED:
        for day, _, count in _spans(database, kind, 0, marks[kind.table][0]):
            rows[day] += count
    return rows


def portions(rows: Mapping[Day, int], most: int) -> Iterator[list[Day]]:
    """The days or hours in order, in lists with at most `most` rows together, or with one that has more."""
    some: list[Day] = []
    count = 0
    for day in sorted(rows):
        if some and count + rows[day] > most:
            yield some
            some, count = [], 0
        some.append(day)
        count += rows[day]
    if some:
        yield some


def _joined(days: Iterable[Spans]) -> Spans:
    joined: dict[str, Span] = {}
    for spans in days:
        for table, span in spans.items():
            _widen(joined, table, span)
    return joined


def _widen(spans: dict[str, Span], table: str, span: Span) -> None:
    spans[table] = spans[table].around(span) if table in spans else span


def _spans(database: Database, kind: Kind, first: int, end: int) -> Iterator[tuple[date, Span, int]]:
    """The rows of each day with these row numbers, over short leases: a day may come more than once."""
    condition = HEALED if kind.snapshots else "true"
    rows = "count(*) + sum(rows)::BIGINT" if kind is SNAPSHOTS else "count(*)"
    query = _SPANS.format(time=kind.time, table=kind.table, condition=condition, rows=rows)
    for begin in range(first, end, ROWS_A_LEASE):
        with database.read() as cursor:
            found = cursor.execute(query, {"first": begin, "end": min(begin + ROWS_A_LEASE, end)}).fetchall()
        yield from ((day, Span(start, last), count) for day, start, last, count in found)
