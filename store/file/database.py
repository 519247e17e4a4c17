"""One DuckDB file that several processes use: all access goes through a lease.

DuckDB lets one process write, or several read, and refuses the rest. A `Database` hands out leases on the file: `read`
and `write` open it, do their work and close it, ordered by two lock files beside it. A recorder in the dashboard's
process holds the file instead (`hold`) and lends cursors, but steps aside when another process waits.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from store.errors import BusyError, NoDatabaseError, StoreError, UnreadableError
from store.models import utc_now

from . import schema
from .aside import log_of, set_aside
from .held import Held, Limits
from .locks import lease_locks, real_path
from .meters import Meters
from .nesting import OwnLease
from .opening import Config, Engine, in_one_line, patiently

Cursor = DuckDBPyConnection
"""What a lease lends, for modules that don't import duckdb."""

log = logging.getLogger("tickwell.store")

WAIT_S = 5.0
"""The default wait for a lease: longer than the 2 s that any lease may last."""

ROWS_A_LEASE = 2_000_000
"""The most rows to process under one lease. Most queries take 20 ms for them; folding them into candles takes 0.2 s."""

# Each query uses all cores: more readers at once than this finish no sooner, but make every lease longer. With 8 busy
# sessions on 30 M ticks and 2 cores, a writer waited 6 s for the readers without this limit, and 3 s with it.
_MOST_READERS = 2

# Closing a file checkpoints it, 1 MB each time. Opening one replays its write-ahead log: a lease takes 2 ms without a
# log, 6 ms with 60 appends of 2 rows (15 KB), and 24 ms with 512 (128 KB). A checkpoint takes 22 ms with 60 M ticks.
# So leases close without one, and the recorder, which looks once a minute, checkpoints from this size on.
_CHECKPOINT_BYTES = 12 * 1024

_STORAGE = "v1.5.0"
"""DuckDB can read the files from this version on."""


class Database:
    """A database file. Making the object is cheap; the first lease opens the file.

    Args:
        path: of the file.
        memory_limit: of DuckDB, such as "256MB".
        limits: when a held file is closed.
        threads: in which DuckDB works, this one included; None for as many as there are cores.
    """

    def __init__(
        self, path: Path, memory_limit: str = "256MB", limits: Limits = Limits(), *, threads: int | None = None
    ) -> None:
        self.path = real_path(path)
        self.where = str(self.path)
        self.memory_limit = memory_limit
        self._limits = limits
        self.meters = Meters()
        self._config: Config = {
            "memory_limit": memory_limit,
            "storage_compatibility_version": _STORAGE,
            "python_enable_replacements": False,  # a variable of our code must never stand for a missing table
        }
        if threads is not None:
            self._config["threads"] = threads
        self._engine = Engine(self.path, self._config)
        self._writing = threading.BoundedSemaphore(1)
        self._reading = threading.BoundedSemaphore(_MOST_READERS)
        self._held: Held | None = None
        self._own = OwnLease()

    @contextlib.contextmanager
    def read(self, wait_s: float = WAIT_S) -> Iterator[DuckDBPyConnection]:
        """Lend a cursor for reading. Use it for one page run or request, at most 2 s, then return it.

        A read inside another lease of the same thread is part of that lease and waits for nobody. Inside a `write` it
        lends the cursor of the transaction, with its new rows: fetch the last result before you read again.

        Raises:
            NoDatabaseError: the file, or its tables, don't exist yet.
            BusyError: others kept the file for longer than `wait_s`.
            UnreadableError: the file is damaged or not a database.
            StoreError: it could not be opened, a query failed, or it was written by a newer version.
        """
        lease = partial(self._lease, time.monotonic() + wait_s, read_only=True)
        with (
            self.meters.reads.timed(),
            self._translated(duckdb.Error),
            self._own.reading(lease) as cursor,
            self._renewing(),
        ):
            yield cursor

    @contextlib.contextmanager
    def write(self, wait_s: float = WAIT_S) -> Iterator[DuckDBPyConnection]:
        """Lend a cursor inside a transaction, which is durable when the block ends and undone when it raises.

        Raises:
            RuntimeError: the thread is in a lease already, which is a mistake in our code.
            Others: as `read`. Nothing was written then.
        """
        lease = partial(self._lease, time.monotonic() + wait_s, read_only=False)
        with (
            self.meters.writes.timed(),
            self._translated(duckdb.Error),
            self._own.writing(lease) as cursor,
            self._renewing(),
        ):
            cursor.execute("BEGIN TRANSACTION")
            try:
                yield cursor
            except BaseException:
                with contextlib.suppress(duckdb.Error):  # the error may have ended the transaction
                    cursor.execute("ROLLBACK")
                raise
            held = self._held
            with contextlib.nullcontext() if held is None else held.committing():
                cursor.execute("COMMIT")

    @property
    def revision(self) -> object | None:
        """An object that changes with the stored rows: what was read under one object holds while it stays the same.

        It is None if nothing that was read may be kept: if this process does not hold the file, or during a commit.
        """
        held = self._held
        return None if held is None else held.revision

    def migrate(self, wait_s: float = WAIT_S) -> None:
        """Create the file and its tables, or bring them up to this version. Readers never call it.

        A file that can't be opened is set aside first, so that recording goes on; so is a log without its file.

        Raises:
            NewerSchemaError: the file is newer than this version; it is left as it was.
            StoreError: the file could not be opened or written.
        """
        deadline = time.monotonic() + wait_s
        self._own.require_none()
        with self._translated():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with patiently(partial(self._opened_anyway, deadline), deadline) as connection:
                schema.migrate(connection)

    def create(self, fill: Callable[[DuckDBPyConnection], None], wait_s: float = WAIT_S) -> None:
        """Make the file by calling `fill` on an empty one. Readers see it once it is whole.

        It is filled first; only then does this wait for other processes.

        Raises:
            StoreError: the file, or a log of it, exists already; it was left as it was.
        """
        self._own.require_none()
        with self._translated():
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with (
            self._filled(fill) as new,
            self._translated(),
            lease_locks(self.path, time.monotonic() + wait_s, shared=False),
        ):
            self.require_no_file()
            new.rename(self.path)

    def require_no_file(self) -> None:
        """Check that neither the file nor its log exists.

        Raises:
            StoreError: one of them exists already.
        """
        for path in (self.path, log_of(self.path)):
            if path.exists():
                raise StoreError(f"{path} exists already and was left as it is: name another file with --into")

    def checkpoint_when_due(self, wait_s: float = WAIT_S, from_bytes: int = _CHECKPOINT_BYTES) -> None:
        """Fold the write-ahead log into the file once it has grown enough to slow down the opening of the file."""
        deadline = time.monotonic() + wait_s
        self._own.require_none()
        with self._translated(), contextlib.suppress(FileNotFoundError):
            if log_of(self.path).stat().st_size >= from_bytes:
                with self._lease(deadline, read_only=False) as cursor, self._renewing():
                    # A transaction that has ended may still be cleaned up by another cursor. FORCE waits for that.
                    cursor.execute("FORCE CHECKPOINT")

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Keep the file open between leases of this process, until another process wants it."""
        self._held = Held(self.path, self._opened, self._limits)
        try:
            with self._held.watching():
                yield
        finally:
            held, self._held = self._held, None
            held.close()

    @contextlib.contextmanager
    def _lease(self, deadline: float, *, read_only: bool) -> Iterator[DuckDBPyConnection]:
        """Lend a cursor once it is the turn of this thread and of this process, and no other program has the file."""
        with contextlib.ExitStack() as lease:
            with self._translated():
                cursor = lease.enter_context(patiently(partial(self._turn, deadline, read_only=read_only), deadline))
            yield cursor

    @contextlib.contextmanager
    def _turn(self, deadline: float, *, read_only: bool) -> Iterator[DuckDBPyConnection]:
        with self._one_of_few(deadline) if read_only else self._one_writer(deadline):
            if (held := self._held) is not None:
                with held.lend(deadline, "read" if read_only else "write") as cursor:
                    yield cursor
            else:
                with self._opened(deadline, read_only=read_only) as connection:
                    schema.require_tables(connection)
                    yield connection

    @contextlib.contextmanager
    def _renewing(self) -> Iterator[None]:
        """Start DuckDB and open a held file again after an error after which DuckDB may refuse all further work.

        A failed checkpoint is such an error, and so is a lost folder of temporary files. DuckDB calls both IO errors.
        """
        try:
            yield
        except (duckdb.FatalException, duckdb.InternalException, duckdb.IOException):
            self._engine.renew()
            if self._held is not None:
                self._held.renew()
            raise

    @contextlib.contextmanager
    def _opened(self, deadline: float, *, read_only: bool) -> Iterator[DuckDBPyConnection]:
        """A single lease: take the locks, open the file, close it, free the locks."""
        if not self.path.exists():
            raise NoDatabaseError(f"nothing is recorded yet in {self.path}")
        with (
            lease_locks(self.path, deadline, shared=read_only),
            self._engine.attached(read_only=read_only) as connection,
        ):
            yield connection

    @contextlib.contextmanager
    def _opened_anyway(self, deadline: float) -> Iterator[DuckDBPyConnection]:
        """A lease to write; a missing file is made, and one that can't be opened is set aside."""
        with (
            self._one_writer(deadline),
            lease_locks(self.path, deadline, shared=False),
            self._attached_anyway() as connection,
        ):
            yield connection

    @contextlib.contextmanager
    def _attached_anyway(self) -> Iterator[DuckDBPyConnection]:
        with contextlib.ExitStack() as stack:
            connection = None
            while connection is None:
                if not self.path.exists():
                    self._create()
                try:
                    connection = stack.enter_context(self._engine.attached(read_only=False))
                except UnreadableError as error:
                    self._set_aside(str(error), log_alone=error.log_alone)
            yield connection

    def _create(self) -> None:
        with self._filled(schema.migrate) as new:
            if log_of(self.path).exists():
                self._set_aside("its database file is gone", log_alone=True)
            new.rename(self.path)

    @contextlib.contextmanager
    def _filled(self, fill: Callable[[DuckDBPyConnection], None]) -> Iterator[Path]:
        """Fill a file under another name, to be renamed when it is whole: nobody ever sees a part of it."""
        new = self.path.with_name(f"{self.path.name}.new")
        try:
            with self._translated():
                for remains in (new, log_of(new)):
                    remains.unlink(missing_ok=True)
            with self._translated(duckdb.Error), duckdb.connect(new, config=self._config) as connection:
                fill(connection)
            yield new
        finally:
            new.unlink(missing_ok=True)

    def _set_aside(self, reason: str, *, log_alone: bool) -> None:
        moved = set_aside(self.path, utc_now(), log_alone=log_alone)
        log.warning("set aside as %s: %s", ", ".join(path.name for path in moved), reason)

    def _one_writer(self, deadline: float) -> AbstractContextManager[None]:
        """One transaction at a time: of two that append at once, neither would see the other's rows."""
        return self._having(self._writing, deadline, "being written by another thread")

    def _one_of_few(self, deadline: float) -> AbstractContextManager[None]:
        return self._having(self._reading, deadline, "being read by other threads")

    @contextlib.contextmanager
    def _having(self, turns: threading.BoundedSemaphore, deadline: float, otherwise: str) -> Iterator[None]:
        if not turns.acquire(timeout=max(0, deadline - time.monotonic())):
            raise BusyError(f"{self.path.name} is {otherwise}")
        try:
            yield
        finally:
            turns.release()

    @contextlib.contextmanager
    def _translated(
        self, kinds: type[Exception] | tuple[type[Exception], ...] = (duckdb.Error, OSError)
    ) -> Iterator[None]:
        """Raise errors as a StoreError that names the file.

        Around a caller's block, `kinds` has DuckDB's errors only: an OSError of the block may come from any other file.
        """
        try:
            yield
        except kinds as error:
            raise StoreError(in_one_line(self.path, error)) from error
