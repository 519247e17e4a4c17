"""The databases of this process, so that its recorder, pages and routes share one object, and one open file."""

import threading
from pathlib import Path

from .database import Database

_databases: dict[tuple[Path, str], Database] = {}
_lock = threading.Lock()


def shared_database(path: Path, memory_limit: str) -> Database:
    """The database at a path; the same object for everybody who asks."""
    with _lock:
        return _databases.setdefault((path, memory_limit), Database(path, memory_limit))
