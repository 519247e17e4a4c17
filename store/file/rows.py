"""Rows of a table: inserted as one list per column, read by statements parsed once, and read as of one instant.

The rows of an instant are the rows below a row number, unless rows are deleted. After a DELETE a checkpoint numbers the
rows again (checked with DuckDB 1.5.5 and 2.0): they keep their order and close up, so later rows get the numbers of
earlier ones. So `AsOf` knows the last row and the number of rows. While that row keeps its number and no row before it
is deleted, the rows are the same: appended rows come after it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from duckdb import DuckDBPyConnection, Statement

from store.errors import StoreError
from store.kinds import Kind

from .database import Database

_END = "SELECT coalesce(max(rowid) + 1, 0) FROM {table}"
_COUNT = "SELECT count(*) FROM {table} WHERE rowid < $end"
_LAST = "SELECT hash({columns}) FROM {table} WHERE rowid = $end - 1"

_TRIES = 3

_PARSED: dict[str, Statement] = {}

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class AsOf:
    """The rows of a kind at an instant.

    Attributes:
        kind: whose table has them.
        end: all their row numbers are below it.
        count: the number of rows.
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
        """Are the rows below `end` exactly the rows of the instant?"""
        return _before(cursor, self.kind, self.end) == (self.count, self.last)


def insert(cursor: DuckDBPyConnection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Add rows to one of our tables, if there are any. Call it inside `Database.write`.

    A placeholder for each value would take as long for two rows, and 15 times as long for a thousand. A cast of each
    list would add a third to the time of two rows; the columns of the table give the types instead.

    Args:
        cursor: of the lease.
        table: its name, which never comes from outside.
        columns: the names of the columns that the rows have values for, in the order of the values.
        rows: the values as the database keeps them, such as instants without a zone.
    """
    lists = [list(column) for column in zip(*rows, strict=True)]
    if lists:
        values = ", ".join(["unnest(?)"] * len(columns))
        cursor.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values}", lists)


def execute(cursor: DuckDBPyConnection, text: str, values: Mapping[str, Any]) -> DuckDBPyConnection:
    """Execute a statement, which the next time is not parsed again, also with another cursor.

    DuckDB 2.0 parses a statement in 0.1 to 0.45 ms: a fourth of the time of a question that has a few rows.

    Args:
        cursor: of a lease.
        text: a constant, since it is kept for good.
        values: of the parameters, by their names.
    """
    if (statement := _PARSED.get(text)) is None:
        (statement,) = cursor.extract_statements(text)
        _PARSED[text] = statement
    return cursor.execute(statement, values)


def of_one_instant(database: Database, attempt: Callable[[], Made | None]) -> Made:
    """The result of `attempt` on the rows of an instant. An attempt returns None if rows were deleted; three are made.

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
