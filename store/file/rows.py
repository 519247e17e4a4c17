"""Rows into a table, bound as one list a column."""

from collections.abc import Iterable, Sequence
from typing import Any

from duckdb import DuckDBPyConnection


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
