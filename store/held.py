"""A database file kept open for the threads of one process."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from . import schema
from .errors import BusyError, StoreError
from .locks import knocked

_LOOK_FOR_KNOCKS_S = 0.05


class Held:
    """The file kept open for this process. It is closed while somebody else waits, and opened at the next use."""

    def __init__(self, path: Path, opened: Callable[..., AbstractContextManager[DuckDBPyConnection]]) -> None:
        self._path = path
        self._opened = opened
        self._open = contextlib.ExitStack()
        self._connection: DuckDBPyConnection | None = None
        self._file: tuple[int, int] | None = None
        self._users = 0
        self._stepping_aside = False
        self._ended = False
        self._changed = threading.Condition()

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
            cursor = self._connection.cursor()
            self._users += 1
            return cursor

    def _step_aside_when_unused(self) -> None:
        """Close the file if that was asked for and the last cursor is back. Call with `_changed` held."""
        if (self._stepping_aside or self._ended) and not self._users:
            self._connection = None
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
            with self._changed, contextlib.suppress(StoreError):  # whoever can't look now can at the next turn
                if self._connection is not None and knocked(self._path):
                    self._stepping_aside = True
                    self._step_aside_when_unused()

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
