"""The ticks of one instant, read over many leases: those are the rows up to a number, unless rows are deleted.

A checkpoint numbers rows anew after a DELETE (checked with DuckDB 1.5.5 and 2.0): they keep their order and close up,
so later ticks get numbers of earlier ones. So a snapshot knows its last row and how many there are. While that row
keeps its number and no row before it is gone, the rows before it are the same: what is appended comes after it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeVar

from duckdb import DuckDBPyConnection

from store.errors import StoreError
from store.file.database import Database

_END = "SELECT coalesce(max(rowid) + 1, 0) FROM ticks"
_COUNT = "SELECT count(*) FROM ticks WHERE rowid < $end"
_LAST = "SELECT hash(index_name, ts, received_at, price, source, resolution_s) FROM ticks WHERE rowid = $end - 1"

_TRIES = 3

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The ticks of an instant.

    Attributes:
        end: their row numbers are below it.
        count: so many they are.
        last: the hash of the last one; None without any.
    """

    end: int
    count: int
    last: int | None

    @classmethod
    def take(cls, cursor: DuckDBPyConnection) -> Self:
        """The ticks that are stored now."""
        ((end,),) = cursor.execute(_END).fetchall()
        return cls(end, *_before(cursor, end))

    def holds(self, cursor: DuckDBPyConnection) -> bool:
        """Are all rows below `end`, and they alone, still those of the snapshot?"""
        return _before(cursor, self.end) == (self.count, self.last)


def of_one_instant(database: Database, attempt: Callable[[], Made | None]) -> Made:
    """What `attempt` makes of a snapshot. It is begun anew, twice at most, when it makes None: ticks were deleted.

    Raises:
        StoreError: ticks were deleted during each attempt.
    """
    for _ in range(_TRIES):
        if (made := attempt()) is not None:
            return made
    raise StoreError(f"ticks were deleted from {database.path.name} each time that it was read: try again later")


def _before(cursor: DuckDBPyConnection, end: int) -> tuple[int, int | None]:
    last = cursor.execute(_LAST, {"end": end}).fetchall()
    ((count,),) = cursor.execute(_COUNT, {"end": end}).fetchall()
    return count, last[0][0] if last else None
