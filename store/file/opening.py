"""Opens a file with DuckDB, and recognises a damaged file and a file that another program holds."""

import contextlib
import re
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

_TRY_AGAIN_S = 0.05

# DuckDB 1.5 and 2.0 say this of a file that no waiting and no right will open. On any other error, such as a full disk,
# a missing right or a newer storage version, the file stays where it is.
_DAMAGED = re.compile("is not a valid DuckDB database file|Could not read enough bytes|Corrupt database file")
_LOG_DAMAGED = re.compile("WAL (checkpoint iteration )?does not match|Corrupt WAL file")


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


def connect(path: Path, config: Config, *, read_only: bool) -> DuckDBPyConnection:
    """Open a file. The connection does not checkpoint when it is closed.

    Raises:
        OutsiderError: a program other than Tickwell holds the file; the message names it.
        UnreadableError: the file is damaged or not a database.
        duckdb.Error: any other failure.
    """
    try:
        connection = duckdb.connect(path, read_only=read_only, config=config)
    except duckdb.Error as error:
        _refuse_damage(path, error)
        if (who := holder(str(error))) is not None:
            raise OutsiderError(f"{path.name} is held by {who}, which is not Tickwell") from error
        raise
    if not read_only:
        connection.execute("PRAGMA disable_checkpoint_on_shutdown")
    return connection


def holder(refusal: str) -> str | None:
    """The program that holds the file, from DuckDB's refusal to open it; None if the refusal has another reason."""
    found = re.search(r"held in (?:(?P<program>.+?) \()?PID (?P<pid>\d+)", refusal)
    if found is None:
        return None
    if found["program"] is None:  # it runs in another container, whose process numbers mean nothing here
        return "a program in another container"
    return f"{Path(found['program']).name}, PID {found['pid']}"


def in_one_line(path: Path, error: Exception) -> str:
    """An error of a file as one line that names the file."""
    words, _, _ = str(error).partition("Stack Trace:")  # DuckDB adds one to its internal errors
    return f"{path.name}: {' '.join(words.split())}"


def _refuse_damage(path: Path, error: duckdb.Error) -> None:
    log_alone = bool(_LOG_DAMAGED.search(str(error)))
    if log_alone or _DAMAGED.search(str(error)):
        raise UnreadableError(in_one_line(path, error), log_alone=log_alone) from error
