"""One DuckDB file that several processes use: all access goes through a lease.

DuckDB lets one process write, or many read, and refuses the rest. A `Database` hands out leases on the file: `read` and
`write` open it, do their work and close it, ordered by two lock files beside it. A recorder that shares its process
with the dashboard holds the file instead (`hold`) and lends cursors, but steps aside for whoever waits.
"""

import contextlib
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from . import schema
from .aside import log_of, set_aside
from .errors import BusyError, NoDatabaseError, StoreError, UnreadableError
from .held import Held
from .locks import lease_locks, real_path
from .meters import Meters

log = logging.getLogger("tickwell.store")

WAIT_S = 5.0
"""How long a lease is waited for unless told: longer than the 2 s that any lease may last."""

# Each query uses all cores: more readers at once than this finish no sooner, but make every lease longer. With 8 busy
# sessions on 30 M ticks and 2 cores, a writer waited 6 s for theirs, and 3 s with this.
_MOST_READERS = 2

_FOREIGN_HOLDER_AGAIN_S = 0.05

# Closing a file checkpoints it, 860 KB each time; opening one replays its write-ahead log, 20 ms for 50 KB and
# 180 ms for 1 MB (measured with appends of 2 rows). So leases close without, and the recorder checkpoints at this size.
_CHECKPOINT_BYTES = 128 * 1024

_STORAGE = "v1.5.0"
"""Files are readable by DuckDB from this version on."""

# What DuckDB 1.5 and 2.0 say of a file that no waiting and no person's rights will open. Whatever else they say, such
# as of a full disk, a missing right or a newer storage version, leaves the file where it is.
_DAMAGED = re.compile("is not a valid DuckDB database file|Could not read enough bytes|Corrupt database file")
_LOG_DAMAGED = re.compile("WAL (checkpoint iteration )?does not match|Corrupt WAL file")


class Database:
    """A database file. Cheap to make; nothing is opened before the first lease."""

    def __init__(self, path: Path, memory_limit: str = "256MB") -> None:
        self.path = real_path(path)
        self.memory_limit = memory_limit
        self.meters = Meters()
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory_limit,
            "storage_compatibility_version": _STORAGE,
        }
        self._writing = threading.BoundedSemaphore(1)
        self._reading = threading.BoundedSemaphore(_MOST_READERS)
        self._held: Held | None = None
        self._sharing = threading.local()

    @contextlib.contextmanager
    def read(self, wait_s: float = WAIT_S) -> Iterator[DuckDBPyConnection]:
        """Lend a cursor for reading. Use it for one page run or request, at most 2 s, then let go.

        Raises:
            NoDatabaseError: there is no file, or no table in it, yet.
            BusyError: others kept the file for longer than `wait_s`.
            UnreadableError: the file is damaged or no database.
            StoreError: it could not be opened or read, or is of a newer version.
        """
        with self.meters.reads.timed(), self._translated(), self._shared_or_own(wait_s) as cursor:
            yield cursor

    @contextlib.contextmanager
    def one_lease(self) -> Iterator[None]:
        """Have all reads of this thread within the block share one lease, which the first of them takes.

        It ends with the block, which thus may last 2 s. A file that is held is lent for each read all the same: that
        costs nothing, and a holder must be able to step aside soon.
        """
        if self._held is not None:
            yield
            return
        with contextlib.ExitStack() as lease:
            self._sharing.lease, self._sharing.cursor = lease, None
            try:
                yield
            finally:
                self._sharing.lease = None

    @contextlib.contextmanager
    def write(self, wait_s: float = WAIT_S) -> Iterator[DuckDBPyConnection]:
        """Lend a cursor inside a transaction, which is durable when the block ends and undone when it raises.

        Raises: as `read`; besides, nothing was written when this raises.
        """
        with (
            self.meters.writes.timed(),
            self._translated(),
            self._one_writer(wait_s),
            self._cursor(wait_s, read_only=False) as cursor,
        ):
            cursor.execute("BEGIN TRANSACTION")
            try:
                yield cursor
            except BaseException:
                with contextlib.suppress(duckdb.Error):  # what went wrong may have ended the transaction
                    cursor.execute("ROLLBACK")
                raise
            held = self._held
            with contextlib.nullcontext() if held is None else held.committing():
                cursor.execute("COMMIT")

    @property
    def revision(self) -> object | None:
        """Stands for what is stored: what was read under one revision is so as long as it is the same object.

        None, so that nothing read may be kept, unless this process holds the file and no transaction commits just now.
        """
        held = self._held
        return None if held is None else held.revision

    def migrate(self, wait_s: float = WAIT_S) -> None:
        """Create the file and its tables, or bring them up to this version. For those who record into it.

        What can't be opened is set aside first, so that recording goes on; so is the log of a file that is gone.

        Raises:
            NewerSchemaError: the file is newer than this version; it is left as it was.
            StoreError: it could not be opened or written.
        """
        deadline = time.monotonic() + wait_s
        with self._translated():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with (
                self._one_writer(wait_s),
                lease_locks(self.path, deadline, shared=False),
                self._connect_anyway(deadline) as connection,
            ):
                schema.migrate(connection)

    def create(self, fill: Callable[[DuckDBPyConnection], None], wait_s: float = WAIT_S) -> None:
        """Make the file from what `fill` puts into an empty one. Readers see it when it is whole.

        Raises:
            StoreError: it, or the log of one, is there already; it was left as it was.
        """
        with self._translated():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._filled(fill) as new, lease_locks(self.path, time.monotonic() + wait_s, shared=False):
                for path in (self.path, log_of(self.path)):
                    if path.exists():
                        raise StoreError(f"{path} exists: it was left as it is, name another file")
                new.rename(self.path)

    def checkpoint_when_due(self, wait_s: float = WAIT_S) -> None:
        """Fold the write-ahead log into the file once it has grown enough to slow down the opening of the file."""
        with self._translated(), contextlib.suppress(FileNotFoundError):
            if log_of(self.path).stat().st_size >= _CHECKPOINT_BYTES:
                with self._one_writer(wait_s), self._cursor(wait_s, read_only=False) as cursor:
                    cursor.execute("CHECKPOINT")

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Keep the file open between leases of this process, as long as nobody else wants it."""
        self._held = Held(self.path, self._opened)
        try:
            with self._held.watching():
                yield
        finally:
            held, self._held = self._held, None
            held.close()

    def _shared_or_own(self, wait_s: float) -> AbstractContextManager[DuckDBPyConnection]:
        lease: contextlib.ExitStack | None = getattr(self._sharing, "lease", None)
        if lease is None:
            return self._own(wait_s)
        if self._sharing.cursor is None:
            self._sharing.cursor = lease.enter_context(self._own(wait_s))
        return contextlib.nullcontext(self._sharing.cursor)

    @contextlib.contextmanager
    def _own(self, wait_s: float) -> Iterator[DuckDBPyConnection]:
        with self._one_of_few(wait_s), self._cursor(wait_s, read_only=True) as cursor:
            yield cursor

    @contextlib.contextmanager
    def _cursor(self, wait_s: float, *, read_only: bool) -> Iterator[DuckDBPyConnection]:
        held = self._held
        if held is None:
            with self._opened(wait_s, read_only=read_only) as connection:
                schema.require_tables(connection)
                yield connection
        else:
            with held.lend(wait_s) as cursor:
                yield cursor

    @contextlib.contextmanager
    def _opened(self, wait_s: float, *, read_only: bool) -> Iterator[DuckDBPyConnection]:
        """A lease of its own: take the locks, open the file, close it, free the locks."""
        deadline = time.monotonic() + wait_s
        if not self.path.exists():
            raise NoDatabaseError(f"nothing is recorded yet in {self.path}")
        with (
            lease_locks(self.path, deadline, shared=read_only),
            self._connect(deadline, read_only=read_only) as connection,
        ):
            yield connection

    def _connect(self, deadline: float, *, read_only: bool) -> DuckDBPyConnection:
        while True:
            try:
                connection = duckdb.connect(self.path, read_only=read_only, config=self._config)
            except duckdb.Error as error:
                self._refuse_damage(error)
                holder = _foreign_holder(str(error))
                if holder is None:
                    raise
                if time.monotonic() >= deadline:
                    raise BusyError(f"{self.path.name} is held by {holder}, which is not Tickwell") from error
                time.sleep(_FOREIGN_HOLDER_AGAIN_S)
            else:
                if not read_only:
                    connection.execute("PRAGMA disable_checkpoint_on_shutdown")
                return connection

    def _refuse_damage(self, error: duckdb.Error) -> None:
        log_alone = bool(_LOG_DAMAGED.search(str(error)))
        if log_alone or _DAMAGED.search(str(error)):
            raise UnreadableError(self._in_one_line(error), log_alone=log_alone) from error

    def _connect_anyway(self, deadline: float) -> DuckDBPyConnection:
        """Open the file to write; what hinders that is set aside, and what is missing is made. Needs the lease."""
        if not self.path.exists():
            self._create()
        try:
            return self._connect(deadline, read_only=False)
        except UnreadableError as error:
            self._set_aside(str(error), log_alone=error.log_alone)
            return self._connect_anyway(deadline)

    def _create(self) -> None:
        with self._filled(schema.migrate) as new:
            if log_of(self.path).exists():
                self._set_aside("its database file is gone", log_alone=True)
            new.rename(self.path)

    @contextlib.contextmanager
    def _filled(self, fill: Callable[[DuckDBPyConnection], None]) -> Iterator[Path]:
        """A file under another name, to be moved to its own: at no moment is it there in part."""
        path = self.path
        new = path.with_name(f"{path.name}.new")
        try:
            for remains in (new, log_of(new)):
                remains.unlink(missing_ok=True)
            with duckdb.connect(new, config=self._config) as connection:
                fill(connection)
            yield new
        finally:
            new.unlink(missing_ok=True)

    def _set_aside(self, reason: str, *, log_alone: bool) -> None:
        moved = set_aside(self.path, log_alone=log_alone)
        log.warning("set aside as %s: %s", ", ".join(path.name for path in moved), reason)

    def _one_writer(self, wait_s: float) -> AbstractContextManager[None]:
        """One transaction at a time: of two that append at once, neither would see the other's rows."""
        return self._having(self._writing, wait_s, "being written by another thread")

    def _one_of_few(self, wait_s: float) -> AbstractContextManager[None]:
        return self._having(self._reading, wait_s, "being read by other threads")

    @contextlib.contextmanager
    def _having(self, turns: threading.BoundedSemaphore, wait_s: float, otherwise: str) -> Iterator[None]:
        if not turns.acquire(timeout=wait_s):
            raise BusyError(f"{self.path.name} is {otherwise}")
        try:
            yield
        finally:
            turns.release()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (duckdb.Error, OSError) as error:
            raise StoreError(self._in_one_line(error)) from error

    def _in_one_line(self, error: Exception) -> str:
        words, _, _ = str(error).partition("Stack Trace:")  # DuckDB adds one to errors of its own making
        return f"{self.path.name}: {' '.join(words.split())}"


def _foreign_holder(refusal: str) -> str | None:
    """Who holds the file, from DuckDB's refusal to open it; None when it was refused for another reason."""
    holder = re.search(r"held in (?:(?P<program>.+?) \()?PID (?P<pid>\d+)", refusal)
    if holder is None:
        return None
    if holder["program"] is None:  # it runs in another container, where our process numbers mean nothing
        return "a program that can't be seen from here"
    return f"{Path(holder['program']).name}, PID {holder['pid']}"
