"""Checks that an exported file still matches its manifest."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from store.errors import StoreError
from store.file.disk import in_one_line, sha256_of
from store.instants import EPOCH
from store.kinds import kinds_of

from . import tardis
from .files import facts_of, manifest_of

_FOUND = {
    "parquet": "SELECT count(*), min({us}), max({us}) FROM read_parquet(?)",
    "csv": "SELECT count(*), min({us}), max({us}) FROM read_csv(?, all_varchar => true)",
}


def exported_files(path: Path) -> list[Path]:
    """The exported files at a path: the file itself, or the files in a folder; empty for anything else."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if manifest_of(file).exists())
    return [path] if manifest_of(path).exists() else []


def faults_of_export(path: Path, memory_limit: str) -> Iterator[str]:
    """The faults of an exported file, a line each."""
    try:
        with in_one_line(path, "read"):
            manifest = facts_of(path)
            if sha256_of(path) != manifest["sha256"]:
                yield f"{path.name} is not what was exported: its SHA-256 differs"
                return
            if manifest["format"] in _FOUND:
                yield from _differences(path, manifest, memory_limit)
    except (ValueError, LookupError) as error:
        raise StoreError(f"{manifest_of(path)} is no manifest of an export: {error}") from error


def _differences(path: Path, manifest: dict[str, Any], memory_limit: str) -> Iterator[str]:
    query = _FOUND[manifest["format"]].format(us=_us_of(manifest))
    with duckdb.connect(config={"memory_limit": memory_limit}) as reader:
        ((rows, *ends),) = reader.execute(query, [str(path)]).fetchall()
    first, last = (None if us is None else (EPOCH + timedelta(microseconds=us)).isoformat() for us in ends)
    said = tuple(manifest[name] for name in ("rows", "first", "last"))
    if (rows, first, last) != said:
        yield (
            f"{path.name} has {rows:,} rows from {first} to {last}, its manifest says {said[0]:,} from {said[1]} to "
            f"{said[2]}"
        )


def _us_of(manifest: dict[str, Any]) -> str:
    """The time of a row in microseconds. The names are ours, whatever a manifest says."""
    if manifest.get("columns") == "tardis":
        return f"CAST({tardis.TIME} AS BIGINT)"
    kinds = kinds_of([manifest["rows_are"]])
    return f"epoch_us(CAST({kinds[0].time if kinds else 'open_time'} AS TIMESTAMPTZ))"
