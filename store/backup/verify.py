"""Verify: checks that a backup or a database file is complete, readable and sound."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection

from store.errors import StoreError
from store.file import schema
from store.file.database import ROWS_A_LEASE, Database
from store.file.disk import sha256_of
from store.kinds import KINDS, Kind, kinds_of
from store.ledger import gap_table

from .copies import describe, take_in
from .manifest import File, Manifest, read_manifest

_END = "SELECT coalesce(max(rowid) + 1, 0) FROM {table}"

# The hash includes each value of each row, so that DuckDB reads each block of the file.
_READ = "SELECT bit_xor(hash({columns})) FROM {table} WHERE rowid >= ? AND rowid < ?"

_UNSOUND = """
SELECT count(*)
FROM {table}
WHERE rowid >= ?
  AND rowid < ?
  AND NOT coalesce({sound}, false)
"""

_DAYS = """
SELECT {time}::DATE, count(*)
FROM {table}
WHERE {time} IS NOT NULL
GROUP BY ALL
ORDER BY ALL
"""

_DOUBLED = """
SELECT {time}::DATE, count(*) - count(DISTINCT ({key}, {time}))
FROM {table}
WHERE {time} >= ?
  AND {time} < ?
GROUP BY ALL
HAVING count(*) > count(DISTINCT ({key}, {time}))
ORDER BY ALL
"""

# If a snapshot has no row left, somebody removed them by hand.
_INCOMPLETE = """
SELECT found.ts::DATE, count(*)
FROM (
    SELECT '{name}/' || {end} AS feed, {time} AS ts, count(*) AS rows
    FROM {table}
    WHERE {time} >= $start
      AND {time} < $end
    GROUP BY ALL
) AS found
JOIN snapshots ON snapshots.feed = found.feed AND snapshots.ts = found.ts
WHERE found.rows <> snapshots.rows
GROUP BY ALL
ORDER BY ALL
"""

# One lease compares about 200,000 rows with each other, which takes 0.1 s, or a single day that has more rows.
_COMPARED = 200_000


def faults_of_backup(folder: Path, manifest: Manifest, memory_limit: str) -> Iterator[str]:
    """The faults of a backup, a line each. All of it is read, and a trial restores each table without its rows."""
    with duckdb.connect(config={"memory_limit": memory_limit}) as trial:
        schema.migrate(trial, up_to=manifest.schema)
        ours = schema.tables(trial)
        names, sound = names_of(manifest, ours), True
        for table, files in manifest.tables.items():
            made = names[table] in ours
            for file in files:
                path = folder / file.path
                fault = _fault_of(trial, path, file) or _refusal(trial, names[table], path, made=made)
                if fault is None:
                    made = True
                else:
                    sound = False
                    yield f"{file.path} {fault}"
        if sound and (fault := _fault_of_steps(trial, folder, manifest)) is not None:
            yield fault


def names_of(manifest: Manifest, ours: Sequence[str]) -> dict[str, str]:
    """The names of a backup's tables after a restore, by their names in the backup.

    Rows of a kind with several tables go into the first of them. A user's own table gets another name if a later
    migration needs its name.
    """
    firsts = {kind.table: kind.tables[0] for kind in KINDS if kind.tables[0] in ours}
    needed = {name.casefold() for name in schema.ours()}
    names, taken = {}, needed | {table.casefold() for table in manifest.tables}
    for table in manifest.tables:
        name = firsts.get(table, table)
        if name not in ours and table.casefold() in needed:
            while name.casefold() in taken:
                name = f"own_{name}"
            taken.add(name.casefold())
        names[table] = name
    return names


def faults_of_database(database: Database) -> Iterator[str]:
    """The faults of a database file, a line each. All of it is read, over many short leases.

    Raises:
        StoreError: the file can't be opened, or its list of tables can't be read.
    """
    with database.read() as cursor:
        queries = {table: _reading(cursor, table) for table in schema.tables(cursor)}
        ends = {table: cursor.execute(_END.format(table=schema.quoted(table))).fetchall()[0][0] for table in queries}
    for table, query in queries.items():
        try:
            for first in range(0, ends[table], ROWS_A_LEASE):
                _ask(database, query, [first, first + ROWS_A_LEASE])
        except StoreError as error:
            yield f"{table} can't be read: {error}"
            return
    for kind in kinds_of(ends):
        yield from _faults_of_kind(database, kind, ends)
    with database.read() as cursor:
        unlike = gap_table.unlike(cursor)
    if unlike:
        yield f"gaps does not follow from gap_events, rows: {unlike:,}; python -m poller rebuild makes it again"


def what_it_holds(path: Path) -> Manifest | None:
    """The manifest of the backup at a path; None for anything but a folder.

    Raises:
        StoreError: there is no backup in the folder, or none that this version can read.
    """
    if not path.is_dir():
        return None
    if (manifest := read_manifest(path)) is None:
        raise StoreError(f"there is no backup in {path}")
    return manifest


def _faults_of_kind(database: Database, kind: Kind, ends: Mapping[str, int]) -> Iterator[str]:
    if unsound := sum(_unsound(database, kind, table, ends[table]) for table in kind.tables):
        yield f"{kind.table}: {unsound:,} rows lack {kind.lacking}"
    names = {"table": kind.table, "key": ", ".join(kind.key), "time": kind.time, "name": kind.name, "end": kind.key[0]}
    for start, end in _spans(_ask(database, _DAYS.format(**names), [])):
        for day, doubled in _ask(database, _DOUBLED.format(**names), [start, end]):
            yield f"{kind.table}: {doubled:,} rows of {day} are duplicates"
        if kind.snapshots == kind.name:
            for day, count in _ask(database, _INCOMPLETE.format(**names), {"start": start, "end": end}):
                yield f"{kind.table}: {count:,} snapshots of {day} have more or fewer rows than they brought"


def _unsound(database: Database, kind: Kind, table: str, rows_end: int) -> int:
    query = _UNSOUND.format(table=table, sound=kind.sound)
    portions = range(0, rows_end, ROWS_A_LEASE)
    return sum(count for first in portions for (count,) in _ask(database, query, [first, first + ROWS_A_LEASE]))


def _spans(days: list[tuple[date, int]]) -> Iterator[tuple[date, date]]:
    """Half-open ranges of days that have about `_COMPARED` rows each; a day with more rows is a range by itself."""
    start, compared = None, 0
    for day, count in days:
        start, compared = start or day, compared + count
        if compared >= _COMPARED or day == days[-1][0]:
            yield start, day + timedelta(days=1)
            start, compared = None, 0


def _reading(cursor: DuckDBPyConnection, table: str) -> str:
    names = ", ".join(schema.quoted(name) for name, _ in schema.columns(cursor, table))
    return _READ.format(columns=names, table=schema.quoted(table))


def _ask(database: Database, query: str, values: list[int] | list[date] | dict[str, date]) -> list[Any]:
    with database.read() as cursor:
        return cursor.execute(query, values).fetchall()


def _fault_of(parquet: DuckDBPyConnection, path: Path, file: File) -> str | None:
    """The fault of a file of a backup; None if there is none."""
    try:
        if not path.is_file():
            return "is no file" if path.exists() else "is missing"
        if sha256_of(path) != file.sha256:
            return "is not what was backed up: its SHA-256 differs"
        found = describe(parquet, path, file.time)
    except OSError as error:
        return f"can't be read: {error.strerror}"
    except duckdb.Error as error:
        return f"can't be read: {_in_one_line(error)}"
    if found == (file.rows, file.start, file.end):
        return None
    rows, start, end = found
    said = f"{file.rows:,} from {file.start} to {file.end}"
    return f"has {rows:,} rows from {start} to {end}, the manifest says {' '.join(said.split())}"


def _refusal(trial: DuckDBPyConnection, table: str, path: Path, *, made: bool) -> str | None:
    """Why the rows of a file don't fit a table; None if they do."""
    try:
        take_in(trial, table, [path], made=made, limit="LIMIT 0")
    except duckdb.Error as error:
        return f"can't be restored: {_in_one_line(error)}"
    return None


def _fault_of_steps(trial: DuckDBPyConnection, folder: Path, manifest: Manifest) -> str | None:
    """Why the restored tables can't be migrated to this version; None if they can. The trial has all tables, empty."""
    paths = [folder / file.path for file in manifest.tables.get("migrations", [])]
    trial.execute("DELETE FROM migrations")
    try:
        if paths:
            take_in(trial, "migrations", paths, made=True)
        if (found := schema.version(trial)) != manifest.schema:
            return f"the table migrations has schema {found}, the manifest says {manifest.schema}"
        schema.migrate(trial)
    except (duckdb.Error, StoreError) as error:
        return f"the tables can't be brought up to this version: {_in_one_line(error)}"
    return None


def _in_one_line(error: duckdb.Error | StoreError) -> str:
    return " ".join(str(error).split())
