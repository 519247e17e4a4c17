"""Finds out whether a file is held and whether somebody waits for it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from store.errors import BusyError
from store.file.database import Database
from store.file.locks import FileLock


def is_locked(lock_file: Path) -> bool:
    """Does somebody hold this lock, exclusively or shared?"""
    lock = FileLock(lock_file)
    free = lock.try_acquire()
    lock.release()
    return not free


def refusal(database: Database) -> str:
    """Why another thread gets no lease to read at once; empty if it gets one."""

    def read() -> str:
        try:
            with database.read(wait_s=0):
                return ""
        except BusyError as error:
            return str(error)

    with ThreadPoolExecutor(1) as another:
        return another.submit(read).result()


def is_wanted(database: Database) -> bool:
    """Has the holder of the file noticed that somebody waits? From then it grants no other lease."""
    return "wanted elsewhere" in refusal(database)
