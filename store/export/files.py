"""Exports: files of recorded rows, in a folder beside the database that never outgrows a stated size.

The digest of its survey names a file. It is written window by window, with a lease for each, under a temporary name,
and has a manifest beside it. The same query gets the same file again. A file is removed when nobody asked for it for a
day, or when another file needs its room.
"""

import contextlib
import json
import os
import re
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from store.errors import BusyError, StoreError
from store.file.clock import exchange_now
from store.file.disk import in_one_line, sha256_of
from store.file.locks import alone
from store.file.rows import of_one_instant
from store.file.shared import Readable
from store.models import utc_now
from store.progress import Tell, unheard

from .query import MOST_EXCEL_ROWS, ROWS_A_WINDOW, SUFFIXES, ExportQuery
from .survey import Survey, survey

KEPT = timedelta(days=1)
"""The next export removes files that nobody asked for in the last day."""

_UNFINISHED = ".unfinished-"
_OURS = re.compile(rf"[0-9a-f]{{32}}\.({'|'.join(map(re.escape, SUFFIXES.values()))})")


@dataclass(frozen=True)
class Limits:
    """The limits of exports.

    Attributes:
        wait_s: how long an export waits for other exports.
        surveys: how many surveys are remembered.
        window: how many rows are read under one lease.
        sheet: how many rows an Excel sheet takes.
    """

    wait_s: float = 600.0
    surveys: int = 32
    window: int = ROWS_A_WINDOW
    sheet: int = MOST_EXCEL_ROWS


@dataclass(frozen=True, slots=True)
class Export:
    """A finished export.

    Attributes:
        query: the query, closed.
        path: the file.
        manifest: JSON types: the query, the content, `rows`, `bytes`, `sha256`, and `capped`. A capped file lacks rows,
            because an Excel sheet holds a limited number.
    """

    query: ExportQuery
    path: Path
    manifest: dict[str, Any]

    @property
    def rows(self) -> int:
        return int(self.manifest["rows"])

    @property
    def size(self) -> int:
        """The size of the file in bytes."""
        return int(self.manifest["bytes"])

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file's bytes, hexadecimal."""
        return str(self.manifest["sha256"])

    def copy(self, to: Path) -> Path:
        """Copy the file and its manifest to a path, or into a folder under its name for people.

        Returns:
            The path of the copy.

        Raises:
            StoreError: the copy can't be written.
        """
        path = to / self.query.file_name if to.is_dir() else to
        with in_one_line(path):
            shutil.copyfile(self.path, path)
            shutil.copyfile(manifest_of(self.path), manifest_of(path))
        return path


class Exports:
    """The exports of a database."""

    def __init__(self, database: Readable, most_bytes: int, limits: Limits = Limits()) -> None:
        self.database = database
        self.folder = database.path.with_name("exports")
        self._most_bytes = most_bytes
        self._limits = limits
        self._one_at_a_time = threading.Lock()
        self._surveys: OrderedDict[ExportQuery, Survey] = OrderedDict()

    def make(self, query: ExportQuery, tell: Tell = unheard) -> Export:
        """The file of a query, made now if it does not exist. `tell` is called with the number of rows read.

        Raises:
            BusyError: other exports took longer than the wait.
            StoreError: the query can't be exported, the database can't be read, the folder can't be written, or the
                file would be too large.
        """
        if query.refusal is not None:
            raise StoreError(query.refusal)
        query = query.closed(exchange_now(self.database.path))
        with in_one_line(self.folder):
            made = of_one_instant(partial(self._made_or_there, query, tell))
            now = time.time()
            os.utime(made.path, (now, made.path.stat().st_mtime))
        return made

    def _made_or_there(self, query: ExportQuery, tell: Tell) -> Export | None:
        found = self._surveyed(query)
        if (there := self._there(found)) is not None:
            return there
        with self._alone():
            return self._there(found) or self._made(found, tell)

    def _surveyed(self, query: ExportQuery) -> Survey:
        known = self._surveys.get(query)
        if known is not None:
            with self.database.read() as cursor:
                if known.still_holds(cursor):
                    return known
        found = self._surveys[query] = survey(self.database, query)
        with contextlib.suppress(KeyError):  # another thread removed it first
            while len(self._surveys) > self._limits.surveys:
                self._surveys.popitem(last=False)
        return found

    def _there(self, found: Survey) -> Export | None:
        """The file, if it exists and is complete."""
        path = self._path(found)
        try:
            manifest = facts_of(path)
            whole = path.stat().st_size == manifest["bytes"]
        except (FileNotFoundError, ValueError, LookupError):
            return None
        return Export(found.query, path, manifest) if whole else None

    def _made(self, found: Survey, tell: Tell) -> Export | None:
        """Write the file; None if rows were deleted meanwhile, because it is of no instant then.

        Call it inside `_alone`.
        """
        path = self._path(found)
        for interrupted in self.folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(interrupted, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=self.folder) as work:
            new = Path(work) / path.name
            written = self._written(found, new, tell)
            with self.database.read() as cursor:
                if not found.as_of.holds(cursor):
                    return None
            manifest = {**found.facts, "format": found.query.format, **written}
            manifest |= {"bytes": new.stat().st_size, "sha256": sha256_of(new)}
            manifest_of(new).write_text(json.dumps(manifest, indent=1))
            self._make_room(new)
            for part, place in ((manifest_of(new), manifest_of(path)), (new, path)):
                part.rename(place)
        return Export(found.query, path, manifest)

    def _written(self, found: Survey, new: Path, tell: Tell) -> dict[str, Any]:
        """Write the rows; return the manifest's facts about them."""
        from .rows import tables_of
        from .writers import open_writer

        rows, read, capped, last = 0, 0, False, None
        with open_writer(new, found.query, found.facts, self._limits.sheet) as writer:
            for table, read_for_it in tables_of(self.database, found, self._limits.window):
                self._make_room(new)
                written = writer.write(table)
                rows, read, capped = rows + written, read + read_for_it, written < len(table)
                tell(read, found.count)
                if capped:
                    last = table[found.query.time][written - 1].as_py().isoformat()
                    break
        return {"rows": rows, "capped": capped} | ({"last": last} if capped else {})

    def _path(self, found: Survey) -> Path:
        return self.folder / f"{found.digest}.{SUFFIXES[found.query.format]}"

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Run one export at a time across all processes: an export keeps two cores busy, and all share the folder."""
        deadline = time.monotonic() + self._limits.wait_s
        if not self._one_at_a_time.acquire(timeout=self._limits.wait_s):
            raise BusyError("other exports are still running: try again later")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with alone(self.folder / ".lock", "another process is exporting: try again later", deadline):
                yield
        finally:
            self._one_at_a_time.release()

    def _make_room(self, new: Path) -> None:
        """Remove files that are out of date, and then, while room is short, the files asked for longest ago."""
        new_bytes = sum(path.stat().st_size for path in new.parent.iterdir())
        out_of_date = (utc_now() - KEPT).timestamp()
        others = sorted((path.stat().st_atime, path) for path in self.folder.iterdir() if _OURS.fullmatch(path.name))
        sizes = {path: path.stat().st_size + _size(manifest_of(path)) for _, path in others}
        for asked_at, path in others:
            if asked_at >= out_of_date and new_bytes + sum(sizes.values()) <= self._most_bytes:
                return
            path.unlink()
            manifest_of(path).unlink(missing_ok=True)
            del sizes[path]
        if new_bytes > self._most_bytes:
            raise StoreError(
                f"the export is larger than {self._most_bytes:,} bytes, which is all that {self.folder} may hold: ask "
                "for less, or allow more by TICKWELL_EXPORTS_LIMIT"
            )


class Job:
    """An export that runs in its own thread and shows its progress."""

    def __init__(self, exports: Exports, query: ExportQuery) -> None:
        self.read, self.total = 0, 0
        self._made: Future[Export] = Future()
        threading.Thread(target=self._make, args=(exports, query), daemon=True).start()

    @property
    def over(self) -> bool:
        return self._made.done()

    @property
    def failure(self) -> BaseException | None:
        """The error of a job that is over; None if it succeeded or still runs."""
        return self._made.exception() if self.over else None

    def made(self) -> Export:
        """Wait for the file and return it.

        Raises:
            StoreError: as `Exports.make`.
        """
        return self._made.result()

    def _make(self, exports: Exports, query: ExportQuery) -> None:
        try:
            self._made.set_result(exports.make(query, self._tell))
        except StoreError as error:
            self._made.set_exception(error)
        finally:
            if not self.over:  # an error in Tickwell, which Python logs; a page must not wait for the job any longer
                self._made.set_exception(StoreError("the export failed, and the server's log says why"))

    def _tell(self, read: int, total: int) -> None:
        self.read, self.total = read, total


def manifest_of(path: Path) -> Path:
    """The path of an exported file's manifest."""
    return path.with_name(f"{path.name}.json")


def facts_of(path: Path) -> dict[str, Any]:
    """The manifest of an exported file.

    Raises:
        FileNotFoundError: the file has no manifest.
        ValueError: the manifest is no JSON object.
    """
    found = json.loads(manifest_of(path).read_text())
    if not isinstance(found, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 the content of a file is no argument
    return found


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
