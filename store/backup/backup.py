"""Backup: a consistent copy of the database as Parquet, made while recording goes on.

The backup reads the rows of all kinds as they were at one instant, over as many short leases as it needs, and copies
them by day, and older months with few rows as a whole. It copies all other tables under the first lease. If rows are
deleted meanwhile, it copies everything again. The name of a file ends with a part of its hash. The manifest is replaced
last: if the backup fails before that, the folder still has the backup before.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from settings import VERSION
from store import kinds
from store.errors import StoreError
from store.file import schema
from store.file.database import Database
from store.file.disk import in_one_line, put, sync
from store.file.locks import alone
from store.file.rows import AsOf, of_one_instant
from store.kinds import TICKS, Kind
from store.models import utc_now
from store.prices import candles
from store.progress import Tell, unheard

from .days import Days, Limits, copied, look_at
from .losses import lost
from .manifest import NAME, File, Manifest, as_text, read_manifest
from .whole_tables import UNFINISHED, WholeTables, names_of_finished

_LIMITS = Limits()


@dataclass(frozen=True)
class Made:
    """The result of a backup.

    Attributes:
        rows: the number of rows of each kind's table; a table that never had any is left out.
        days: the number of files for the days, and for months with few rows, of these tables.
        written: the number of these files that were written.
        left_out: what the backup lacks, in words.
    """

    rows: Mapping[str, int]
    days: int
    written: int
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Copied:
    manifest: Manifest
    made: Made


def backup(database: Database, folder: Path, tell: Tell = unheard, limits: Limits = _LIMITS) -> Made:
    """Make a backup in a folder, or bring the one in it up to date.

    `tell` is called after each lease. What it raises ends the backup, and the folder still has the backup before.

    Raises:
        StoreError: the database or the folder can't be used, or the backup has rows that the database doesn't have.
            The folder still has the backup before.
    """
    with _alone(folder), duckdb.connect(config={"memory_limit": database.memory_limit}) as parquet:
        before = read_manifest(folder)
        try:
            new = of_one_instant(partial(_copied, database, folder, before, parquet, tell, limits))
            for table in new.made.rows:
                sync(folder / table)
            put(folder / NAME, as_text(new.manifest), UNFINISHED)
        except BaseException:
            _sweep(folder, before, before)
            raise
        _sweep(folder, before, new.manifest)
    return new.made


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Allow one backup into a folder at a time, and turn errors of the system and of DuckDB into one line."""
    try:
        with in_one_line(folder):
            (folder / TICKS.table).mkdir(parents=True, exist_ok=True)
            with alone(folder / ".lock", f"another backup into {folder} is under way"):
                yield
    except duckdb.Error as error:
        raise StoreError(f"the backup failed: {' '.join(str(error).split())}") from error


def _copied(
    database: Database,
    folder: Path,
    before: Manifest | None,
    parquet: DuckDBPyConnection,
    tell: Tell,
    limits: Limits,
) -> _Copied | None:
    """Copy the days and tables that changed to new files; None if rows were deleted meanwhile."""
    now, known = utc_now(), before.tables if before else {}
    with database.read() as cursor:
        all_instants = [AsOf.take(cursor, kind) for kind in kinds.kinds_of(schema.tables(cursor))]
        found = schema.version(cursor)
        daily = {table for each in all_instants for table in each.kind.tables}
        whole = WholeTables.copy(cursor, folder, without={*daily, *candles.TABLES})
    instants = [each for each in all_instants if each.count or each.kind.table in {TICKS.table, *known}]
    all_days = [look_at(database, each, known.get(each.kind.table, []), limits.rows, tell) for each in instants]
    check = partial(_refuse_a_loss, parquet, folder, before.made_at if before else now, whole.ours)
    tables = _copied_days(database, folder, parquet, all_days, tell, limits, check)
    with database.read() as cursor:
        if not all(each.holds(cursor) for each in instants):
            return None
    rows = {table: sum(file.rows for file in files) for table, files in tables.items()}
    made = Made(rows, sum(map(len, tables.values())), sum(len(days.changed) for days in all_days))
    tables |= whole.finished(parquet, folder)
    return _Copied(Manifest(found, VERSION, now, tables), replace(made, left_out=tuple(whole.left_out)))


def _copied_days(
    database: Database,
    folder: Path,
    parquet: DuckDBPyConnection,
    all_days: Sequence[Days],
    tell: Tell,
    limits: Limits,
    check: Callable[[Kind, File, Path | None], None],
) -> dict[str, list[File]]:
    """Copy the changed days of all kinds; return the files of each table, by day."""
    for days in all_days:
        for file in days.gone:
            check(days.as_of.kind, file, None)
    total, done = sum(len(days.counted) for days in all_days), 0
    tables: dict[str, list[File]] = {}
    for days in all_days:
        (folder / days.table).mkdir(exist_ok=True)
        files = days.unchanged
        for some in copied(database, folder, parquet, days, limits, partial(check, days.as_of.kind)):
            files |= some
            tell(done + len(files), total)
        done += len(files)
        tables[days.table] = [files[day] for day in sorted(files)]
    return tables


def _refuse_a_loss(
    parquet: DuckDBPyConnection,
    folder: Path,
    copied_at: datetime,
    copies: Mapping[str, Path],
    kind: Kind,
    old: File,
    new: Path | None,
) -> None:
    if count := lost(parquet, kind, folder / old.path, copied_at, new, copies):
        raise StoreError(
            f"{folder} has {kind.table} that the database doesn't have, {count:,} of {old.day} for one: restore it "
            "first, or back up into another folder; it was left as it is"
        )


def _sweep(folder: Path, before: Manifest | None, manifest: Manifest | None) -> None:
    """Remove files of backups that the manifest doesn't name: unfinished files, and files that were replaced."""
    finished_names = names_of_finished()
    former, named = (_paths(folder, each) for each in (before, manifest))
    folders = [folder, *(folder / kind.table for kind in kinds.KINDS)]
    for path in [path for each in folders if each.is_dir() for path in each.iterdir()]:
        of_a_backup = path in former or finished_names.fullmatch(path.relative_to(folder).as_posix())
        if path not in named and (of_a_backup or path.name.endswith(UNFINISHED)) and path.is_file():
            path.unlink()


def _paths(folder: Path, manifest: Manifest | None) -> set[Path]:
    return {folder / file.path for file in manifest.files} if manifest else set()
