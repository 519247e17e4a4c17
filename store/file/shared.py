"""The database that the recorder, pages and routes of one process share, with one open file."""

import threading
from pathlib import Path

from .database import Database

_databases: dict[tuple[Path, str], Database] = {}
_lock = threading.Lock()


def shared_database(path: Path, memory_limit: str) -> Database:
    """The database at a path: the same object for every caller, under any name of the file."""
    database = Database(path, memory_limit)
    with _lock:
        return _databases.setdefault((database.path, memory_limit), database)
