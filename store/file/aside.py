"""A recorder sets a file aside that can't be opened, under a name that says so. No file is deleted or overwritten."""

import contextlib
from datetime import datetime, timedelta
from pathlib import Path

_SECOND = timedelta(seconds=1)


def log_of(database: Path) -> Path:
    """The path of DuckDB's write-ahead log of a database file: what was committed since the last checkpoint."""
    return database.with_name(f"{database.name}.wal")


def size_of(database: Path) -> int | None:
    """The bytes of a database file together with its write-ahead log; None without either."""
    sizes = []
    for path in (database, log_of(database)):
        with contextlib.suppress(OSError):  # it does not exist, or was just deleted
            sizes.append(path.stat().st_size)
    return sum(sizes) if sizes else None


def set_aside(database: Path, at: datetime, *, log_alone: bool = False) -> list[Path]:
    """Rename a database file and its write-ahead log, or the log alone, to `<name>.unreadable-<UTC>`.

    Call it with the lease held to write. The name has the time `at`, or the next second with a free name.

    Returns:
        The new paths. The log keeps the name that DuckDB expects beside the file.
    """
    while any(path.exists() for path in _names(database, at)):
        at += _SECOND
    moved = []
    for path, target in zip((database, log_of(database)), _names(database, at), strict=True):
        if path.exists() and not (log_alone and path == database):
            moved.append(path.rename(target))
    return moved


def list_aside(database: Path) -> list[str]:
    """The names of the files that were set aside, the oldest first, until somebody moves them away."""
    try:
        names = [path.name for path in database.parent.iterdir()]
    except OSError:
        return []
    return sorted(name for name in names if name.startswith(f"{database.name}.unreadable-"))


def _names(database: Path, at: datetime) -> tuple[Path, Path]:
    name = database.with_name(f"{database.name}.unreadable-{at:%Y%m%dT%H%M%SZ}")
    return name, log_of(name)
