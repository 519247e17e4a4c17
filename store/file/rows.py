"""Rows of a table: put in, bound as one list a column, and read as they were at one instant, over many leases.

The rows of an instant are those up to a number, unless rows are deleted. A checkpoint numbers rows anew after a DELETE
(checked with DuckDB 1.5.5 and 2.0): they keep their order and close up, so later rows get numbers of earlier ones. So
`AsOf` knows the last row and how many there are. While that row keeps its number and no row before it is gone, the rows
before it are the same: what is appended comes after it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from duckdb import DuckDBPyConnection

from store.errors import StoreError
from store.kinds import Kind

from .database import Database

_END = "SELECT coalesce(max(rowid) + 1, 0) FROM {table}"
_COUNT = "SELECT count(*) FROM {table} WHERE rowid < $end"
_LAST = "SELECT hash({columns}) FROM {table} WHERE rowid = $end - 1"

_TRIES = 3

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class AsOf:
    """The rows of a kind at an instant.

    Attributes:
        kind: whose table has them.
        end: their row numbers are below it.
        count: so many they are.
        last: the hash of the last one; None without any.
    """

    kind: Kind
    end: int
    count: int
    last: int | None

    @classmethod
    def take(cls, cursor: DuckDBPyConnection, kind: Kind) -> Self:
        """The rows that are stored now."""
        ((end,),) = cursor.execute(_END.format(table=kind.table)).fetchall()
        return cls(kind, end, *_before(cursor, kind, end))

    def holds(self, cursor: DuckDBPyConnection) -> bool:
        """Are all rows below `end`, and they alone, still those of the instant?"""
        return _before(cursor, self.kind, self.end) == (self.count, self.last)


def insert(cursor: DuckDBPyConnection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Add rows to a table of ours, if there are any. Call it inside `Database.write`.

    A placeholder for each value takes as long with two rows, and 15 times as long with a thousand. A cast of each list
    adds a third to the time of two rows: the columns of the table say of which types the values are.

    Args:
        cursor: of that lease.
        table: its name, which never comes from outside.
        columns: the names of those that the rows have values for, in their order.
        rows: the values as the database keeps them, such as instants without a zone.
    """
    lists = [list(column) for column in zip(*rows, strict=True)]
    if lists:
        values = ", ".join(["unnest(?)"] * len(columns))
        cursor.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values}", lists)


def of_one_instant(database: Database, attempt: Callable[[], Made | None]) -> Made:
    """What `attempt` makes of the rows of an instant. It is begun anew, twice at most, when it makes None: some went.

    Raises:
        StoreError: rows were deleted during each attempt.
    """
    for _ in range(_TRIES):
        if (made := attempt()) is not None:
            return made
    raise StoreError(f"rows were deleted from {database.path.name} each time that it was read: try again later")


def _before(cursor: DuckDBPyConnection, kind: Kind, end: int) -> tuple[int, int | None]:
    names = {"table": kind.table, "columns": ", ".join(kind.column_names)}
    last = cursor.execute(_LAST.format(**names), {"end": end}).fetchall()
    ((count,),) = cursor.execute(_COUNT.format(**names), {"end": end}).fetchall()
    return count, last[0][0] if last else None
