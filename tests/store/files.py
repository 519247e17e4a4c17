"""Manual changes of a database file: folding its log, opening it, making an older one, and damaging it."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import duckdb

from store.file import schema
from store.file.database import Cursor, Database
from store.file.locks import lease_locks
from store.file.opening import Engine

OF_SCHEMA_2 = Path(__file__).parent / "fixtures/backup-of-schema-2"
"""A backup of a file of an older version; fixtures/README.md says what is in it."""


def checkpoint(database: Database) -> None:
    """Fold the write-ahead log into the file, even a small one."""
    database.checkpoint_when_due(from_bytes=0)


@contextlib.contextmanager
def opened(path: Path, deadline: float, *, read_only: bool) -> Iterator[Cursor]:
    """A lease that opens the file, as a `Held` takes it."""
    engine = Engine(path, {"memory_limit": "256MB"})
    with lease_locks(path, deadline, shared=read_only), engine.attached(read_only=read_only) as connection:
        yield connection


def make_older(file: Path, up_to: int, *statements: str) -> None:
    """Make a database with the schema of an older version, and put something into it."""
    with duckdb.connect(file) as connection:
        schema.migrate(connection, up_to=up_to)
        for statement in statements:
            connection.execute(statement)


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
