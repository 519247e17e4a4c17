"""Opens a file with DuckDB, and recognises a damaged file and a file that another program holds."""

import contextlib
import platform
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import duckdb
from duckdb import DuckDBPyConnection

from store.errors import BusyError, UnreadableError

T = TypeVar("T")

Config = dict[str, str | bool | int | float | list[str]]

_FILE = "file"
"""The name of the attached file in DuckDB, where no table is called so."""

_TRY_AGAIN_S = 0.05

# DuckDB 2.0 never frees 600 bytes of each lease: 50 MB a day with a lease a second. A start takes 10 ms.
_LEASES_A_START = 1000

# DuckDB 1.5 and 2.0 say this of a file that no waiting and no right will open. On any other error, such as a full disk,
# a missing right or a newer storage version, the file stays where it is.
_DAMAGED = re.compile("is not a valid DuckDB database file|Could not read enough bytes|Corrupt database file")
_LOG_DAMAGED = re.compile("WAL (checkpoint iteration )?does not match|Corrupt WAL file")

# What DuckDB adds to its internal errors and to those of a statement. It says nothing to people.
_WHERE_IN_CODE = re.compile(r"Stack Trace:|\nLINE \d+:")


class OutsiderError(BusyError):
    """A program other than Tickwell holds the file. `patiently` tries again; after the deadline it is a BusyError."""


@contextlib.contextmanager
def patiently(take: Callable[[], AbstractContextManager[T]], deadline: float) -> Iterator[T]:
    """Enter what `take` makes; try again while another program holds the file.

    Nothing is held between two tries, so other threads and processes can try meanwhile.

    Args:
        take: makes the context to enter, a new one for each try.
        deadline: on the clock of `time.monotonic`; there is no further try if the pause before it would end later.
    """
    refusal: OutsiderError | None = None
    while True:
        with contextlib.ExitStack() as taken:
            try:
                given = taken.enter_context(take())
            except OutsiderError as error:
                if time.monotonic() + _TRY_AGAIN_S >= deadline:
                    raise
                refusal = error
            except BusyError as error:  # other threads were trying until the deadline
                if refusal is None:
                    raise
                raise refusal from error
            else:
                yield given
                return
        time.sleep(_TRY_AGAIN_S)


class Engine:
    """DuckDB, started with the first lease on a file and kept: a lease attaches the file, in a tenth of a start's time.

    Threads may share it, and have the file attached together. It is started anew after an error that may leave it
    useless, and every thousand leases.
    """

    def __init__(self, path: Path, config: Config) -> None:
        self._path = path
        # Without a folder of its own, DuckDB would spill into the one that the process works in. In a folder it tells
        # processes apart by their number alone, and two containers both have a process number 1.
        self._config = {**config, "temp_directory": f"{path}.tmp-{platform.node()}"}
        self._duckdb: DuckDBPyConnection | None = None
        self._leases_left = 0
        self._users = 0
        self._changing = threading.Lock()

    @contextlib.contextmanager
    def attached(self, *, read_only: bool) -> Iterator[DuckDBPyConnection]:
        """Lend a cursor of the file. The last one to come back detaches the file, without a checkpoint.

        Raises:
            OutsiderError: a program other than Tickwell holds the file; the message names it.
            UnreadableError: the file is damaged or not a database.
            duckdb.Error: any other failure.
        """
        with self._changing:
            started = self._duckdb or self._start()
            if not self._users:
                self._attach(started, read_only=read_only)
            self._users += 1
        try:
            with cursor_of(started) as cursor:
                yield cursor
        finally:
            with self._changing:
                self._users -= 1
                if not self._users:
                    self._detach(started)

    def renew(self) -> None:
        """Start DuckDB anew once the last cursor is back."""
        self._leases_left = 0

    def _start(self) -> DuckDBPyConnection:
        self._duckdb, self._leases_left = _started(self._config), _LEASES_A_START
        return self._duckdb

    def _attach(self, started: DuckDBPyConnection, *, read_only: bool) -> None:
        path = str(self._path).replace("'", "''")
        try:
            started.execute(f"ATTACH '{path}' AS {_FILE} ({'READ_ONLY' if read_only else 'READ_WRITE'})")
        except duckdb.Error as error:
            self._end(started)
            _refuse_damage(self._path, error)
            if (who := holder(str(error))) is not None:
                raise OutsiderError(f"{self._path.name} is held by {who}, which is not Tickwell") from error
            raise

    def _detach(self, started: DuckDBPyConnection) -> None:
        try:
            started.execute(f"DETACH {_FILE}")
            # Setting the limit, even to the same one, gives the freed memory back to the system.
            started.execute(f"SET memory_limit = '{self._config['memory_limit']}'")
            self._leases_left -= 1
        except duckdb.Error:
            self._leases_left = 0
        if self._leases_left <= 0:
            self._end(started)

    def _end(self, started: DuckDBPyConnection) -> None:
        self._duckdb = None
        started.close()


def _started(config: Config) -> DuckDBPyConnection:
    started = duckdb.connect(config=config)
    started.execute("PRAGMA disable_checkpoint_on_shutdown")  # of detached files too
    return started


def cursor_of(attached: DuckDBPyConnection) -> DuckDBPyConnection:
    """Another cursor of an attached file. A cursor of DuckDB has transactions of its own, and no file by itself."""
    cursor = attached.cursor()
    cursor.execute(f"USE {_FILE}")
    return cursor


def holder(refusal: str) -> str | None:
    """The program that holds the file, from DuckDB's refusal to open it; None if the refusal has another reason."""
    found = re.search(r"held in (?:(?P<program>.+?) \()?PID (?P<pid>\d+)", refusal)
    if found is None:
        return None
    if found["program"] is None:  # it runs in another container, whose process numbers mean nothing here
        return "a program in another container"
    return f"{Path(found['program']).name}, PID {found['pid']}"


def in_one_line(path: Path, error: Exception) -> str:
    """An error of a database as one line that names the file, and the setting that helps where memory was short."""
    if isinstance(error, duckdb.OutOfMemoryException):  # what follows its first line is advice for SQL
        first, _, _ = str(error).partition("\n")
        return f"{path.name}: this takes more memory than TICKWELL_MEMORY_LIMIT allows ({first})"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename} can't be used: {error.strerror}"
    words = _WHERE_IN_CODE.split(str(error))[0]
    return f"{path.name}: {' '.join(words.split())}"


def _refuse_damage(path: Path, error: duckdb.Error) -> None:
    log_alone = bool(_LOG_DAMAGED.search(str(error)))
    if log_alone or _DAMAGED.search(str(error)):
        raise UnreadableError(in_one_line(path, error), log_alone=log_alone) from error
