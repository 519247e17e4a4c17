"""Files without an end that are read in parts: a reader gets all parts of one file while new ticks come."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from fastapi import Request

from store.export.files import Export
from store.export.query import ExportQuery

Part = Literal["whole", "first", "later"]

KEPT_S = 60
"""Seconds that a file counts: for a reader that begins anew since it was made, for a later part since the last part."""

_MOST_READERS = 100


@dataclass(frozen=True, slots=True)
class Reader:
    """A program that reads the file of a query. The query's own end is left out: each request has a later one."""

    host: str
    program: str
    query: ExportQuery

    @classmethod
    def of(cls, request: Request, query: ExportQuery) -> "Reader":
        host = request.client.host if request.client else ""
        return cls(host, request.headers.get("user-agent", ""), replace(query, end=query.start))


@dataclass(slots=True)
class _Begun:
    export: Export
    made_at: float
    asked_at: float


class BegunFiles:
    """The file that each reader began with.

    No request says which file its part is of: polars sends neither If-Match nor If-Range.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._begun: OrderedDict[Reader, _Begun] = OrderedDict()

    def file(self, reader: Reader, part: Part) -> Export | None:
        """The file that this part is of; None where a new file should be made."""
        with self._lock:
            begun, now = self._begun.get(reader), self._clock()
            if begun is None or part == "whole" or not begun.export.path.exists():
                return None
            if now - (begun.made_at if part == "first" else begun.asked_at) > KEPT_S:
                return None
            begun.asked_at = now
            return begun.export

    def begin(self, reader: Reader, part: Part, made: Export) -> Export:
        """The file that a reader begins with: the one just made, or one that another of its requests made meanwhile."""
        with self._lock:
            begun = self.file(reader, part)
            if begun is not None:
                return begun
            now = self._clock()
            self._begun[reader] = _Begun(made, now, now)
            self._begun.move_to_end(reader)
            if len(self._begun) > _MOST_READERS:
                self._begun.popitem(last=False)
            return made


def part_of(request: Request) -> Part:
    """Which part of a file a request asks for. A reader begins with the size, the beginning or the end of a file."""
    wanted = request.headers.get("range", "")
    if request.scope.get("asked_by") == "HEAD" or wanted.startswith(("bytes=-", "bytes=0-")):
        return "first"
    return "later" if wanted else "whole"
