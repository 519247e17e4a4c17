"""Finds out whether a file is held and whether somebody waits for it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from store.errors import BusyError
from store.file.database import Database
from store.file.locks import FileLock


def is_locked(lock_file: Path) -> bool:
    """Is this lock held, exclusively or shared?"""
    lock = FileLock(lock_file)
    free = lock.try_acquire()
    lock.release()
    return not free


def refusal(database: Database) -> str:
    """The error if another thread can't get a lease to read at once; empty if it can."""

    def read() -> str:
        try:
            with database.read(wait_s=0):
                return ""
        except BusyError as error:
            return str(error)

    with ThreadPoolExecutor(1) as another:
        return another.submit(read).result()


def is_wanted(database: Database) -> bool:
    """Has the file's holder noticed a waiting process? Then it lends the file to no one else."""
    return "wanted elsewhere" in refusal(database)
