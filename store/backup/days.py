"""Copies the table of a kind into a file for each UTC day, or for a month with few rows. An unchanged file stays.

The history that a first start fetches has thousands of days with few rows. A file takes 13 ms, however small it is.
"""

import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import reduce
from itertools import groupby, takewhile
from operator import xor
from pathlib import Path

from duckdb import DuckDBPyConnection

from store.file import schema
from store.file.database import ROWS_A_LEASE, Database
from store.file.rows import AsOf
from store.progress import Tell

from .copies import as_instants, pattern, write
from .manifest import File
from .whole_tables import UNFINISHED, finished

_DAYS = """
SELECT {time}::DATE, count(*), bit_xor(hash({columns}))
FROM {table}
WHERE rowid >= ? AND rowid < ?
GROUP BY ALL
"""

_ROWS = "SELECT {columns} FROM {rows} WHERE {time} >= $start AND {time} < $end ORDER BY {key}, {time}"

_DAY = timedelta(days=1)

_MONTH = len("2026-11")

_DAYS_OF_A_MONTH = 20
_ROWS_OF_A_MONTH = 20_000
"""A month that is over has one file if it has at least so many days and at most so many rows."""


@dataclass(frozen=True)
class Limits:
    """How much happens under one lease.

    Attributes:
        rows: the rows that are digested to find the days that changed.
        copy_s: the time for copying days; a day of 172,800 ticks takes 60 ms.
        piece: the rows of a day that are copied, which takes up to 0.6 s. A day with more rows is copied in pieces.
    """

    rows: int = ROWS_A_LEASE
    copy_s: float = 0.1
    piece: int = 600_000


@dataclass(frozen=True)
class Days:
    """The days of a kind's table. A month that has one file counts as one day.

    Attributes:
        as_of: the instant whose rows are copied.
        counted: the number of rows of each day, such as "2026-11-01", or month, such as "2026-11", and their digest.
        before: the files of the backup before, by day or month.
    """

    as_of: AsOf
    counted: Mapping[str, tuple[int, int]]
    before: Mapping[str, File]

    @property
    def table(self) -> str:
        return self.as_of.kind.table

    @property
    def gone(self) -> list[File]:
        """The files of days that have no rows any more."""
        return [file for day, file in self.before.items() if day not in self.counted]

    @property
    def unchanged(self) -> dict[str, File]:
        """The files of days that did not change."""
        return {day: file for day, file in self.before.items() if self.counted.get(day) == (file.rows, file.digest)}

    @property
    def changed(self) -> list[str]:
        """The days that changed. Days with fewer rows come first: if rows are lost, no other day is copied in vain."""
        return sorted(self.counted.keys() - self.unchanged.keys(), key=lambda day: (not self._shrank(day), day))

    def _shrank(self, day: str) -> bool:
        return day in self.before and self.counted[day][0] < self.before[day].rows


def look_at(database: Database, as_of: AsOf, before: Sequence[File], rows: int, tell: Tell) -> Days:
    """Count and digest the rows of each day, `rows` of them under each lease.

    `before` are the files of the backup before. No day is copied yet, which `tell` hears after each lease.
    """
    counted: dict[str, tuple[int, int]] = {}
    columns, time_column = ", ".join(as_of.kind.column_names), as_of.kind.time
    for table, first, end in as_of.portions(rows):
        query = _DAYS.format(columns=columns, table=table, time=time_column)
        with database.read() as cursor:
            for day, count, digest in cursor.execute(query, [first, end]).fetchall():
                count_before, digest_before = counted.get(str(day), (0, 0))
                counted[str(day)] = (count_before + count, digest_before ^ digest)
        tell(0, len(counted))
    files = {file.day: file for file in before if file.day}
    return Days(as_of, dict(_with_months(counted, files)), files)


def _with_months(
    counted: Mapping[str, tuple[int, int]], before: Container[str]
) -> Iterator[tuple[str, tuple[int, int]]]:
    """The counts, with those of months that have one file in place of those of their days.

    What the backup before has in files of days stays so, and a month that has one file keeps it.
    """
    newest = max(counted, default="")[:_MONTH]
    for month, days in groupby(sorted(counted), key=lambda day: day[:_MONTH]):
        its = list(days)
        rows = sum(counted[day][0] for day in its)
        sparse = len(its) >= _DAYS_OF_A_MONTH and rows <= _ROWS_OF_A_MONTH and month < newest
        if month in before or (sparse and not any(day in before for day in its)):
            yield month, (rows, reduce(xor, (counted[day][1] for day in its)))
        else:
            yield from ((day, counted[day]) for day in its)


def _bounds(day: str) -> tuple[datetime, datetime]:
    """The start and the end of a day or a month."""
    if len(day) > _MONTH:
        start = datetime.fromisoformat(day)
        return start, start + _DAY
    start = datetime.fromisoformat(f"{day}-01")
    return start, (start + 31 * _DAY).replace(day=1)


def copied(
    database: Database,
    folder: Path,
    parquet: DuckDBPyConnection,
    days: Days,
    limits: Limits,
    check: Callable[[File, Path], None],
) -> Iterator[dict[str, File]]:
    """Copy the days that changed, and yield the new files by day, after each lease or long day.

    `check` is called with each file that is replaced, and the path of its new copy.
    """
    todo = days.changed
    while todo:
        short = list(takewhile(lambda day: days.counted[day][0] <= limits.piece, todo))
        if short:
            written = _short_days(database, folder, days.as_of, short, limits.copy_s)
        else:
            pieces = -(-days.counted[todo[0]][0] // limits.piece)
            written = [_long_day(database, folder, parquet, days.as_of, todo[0], pieces)]
        files = {}
        for path in written:
            day = path.stem
            files[day] = replace(
                finished(parquet, folder, path, days.as_of.kind.time), day=day, digest=days.counted[day][1]
            )
            if day in days.before:
                check(days.before[day], folder / files[day].path)
        todo = todo[len(files) :]
        yield files


def _short_days(database: Database, folder: Path, as_of: AsOf, days: Sequence[str], copy_s: float) -> list[Path]:
    """Copy days under one lease of `copy_s` seconds, at least one day; return the paths of the copies."""
    written = []
    with database.read() as cursor:
        until = time.monotonic() + copy_s
        for day in days:
            written.append(_write(cursor, folder, as_of, day, *_bounds(day)))
            if time.monotonic() >= until:
                break
    return written


def _long_day(
    database: Database, folder: Path, parquet: DuckDBPyConnection, as_of: AsOf, day: str, pieces: int
) -> Path:
    """Copy a day in pieces of equal time, each under its own lease, and join them; return the path of the copy."""
    start, past = _bounds(day)
    paths = []
    for number in range(pieces):
        begin, end = (start + (past - start) * each / pieces for each in (number, number + 1))
        with database.read() as cursor:
            paths.append(_write(cursor, folder, as_of, f"{day}.{number}", begin, end))
    whole = folder / as_of.kind.table / f"{day}{UNFINISHED}"
    write(parquet, "FROM read_parquet(?)", [[pattern(path) for path in paths]], whole)
    for path in paths:
        path.unlink()
    return whole


def _write(cursor: DuckDBPyConnection, folder: Path, as_of: AsOf, name: str, start: datetime, end: datetime) -> Path:
    """Write the rows of [start, end) to an unfinished file; return its path."""
    kind = as_of.kind
    path = folder / kind.table / f"{name}{UNFINISHED}"
    columns = as_instants(schema.columns(cursor, kind.table))
    query = _ROWS.format(columns=columns, rows=as_of.rows, key=", ".join(kind.key), time=kind.time)
    write(cursor, query, {"start": start, "end": end, **as_of.ends}, path)
    return path
