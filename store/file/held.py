"""A database file kept open for the threads of one process."""

import contextlib
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import duckdb
from duckdb import DuckDBPyConnection

from store.errors import BusyError, StoreError

from . import schema
from .locks import knocked
from .opening import cursor_of

Use = Literal["read", "write"]

_LOOK_FOR_KNOCKS_S = 0.05

_WANTED = "wanted elsewhere, but a lease on it did not end"
_MOVING = "being opened or closed by another thread"

_KEPT_BYTES = """
SELECT sum(memory_usage_bytes)
FROM duckdb_memory()
"""


@dataclass(frozen=True)
class Limits:
    """When a held file is closed to free the memory that DuckDB keeps for it.

    DuckDB keeps all that it has read, up to its own limit: 230 MB after the first look through the gaps of 60 M ticks.
    Pages and recorder read a few MB again and again. Closing the file frees all of it.

    Attributes:
        kept_bytes: with more in memory the file is closed, as soon as nobody uses it.
        look_s: how often the memory is checked. While it exported 30 M ticks, which reads 30 MB a second, the dashboard
            took up to 640 MB with a check every 20 s, and up to 500 MB with a check every second.
    """

    kept_bytes: int = 64 * 1024**2
    look_s: float = 1.0


class Held:
    """The file kept open for this process until others wait for it or it takes much memory; the next use opens it.

    Opening and closing take time, or wait for other processes. They happen outside of `_changed`, one at a time, while
    `_moving` is true. Every other thread waits until they end, or until its own deadline.
    """

    def __init__(
        self,
        path: Path,
        opened: Callable[..., AbstractContextManager[DuckDBPyConnection]],
        limits: Limits = Limits(),
    ) -> None:
        self._path = path
        self._opened = opened
        self._limits = limits
        self._open = contextlib.ExitStack()
        self._connection: DuckDBPyConnection | None = None
        self._idle: defaultdict[Use, list[DuckDBPyConnection]] = defaultdict(list)
        self._file: tuple[int, int] | None = None
        self._revision: object | None = None
        self._users = 0
        self._moving = False
        self._stepping_aside = False
        self._ended = False
        self._look_at_memory_at = 0.0
        self._changed = threading.Condition()

    @property
    def revision(self) -> object | None:
        """An object that changes with the content of the file; None while changes can't be noticed.

        They can't while the file is not open here, since others may write it then, and during a commit.
        """
        file = self._file
        return self._revision if file is not None and file == _identity(self._path) else None

    @contextlib.contextmanager
    def committing(self) -> Iterator[None]:
        """Within the block the content of the file changes."""
        self._revision = None
        try:
            yield
        finally:
            self._revision = None if self._connection is None else object()

    @contextlib.contextmanager
    def lend(self, deadline: float, use: Use = "read") -> Iterator[DuckDBPyConnection]:
        """Lend a cursor of the file.

        Args:
            deadline: on the clock of `time.monotonic`.
            use: what for. A cursor that wrote is lent to writers alone: its temporary tables would stand before
                tables that a reader means.

        Raises:
            BusyError: the deadline passed.
            StoreError: this thread tried to open the file, and could not.
        """
        cursor = self._take(deadline, use)
        try:
            yield cursor
        finally:
            self._give_back(cursor, use)

    def renew(self) -> None:
        """Close the file once the last cursor is back; the next use opens it again."""
        with self._changed:
            self._stepping_aside = self._connection is not None
        self._close_when_unused()

    def _take(self, deadline: float, use: Use) -> DuckDBPyConnection:
        connection = self._connection
        if connection is not None and self._file != _identity(self._path):
            self._step_aside(connection)  # it was deleted or replaced: nobody else sees the file that we hold
        with self._changed:
            if not self._changed.wait_for(self._decided, deadline - time.monotonic()):
                raise BusyError(f"{self._path.name} is {_WANTED if self._stepping_aside else _MOVING}")
            if self._connection is not None:
                return self._cursor_of(self._connection, use)
            self._moving = True
        try:
            return self._take_anew(deadline, use)
        finally:
            self._moved()

    def _decided(self) -> bool:
        return not (self._moving or self._stepping_aside)

    def _take_anew(self, deadline: float, use: Use) -> DuckDBPyConnection:
        """Open the file, and take the first cursor before another thread can close it."""
        file = _identity(self._path)  # if the file is replaced from now on, the next lease notices
        with contextlib.ExitStack() as opening:
            connection = opening.enter_context(self._opened(deadline, read_only=False))
            schema.require_tables(connection)
            with self._changed:
                self._open, self._connection, self._file = opening.pop_all(), connection, file
                self._revision = object()
                return self._cursor_of(connection, use)

    def _cursor_of(self, connection: DuckDBPyConnection, use: Use) -> DuckDBPyConnection:
        """A cursor, which keeps the file open until it is returned. Call it with `_changed` held."""
        idle = self._idle[use]
        cursor = idle.pop() if idle else cursor_of(connection)
        self._users += 1
        return cursor

    def _give_back(self, cursor: DuckDBPyConnection, use: Use) -> None:
        """Take a cursor back to lend it again: making one takes as long as a small query."""
        with contextlib.suppress(duckdb.Error):
            cursor.execute("")  # drops a result that was not read to its end
        with self._changed:
            self._users -= 1
            self._idle[use].append(cursor)
        self._close_when_unused()

    def _step_aside(self, connection: DuckDBPyConnection) -> None:
        """Close the file once the last cursor is back, unless this connection was closed already."""
        with self._changed:
            if self._connection is connection:
                self._stepping_aside = True
        self._close_when_unused()

    def _close_when_unused(self) -> None:
        """Close the file if that was asked for and the last cursor is back."""
        with self._changed:
            if self._users or self._connection is None or not (self._stepping_aside or self._ended):
                return
            closing, self._open = self._open, contextlib.ExitStack()
            for idle in chain(*self._idle.values()):
                closing.callback(idle.close)
            self._idle.clear()
            self._connection = self._revision = None
            self._moving, self._stepping_aside = True, False
        try:
            closing.close()
        finally:
            self._moved()

    def _moved(self) -> None:
        with self._changed:
            self._moving = False
            self._changed.notify_all()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Look for knocks during the block, so that a holder without work notices them too."""
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
            connection = self._connection
            with contextlib.suppress(StoreError, duckdb.Error, OSError):  # the next turn looks again
                if connection is not None and (knocked(self._path) or self._keeps_much()):
                    self._step_aside(connection)

    def _keeps_much(self) -> bool:
        """Does the file take so much memory that it should be closed? Checked every `look_s`."""
        if time.monotonic() < self._look_at_memory_at:
            return False
        self._look_at_memory_at = time.monotonic() + self._limits.look_s
        with self._changed:
            if self._connection is None:
                return False
            cursor = self._cursor_of(self._connection, "read")
        try:
            ((kept,),) = cursor.execute(_KEPT_BYTES).fetchall()
        finally:
            self._give_back(cursor, "read")
        return bool(kept > self._limits.kept_bytes)

    def close(self) -> None:
        """Close the file. If cursors are out, wait up to two seconds; after that the last of them closes it."""
        with self._changed:
            self._ended = True
            self._changed.wait_for(lambda: not (self._users or self._moving), 2)
        self._close_when_unused()


def _identity(path: Path) -> tuple[int, int] | None:
    """The device and number of the file at a path; None without a file, or if the system does not say."""
    try:
        found = os.stat(path)  # noqa: PTH116 a third of the time of Path.stat, at each lease
    except OSError:
        return None
    return found.st_dev, found.st_ino
