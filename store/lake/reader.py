"""Reads a lake as a database file is read: the same statements find each table, and each lease lends such a cursor."""

import contextlib
import threading
import time
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

import settings as all_settings
from settings import BucketKeys, Settings
from store.errors import BusyError, StoreError
from store.file import schema
from store.file.database import WAIT_S
from store.file.meters import Meters
from store.file.nesting import OwnLease
from store.file.shared import Readable, shared_database

from . import tables
from .connection import NAME, Lake, Patience

_OTHERS = "others"
"""The name of the attached database that has what the lake lacks."""

_USE = f"SET search_path = '{NAME}.main,{_OTHERS}.main'"

# What the store keeps in another form than the lake. Views have no row numbers, so that of options is a column.
_IN_OTHER_FORM = f"""
DROP TABLE options_by_snapshot;
CREATE VIEW options_by_snapshot AS
SELECT *, rowid
FROM {NAME}.main.options;
DROP TABLE exchange;
CREATE VIEW exchange AS
SELECT exchange AS name, created_at AS noted_at
FROM {NAME}.main.lake
WHERE exchange IS NOT NULL;
"""  # noqa: S608 the name is a constant

_OURS = """
SELECT table_name, 'TABLE'
FROM duckdb_tables()
WHERE database_name = ?
UNION ALL
SELECT view_name, 'VIEW'
FROM duckdb_views()
WHERE database_name = ?
  AND NOT internal
"""

# A lease mostly waits for PostgreSQL and the bucket.
_MOST_READERS = 4

_TRY_AGAIN_S = 5.0
"""A lake that could not be reached is left alone so long: each try may take 10 s, and many readers ask."""

_PATIENCE = Patience(http_timeout_s=5, http_retries=1)
"""A page waits for each read."""

_lock = threading.Lock()


class LakeReader:
    """A lake, for readers only. Making the object is cheap; the first lease connects.

    A connection is kept and shared by all threads. After an error the next lease connects anew.

    Args:
        lake: the lake.
        folder: where exports get a folder.
        try_again_s: how long a lake is left alone that could not be reached.
    """

    revision = None
    """Other machines change the lake, so nothing that was read may be kept."""

    def __init__(self, lake: Lake, folder: Path, try_again_s: float = _TRY_AGAIN_S) -> None:
        self.where = lake.where
        self.path = folder / "lake (no file)"
        self.meters = Meters()
        self._lake = lake
        self._try_again_s = try_again_s
        self._places = threading.BoundedSemaphore(_MOST_READERS)
        self._own = OwnLease(_cursor_of)
        self._connecting = threading.Lock()
        self._connection: DuckDBPyConnection | None = None
        self._ends = contextlib.ExitStack()
        self._refused: tuple[float, StoreError] | None = None

    @contextlib.contextmanager
    def read(self, wait_s: float = WAIT_S) -> Iterator[DuckDBPyConnection]:
        """Lend a cursor that reads the lake as it is now, also if others publish meanwhile.

        A read inside another lease of the same thread is part of that lease.

        Raises:
            BusyError: other threads kept all connections for longer than `wait_s`.
            StoreError: the lake can't be reached or read, or a query failed.
        """
        lease = partial(self._lease, time.monotonic() + wait_s)
        with self.meters.reads.timed(), self._lake.in_one_line(), self._own.reading(lease) as cursor, self._renewing():
            yield cursor

    def close(self) -> None:
        """Disconnect. The next lease connects anew."""
        with self._connecting:
            self._disconnect()

    @contextlib.contextmanager
    def _lease(self, deadline: float) -> Iterator[DuckDBPyConnection]:
        if not self._places.acquire(timeout=max(0, deadline - time.monotonic())):
            raise BusyError(f"{self.where} is being read by other threads")
        try:
            with self._renewing(), _cursor_of(self._connected()) as cursor:
                yield cursor
        finally:
            self._places.release()

    @contextlib.contextmanager
    def _renewing(self) -> Iterator[None]:
        """Connect anew after an error that may leave the connection useless, as when PostgreSQL was restarted."""
        try:
            yield
        except (duckdb.FatalException, duckdb.InternalException, duckdb.IOException):
            self.close()
            raise

    def _connected(self) -> DuckDBPyConnection:
        with self._connecting:
            if self._connection is None:
                self._require_patience()
                try:
                    self._connection = self._connect()
                except StoreError as error:
                    self._refused = time.monotonic() + self._try_again_s, error
                    raise
            return self._connection

    def _require_patience(self) -> None:
        if self._refused is not None and time.monotonic() < self._refused[0]:
            raise StoreError(str(self._refused[1]))

    def _connect(self) -> DuckDBPyConnection:
        with contextlib.ExitStack() as ends:
            connection = ends.enter_context(self._lake.open(read_only=True))
            tables.origin(connection)
            _make_others(connection)
            self._ends = ends.pop_all()
        return connection

    def _disconnect(self) -> None:
        self._connection = None
        self._ends.close()


def shared_record(settings: Settings) -> Readable:
    """What the settings tell pages and API to read: the same object for every caller."""
    if settings.poller != "lake" or settings.lake is None:
        return shared_database(settings.database, settings.memory_limit)
    with _lock:  # without it two threads that ask first would have an object each
        keys = all_settings.bucket_keys()
        return _reader(settings.lake.get_secret_value(), keys, settings.memory_limit, settings.database.parent)


@lru_cache(maxsize=2)
def _reader(url: str, keys: BucketKeys, memory_limit: str, folder: Path) -> LakeReader:
    return LakeReader(Lake(url, keys, memory_limit, _PATIENCE), folder)


def _make_others(connection: DuckDBPyConnection) -> None:
    """Make what the store has and the lake lacks, without rows."""
    connection.execute(f"ATTACH ':memory:' AS {_OTHERS}")
    in_lake = {name for name, _ in connection.execute(_OURS, [NAME, NAME]).fetchall()}
    connection.execute(f"USE {_OTHERS}")
    schema.migrate(connection)
    for name, what in connection.execute(_OURS, [_OTHERS, _OTHERS]).fetchall():
        if name in in_lake:
            connection.execute(f"DROP {what} {name}")
    connection.execute(_IN_OTHER_FORM)


@contextlib.contextmanager
def _cursor_of(connection: DuckDBPyConnection) -> Iterator[DuckDBPyConnection]:
    """A cursor whose reads all see the same state of the lake, and take half the time: it is looked up once."""
    with connection.cursor() as cursor:
        cursor.execute(_USE)
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        yield cursor
