"""The database that the recorder, pages and routes of one process share, with one open file, or what reads like it."""

import threading
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from duckdb import DuckDBPyConnection

from .database import Database
from .locks import real_path
from .meters import Meters

_lock = threading.Lock()


class Readable(Protocol):
    """A record that can be read: a database file, or something that lends the same cursors.

    Attributes:
        path: of the file. A record that is no file has a path where none is; exports go into the folder beside it.
        where: names the record, for people.
        meters: what this process did on it.
    """

    @property
    def path(self) -> Path: ...

    @property
    def where(self) -> str: ...

    @property
    def meters(self) -> Meters: ...

    @property
    def revision(self) -> object | None:
        """As of `Database.revision`."""

    def read(self, wait_s: float = ...) -> AbstractContextManager[DuckDBPyConnection]:
        """Lend a cursor, as `Database.read` does."""


def shared_database(path: Path, memory_limit: str) -> Database:
    """The database at a path: the same object for every caller, under any name of the file."""
    with _lock:  # without it two threads that ask first would have an object each
        return _database(real_path(path), memory_limit)


@lru_cache(maxsize=4)
def _database(path: Path, memory_limit: str) -> Database:
    """A process has one database; of several the oldest go, since each may keep DuckDB started.

    A query of a page runs in one thread. With two it takes as long, and 1.6 times the CPU.
    """
    return Database(path, memory_limit, threads=1)
