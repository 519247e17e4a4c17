"""What the recorder, pages and routes of one process share: a database with its one open file, and its exports."""

import threading
from pathlib import Path

from .database import Database
from .exports import Exports

_databases: dict[tuple[Path, str], Database] = {}
_exports: dict[tuple[Path, int], Exports] = {}
_lock = threading.Lock()


def shared_database(path: Path, memory_limit: str) -> Database:
    """The database at a path; the same object for everybody who asks, by whatever name of the file."""
    database = Database(path, memory_limit)
    with _lock:
        return _databases.setdefault((database.path, memory_limit), database)


def shared_exports(database: Database, most_bytes: int) -> Exports:
    """The exports of a shared database; the same object for everybody who asks."""
    with _lock:
        return _exports.setdefault((database.path, most_bytes), Exports(database, most_bytes))
