"""The notice of a publisher: a file beside the database that says how far it was published.

Its marks spare the next publication a look at all days. A lost notice costs that look, and nothing else. The publisher
locks the file as long as it works, so a database file has one publisher at a time.
"""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from store.errors import BusyError
from store.file.locks import FileLock, beside

Mark = tuple[int, int, int | None]
"""`end`, `count` and `last` of the rows that were published, as in `Part`."""

# Somebody who asks whether a file is being published shares its lock for an instant.
_SOMEBODY_LOOKS_S = 0.5


@dataclass(frozen=True)
class Notice:
    """How publishing goes.

    Attributes:
        lake: the identity of the lake that the marks are of.
        marks: how far each table was published.
        shared_to: all that was recorded before this time is in the lake; None before the first publication.
        rows: how many rows the last publication brought.
        conflicts: how often a transaction was redone so far, because another recorder came first.
        trouble: why the last publication failed; empty if it did not.
    """

    lake: str = ""
    marks: Mapping[str, Mark] = field(default_factory=dict)
    shared_to: datetime | None = None
    rows: int = 0
    conflicts: int = 0
    trouble: str = ""

    @classmethod
    def of(cls, text: str) -> Self:
        """The notice that a text is of; an empty one if it is none."""
        with contextlib.suppress(ValueError, TypeError, KeyError):
            found: dict[str, Any] = json.loads(text)
            marks = {str(table): (int(end), int(count), last) for table, (end, count, last) in found["marks"].items()}
            at = found["shared_to"]
            return replace(cls(**found), marks=marks, shared_to=None if at is None else datetime.fromisoformat(at))
        return cls()

    def as_text(self) -> str:
        """The notice as its file has it."""
        at = None if self.shared_to is None else self.shared_to.isoformat()
        return json.dumps({**asdict(self), "shared_to": at})


class Desk:
    """The place of the publisher of a file, with its notice."""

    def __init__(self, lock: FileLock) -> None:
        self._lock = lock
        self.notice = Notice.of(lock.path.read_text())

    def put(self, notice: Notice) -> None:
        """Replace the notice."""
        self.notice = notice
        self._lock.rewrite(notice.as_text())


@contextlib.contextmanager
def desk(database: Path) -> Iterator[Desk]:
    """Take the place of the publisher of a file.

    Raises:
        BusyError: another process has it.
    """
    lock = FileLock(_path(database))
    try:
        lock.acquire(time.monotonic() + _SOMEBODY_LOOKS_S)
    except BusyError as error:
        raise BusyError(f"{database.name} is being published by another process") from error
    try:
        yield Desk(lock)
    finally:
        lock.release()


def is_published(database: Path) -> bool:
    """Is a publisher of a file at work, in any process?"""
    lock = FileLock(_path(database), to_read=True)
    if not lock.try_acquire(shared=True):
        return True
    lock.release()
    return False


def read_notice(database: Path) -> Notice:
    """The notice of the publisher of a file; an empty one if nothing was published."""
    with contextlib.suppress(OSError):
        return Notice.of(_path(database).read_text())
    return Notice()


def _path(database: Path) -> Path:
    return beside(database, "lake")
