"""What a backup says of itself: which files belong to it, and what must be in each."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from .errors import NewerSchemaError, StoreError
from .schema import newest

NAME = "manifest.json"
_FORMAT = 1


@dataclass(frozen=True)
class File:
    """A Parquet file of a backup.

    Attributes:
        path: below the backup's folder.
        rows: in it.
        start, end: the first and the last of its times, ISO 8601 in UTC; None without any.
        time: the column that has these times.
        sha256: of its bytes, hexadecimal.
        day: of its ticks, in UTC; empty for other tables.
        digest: of its ticks, whatever their order.
    """

    path: str
    rows: int
    start: str | None
    end: str | None
    time: str | None
    sha256: str
    day: str = ""
    digest: int = 0


@dataclass(frozen=True)
class Manifest:
    """All of a backup at one instant.

    Attributes:
        schema: of the tables.
        version: of Tickwell that made it.
        made_at: the instant whose state it is.
        tables: the files of each table, by its name.
    """

    schema: int
    version: str
    made_at: datetime
    tables: dict[str, list[File]]

    @property
    def files(self) -> Iterator[File]:
        for files in self.tables.values():
            yield from files


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a backup; None if there is no backup in the folder.

    Raises:
        NewerSchemaError: the backup is of a newer version.
        StoreError: it can't be read.
    """
    path = folder / NAME
    try:
        found = json.loads(path.read_text())
        manifest = Manifest(
            int(found["schema"]),
            str(found["version"]),
            datetime.fromisoformat(found["made_at"]),
            {table: [File(**each) for each in files] for table, files in found["tables"].items()},
        )
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"{path} can't be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise StoreError(f"{path} is no manifest of a backup: {error}") from error
    if manifest.schema > newest():
        raise NewerSchemaError(
            f"the backup has schema {manifest.schema}, this version knows schemas up to {newest()}: update Tickwell"
        )
    return manifest


def as_text(manifest: Manifest) -> str:
    """The manifest as JSON."""
    found = {"format": _FORMAT, **asdict(manifest), "made_at": manifest.made_at.isoformat()}
    return json.dumps(found, indent=1)


def sha256_of(path: Path) -> str:
    """The hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
