"""Compares a file with a lake, day by day: by count and digest, and where these differ row by row."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple

from duckdb import DuckDBPyConnection

from store.file.database import ROWS_A_LEASE, Database
from store.kinds import Kind
from store.progress import Tell, unheard

from . import lacking, tables
from .batches import named, read
from .connection import Lake
from .spans import WATCHED, Span, portions
from .tables import ALL, OF_RECORDERS, RUNS

_DAYS = """
SELECT {time}::DATE AS day, count(*), bit_xor(hash({columns}))
FROM {table}
WHERE {time} IS NOT NULL
GROUP BY day
"""

_COUNTED = """
SELECT {time}::DATE AS day, count(*)
FROM {table}
WHERE {time} IS NOT NULL
GROUP BY day
"""

_SOME_DAYS = """
SELECT {time}::DATE AS day, count(*), bit_xor(hash({columns}))
FROM {table}
WHERE {time} >= $start
  AND {time} < $end
GROUP BY day
"""

_DOUBLED = """
SELECT {time}::DATE AS day, count(*) - count(DISTINCT ({key}))
FROM {table}
GROUP BY day
HAVING count(*) > count(DISTINCT ({key}))
ORDER BY day
"""

_LACKING = "SELECT count(*) FROM new_{name}"

_DIFFERENT = """
SELECT count(*)
FROM incoming_{name} AS incoming
JOIN {table} AS there ON {alike}
WHERE there.{time} >= $start
  AND there.{time} < $end
  AND hash({incoming}) <> hash({there})
"""

_MICROSECOND = timedelta(microseconds=1)

_HEARD_AT = "received_at"
"""Two recorders hear one snapshot of the exchange at times of their own. The lake keeps that of the first."""


class Compared(NamedTuple):
    """The result of a comparison.

    Attributes:
        days: how many days of tables were compared.
        equal: how many of them have the same rows in file and lake.
        faults: what is wrong, a line each. More rows of other recorders in the lake are no fault.
    """

    days: int
    equal: int
    faults: tuple[str, ...]


def compare(database: Database, lake: Lake, tell: Tell = unheard) -> Compared:
    """Compare all days of all tables of a file with the lake, and look for doubles in the lake.

    The file is read under short leases. What was recorded since the last publication is lacking.

    Raises:
        StoreError: the file or the lake can't be read.
    """
    faults: list[str] = []
    days, unlike = 0, set()
    with lake.open(read_only=True) as cursor:
        tables.origin(cursor)
        for number, kind in enumerate(ALL):
            tell(number, len(ALL))
            faults += (f"{kind.table}: {count:,} rows of {day} are doubles" for day, count in _doubled(cursor, kind))
            shared = {day: found for day, *found in cursor.execute(_text(_DAYS, kind)).fetchall()}
            for day, digest in _digests(database, kind, lake.recorder):
                days += 1
                if digest != shared.get(day):
                    unlike.add((day, kind))
        for day in sorted({day for day, _ in unlike}):
            faults += _faults(database, lake, cursor, day, {kind.table for its, kind in unlike if its == day})
        tell(len(ALL), len(ALL))
    return Compared(days, days - len(unlike), tuple(faults))


def _faults(database: Database, lake: Lake, cursor: DuckDBPyConnection, day: date, unlike: set[str]) -> Iterator[str]:
    """What the lake lacks of a day, and what it has with other values."""
    start, end = _bounds(day)
    whole = Span(start, end - _MICROSECOND)
    with database.read() as file:
        batch = read(file, {kind.table: whole for kind in (RUNS, *WATCHED)}, lake.recorder)
    lacking.take_in(cursor, batch)
    for kind, name in lacking.find(cursor, batch):
        if kind.table in unlike:
            ((lacks,),) = cursor.execute(_LACKING.format(name=name)).fetchall()
            if lacks:
                yield f"{kind.table}: {lacks:,} rows of {day} are not in the lake"
            ((others,),) = cursor.execute(_different(kind, name), {"start": start, "end": end}).fetchall()
            if others:
                yield f"{kind.table}: {others:,} rows of {day} have other values in the lake"


def _different(kind: Kind, name: str) -> str:
    its = [column for column in kind.column_names if column != _HEARD_AT]
    incoming, there = (", ".join(f"{of}.{column}" for column in its) for of in ("incoming", "there"))
    names = {"name": name, "table": kind.table, "time": kind.time, "alike": lacking.alike(kind)}
    return _DIFFERENT.format(**names, incoming=incoming, there=there)


def _digests(database: Database, kind: Kind, recorder: str) -> Iterator[tuple[date, list[int]]]:
    """Count and digest of each day of a table, over many short leases."""
    with database.read() as file:
        counted = dict(file.execute(_text(_COUNTED, kind)).fetchall())
    for some in portions(counted, ROWS_A_LEASE):
        (start, _), (_, end) = _bounds(some[0]), _bounds(some[-1])
        with database.read() as file:
            values = {"start": start, "end": end} | ({"recorder": recorder} if kind in OF_RECORDERS else {})
            found = file.execute(_text(_SOME_DAYS, kind, named(kind)), values).fetchall()
        yield from ((day, digest) for day, *digest in found)


def _doubled(cursor: DuckDBPyConnection, kind: Kind) -> list[tuple[date, int]]:
    return cursor.execute(_text(_DOUBLED, kind)).fetchall()


def _text(text: str, kind: Kind, table: str = "") -> str:
    key = ", ".join(lacking.whole_key(kind))
    return text.format(table=table or kind.table, time=kind.time, columns=", ".join(kind.column_names), key=key)


def _bounds(day: date) -> tuple[datetime, datetime]:
    start = datetime(day.year, day.month, day.day)  # noqa: DTZ001 as the database keeps times
    return start, start + timedelta(days=1)
