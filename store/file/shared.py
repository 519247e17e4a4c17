"""The database that the recorder, pages and routes of one process share, with its one open file."""

import threading
from pathlib import Path

from .database import Database

_databases: dict[tuple[Path, str], Database] = {}
_lock = threading.Lock()


def shared_database(path: Path, memory_limit: str) -> Database:
    """The database at a path; the same object for everybody who asks, by whatever name of the file."""
    database = Database(path, memory_limit)
    with _lock:
        return _databases.setdefault((database.path, memory_limit), database)
