"""All packages that run or test the project are pinned, with dependencies. One file each serves all Pythons."""

import re
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from settings import ROOT


def listed(file: Path) -> list[Requirement]:
    lines = [line.partition(" #")[0].strip() for line in file.read_text().splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


OWN = {name: listed(ROOT / f"{name}.in") for name in ("requirements", "requirements-dev")}
PINS = {name: listed(ROOT / f"{name}.txt") for name in OWN}
PINNED = {name: {canonicalize_name(each.name): each for each in pins} for name, pins in PINS.items()}
EACH_FILE = pytest.mark.parametrize("file", OWN)


def applies(requirement: Requirement, extras: set[str]) -> bool:
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in {"", *extras})


def needed(requirement: Requirement, seen: set[tuple[str, frozenset[str]]]) -> Iterator[NormalizedName]:
    """The name of a requirement and of all its dependencies on this Python."""
    name, extras = canonicalize_name(requirement.name), requirement.extras
    if (name, frozenset(extras)) in seen:
        return
    seen.add((name, frozenset(extras)))
    yield name
    for each in map(Requirement, distribution(name).requires or ()):
        if applies(each, extras):
            yield from needed(each, seen)


def all_needed(file: str) -> set[NormalizedName]:
    seen: set[tuple[str, frozenset[str]]] = set()
    return {name for each in OWN[file] for name in needed(each, seen)}


@pytest.mark.parametrize(("file", "requirement"), [(file, each) for file, own in OWN.items() for each in own], ids=str)
def test_each_requirement_is_an_exact_version_and_pinned_as_such(file, requirement):
    assert re.fullmatch(r"==[\d.]+", str(requirement.specifier))
    assert PINNED[file][canonicalize_name(requirement.name)].specifier == requirement.specifier


@EACH_FILE
def test_each_installed_dependency_is_pinned_in_its_installed_version(file):
    installed = {name: f"=={distribution(name).version}" for name in all_needed(file)}

    assert len(installed) > len(OWN[file])
    pinned = {name: str(each.specifier) for name, each in PINNED[file].items() if name in installed}
    assert installed == pinned


@EACH_FILE
def test_each_pinned_package_is_needed(file):
    names = all_needed(file)

    assert [name for name, pin in PINNED[file].items() if applies(pin, set()) and name not in names] == []


@EACH_FILE
def test_each_is_pinned_in_one_version_for_every_python(file):
    names = [canonicalize_name(each.name) for each in PINS[file]]

    assert len(set(names)) == len(names)


def test_tests_run_on_the_versions_that_are_deployed():
    deployed, tested = PINNED["requirements"], PINNED["requirements-dev"]

    assert {name for name in tested if name in deployed and tested[name].specifier != deployed[name].specifier} == set()


def test_what_the_old_duckdb_needs_besides_is_pinned_in_the_versions_of_the_other_files():
    own, pins = (listed(ROOT / f"requirements-old-duckdb.{ending}") for ending in ("in", "txt"))
    old = {canonicalize_name(pin.name): pin.specifier for pin in pins}
    others = {name: pin.specifier for pinned in PINNED.values() for name, pin in pinned.items()}

    assert {old[canonicalize_name(each.name)] for each in own} == {each.specifier for each in own}
    assert {name for name in old.keys() & others if old[name] != others[name]} == {"duckdb", "python-dateutil"}
