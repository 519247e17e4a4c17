"""The database that the recorder, pages and routes of one process share, with one open file."""

import threading
from functools import lru_cache
from pathlib import Path

from .database import Database
from .locks import real_path

_lock = threading.Lock()


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
