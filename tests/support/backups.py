"""What a backup and a file have."""

from pathlib import Path

import duckdb

from store.backup.manifest import Manifest, read_manifest
from store.backup.verify import faults_of_backup
from store.file import schema


def rows(file: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables."""
    with duckdb.connect(file, read_only=True) as connection:
        return {
            name: sorted(connection.execute(f"FROM {schema.quoted(name)}").fetchall(), key=repr)
            for name in schema.tables(connection)
        }


def manifest_in(folder: Path) -> Manifest:
    manifest = read_manifest(folder)
    assert manifest is not None
    return manifest


def faults(folder: Path) -> list[str]:
    return list(faults_of_backup(folder, manifest_in(folder), "256MB"))
