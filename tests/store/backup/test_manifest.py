"""A manifest from a stranger can neither inject SQL nor lead out of its folder."""

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from store.backup.backup import backup
from store.backup.copies import describe, write
from store.backup.manifest import read_manifest
from store.backup.restore import restore
from store.backup.verify import faults_of_backup, what_it_holds
from store.errors import StoreError
from store.file.database import Database
from store.file.disk import sha256_of
from store.file.schema import newest
from store.prices import ticks
from tests.conftest import tick
from tests.support.examples import examples


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a backup."""
    folder = tmp_path_factory.mktemp("manifest")
    database = Database(folder / "ticks.duckdb")
    database.migrate()
    with database.write() as cursor:
        ticks.append(cursor, [tick(second) for second in range(3)])
        cursor.execute("CREATE TABLE mine AS SELECT 1 AS x")
    backup(database, folder / "backup")
    return folder / "backup"


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


SQL = [
    """a")) FROM (SELECT TIMESTAMP '2026-01-01' AS a); COPY (SELECT 42) TO '{out}/x.csv'; SELECT 1 --""",
    """ticks" SELECT 1; COPY (SELECT 42) TO '{out}/x.csv'; --""",
    """x'; COPY (SELECT 42) TO '{out}/x.csv'; --""",
    '"',
    "ticks",
    "MIGRATIONS",
    "gaps",
    "",
    "\u0000",
    "\ud800",
    "a" * 5000,
]
PATHS = [
    "../{name}",
    "/etc/passwd",
    "{out}/x-0123456789ab.parquet",
    "../x-0123456789ab.parquet",
    "ticks/../../x-0123456789ab.parquet",
    "ticks\\..\\x-0123456789ab.parquet",
    "https://example.org/x-0123456789ab.parquet",
    "*-0123456789ab.parquet",
    "ticks",
    ".",
    "",
    "link-0123456789ab.parquet",
    "ticks/link-0123456789ab.parquet",
]
anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from(SQL + PATHS),
    st.just([]),
    st.just({}),
)
PLACES = [
    "format",
    "schema",
    "version",
    "made_at",
    "tables",
    "table",
    "path",
    "rows",
    "start",
    "end",
    "time",
    "sha256",
    "day",
]
changes = st.lists(st.tuples(st.sampled_from(PLACES), anything), min_size=1, max_size=3)


def filled_in(value: Any, out: Path) -> Any:
    return value.replace("{out}", str(out)).replace("{name}", out.name) if isinstance(value, str) else value


def changed(manifest: dict[str, Any], place: str, value: Any) -> None:
    """Replace the value at one place of a manifest."""
    if place not in ("table", "path", "rows", "start", "end", "time", "sha256", "day"):
        manifest[place] = value
    elif place == "table":
        manifest["tables"][str(value)] = manifest["tables"].pop("mine", [])
    else:
        for name in ("ticks", "mine"):
            for file in manifest["tables"].get(name, []):
                file[place] = value


def copied(made: Path, folder: Path) -> Path:
    """A copy of the backup with links that lead out of it."""
    backup_folder = folder / "backup"
    for path in [made, *made.rglob("*")]:
        target = backup_folder / path.relative_to(made)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.write_bytes(path.read_bytes())
    (folder / "secret.parquet").write_bytes(next(made.glob("runs-*.parquet")).read_bytes())
    for link in ("link-0123456789ab.parquet", "ticks/link-0123456789ab.parquet"):
        (backup_folder / link).symlink_to(folder / "secret.parquet")
    return backup_folder


def said_of(folder: Path) -> Iterator[str]:
    try:
        manifest = what_it_holds(folder)
        assert manifest is not None
        yield from faults_of_backup(folder, manifest, "256MB")
    except StoreError as error:
        yield str(error)


@examples(60)
@example(what=[("start", "\n")])
@given(what=changes)
def test_no_manifest_makes_a_restore_write_elsewhere(made: Path, what: list[tuple[str, Any]]):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hostile = copied(made, folder)
        manifest = json.loads((hostile / "manifest.json").read_text())
        for place, value in what:
            if isinstance(manifest["tables"], dict):
                changed(manifest, place, filled_in(value, folder))
        (hostile / "manifest.json").write_text(json.dumps(manifest))
        before = files_below(folder)

        said = list(said_of(hostile))
        restored = Database(folder / "restored" / "ticks.duckdb")
        try:
            restore(hostile, restored)
        except StoreError as error:
            said.append(str(error))
            assert not restored.path.exists()

        assert all("\n" not in line for line in said)
        assert {path for path in files_below(folder) if not path.startswith("restored")} == before


@pytest.mark.parametrize("path", [path for path in PATHS if not path.startswith("*")])
def test_a_path_out_of_the_folder_is_refused(made: Path, tmp_path: Path, path: str):
    hostile = copied(made, tmp_path)
    manifest = json.loads((hostile / "manifest.json").read_text())
    changed(manifest, "path", filled_in(path, tmp_path))
    (hostile / "manifest.json").write_text(json.dumps(manifest))

    (said,) = said_of(hostile)

    assert "manifest.json is no manifest of a backup: " in said


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("time", "price"), r" can't be read: .*epoch_us"),
        (("time", "nothing"), r" can't be read: .*nothing"),
        (("rows", 7), r" has 3 rows from .*, the manifest says 7 from "),
    ],
)
def test_a_file_that_differs_from_the_manifest_is_named(made: Path, tmp_path: Path, change: tuple[str, Any], says: str):
    hostile = copied(made, tmp_path)
    manifest = json.loads((hostile / "manifest.json").read_text())
    manifest["tables"].pop("mine")
    changed(manifest, *change)
    (hostile / "manifest.json").write_text(json.dumps(manifest))

    (said,) = said_of(hostile)

    assert said.startswith("ticks/2026-11-01-")
    assert re.search(says, said)


def test_a_table_that_cannot_be_restored_is_a_fault(made: Path, tmp_path: Path):
    hostile = copied(made, tmp_path)
    manifest = json.loads((hostile / "manifest.json").read_text())
    manifest["tables"]["runs"] = manifest["tables"]["mine"]
    (hostile / "manifest.json").write_text(json.dumps(manifest))

    (said,) = said_of(hostile)

    assert said.startswith("own-table-")
    assert " can't be restored: Binder Error: " in said


@pytest.mark.parametrize("put", [Path.mkdir, os.mkfifo])
def test_a_path_that_is_no_file_is_a_fault(made: Path, tmp_path: Path, put: Callable[[Path], None]):
    hostile = copied(made, tmp_path)
    path = next(hostile.glob("own-table-*"))
    path.unlink()
    put(path)

    assert list(said_of(hostile)) == [f"{path.name} is no file"]


def test_an_unreadable_file_is_a_fault(made: Path, tmp_path: Path):
    hostile = copied(made, tmp_path)
    path = next(hostile.glob("own-table-*"))
    manifest = read_manifest(hostile)
    assert manifest is not None
    path.unlink()
    path.symlink_to("/proc/self/mem")  # reading its first byte fails with an input error

    assert list(faults_of_backup(hostile, manifest, "256MB")) == [f"{path.name} can't be read: Input/output error"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema": 1}, f"the table migrations has schema {newest()}, the manifest says 1"),
        ({"tables": {"migrations": []}}, f"the table migrations has schema 0, the manifest says {newest()}"),
    ],
)
def test_steps_that_do_not_fit_the_tables_are_a_fault(made: Path, tmp_path: Path, change: dict[str, Any], says: str):
    hostile = copied(made, tmp_path)
    manifest = json.loads((hostile / "manifest.json").read_text())
    manifest |= change | {"tables": manifest["tables"] | change.get("tables", {})}
    (hostile / "manifest.json").write_text(json.dumps(manifest))

    assert list(said_of(hostile)) == [says]
    with pytest.raises(StoreError, match=f"is damaged, nothing was restored: {says}$"):
        restore(hostile, Database(tmp_path / "restored.duckdb"))
    assert not (tmp_path / "restored.duckdb").exists()


def test_steps_of_a_newer_version_are_a_fault(made: Path, tmp_path: Path):
    hostile = copied(made, tmp_path)
    manifest = json.loads((hostile / "manifest.json").read_text())
    path = hostile / "steps-0123456789ab.parquet"
    with duckdb.connect() as parquet:
        query = "SELECT 9999::INTEGER AS number, 'later' AS name, now() AS applied_at"
        write(parquet, query, [], path)
        rows, start, end = describe(parquet, path, "applied_at")
    file = {"path": path.name, "rows": rows, "start": start, "end": end, "time": "applied_at"}
    manifest["tables"]["migrations"] = [{**file, "sha256": sha256_of(path)}]
    (hostile / "manifest.json").write_text(json.dumps(manifest))

    (said,) = said_of(hostile)

    assert said.startswith("the tables can't be brought up to this version: the database has schema 9999")


def test_a_damaged_file_with_the_right_hash_is_a_fault(made: Path, tmp_path: Path):
    hostile = copied(made, tmp_path)
    path = next(hostile.glob("own-table-*"))
    path.write_bytes(b"no parquet")
    manifest = json.loads((hostile / "manifest.json").read_text())
    manifest["tables"]["mine"][0]["sha256"] = sha256_of(path)
    (hostile / "manifest.json").write_text(json.dumps(manifest))

    (said,) = said_of(hostile)

    assert said.startswith(f"{path.name} can't be read: ")
