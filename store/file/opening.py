"""Opening a file with DuckDB: what it says when the file is damaged, and when a tool that is not ours holds it."""

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

# What DuckDB 1.5 and 2.0 say of a file that no waiting and no person's rights will open. Whatever else they say, such
# as of a full disk, a missing right or a newer storage version, leaves the file where it is.
_DAMAGED = re.compile("is not a valid DuckDB database file|Could not read enough bytes|Corrupt database file")
_LOG_DAMAGED = re.compile("WAL (checkpoint iteration )?does not match|Corrupt WAL file")


class OutsiderError(BusyError):
    """A tool that is not ours holds the file. `patiently` tries again; after the deadline it is a BusyError as any."""


@contextlib.contextmanager
def patiently(take: Callable[[], AbstractContextManager[T]], deadline: float) -> Iterator[T]:
    """Enter what `take` makes; try again while an outsider holds the file.

    Nothing is held between two tries: one thread's patience costs no other thread or process its own try.

    Args:
        take: makes the context to enter, a new one for each try.
        deadline: on the clock of `time.monotonic`; there is no try without the time to wait for it.
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
            except BusyError as error:  # others were trying, until the deadline
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
        OutsiderError: a tool that is not ours holds the file; the message names it.
        UnreadableError: the file is damaged or no database.
        duckdb.Error: anything else.
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
    """Who holds the file, from DuckDB's refusal to open it; None when it was refused for another reason."""
    found = re.search(r"held in (?:(?P<program>.+?) \()?PID (?P<pid>\d+)", refusal)
    if found is None:
        return None
    if found["program"] is None:  # it runs in another container, where our process numbers mean nothing
        return "a program that can't be seen from here"
    return f"{Path(found['program']).name}, PID {found['pid']}"


def in_one_line(path: Path, error: Exception) -> str:
    """An error of a file as one line that names the file."""
    words, _, _ = str(error).partition("Stack Trace:")  # DuckDB adds one to errors of its own making
    return f"{path.name}: {' '.join(words.split())}"


def _refuse_damage(path: Path, error: duckdb.Error) -> None:
    log_alone = bool(_LOG_DAMAGED.search(str(error)))
    if log_alone or _DAMAGED.search(str(error)):
        raise UnreadableError(in_one_line(path, error), log_alone=log_alone) from error
