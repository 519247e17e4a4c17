"""Files on the disk: hashing them, syncing them, and errors of the system in one line."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from store.errors import StoreError


def sha256_of(path: Path) -> str:
    """The hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Have the system write a file or a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def put(path: Path, text: str, unfinished: str) -> None:
    """Replace a file durably, as a whole. The text is first written beside it, with the ending `unfinished`."""
    new = path.with_name(f"{path.name}{unfinished}")
    new.write_text(text)
    sync(new)
    new.rename(path)
    sync(path.parent)


@contextlib.contextmanager
def in_one_line(path: Path, what: str = "written") -> Iterator[None]:
    """Raise an error of the system as a StoreError, such as "/a/b can't be written: No space left on device".

    It names the error's own file, or `path` if the error names none.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(f"{error.filename or path} can't be {what}: {error.strerror or error}") from error
