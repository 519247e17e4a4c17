"""A check of an exported file finds damage."""

import json
from pathlib import Path

import pytest

from store.errors import StoreError
from store.export.files import Export, Exports, manifest_of
from store.export.query import FORMATS, ExportQuery, Format
from store.export.verify import exported_files, faults_of_export
from store.file.database import Database
from tests.store.histories import at, observed

INTERVAL_S = (0, 60)


@pytest.fixture
def exported(database: Database) -> Exports:
    with database.write() as cursor:
        observed(cursor, range(0, 600, 7))
    return Exports(database, 10**9)


def made(exported: Exports, kind: Format = "parquet", interval_s: int = 0) -> Export:
    interval = at(interval_s) - at(0)
    return exported.make(ExportQuery(("btc_usd",), at(0), at(600), interval, format=kind))


def faults(path: Path) -> list[str]:
    return list(faults_of_export(path, "256MB"))


def claim(path: Path, **facts: object) -> None:
    """Change values in the manifest."""
    manifest = json.loads(manifest_of(path).read_text())
    manifest_of(path).write_text(json.dumps({**manifest, **facts}))


@pytest.mark.parametrize("interval_s", INTERVAL_S)
@pytest.mark.parametrize("kind", FORMATS)
def test_a_sound_export_has_no_fault(exported: Exports, kind: Format, interval_s: int):
    assert faults(made(exported, kind, interval_s).path) == []


@pytest.mark.parametrize("kind", FORMATS)
def test_a_changed_export_is_reported(exported: Exports, kind: Format):
    path = made(exported, kind).path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    assert faults(path) == [f"{path.name} is not what was exported: its SHA-256 differs"]


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_an_export_with_other_rows_than_its_manifest_is_reported(exported: Exports, kind: Format):
    path = made(exported, kind, 60).path
    claim(path, rows=11, first=None)

    (fault,) = faults(path)
    assert fault == (
        f"{path.name} has 10 rows from 2026-11-01T12:00:00+00:00 to 2026-11-01T12:09:00+00:00, its manifest says 11 "
        "from None to 2026-11-01T12:09:00+00:00"
    )


@pytest.mark.parametrize("text", ["", "[1]", "{}"])
def test_an_invalid_manifest_is_one_line(exported: Exports, text: str):
    path = made(exported).path
    manifest_of(path).write_text(text)

    with pytest.raises(StoreError, match="is no manifest of an export"):
        faults(path)


def test_a_manifest_without_its_file_is_one_line(exported: Exports):
    path = made(exported).path
    path.unlink()

    with pytest.raises(StoreError, match=r"\.parquet can't be read: No such file"):
        faults(path)


def test_a_path_gives_the_files_of_a_folder_or_one_file(exported: Exports):
    paths = [made(exported, kind).path for kind in FORMATS]
    (exported.folder / "notes.txt").write_text("of others")

    assert exported_files(exported.folder) == sorted(paths)
    assert exported_files(paths[0]) == [paths[0]]
    assert exported_files(exported.database.path) == []
    assert exported_files(exported.database.path.parent) == []
