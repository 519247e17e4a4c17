"""The arrows between parts and between rooms hold, and a recorder alone stays small."""

import ast
import graphlib
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from settings import ROOT
from tests.support.rooms import ARROWS, PARTS, ROOMS

# Modules of a part itself that stand above its rooms, not below them.
DOORS = {"poller.__main__", "pages.common.export_links", "pages.common.header", "pages.common.ranges"}

# Libraries that only some parts may import.
ONLY_IN = {
    "duckdb": {"store"},
    "httpx": {"poller"},
    "schedule": {"poller"},
    "apprise": {"poller"},
    "prometheus_client": {"store"},
    "fastapi": {"api"},
    "streamlit": {"pages", "server", "dashboard.py"},
    "plotly": {"pages"},
    "pandas": {"pages", "store"},  # store for its frames alone, and not before they are asked for
    "dotenv": {"settings.py"},
}

MOST_MODULES = 14
"""A room with more has another room in it."""


def sources(part: str) -> list[Path]:
    path = ROOT / part
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def dotted(path: Path) -> str:
    """The name of a module, or of a package by its __init__.py."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def modules() -> dict[str, Path]:
    return {dotted(path): path for part in ARROWS for path in sources(part)}


@cache
def imported(path: Path) -> frozenset[str]:
    """The full names of all that a file imports, relative imports too: of modules, or of what is in them."""
    return frozenset(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    package = dotted(path) if path.name == "__init__.py" else dotted(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            outer = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*outer, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def libraries(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path)}


def modules_imported(path: Path) -> set[str]:
    """The modules of ours that a file imports."""
    found = {name if name in modules() else name.rpartition(".")[0] for name in imported(path)}
    return {name for name in found if name in modules()} - {dotted(path)}


def room_of(module: str) -> str:
    """The room that a module is in; one of a part itself is a room of its own."""
    outer = module if modules()[module].name == "__init__.py" else module.rpartition(".")[0]
    return module if outer in {"", *PARTS, *ROOMS} else outer


@cache
def arrows() -> dict[str, set[str]]:
    """Which rooms each room imports."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for module, path in modules().items():
        found[room_of(module)] |= {room_of(name) for name in modules_imported(path)}
    return {room: others - {room} for room, others in found.items()}


@pytest.mark.parametrize("part", ARROWS)
def test_each_part_imports_only_those_below_it(part):
    own = part.removesuffix(".py")
    found = {(path.name, name) for path in sources(part) for name in libraries(path) if name in PARTS - {own}}

    assert {(file, name) for file, name in found if name not in ARROWS[part]} == set()


@pytest.mark.parametrize(("part", "room"), [(part, room) for part, rooms in ROOMS.items() for room in rooms])
def test_each_room_imports_only_those_below_it(part, room):
    allowed = {f"{part}.{name}" for name in ROOMS[part][room]}
    others = {name for name in arrows()[f"{part}.{room}"] if name.startswith(f"{part}.")}
    its_rooms = {f"{part}.{name}" for name in ROOMS[part]}

    assert {name for name in others if name in its_rooms | DOORS} <= allowed


@pytest.mark.parametrize("part", ROOMS)
def test_each_folder_is_a_room_with_arrows_a_sentence_and_something_in_it(part):
    folder = ROOT / part.replace(".", "/")
    found = {dotted(path).removeprefix(f"{part}."): path for path in folder.rglob("*/__init__.py")}

    assert found.keys() == ROOMS[part].keys()
    assert [name for name, path in found.items() if not ast.get_docstring(ast.parse(path.read_text()))] == []
    for path in found.values():
        inside = [file for file in path.parent.glob("*.py") if file != path]
        assert 2 <= len(inside) <= MOST_MODULES, path


@pytest.mark.parametrize("part", ROOMS)
def test_no_room_is_an_orphan(part):
    used = {name for others in arrows().values() for name in others}

    assert {f"{part}.{room}" for room in ROOMS[part]} - used == set()


def test_no_room_is_in_a_circle():
    """What it prints is the drawing of the house."""
    in_order = list(graphlib.TopologicalSorter(arrows()).static_order())  # raises CycleError, with the circle in it

    assert set(in_order) == set(arrows())
    for room in in_order:
        print(f"{room} -> {', '.join(sorted(arrows()[room])) or 'nothing'}")


def test_a_package_hands_on_no_names_of_its_modules():
    packages = [path for path in modules().values() if path.name == "__init__.py"]

    assert [dotted(path) for path in packages if libraries(path) & PARTS] == []


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_imported_only_where_it_belongs(library):
    importers = {part for part in ARROWS for path in sources(part) if library in libraries(path)}

    assert importers <= ONLY_IN[library]


@pytest.mark.parametrize("part", sorted(set(ARROWS) - {"settings.py"}))
def test_only_the_settings_read_the_environment(part):
    readers = [path.name for path in sources(part) if re.search(r"\b(environ|getenv)\b", path.read_text())]

    assert readers == []


def test_one_module_alone_knows_apprise():
    importers = [path.name for path in sources("poller") if "apprise" in libraries(path)]

    assert importers == ["services.py"]


def test_a_recorder_loads_nothing_that_only_others_need():
    heavy = "{'streamlit', 'plotly', 'pandas', 'numpy', 'fastapi', 'prometheus_client', 'apprise', 'rich'}"
    look = f"import sys, poller.__main__; print(*sorted({heavy} & set(sys.modules)))"

    loaded = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == ""
