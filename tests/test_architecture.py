"""The arrows between the parts hold, and a recorder alone stays small."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from settings import ROOT

# What each part may import of the others: settings <- store <- {poller, pages, api} <- dashboard.
ARROWS = {
    "settings.py": set(),
    "store": {"settings"},
    "poller": {"settings", "store"},
    "pages": {"settings", "store"},
    "api": {"settings", "store"},
    "dashboard.py": {"settings", "store", "poller", "pages", "api"},
}
PARTS = {name.removesuffix(".py") for name in ARROWS}

# Libraries that only some parts may import.
ONLY_IN = {
    "duckdb": {"store"},
    "httpx": {"poller"},
    "schedule": {"poller"},
    "apprise": {"poller"},
    "prometheus_client": {"store"},
    "fastapi": {"api"},
    "streamlit": {"pages", "dashboard.py"},
    "plotly": {"pages"},
    "pandas": {"pages", "store"},  # store for its frames alone, and not before they are asked for
    "dotenv": {"settings.py"},
}


def sources(part: str) -> list[Path]:
    path = ROOT / part
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The top-level names of all absolute imports of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("part", ARROWS)
def test_each_part_imports_only_those_below_it(part):
    own = part.removesuffix(".py")
    found = {(path.name, name) for path in sources(part) for name in imported(path) if name in PARTS - {own}}

    assert {(file, name) for file, name in found if name not in ARROWS[part]} == set()


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_imported_only_where_it_belongs(library):
    importers = {part for part in ARROWS for path in sources(part) if library in set(imported(path))}

    assert importers <= ONLY_IN[library]


@pytest.mark.parametrize("part", sorted(set(ARROWS) - {"settings.py"}))
def test_only_the_settings_read_the_environment(part):
    readers = [path.name for path in sources(part) if re.search(r"\b(environ|getenv)\b", path.read_text())]

    assert readers == []


def test_one_module_alone_knows_apprise():
    importers = [path.name for path in sources("poller") if "apprise" in set(imported(path))]

    assert importers == ["notify.py"]


def test_a_recorder_loads_nothing_that_only_others_need():
    heavy = "{'streamlit', 'plotly', 'pandas', 'numpy', 'fastapi', 'prometheus_client', 'apprise', 'rich'}"
    look = f"import sys, poller.__main__; print(*sorted({heavy} & set(sys.modules)))"

    loaded = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == ""
