"""A database file kept open for the threads of one process."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from . import schema
from .errors import BusyError, StoreError
from .locks import knocked

_LOOK_FOR_KNOCKS_S = 0.05

# What DuckDB has read it keeps in memory up to its limit, however long ago that was: once the ledger of 60 M ticks was
# begun, 230 MB. What pages and recorder read again and again is a few MB. Closing the file frees it all. An export of
# 30 M ticks reads 30 MB a second: looked at each 20 s, a dashboard took 640 MB for one, and 500 MB at each second.
_MOST_KEPT_BYTES = 64 * 1024**2
_LOOK_AT_MEMORY_S = 1.0

_KEPT_BYTES = """
SELECT sum(memory_usage_bytes)
FROM duckdb_memory()
"""


class Held:
    """The file kept open for this process until others wait for it or it takes much memory; the next use opens it."""

    def __init__(self, path: Path, opened: Callable[..., AbstractContextManager[DuckDBPyConnection]]) -> None:
        self._path = path
        self._opened = opened
        self._open = contextlib.ExitStack()
        self._connection: DuckDBPyConnection | None = None
        self._file: tuple[int, int] | None = None
        self._revision: object | None = None
        self._users = 0
        self._stepping_aside = False
        self._ended = False
        self._look_at_memory_at = 0.0
        self._changed = threading.Condition()

    @property
    def revision(self) -> object | None:
        """Stands for what is in the file: another object after each change; None while that can't be told.

        It can't while the file is not open here, as then others may write it, and while a transaction commits.
        """
        return self._revision if self._file == _identity(self._path) else None

    @contextlib.contextmanager
    def committing(self) -> Iterator[None]:
        """Within the block what is in the file changes."""
        self._revision = None
        try:
            yield
        finally:
            self._revision = None if self._connection is None else object()

    @contextlib.contextmanager
    def lend(self, wait_s: float) -> Iterator[DuckDBPyConnection]:
        cursor = self._take(wait_s)
        try:
            yield cursor
        except (duckdb.FatalException, duckdb.InternalException):
            self._stepping_aside = True  # DuckDB refuses all further work on this connection: open the file anew
            raise
        finally:
            with self._changed:
                with contextlib.suppress(duckdb.Error):
                    cursor.close()
                self._users -= 1
                self._step_aside_when_unused()

    def _take(self, wait_s: float) -> DuckDBPyConnection:
        with self._changed:
            if self._connection is not None and self._file != _identity(self._path):
                self._stepping_aside = True  # it was deleted or replaced: what we hold is on no disk for anybody else
                self._step_aside_when_unused()
            if not self._changed.wait_for(lambda: not self._stepping_aside, wait_s):
                raise BusyError(f"{self._path.name} is wanted elsewhere, but a lease on it did not end")
            if self._connection is None:
                self._file = _identity(self._path)
                with contextlib.ExitStack() as opening:
                    connection = opening.enter_context(self._opened(wait_s, read_only=False))
                    schema.require_tables(connection)
                    self._open = opening.pop_all()
                self._connection = connection
                self._revision = object()
            cursor = self._connection.cursor()
            self._users += 1
            return cursor

    def _step_aside_when_unused(self) -> None:
        """Close the file if that was asked for and the last cursor is back. Call with `_changed` held."""
        if (self._stepping_aside or self._ended) and not self._users:
            self._connection = self._revision = None
            self._stepping_aside = False
            self._open.close()
            self._changed.notify_all()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Look for knocks as long as the block lasts, so that a quiet holder notices them too."""
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done,), name="tickwell-lease", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(_LOOK_FOR_KNOCKS_S):
            with (
                self._changed,
                contextlib.suppress(StoreError, duckdb.Error),
            ):  # who can't look now can at the next turn
                if self._connection is not None and (knocked(self._path) or self._keeps_much(self._connection)):
                    self._stepping_aside = True
                    self._step_aside_when_unused()

    def _keeps_much(self, connection: DuckDBPyConnection) -> bool:
        """Is so much of the file kept in memory that it should be closed to free that? Looked at now and then."""
        if time.monotonic() < self._look_at_memory_at:
            return False
        self._look_at_memory_at = time.monotonic() + _LOOK_AT_MEMORY_S
        ((kept,),) = connection.execute(_KEPT_BYTES).fetchall()
        return bool(kept > _MOST_KEPT_BYTES)

    def close(self) -> None:
        """Let go of the file, within two seconds if cursors are still out; after that the last of them does it."""
        with self._changed:
            self._ended = True
            self._changed.wait_for(lambda: not self._users, 2)
            self._step_aside_when_unused()


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file lies at a path: its device and number; None if there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 a third of the time of Path.stat, at each lease
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
