"""Copies tables as a whole, both ours and the user's own, and finishes the files of a backup."""

import re
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import duckdb
from duckdb import DuckDBPyConnection

from store import kinds
from store.file import schema
from store.file.disk import sha256_of, sync

from .copies import as_instants, describe, types_in, write
from .manifest import File

UNFINISHED = ".tickwell-unfinished"

_OF_OTHERS = "own-table-{number}"

_OF_HASH = 12
"""The name of a file ends with 12 digits of its hash."""

_ALL = "SELECT {columns} FROM {table} ORDER BY rowid"

# Parquet keeps no offset of a time of day and no microseconds of an interval. The end of the pattern excludes a field
# of a struct that is only named so: its type follows the name.
_INEXACT = re.compile(r"\b(TIME WITH TIME ZONE|INTERVAL)(?=[],)[]|$)")


@dataclass
class WholeTables:
    """Unfinished copies of tables.

    Attributes:
        ours: the files of our tables, by name.
        left_out: what the backup lacks, in words.
    """

    ours: dict[str, Path] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    _times: dict[str, str | None] = field(default_factory=dict)
    _own: dict[str, tuple[Path, list[tuple[str, str]]]] = field(default_factory=dict)

    @classmethod
    def copy(cls, cursor: DuckDBPyConnection, folder: Path, without: Container[str]) -> Self:
        """Copy all tables into a folder, except the tables in `without`."""
        made = cls(left_out=schema.elsewhere(cursor))
        known = schema.ours()
        for number, table in enumerate(table for table in schema.tables(cursor) if table not in without):
            if table in known:
                made._copy(cursor, folder, table)
            else:
                made._copy_own(cursor, folder, number, table)
        return made

    def finished(self, parquet: DuckDBPyConnection, folder: Path) -> dict[str, list[File]]:
        """Finish the copies; return their files for the manifest. A copy that lost something is left out."""
        files = {table: [finished(parquet, folder, path, self._times[table])] for table, path in self.ours.items()}
        for table, (path, columns) in self._own.items():
            if (fault := _what_parquet_lost(parquet, path, columns)) is None:
                files[table] = [finished(parquet, folder, path, None)]
            else:
                self.left_out.append(f"table {table}: {fault}")
        return files

    def _copy(self, cursor: DuckDBPyConnection, folder: Path, table: str) -> None:
        columns = schema.columns(cursor, table)
        self.ours[table] = folder / f"{table}{UNFINISHED}"
        self._times[table] = next((name for name, type_ in columns if type_.startswith("TIMESTAMP")), None)
        query = _ALL.format(columns=as_instants(columns), table=schema.quoted(table))
        write(cursor, query, [], self.ours[table])

    def _copy_own(self, cursor: DuckDBPyConnection, folder: Path, number: int, table: str) -> None:
        # The name of a user's own table may not be a valid name of a file.
        path = folder / f"{_OF_OTHERS.format(number=number)}{UNFINISHED}"
        try:
            write(cursor, _ALL.format(columns="*", table=schema.quoted(table)), [], path)
        except duckdb.Error as error:
            self.left_out.append(f"table {table}: {' '.join(str(error).split())}")
        else:
            self._own[table] = path, schema.columns(cursor, table)


def _what_parquet_lost(parquet: DuckDBPyConnection, path: Path, columns: list[tuple[str, str]]) -> str | None:
    """One line about the first column whose type or values differ in the copy; None if there is none."""
    for (name, type_), (_, copied) in zip(columns, types_in(parquet, path), strict=True):
        if type_ != copied or _INEXACT.search(type_):
            return f"Parquet can't hold the type {type_} of its column {name}"
    return None


def names_of_finished() -> re.Pattern[str]:
    """The pattern of the paths that `finished` makes, below the folder. It matches no file of a person."""
    days = [f"{kind.table}/[0-9]{{4}}-[0-9]{{2}}(-[0-9]{{2}})?" for kind in kinds.KINDS]
    stems = "|".join([*days, _OF_OTHERS.format(number="[0-9]+"), *sorted(schema.ours())])
    return re.compile(rf"({stems})-[0-9a-f]{{{_OF_HASH}}}\.parquet")


def finished(parquet: DuckDBPyConnection, folder: Path, path: Path, time_column: str | None) -> File:
    """Make a file durable, rename it by its hash, and describe it."""
    sha256 = sha256_of(path)
    named = path.with_name(f"{path.stem}-{sha256[:_OF_HASH]}.parquet")
    sync(path)
    path.rename(named)
    return File(str(named.relative_to(folder)), *describe(parquet, named, time_column), time_column, sha256)
