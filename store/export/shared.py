"""The exports that pages and routes of one process share."""

import threading
from pathlib import Path

from store.file.shared import Readable

from .files import Exports

_exports: dict[tuple[Path, int], Exports] = {}
_lock = threading.Lock()


def shared_exports(database: Readable, most_bytes: int) -> Exports:
    """The exports of a shared database; each call returns the same object."""
    with _lock:
        return _exports.setdefault((database.path, most_bytes), Exports(database, most_bytes))
