"""Inserts rows into a table, bound as one list per column."""

from collections.abc import Iterable, Sequence
from typing import Any

from duckdb import DuckDBPyConnection


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
