"""The recorder of a database file: only one at a time, and a notice that says how it is.

The recorder holds a lock on `<database>.recorder` as long as it lives. The text of that file is its notice. So anybody
can see how the recording goes without opening the database, and a recorder that was killed counts as gone at once.
"""

import contextlib
import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal

from store.errors import RecorderError, StoreError

from .disk import in_one_line
from .locks import FileLock, beside

State = Literal[
    "starting",
    "recording",
    "refused",
    "stopped",
    "unreachable",
    "exchange error",
    "rejected reply",
    "missed slot",
    "store unavailable",
]

# Containers number their processes separately: the same number is a different process in each. On Linux this link
# identifies the numbering; without the link there is only one.
_NUMBERING = Path("/proc/self/ns/pid")

# A page that checks whether the recorder lives shares its lock for an instant; a starting recorder waits that long.
_SOMEBODY_LOOKS_S = 0.5

# A running recorder must serve its slots meanwhile.
_SOON_S = 0.1


@dataclass(frozen=True)
class Notice:
    """How a recorder is, in its own words.

    Attributes:
        pid: its process.
        mode: "embedded" in a dashboard, "external" in a process of its own, "once" for a single poll, or "restore".
        since: when it started.
        poll_seconds, indexes, version: what it records, how often, with which version.
        state: what it does, or the cause of its trouble.
        state_since: when this state began.
        detail: the facts of the trouble; if one index of several has it, its name too.
        retry_at: when it tries again; None without trouble.
        waiting: ticks that wait because the database can't be written: in memory, or in a file once it was stopped.
        refused: records that the database refused since it started; they are in a file beside the database.
        tries: how many times in a row a recorder of this process ended unexpectedly.
        failing: what is wrong with single indexes while others go on, by index name.
        backfill: how far the loading of history is, such as "loading history, 5 of 12"; empty when none is loaded.
        loading: the logs whose history is being loaded, such as "dvol/BTC".
        alive: the recorder still holds its lock; not part of the text.
        host: the name of the machine or container in which `pid` counts, if it is another one; otherwise empty.
        skew_s: how far its machine's clock is behind the exchange's, by which all its times are; 0 if it is right.
    """

    pid: int
    mode: str
    since: datetime
    poll_seconds: int
    indexes: tuple[str, ...]
    version: str
    state: State
    state_since: datetime
    detail: str = ""
    retry_at: datetime | None = None
    waiting: int = 0
    refused: int = 0
    tries: int = 0
    failing: Mapping[str, str] = field(default_factory=dict)
    backfill: str = ""
    loading: tuple[str, ...] = ()
    alive: bool = True
    host: str = ""
    skew_s: float = 0.0


class RecorderLock:
    """The right to record into one database file."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._lock = FileLock(beside(database, "recorder"))
        self._notice: Notice | None = None

    def acquire(self, notice: Notice, wait_s: float = _SOMEBODY_LOOKS_S) -> None:
        """Become the recorder of the file. A reader that only checks for one delays this for an instant.

        Raises:
            RecorderError: another recorder is running; the message has its PID and what to do.
            StoreError: the folder can't be written.
        """
        with in_one_line(self._database.parent, "made"):
            self._database.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + wait_s
        while not self._lock.try_acquire():
            if time.monotonic() >= deadline:
                raise RecorderError(_taken(self._database))
            time.sleep(0.01)
        self.publish(notice)

    def keep(self) -> None:
        """Take the lock again if its file was deleted, because a second recorder could begin then.

        Raises:
            RecorderError: a second recorder did begin.
            StoreError: the folder can't be written.
        """
        notice = self._notice
        if notice is not None and self._lock.lost:
            anew = RecorderLock(self._database)
            anew.acquire(notice, _SOON_S)
            self._lock.release()
            self._lock = anew._lock

    def publish(self, notice: Notice) -> None:
        """Publish how the recording goes; nothing is written if nothing changed."""
        if notice != self._notice:
            with contextlib.suppress(OSError):  # a full disk stops no recorder; the next notice is written later
                where = {"host": socket.gethostname(), "numbering": _numbering()}
                self._lock.rewrite(json.dumps(asdict(notice) | where, default=datetime.isoformat))
                self._notice = notice

    def release(self) -> None:
        self._lock.release()
        self._notice = None


def read_notice(database: Path) -> Notice | None:
    """The notice of the running or last recorder of a file; None without a notice that can be read.

    Raises:
        StoreError: the system refused to read it.
    """
    path = beside(database, "recorder")
    try:
        notice = _parsed(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, LookupError, TypeError):  # empty, torn, or from a version with other fields
        return None
    except OSError as error:
        raise StoreError(f"{path} can't be read: {error.strerror}") from error
    return replace(notice, alive=_held(path))


_failed_starts: dict[Path, str] = {}


def note_start(database: Path, failure: str = "") -> None:
    """Note that this process became the recorder of a file, or why it could not: then there may be no notice."""
    _failed_starts[database] = failure


def failed_start(database: Path) -> str:
    """Why this process could not become the recorder of a file when it last tried; empty if it could or did not try."""
    return _failed_starts.get(database, "")


def recorded_elsewhere(notice: Notice | None) -> bool:
    """Is a recorder of another process running?"""
    return notice is not None and notice.alive and (notice.host != "" or notice.pid != os.getpid())


def process_in_words(notice: Notice) -> str:
    """The process of a recorder, such as "PID 4711", or "PID 1 on recorder" if it is in another container."""
    return f"PID {notice.pid} on {notice.host}" if notice.host else f"PID {notice.pid}"


@lru_cache(maxsize=4)  # a refresh of a page asks for it some eight times
def _parsed(content: str) -> Notice:
    text, _ = json.JSONDecoder().raw_decode(content)
    instants = {name: datetime.fromisoformat(text[name]) for name in ("since", "state_since")}
    retry_at = text["retry_at"] and datetime.fromisoformat(text["retry_at"])
    known = {name: text[name] for name in Notice.__dataclass_fields__ if name in text}
    host = "" if text.get("numbering", _numbering()) == _numbering() else text["host"]
    names = {name: tuple(text.get(name, ())) for name in ("indexes", "loading")}
    return Notice(**{**known, **instants, **names, "retry_at": retry_at, "host": host})


def _numbering() -> str:
    try:
        return str(_NUMBERING.readlink())
    except OSError:
        return ""


def _held(path: Path) -> bool:
    lock = FileLock(path, to_read=True)
    if not lock.try_acquire(shared=True):
        return True
    lock.release()
    return False


def _taken(database: Path) -> str:
    notice = read_notice(database)
    who = (
        f"{process_in_words(notice)} ({notice.mode}, since {notice.since:%Y-%m-%d %H:%M:%S} UTC)"
        if notice
        else "another process"
    )
    return (
        f"{database} is already being recorded by {who}: stop that recorder first, or give this one another file "
        "in TICKWELL_DATABASE"
    )
