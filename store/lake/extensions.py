"""The extensions of DuckDB that a lake needs: installed ones, those of Python packages, or downloaded ones."""

import contextlib
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from store.errors import StoreError

NAMES = ("ducklake", "postgres_scanner", "httpfs")
"""The catalog, PostgreSQL, and buckets."""

_PACKAGES = Path(sysconfig.get_path("platlib"))

_OLD = "duckdb-extension-{name}"
_OFFICIAL = "duckdb-core-ext-{name}"
"""The packages of extensions for DuckDB 1, and DuckDB's own for later versions (docs of 2.0, read 2026-11)."""


def load(connection: DuckDBPyConnection, name: str, packages: Path = _PACKAGES) -> None:
    """Load an extension.

    Args:
        connection: of a DuckDB that downloads nothing by itself.
        name: of the extension.
        packages: the folder of Python's packages.

    Raises:
        StoreError: it is not there, and can't be downloaded; the message names the package to install.
    """
    for step in _steps(name, packages):
        with contextlib.suppress(duckdb.Error):
            connection.execute(step)
            return
    version = duckdb.__version__
    package = package_of(name, version)
    raise StoreError(
        f"DuckDB {version} has no extension {name} here and can't download it: pip install {package}=={version}"
    )


def package_of(name: str, version: str) -> str:
    """The Python package that has an extension for a version of DuckDB."""
    pattern = _OLD if version.startswith("1.") else _OFFICIAL
    return pattern.format(name=name.replace("_", "-"))


def _steps(name: str, packages: Path) -> Iterator[str]:
    """The statements that load an extension, the best one first."""
    yield f"LOAD {name}"
    file = f"{name}.duckdb_extension"
    folders = (packages / ".duckdb_extensions", packages / f"duckdb_extension_{name}")
    for path in (path for folder in folders for path in sorted(folder.rglob(file))):
        quoted = str(path).replace("'", "''")
        yield f"LOAD '{quoted}'"
    yield f"INSTALL {name}; LOAD {name}"
