"""Days: how a backup copies the table of a kind, in a file for each day in UTC. A day that is as it was stays."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from duckdb import DuckDBPyConnection

from store.file import schema
from store.file.database import ROWS_A_LEASE, Database
from store.file.rows import AsOf

from .copies import as_instants, write
from .manifest import File
from .whole_tables import UNFINISHED, finished

_DAYS = """
SELECT ts::DATE, count(*), bit_xor(hash({columns}))
FROM {table}
WHERE rowid >= ? AND rowid < ?
GROUP BY ALL
"""

_A_DAY = "SELECT {columns} FROM {table} WHERE rowid < ? AND ts >= ? AND ts < ? ORDER BY {key}, ts"


@dataclass(frozen=True)
class Limits:
    """How much is done under one lease.

    Attributes:
        rows: how many rows are looked at, to see which days changed.
        copy_s: how long days are copied; one of 172,800 ticks takes 60 ms.
    """

    rows: int = ROWS_A_LEASE
    copy_s: float = 0.1


@dataclass(frozen=True)
class Days:
    """The days of a kind's table.

    Attributes:
        as_of: the rows that they are of.
        counted: of each day how many rows it has, and their digest.
        before: the files of the backup before, by day.
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
        """The files of days that are as they were."""
        return {day: file for day, file in self.before.items() if self.counted.get(day) == (file.rows, file.digest)}

    @property
    def changed(self) -> list[str]:
        """The others. A day that has fewer rows comes first: if they are lost, no other day is copied in vain."""
        return sorted(self.counted.keys() - self.unchanged.keys(), key=lambda day: (not self._shrank(day), day))

    def _shrank(self, day: str) -> bool:
        return day in self.before and self.counted[day][0] < self.before[day].rows


def look_at(database: Database, as_of: AsOf, before: Sequence[File], rows: int) -> Days:
    """See which days there are, over leases of so many rows each; `before` are the files of the backup before."""
    counted: dict[str, tuple[int, int]] = {}
    query = _DAYS.format(columns=", ".join(as_of.kind.column_names), table=as_of.kind.table)
    for first in range(0, as_of.end, rows):
        with database.read() as cursor:
            for day, count, digest in cursor.execute(query, [first, min(first + rows, as_of.end)]).fetchall():
                count_before, digest_before = counted.get(str(day), (0, 0))
                counted[str(day)] = (count_before + count, digest_before ^ digest)
    return Days(as_of, counted, {file.day: file for file in before if file.day})


def copied(
    database: Database,
    folder: Path,
    parquet: DuckDBPyConnection,
    days: Days,
    copy_s: float,
    check: Callable[[File, Path], None],
) -> Iterator[dict[str, File]]:
    """Copy the days that changed, over leases of `copy_s` seconds; the files of each, by day.

    `check` sees each copy that takes the place of another one.
    """
    todo = days.changed
    while todo:
        files = {}
        for day, path in _some_days(database, folder, days.as_of, todo, copy_s):
            files[day] = replace(finished(parquet, folder, path, "ts"), day=day, digest=days.counted[day][1])
            if day in days.before:
                check(days.before[day], folder / files[day].path)
        todo = todo[len(files) :]
        yield files


def _some_days(
    database: Database, folder: Path, as_of: AsOf, days: Sequence[str], copy_s: float
) -> list[tuple[str, Path]]:
    """Copy days under one lease of `copy_s` seconds, or one day that takes longer; which, and where to."""
    table, key = as_of.kind.table, ", ".join(as_of.kind.key)
    written = []
    with database.read() as cursor:
        query = _A_DAY.format(columns=as_instants(schema.columns(cursor, table)), table=table, key=key)
        until = time.monotonic() + copy_s
        for day in days:
            path = folder / table / f"{day}{UNFINISHED}"
            start = date.fromisoformat(day)
            write(cursor, query, [as_of.end, start, start + timedelta(days=1)], path)
            written.append((day, path))
            if time.monotonic() >= until:
                break
    return written
