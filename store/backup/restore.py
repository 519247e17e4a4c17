"""Restore: makes a database file from a backup, with the same rows."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from duckdb import DuckDBPyConnection

from settings import VERSION
from store.errors import StoreError
from store.file import schema
from store.file.database import Database
from store.file.recorder import Notice, RecorderLock
from store.models import utc_now
from store.prices import candles, overruled
from store.progress import Tell, unheard

from .copies import take_in
from .manifest import Manifest
from .verify import faults_of_backup, names_of, what_it_holds

_AT_ONCE = 50
"""One statement reads at most 50 files."""


def restore(folder: Path, database: Database, tell: Tell = unheard) -> Manifest:
    """Make a database file from a backup, and migrate a backup of an older version.

    Returns:
        The manifest of the backup.

    Raises:
        StoreError: the folder has no sound backup, the file exists already, or a recorder is at work on it. Nothing was
            written.
    """
    manifest = what_it_holds(folder)
    if manifest is None:
        raise StoreError(f"{folder} is no folder")
    database.require_no_file()
    for fault in faults_of_backup(folder, manifest, database.memory_limit):
        raise StoreError(f"{folder} is damaged, nothing was restored: {fault}")
    with having_the_file(database):
        database.create(partial(_fill, folder, manifest, tell))
    return manifest


@contextlib.contextmanager
def having_the_file(database: Database) -> Iterator[None]:
    """Keep recorders from a file that is being made.

    Raises:
        StoreError: the file exists already, or a recorder is at work on it.
    """
    database.require_no_file()
    now = utc_now()
    lock = RecorderLock(database.path)
    notice = Notice(os.getpid(), "restore", now, 1, (), VERSION, "starting", now)
    lock.acquire(notice)
    try:
        yield
    finally:
        lock.publish(replace(notice, state="stopped", state_since=utc_now()))
        lock.release()


def fold(connection: DuckDBPyConnection) -> None:
    """Fold the ticks into candles, which no backup has, so that pages don't do that at each read."""
    now, more = utc_now(), True
    while more:
        connection.execute("BEGIN TRANSACTION")
        more = candles.close(connection, now)
        connection.execute("COMMIT")


def _fill(folder: Path, manifest: Manifest, tell: Tell, connection: DuckDBPyConnection) -> None:
    schema.migrate(connection, up_to=manifest.schema)
    connection.execute("DELETE FROM migrations")  # the backup has this table too
    total, done = len(list(manifest.files)), 0
    ours = schema.tables(connection)
    names = names_of(manifest, ours)
    for table, files in manifest.tables.items():
        made = names[table] in ours
        for first in range(0, len(files), _AT_ONCE):
            paths = [folder / file.path for file in files[first : first + _AT_ONCE]]
            take_in(connection, names[table], paths, made=made)
            made = True
            done += len(paths)
            tell(done, total)
    schema.migrate(connection)
    overruled.reach_of_all(connection)
    fold(connection)
