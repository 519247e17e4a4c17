"""Backup: a consistent copy of all that was recorded as Parquet, taken while recording goes on.

The ticks of one instant (`store.prices.snapshot`) are read over as many short leases as it takes; all other tables are
copied under the first one. When ticks are deleted meanwhile, all is copied anew. Ticks lie in a file for each day in
UTC, named with a piece of its hash. A day that is as it was is not written again. The manifest is replaced last: until
then, whatever happens, the backup is the one before.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from settings import VERSION
from store.errors import StoreError
from store.file import schema
from store.file.database import ROWS_A_LEASE, Database
from store.file.disk import in_one_line, put, sync
from store.file.locks import alone
from store.models import utc_now
from store.prices import candles
from store.prices.snapshot import Snapshot, of_one_instant
from store.progress import Tell, unheard

from .copies import as_instants, write
from .losses import lost
from .manifest import NAME, File, Manifest, as_text, read_manifest
from .whole_tables import UNFINISHED, WholeTables, finished, names_of_finished

TICKS = "ticks"

_DAYS = """
SELECT ts::DATE, count(*), bit_xor(hash(index_name, ts, received_at, price, source, resolution_s))
FROM ticks
WHERE rowid >= ? AND rowid < ?
GROUP BY ALL
"""

_A_DAY = "SELECT {columns} FROM ticks WHERE rowid < ? AND ts >= ? AND ts < ? ORDER BY index_name, ts"


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
class Made:
    """What a backup came to: its ticks and days, how many days had to be written, and in words what it lacks."""

    ticks: int
    days: int
    written: int
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Copied:
    manifest: Manifest
    written: int
    left_out: tuple[str, ...]


def backup(database: Database, folder: Path, tell: Tell = unheard, limits: Limits = Limits()) -> Made:
    """Bring the backup in a folder up to the present, or make one.

    Raises:
        StoreError: the database or the folder can't be used, or the backup has ticks that the database doesn't have;
            the backup is then the one before.
    """
    with _alone(folder), duckdb.connect(config={"memory_limit": database.memory_limit}) as parquet:
        before = read_manifest(folder)
        try:
            copied = of_one_instant(database, partial(_copied, database, folder, before, parquet, tell, limits))
            sync(folder / TICKS)
            put(folder / NAME, as_text(copied.manifest), UNFINISHED)
        except BaseException:
            _sweep(folder, before, before)
            raise
        _sweep(folder, before, copied.manifest)
    days = copied.manifest.tables[TICKS]
    return Made(sum(day.rows for day in days), len(days), copied.written, copied.left_out)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One backup into a folder at a time; what the system refuses is one line."""
    try:
        with in_one_line(folder):
            (folder / TICKS).mkdir(parents=True, exist_ok=True)
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
    """Copy what changed, beside what is there; None if ticks were deleted meanwhile."""
    now = utc_now()
    with database.read() as cursor:
        snapshot = Snapshot.take(cursor)
        found = schema.version(cursor)
        columns = as_instants(schema.columns(cursor, TICKS))
        whole = WholeTables.copy(cursor, folder, without={TICKS, *candles.TABLES})
    known = {file.day: file for file in before.tables[TICKS]} if before else {}
    check = partial(_refuse_a_loss, parquet, folder, before.made_at if before else now, whole.ours)
    days = _days(database, snapshot.end, limits.rows)
    for day in known.keys() - days.keys():
        check(known[day], None)
    files = {day: file for day, file in known.items() if days.get(day) == (file.rows, file.digest)}
    unchanged = len(files)
    # A day that has fewer ticks comes first: if they are lost, no other day is copied in vain.
    todo = sorted(days.keys() - files.keys(), key=lambda day: (not _shrank(known.get(day), days[day][0]), day))
    while todo:
        for day, path in _some_days(database, folder, columns, snapshot.end, todo, limits.copy_s):
            file = finished(parquet, folder, path, "ts")
            files[day] = replace(file, day=day, digest=days[day][1])
            if day in known:
                check(known[day], folder / file.path)
        todo = [day for day in todo if day not in files]
        tell(len(files), len(days))
    with database.read() as cursor:
        if not snapshot.holds(cursor):
            return None
    tables = {TICKS: [files[day] for day in sorted(files)], **whole.finished(parquet, folder)}
    return _Copied(Manifest(found, VERSION, now, tables), len(days) - unchanged, tuple(whole.left_out))


def _days(database: Database, end: int, rows: int) -> dict[str, tuple[int, int]]:
    """Of each day how many ticks it has, and their digest."""
    days: dict[str, tuple[int, int]] = {}
    for first in range(0, end, rows):
        with database.read() as cursor:
            for day, count, digest in cursor.execute(_DAYS, [first, min(first + rows, end)]).fetchall():
                counted, digested = days.get(str(day), (0, 0))
                days[str(day)] = (counted + count, digested ^ digest)
    return days


def _some_days(
    database: Database, folder: Path, columns: str, before: int, days: Sequence[str], copy_s: float
) -> list[tuple[str, Path]]:
    """Copy days under one lease of `copy_s` seconds, or one day that takes longer; which, and where to."""
    copied = []
    with database.read() as cursor:
        until = time.monotonic() + copy_s
        for day in days:
            path = folder / TICKS / f"{day}{UNFINISHED}"
            start = date.fromisoformat(day)
            write(cursor, _A_DAY.format(columns=columns), [before, start, start + timedelta(days=1)], path)
            copied.append((day, path))
            if time.monotonic() >= until:
                break
    return copied


def _shrank(known: File | None, count: int) -> bool:
    return known is not None and count < known.rows


def _refuse_a_loss(
    parquet: DuckDBPyConnection,
    folder: Path,
    copied_at: datetime,
    copies: Mapping[str, Path],
    old: File,
    new: Path | None,
) -> None:
    if count := lost(parquet, folder / old.path, copied_at, new, copies):
        raise StoreError(
            f"{folder} has ticks that the database doesn't have, {count:,} of {old.day} for one: restore it first, or "
            "back up into another folder; it was left as it is"
        )


def _sweep(folder: Path, before: Manifest | None, manifest: Manifest | None) -> None:
    """Remove what backups left that the manifest doesn't name: interrupted ones, or files that were replaced."""
    its_names = names_of_finished()
    former, named = (_paths(folder, each) for each in (before, manifest))
    for path in [*folder.iterdir(), *(folder / TICKS).iterdir()]:
        its_own = path in former or its_names.fullmatch(path.relative_to(folder).as_posix())
        if path not in named and (its_own or path.name.endswith(UNFINISHED)) and path.is_file():
            path.unlink()


def _paths(folder: Path, manifest: Manifest | None) -> set[Path]:
    return {folder / file.path for file in manifest.files} if manifest else set()
