"""Locks on files, between threads and between processes. The system frees the locks of a process that died."""

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import portalocker
from portalocker import LockFlags

from store.errors import BusyError, StoreError

# A waiting caller looks again every 2 ms. A blocking wait could not be given up, and a lock is usually held for
# microseconds (the gate) or a few milliseconds (a lease that attaches the file).
_LOOK_AGAIN_S = 0.002

# Work under such a lock takes seconds.
_ALONE_AGAIN_S = 0.1

_NOT_FOR_US_TO_WRITE = (errno.EROFS, errno.EACCES)


class FileLock:
    """One lock file that this object may hold, shared or exclusively. Each object competes with every other.

    With `to_read`, a reader can use a folder that can't be written: the lock is taken on the existing file, and counts
    as taken without a file.
    """

    def __init__(self, path: Path, *, to_read: bool = False) -> None:
        self.path = path
        self._to_read = to_read
        self._file: IO[bytes] | None = None

    @property
    def lost(self) -> bool:
        """Was the file of the held lock deleted? Then others can take the lock as well."""
        return self._file is not None and not _is_at(self._file, self.path)

    def try_acquire(self, *, shared: bool = False) -> bool:
        """Take the lock if it is free. The file is created when missing; the folder is not."""
        try:
            file = open(self.path, "r+b", buffering=0, opener=_create)  # noqa: SIM115 held until release
        except OSError as error:
            if not (self._to_read and error.errno in _NOT_FOR_US_TO_WRITE):
                raise StoreError(f"{self.path} can't be opened: {error.strerror}") from error
            if not self.path.exists():
                return True
            file = self.path.open("rb", buffering=0)
        mode = LockFlags.SHARED if shared else LockFlags.EXCLUSIVE
        try:
            portalocker.lock(file, mode | LockFlags.NON_BLOCKING)
        except portalocker.AlreadyLocked:
            file.close()
            return False
        except portalocker.LockException as error:  # such as on a network drive without locks
            file.close()
            raise StoreError(f"{self.path} can't be locked: {error}") from error
        if not _is_at(file, self.path):  # deleted between opening and locking: others would lock another file
            file.close()
            return False
        self._file = file
        return True

    def acquire(self, deadline: float, *, shared: bool = False) -> None:
        """Wait for the lock.

        Args:
            deadline: on the clock of `time.monotonic`.
            shared: other objects may hold it too, if they share it as well.

        Raises:
            BusyError: the deadline passed.
        """
        while not self.try_acquire(shared=shared):
            if time.monotonic() >= deadline:
                raise BusyError(f"{self.path.name} stayed locked by another process")
            time.sleep(_LOOK_AGAIN_S)

    def release(self) -> None:
        """Release the lock; without effect if it is not held."""
        if self._file is not None:
            with contextlib.suppress(portalocker.LockException):  # closing does the same unless a process forked
                portalocker.unlock(self._file)  # a process that was forked meanwhile shares the lock
            self._file.close()
            self._file = None

    def rewrite(self, text: str) -> None:
        """Write a text into the file of the held lock; without effect if the lock is not held.

        The new text overwrites the old one, then the rest of the old text is cut off. So a reader that takes the first
        JSON value of the file gets the whole old one or the whole new one.
        """
        if self._file is not None:
            self._file.seek(0)
            self._file.write(text.encode())
            self._file.truncate()


@contextlib.contextmanager
def alone(path: Path, otherwise: str, deadline: float = 0.0) -> Iterator[None]:
    """Hold a lock file that only one thread of one process may hold at a time.

    Args:
        path: of the lock file; it is created when missing.
        otherwise: the text of the BusyError when another holder has it.
        deadline: how long to wait for the lock, on the clock of `time.monotonic`.
    """
    lock = FileLock(path)
    while not lock.try_acquire():
        if time.monotonic() >= deadline:
            raise BusyError(otherwise)
        time.sleep(_ALONE_AGAIN_S)
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def lease_locks(database: Path, deadline: float, *, shared: bool) -> Iterator[None]:
    """Hold the lease on a database file: exclusively to write, shared to read.

    A waiting process holds the gate meanwhile, so that nobody can overtake it: later ones queue behind the gate, and a
    holder that keeps the lease (`knocked`) steps aside. With plain retries, 8 busy readers starved a writer.
    """
    gate, lease = (FileLock(beside(database, kind), to_read=shared) for kind in ("gate", "lease"))
    gate.acquire(deadline)
    try:
        lease.acquire(deadline, shared=shared)
    finally:
        gate.release()
    try:
        yield
    finally:
        lease.release()


def knocked(database: Path) -> bool:
    """Is somebody waiting for the lease?"""
    gate = FileLock(beside(database, "gate"))
    if not gate.try_acquire():
        return True
    gate.release()
    return False


def _is_at(file: IO[bytes], path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False


def _create(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT, 0o644)


def beside(database: Path, kind: str) -> Path:
    """The path of a lock file that belongs to a database file, the same for all names of the database file."""
    path = real_path(database)
    return path.with_name(f"{path.name}.{kind}")


def real_path(path: Path) -> Path:
    """The path that a path leads to through all links. A link that leads to itself is left as it is."""
    return Path(os.path.realpath(path))
