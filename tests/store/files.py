"""What is done to a database file by hand: folding its log, and damaging it."""

import os
import time
from pathlib import Path

from store.file.database import Database


def checkpoint(database: Database) -> None:
    """Fold the write-ahead log into the file, however small it is."""
    with database._translated(), database._lease(time.monotonic() + 5, read_only=False) as cursor:
        cursor.execute("CHECKPOINT")


def empty(file: Path) -> None:
    os.truncate(file, 0)


def no_database(file: Path) -> None:
    file.write_bytes(b"no database\n" * 1000)


def cut_in_its_header(file: Path) -> None:
    os.truncate(file, 5000)


def cut_in_its_blocks(file: Path) -> None:
    os.truncate(file, 13_000)


def overwritten(file: Path) -> None:
    with file.open("r+b") as content:
        content.seek(8192)
        content.write(b"\xff" * 100)


DAMAGES = [empty, no_database, cut_in_its_header, cut_in_its_blocks, overwritten]
