"""Rows of a table: inserted as one list per column, read by statements parsed once, and read as of one instant.

The rows of an instant are the rows below a row number, unless rows are deleted. After a DELETE a checkpoint numbers the
rows again (checked with DuckDB 1.5.5 and 2.0): they keep their order and close up, so later rows get the numbers of
earlier ones. So `AsOf` knows the last row and the number of rows. While that row keeps its number and no row before it
is deleted, the rows are the same: appended rows come after it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from duckdb import DuckDBPyConnection, Statement

from store.errors import StoreError
from store.kinds import Kind

_END = "SELECT coalesce(max(rowid) + 1, 0) FROM {table}"
_COUNT = "SELECT count(*) FROM {table} WHERE rowid < $end"
_LAST = "SELECT hash({columns}) FROM {table} WHERE rowid = $end - 1"

_TRIES = 3

_PARSED: dict[str, Statement] = {}

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of a table at an instant.

    Attributes:
        table: which one.
        end: all their row numbers are below it.
        count: the number of rows.
        last: the hash of the last one; None without any.
    """

    table: str
    end: int
    count: int
    last: int | None


@dataclass(frozen=True, slots=True)
class AsOf:
    """The rows of a kind at an instant.

    Attributes:
        kind: whose tables have them.
        parts: the rows of each table.
    """

    kind: Kind
    parts: tuple[Part, ...]

    @classmethod
    def take(cls, cursor: DuckDBPyConnection, kind: Kind) -> Self:
        """The rows that are stored now."""
        return cls(kind, tuple(_now(cursor, kind, table) for table in kind.tables))

    @property
    def count(self) -> int:
        """The number of rows."""
        return sum(part.count for part in self.parts)

    @property
    def rows(self) -> str:
        """The rows as an SQL relation with the name of the kind's table, with the values of `ends`."""
        return self._relation("<")

    @property
    def later_rows(self) -> str:
        """The rows that came later, likewise."""
        return self._relation(">=")

    @property
    def ends(self) -> dict[str, int]:
        """The values that `rows` and `later_rows` need."""
        return {f"end_of_{part.table}": part.end for part in self.parts}

    def portions(self, most: int) -> Iterator[tuple[str, int, int]]:
        """A table, and the first row number and the one after the last, of at most `most` rows each."""
        for part in self.parts:
            for first in range(0, part.end, most):
                yield part.table, first, min(first + most, part.end)

    def holds(self, cursor: DuckDBPyConnection) -> bool:
        """Are the rows below each `end` exactly the rows of the instant?"""
        return all(_before(cursor, self.kind, part.table, part.end) == part for part in self.parts)

    def _relation(self, which: str) -> str:
        columns = ", ".join(self.kind.column_names)
        each = (
            f"SELECT {columns} FROM {part.table} WHERE rowid {which} $end_of_{part.table}"  # noqa: S608 names of a kind
            for part in self.parts
        )
        return f"({' UNION ALL '.join(each)}) AS {self.kind.table}"


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


def of_one_instant(attempt: Callable[[], Made | None]) -> Made:
    """The result of `attempt` on the rows of an instant. An attempt returns None if rows were deleted; three are made.

    Raises:
        StoreError: rows were deleted during each attempt.
    """
    for _ in range(_TRIES):
        if (made := attempt()) is not None:
            return made
    raise StoreError("rows were deleted each time that they were read: try again later")


def _now(cursor: DuckDBPyConnection, kind: Kind, table: str) -> Part:
    ((end,),) = cursor.execute(_END.format(table=table)).fetchall()
    return _before(cursor, kind, table, end)


def _before(cursor: DuckDBPyConnection, kind: Kind, table: str, end: int) -> Part:
    names = {"table": table, "columns": ", ".join(kind.column_names)}
    last = cursor.execute(_LAST.format(**names), {"end": end}).fetchall()
    ((count,),) = cursor.execute(_COUNT.format(**names), {"end": end}).fetchall()
    return Part(table, end, count, last[0][0] if last else None)
