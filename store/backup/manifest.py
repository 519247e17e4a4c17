"""The manifest of a backup: its files, and what each must contain."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from store.errors import NewerSchemaError, StoreError
from store.file.schema import newest
from store.kinds import kinds_of

NAME = "manifest.json"
_FORMAT = 1

# A path never leads out of the backup's folder. A name may be any name that DuckDB takes, because we always quote it.
_Path = Annotated[str, Field(pattern=r"^([a-z0-9_]+/)?[^/\\:\x00-\x1f]{1,200}-[0-9a-f]{12}\.parquet$")]
_Name = Annotated[str, Field(pattern=r"^[^\x00]+$", max_length=1000)]
_Rows = Annotated[int, Field(ge=0)]
_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Day = Annotated[str, Field(pattern=r"^(\d{4}-\d\d(-\d\d)?)?$")]

_STRICT = ConfigDict(strict=True, extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class File:
    """A Parquet file of a backup.

    Attributes:
        path: the path below the backup's folder.
        rows: the number of rows.
        start, end: the first and the last time, ISO 8601 in UTC; None without rows or times.
        time: the column that has these times.
        sha256: the hash of the file's bytes, hexadecimal.
        day: the UTC day of the rows, or their month; empty for tables that are copied as a whole.
        digest: a hash of these rows in any order.
    """

    path: _Path
    rows: _Rows
    start: str | None
    end: str | None
    time: _Name | None
    sha256: _Hash
    day: _Day = ""
    digest: int = 0


@dataclass(frozen=True)
class Manifest:
    """A backup as a whole.

    Attributes:
        schema: the schema of the tables.
        version: the version of Tickwell that made the backup.
        made_at: the instant whose rows the backup has.
        tables: the files of each table, by the name of the table.
    """

    schema: int
    version: str
    made_at: datetime
    tables: dict[str, list[File]]

    @property
    def files(self) -> Iterator[File]:
        for files in self.tables.values():
            yield from files

    @property
    def rows_of_kinds(self) -> dict[str, int]:
        """The number of rows in the table of each kind."""
        return {kind.table: sum(file.rows for file in self.tables[kind.table]) for kind in kinds_of(self.tables)}


@dataclass(frozen=True, config=_STRICT)
class _Written:
    """A manifest as its file has it."""

    format: Annotated[int, Field(ge=_FORMAT, le=_FORMAT)]
    schema: Annotated[int, Field(ge=1)]
    version: str
    made_at: AwareDatetime
    tables: dict[_Name, list[File]]


_WRITTEN = TypeAdapter(_Written)
_FORMAT_OF = TypeAdapter(dict[str, object])


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a backup; None if there is no backup in the folder.

    Anybody may have written the file: each path is checked to lie in the folder, and names are safe once quoted.

    Raises:
        NewerSchemaError: the backup is of a newer version.
        StoreError: the manifest can't be read.
    """
    path = folder / NAME
    if path.exists() and not path.is_file():
        raise StoreError(f"{path} can't be read: it is no file")
    try:
        text = path.read_bytes()
        found_format = _FORMAT_OF.validate_json(text).get("format")
        if type(found_format) is int and found_format > _FORMAT:
            raise NewerSchemaError(f"{path} has format {found_format}, this version reads {_FORMAT}: update Tickwell")
        written = _WRITTEN.validate_json(text)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"{path} can't be read: {error.strerror}") from error
    except ValidationError as error:
        raise StoreError(f"{path} is no manifest of a backup: {_first_fault(error)}") from error
    if written.schema > newest():
        raise NewerSchemaError(
            f"the backup has schema {written.schema}, this version knows schemas up to {newest()}: update Tickwell"
        )
    manifest = Manifest(written.schema, written.version, written.made_at, written.tables)
    if (fault := _fault_of(folder, manifest)) is not None:
        raise StoreError(f"{path} is no manifest of a backup: {fault}")
    return manifest


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    place = ".".join(map(str, fault["loc"]))
    return " ".join(f"{place!a}: {fault['msg']}".split())


def _fault_of(folder: Path, manifest: Manifest) -> str | None:
    """The fault of a manifest as a whole; None if there is none."""
    if "ticks" not in manifest.tables:
        return "it names no ticks"
    inside = folder.resolve()
    for file in manifest.files:
        if not (folder / file.path).resolve().is_relative_to(inside):
            return f"{file.path} leads out of the folder"
    return None


def as_text(manifest: Manifest) -> str:
    """The manifest as JSON."""
    found = {"format": _FORMAT, **asdict(manifest), "made_at": manifest.made_at.isoformat()}
    return json.dumps(found, indent=1)
