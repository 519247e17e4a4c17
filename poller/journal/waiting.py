"""The file of records that a stop could not write. It lies beside the database, and the next start takes it in.

The first line of JSON names the exchange, and each further line is a record. The file is complete or absent.
"""

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from poller.feeds.feed import Observation
from store.errors import StoreError
from store.models import Exchange, Miss, Run, Snapshot, Tick, utc_now

from .waiting_lines import DamagedError, read_head, read_line

log = logging.getLogger("tickwell.recorder")

# Older versions read the first format, which has no snapshots.
_FORMAT, _WITH_SNAPSHOTS = 1, 2


@dataclass(slots=True)
class Waiting:
    """Observations with their slots, misses and runs that are not in the database yet, and their exchange."""

    exchange: Exchange | None = None
    runs: list[Run] = field(default_factory=list)
    observed: list[tuple[datetime, Observation]] = field(default_factory=list)
    misses: list[Miss] = field(default_factory=list)


class WaitingFile:
    """The file of records that wait for the next start, beside their database."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self.path = database.with_name(f"{database.name}.waiting.jsonl")

    def __bool__(self) -> bool:
        """Does the file exist?"""
        return self.path.exists()

    def keep(self, waiting: Waiting) -> None:
        """Replace the content of the file. It is durable when this returns.

        Raises:
            StoreError: the file can't be written; the old content stays.
        """
        new = self.path.with_name(f"{self.path.name}.new")
        try:
            with new.open("w") as file:
                file.writelines(map(_as_text, _lines(waiting)))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
            _sync(self.path.parent)
        except OSError as error:
            raise StoreError(f"{self.path} can't be written: {error.strerror}") from error

    def read(self) -> Waiting | None:
        """The content of the file; None if it can't be understood, and the file is set aside."""
        if not self.path.is_file():
            self.set_aside("it is no file")
            return None
        try:
            return _parsed(self.path.read_text())
        except (DamagedError, UnicodeDecodeError) as error:
            self.set_aside(f"it can't be understood: {error}")
        except OSError as error:
            self.set_aside(f"it can't be read: {error.strerror}")
        return None

    def set_aside(self, reason: str) -> None:
        """Rename the file to a name that status and pages show: a person must look at it."""
        name = f"{self._database.name}.unreadable-{utc_now():%Y%m%dT%H%M%S%fZ}.waiting.jsonl"
        try:
            self.path.rename(self.path.with_name(name))
        except OSError as error:
            log.warning("%s stays, because it can't be renamed: %s", self.path.name, error.strerror)
        else:
            log.warning("%s is set aside as %s: %s", self.path.name, name, reason)

    def remove(self) -> None:
        """Remove the file: its content is in the database."""
        self.path.unlink(missing_ok=True)


def _lines(waiting: Waiting) -> Iterator[dict[str, Any]]:
    has_snapshots = any(isinstance(observation, Snapshot) for _, observation in waiting.observed)
    written = _WITH_SNAPSHOTS if has_snapshots else _FORMAT
    yield {"format": written, "exchange": waiting.exchange and waiting.exchange.name}
    yield from ({"run": _run(run)} for run in waiting.runs)
    yield from ({"slot": slot, **_observed(observation)} for slot, observation in waiting.observed)
    yield from ({"miss": asdict(miss)} for miss in waiting.misses)


def _run(run: Run) -> dict[str, Any]:
    """A run without the name of its recorder. Whoever takes it in records into the same file, and adds its own."""
    return {name: value for name, value in asdict(run).items() if name != "recorder"}


def _observed(observation: Observation) -> dict[str, Any]:
    if isinstance(observation, Tick):
        return {"tick": asdict(observation)}
    return {"snapshot": {each.name: getattr(observation, each.name) for each in fields(observation)}}


def _as_text(line: dict[str, Any]) -> str:
    try:
        return f"{json.dumps(line, default=datetime.isoformat)}\n"
    except (TypeError, ValueError) as error:  # the database would refuse the record too
        log.warning("a record that waits can't be kept: %s", error)
        return ""


def _parsed(text: str) -> Waiting:
    head, *rest = text.splitlines() or [""]
    found = Waiting(read_head(head, _WITH_SNAPSHOTS))
    for number, line in enumerate(rest, start=2):
        record = read_line(line, number, found.exchange)
        if isinstance(record, Run):
            found.runs.append(record)
        elif isinstance(record, Miss):
            found.misses.append(record)
        else:
            found.observed.append(record)
    return found


def _sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
