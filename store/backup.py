"""Backup: a consistent copy of all that was recorded as Parquet, taken while recording goes on.

The ticks of one instant (`store.snapshot`) are read over as many short leases as it takes; all other tables are copied
under the first one. When ticks are deleted meanwhile, all is copied anew. Ticks lie in a file for each day in UTC,
named with a piece of its hash. A day that is as it was is not written again. The manifest is replaced last: until then,
whatever happens, the backup is the one before.
"""

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection

from settings import VERSION

from . import candles, schema
from .database import Database
from .due import EPOCH
from .errors import BusyError, StoreError
from .locks import FileLock
from .manifest import NAME, File, Manifest, as_text, read_manifest, sha256_of
from .models import utc_now
from .snapshot import TRIES, Snapshot

TICKS = "ticks"

Tell = Callable[[int, int], None]
"""Hears how many of how many steps are done."""

PORTION = 2_000_000
"""So many rows are looked at under one lease, which takes some 20 ms."""

_UNFINISHED = ".tickwell-unfinished"
_OURS = re.compile(rf"-[0-9a-f]{{12}}\.parquet$|{re.escape(_UNFINISHED)}$")

# So long days are copied under one lease; one of 172,800 ticks takes 60 ms.
_LEASE_S = 0.1

_DAYS = """
SELECT ts::DATE, count(*), bit_xor(hash(index_name, ts, received_at, price, source, resolution_s))
FROM ticks
WHERE rowid >= ? AND rowid < ?
GROUP BY ALL
"""

_A_DAY = "SELECT {columns} FROM ticks WHERE rowid < ? AND ts >= ? AND ts < ? ORDER BY index_name, ts"
_ALL = "SELECT {columns} FROM {table} ORDER BY rowid"
_DESCRIBED = "SELECT count(*), min(epoch_us({time})), max(epoch_us({time})) FROM read_parquet(?)"
_LOST = "SELECT count(*) FROM (FROM read_parquet(?) EXCEPT FROM read_parquet(?))"


@dataclass(frozen=True)
class Made:
    """What a backup came to: its ticks and days, and how many days had to be written."""

    ticks: int
    days: int
    written: int


def backup(database: Database, folder: Path, tell: Tell = lambda _, __: None) -> Made:
    """Bring the backup in a folder up to the present, or make one.

    Raises:
        StoreError: the database or the folder can't be used, or the backup has ticks that the database doesn't have;
            the backup is then the one before.
    """
    with _alone(folder), duckdb.connect(config={"memory_limit": database.memory_limit}) as parquet:
        before = read_manifest(folder)
        try:
            manifest, written = _copied_at_once(database, folder, before, parquet, tell)
            _sync(folder / TICKS)
            _put(folder, NAME, as_text(manifest))
            before = manifest
        finally:
            _sweep(folder, before)
    days = manifest.tables[TICKS]
    return Made(sum(day.rows for day in days), len(days), written)


def as_instants(columns: Sequence[tuple[str, str]]) -> str:
    """A list for SELECT: what means UTC as instants, and back."""
    return ", ".join(
        f'"{name}" AT TIME ZONE \'UTC\' AS "{name}"' if type_.startswith("TIMESTAMP") else f'"{name}"'
        for name, type_ in columns
    )


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One backup into a folder at a time; what the system refuses is one line."""
    try:
        (folder / TICKS).mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        if not lock.try_acquire():
            raise BusyError(f"another backup into {folder} is under way")
        try:
            yield
        finally:
            lock.release()
    except OSError as error:
        raise StoreError(f"{error.filename or folder} can't be written: {error.strerror}") from error
    except duckdb.Error as error:
        raise StoreError(f"the backup failed: {' '.join(str(error).split())}") from error


def _copied_at_once(
    database: Database, folder: Path, before: Manifest | None, parquet: DuckDBPyConnection, tell: Tell
) -> tuple[Manifest, int]:
    """Copy what changed, beside what is there; what the manifest shall be, and how many days were written."""
    for _ in range(TRIES):
        if (copied := _copied(database, folder, before, parquet, tell)) is not None:
            return copied
    raise StoreError(f"ticks were deleted from {database.path.name} each time that it was read: try again later")


def _copied(
    database: Database, folder: Path, before: Manifest | None, parquet: DuckDBPyConnection, tell: Tell
) -> tuple[Manifest, int] | None:
    now = utc_now()
    with database.read() as cursor:
        snapshot = Snapshot.take(cursor)
        found = schema.version(cursor)
        columns = as_instants(schema.columns(cursor, TICKS))
        whole = set(schema.tables(cursor)) - {TICKS, *candles.TABLES}
        copied = {table: _table(cursor, folder, table) for table in sorted(whole)}
    known = {file.day: file for file in before.tables[TICKS]} if before else {}
    days = _days(database, snapshot.end)
    _refuse_losses(folder, known, days)
    unchanged = {day: file for day, file in known.items() if days[day] == (file.rows, file.digest)}
    todo = sorted(days.keys() - unchanged.keys())
    files = dict(unchanged)
    while todo:
        for day, path in _some_days(database, folder, columns, snapshot.end, todo):
            file = _finished(parquet, folder, path, "ts")
            files[day] = replace(file, day=day, digest=days[day][1])
            if day in known:
                _refuse_a_loss(parquet, folder, known[day], file)
        todo = [day for day in todo if day not in files]
        tell(len(files), len(days))
    with database.read() as cursor:
        if not snapshot.holds(cursor):
            return None
    others = {table: [_finished(parquet, folder, path, time)] for table, (path, time) in copied.items()}
    tables = {TICKS: [files[day] for day in sorted(files)], **others}
    return Manifest(found, VERSION, now, tables), len(days) - len(unchanged)


def _table(cursor: DuckDBPyConnection, folder: Path, table: str) -> tuple[Path, str | None]:
    """Copy a table; where to, and its first column of times."""
    columns = schema.columns(cursor, table)
    path = folder / f"{table}{_UNFINISHED}"
    _write(cursor, _ALL.format(columns=as_instants(columns), table=f'"{table}"'), [], path)
    return path, next((name for name, type_ in columns if type_.startswith("TIMESTAMP")), None)


def _days(database: Database, end: int) -> dict[str, tuple[int, int]]:
    """Of each day how many ticks it has, and their digest."""
    days: dict[str, tuple[int, int]] = {}
    for first in range(0, end, PORTION):
        with database.read() as cursor:
            for day, count, digest in cursor.execute(_DAYS, [first, min(first + PORTION, end)]).fetchall():
                counted, digested = days.get(str(day), (0, 0))
                days[str(day)] = (counted + count, digested ^ digest)
    return days


def _some_days(
    database: Database, folder: Path, columns: str, before: int, days: Sequence[str]
) -> list[tuple[str, Path]]:
    """Copy days under one lease of a tenth of a second, or one day that takes longer; which, and where to."""
    copied = []
    with database.read() as cursor:
        until = time.monotonic() + _LEASE_S
        for day in days:
            path = folder / TICKS / f"{day}{_UNFINISHED}"
            start = date.fromisoformat(day)
            _write(cursor, _A_DAY.format(columns=columns), [before, start, start + timedelta(days=1)], path)
            copied.append((day, path))
            if time.monotonic() >= until:
                break
    return copied


def _write(cursor: DuckDBPyConnection, query: str, values: list[Any], path: Path) -> None:
    cursor.sql(query, params=values).write_parquet(str(path), compression="zstd")


def _finished(parquet: DuckDBPyConnection, folder: Path, path: Path, time_column: str | None) -> File:
    """Have a file on the disk, under the name of its hash, and say what is in it."""
    sha256 = sha256_of(path)
    its_name = path.with_name(f"{path.stem}-{sha256[:12]}.parquet")
    _sync(path)
    path.rename(its_name)
    return File(str(its_name.relative_to(folder)), *describe(parquet, its_name, time_column), time_column, sha256)


def describe(parquet: DuckDBPyConnection, path: Path, time_column: str | None) -> tuple[int, str | None, str | None]:
    """How many rows a Parquet file has, its first and its last time; `parquet` is any connection."""
    query = _DESCRIBED.format(time=f'"{time_column}"' if time_column else "NULL::TIMESTAMP")
    ((rows, first, last),) = parquet.execute(query, [str(path)]).fetchall()
    return rows, _instant(first), _instant(last)


def _instant(epoch_us: int | None) -> str | None:
    return None if epoch_us is None else (EPOCH + timedelta(microseconds=epoch_us)).isoformat()


def _refuse_losses(folder: Path, known: dict[str, File], days: dict[str, tuple[int, int]]) -> None:
    for day, file in known.items():
        if (count := days.get(day, (0, 0))[0]) < file.rows:
            raise _loss(folder, file.rows - count, day)


def _refuse_a_loss(parquet: DuckDBPyConnection, folder: Path, old: File, new: File) -> None:
    ((lost,),) = parquet.execute(_LOST, [str(folder / file.path) for file in (old, new)]).fetchall()
    if lost:
        raise _loss(folder, lost, old.day)


def _loss(folder: Path, count: int, day: str) -> StoreError:
    return StoreError(
        f"{folder} has ticks that the database doesn't have, {count:,} of {day} for one: restore it first, or back up "
        "into another folder; it was left as it is"
    )


def _put(folder: Path, name: str, text: str) -> None:
    """Replace a file durably, as a whole."""
    new = folder / f"{name}{_UNFINISHED}"
    new.write_text(text)
    _sync(new)
    new.rename(folder / name)
    _sync(folder)


def _sync(path: Path) -> None:
    """Have the system write a file or a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(folder: Path, manifest: Manifest | None) -> None:
    """Remove what backups left that no manifest names: of one that was interrupted, or days that were replaced."""
    named = {folder / file.path for file in manifest.files} if manifest else set()
    for path in [*folder.iterdir(), *(folder / TICKS).iterdir()]:
        if _OURS.search(path.name) and path not in named:
            path.unlink()
