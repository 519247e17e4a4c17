"""Copies the rows of tables to Parquet files and back."""

import glob
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from store.file import schema
from store.instants import EPOCH

_DESCRIBED = "SELECT count(*), min(epoch_us({time})), max(epoch_us({time})) FROM read_parquet(?)"
_TYPES = "DESCRIBE FROM read_parquet(?)"


def as_instants(columns: Sequence[tuple[str, str]]) -> str:
    """A list for SELECT that turns times without a zone into instants in UTC, and instants into such times."""
    return ", ".join(
        f"{schema.quoted(name)} AT TIME ZONE 'UTC' AS {schema.quoted(name)}"
        if type_.startswith("TIMESTAMP")
        else schema.quoted(name)
        for name, type_ in columns
    )


def write(cursor: DuckDBPyConnection, query: str, values: list[Any] | dict[str, Any], path: Path) -> None:
    """Write the rows of a query to a Parquet file."""
    cursor.sql(query, params=values).write_parquet(str(path), compression="zstd")


def pattern(path: Path) -> str:
    """The pattern for `read_parquet` that matches this file only."""
    return glob.escape(str(path))


def types_in(parquet: DuckDBPyConnection, path: Path) -> list[tuple[str, str]]:
    """The columns of a Parquet file and their types."""
    return [(name, type_) for name, type_, *_ in parquet.execute(_TYPES, [pattern(path)]).fetchall()]


def describe(parquet: DuckDBPyConnection, path: Path, time_column: str | None) -> tuple[int, str | None, str | None]:
    """The number of rows of a Parquet file, its first and its last time; `parquet` is any connection."""
    query = _DESCRIBED.format(time=schema.quoted(time_column) if time_column else "NULL::TIMESTAMP")
    ((rows, first, last),) = parquet.execute(query, [pattern(path)]).fetchall()
    return rows, _instant(first), _instant(last)


def take_in(connection: DuckDBPyConnection, table: str, paths: Sequence[Path], *, made: bool, limit: str = "") -> None:
    """Put the rows of copies into a table.

    Args:
        connection: a connection to the database.
        table: the name of the table. A table of ours gets times without a zone; a user's own table gets the values as
            they were copied.
        paths: the Parquet files.
        made: does the table exist? Otherwise it is made with the columns of the files.
        limit: "LIMIT 0" reads no row and only tries whether the files fit the table.
    """
    patterns = [pattern(path) for path in paths]
    if made:
        columns = schema.columns(connection, table)
        start = f"INSERT INTO {schema.quoted(table)} SELECT {as_instants(columns)}"
    else:
        start = f"CREATE TABLE {schema.quoted(table)} AS SELECT *"
    connection.execute(f"{start} FROM read_parquet(?) {limit}", [patterns])


def _instant(epoch_us: int | None) -> str | None:
    return None if epoch_us is None else (EPOCH + timedelta(microseconds=epoch_us)).isoformat()
