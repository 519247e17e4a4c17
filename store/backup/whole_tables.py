"""Tables that a backup copies as a whole, ours and those of the user's own, and how its files are finished."""

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
"""So many digits of its hash end the name of a file."""

_ALL = "SELECT {columns} FROM {table} ORDER BY rowid"

# Parquet has no offset of a time of day and no microseconds of an interval. A field's name has its type after it.
_INEXACT = re.compile(r"\b(TIME WITH TIME ZONE|INTERVAL)(?=[],)[]|$)")


@dataclass
class WholeTables:
    """Copies of tables, not finished yet.

    Attributes:
        ours: the files of our tables, by name.
        left_out: in words what no backup has.
    """

    ours: dict[str, Path] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    _times: dict[str, str | None] = field(default_factory=dict)
    _own: dict[str, tuple[Path, list[tuple[str, str]]]] = field(default_factory=dict)

    @classmethod
    def copy(cls, cursor: DuckDBPyConnection, folder: Path, without: Container[str]) -> Self:
        """Copy all tables but some into a folder."""
        its = cls(left_out=schema.elsewhere(cursor))
        known = schema.ours()
        for number, table in enumerate(table for table in schema.tables(cursor) if table not in without):
            if table in known:
                its._copy(cursor, folder, table)
            else:
                its._copy_own(cursor, folder, number, table)
        return its

    def finished(self, parquet: DuckDBPyConnection, folder: Path) -> dict[str, list[File]]:
        """Finish the copies; what the manifest says of them. Those that lack something are left out."""
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
        # The name of a table of the user's own may be no name of a file.
        path = folder / f"{_OF_OTHERS.format(number=number)}{UNFINISHED}"
        try:
            write(cursor, _ALL.format(columns="*", table=schema.quoted(table)), [], path)
        except duckdb.Error as error:
            self.left_out.append(f"table {table}: {' '.join(str(error).split())}")
        else:
            self._own[table] = path, schema.columns(cursor, table)


def _what_parquet_lost(parquet: DuckDBPyConnection, path: Path, columns: list[tuple[str, str]]) -> str | None:
    """Which column of a copy has another type than the table's, or may have other values, in words."""
    for (name, type_), (_, copied) in zip(columns, types_in(parquet, path), strict=True):
        if type_ != copied or _INEXACT.search(type_):
            return f"Parquet can't hold the type {type_} of its column {name}"
    return None


def names_of_finished() -> re.Pattern[str]:
    """What matches the path of each file that `finished` leaves, below the folder, and none of a person's."""
    days = [f"{kind.table}/[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}" for kind in kinds.KINDS]
    stems = "|".join([*days, _OF_OTHERS.format(number="[0-9]+"), *sorted(schema.ours())])
    return re.compile(rf"({stems})-[0-9a-f]{{{_OF_HASH}}}\.parquet")


def finished(parquet: DuckDBPyConnection, folder: Path, path: Path, time_column: str | None) -> File:
    """Have a file on the disk, under the name of its hash, and say what is in it."""
    sha256 = sha256_of(path)
    its_name = path.with_name(f"{path.stem}-{sha256[:_OF_HASH]}.parquet")
    sync(path)
    path.rename(its_name)
    return File(str(its_name.relative_to(folder)), *describe(parquet, its_name, time_column), time_column, sha256)
