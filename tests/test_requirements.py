"""What is deployed is pinned, and all that it needs in turn."""

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


OWN = listed(ROOT / "requirements.in")
PINNED = {canonicalize_name(each.name): each for each in listed(ROOT / "requirements.txt")}


def applies(requirement: Requirement, extras: set[str]) -> bool:
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in {"", *extras})


def needed(requirement: Requirement, seen: set[tuple[str, frozenset[str]]]) -> Iterator[NormalizedName]:
    """The name of what is required and of all that it needs in turn on this Python."""
    name, extras = canonicalize_name(requirement.name), requirement.extras
    if (name, frozenset(extras)) in seen:
        return
    seen.add((name, frozenset(extras)))
    yield name
    for each in map(Requirement, distribution(name).requires or ()):
        if applies(each, extras):
            yield from needed(each, seen)


@pytest.mark.parametrize("requirement", OWN, ids=str)
def test_each_requirement_is_an_exact_version_and_pinned_as_such(requirement):
    assert re.fullmatch(r"==[\d.]+", str(requirement.specifier))
    assert PINNED[canonicalize_name(requirement.name)].specifier == requirement.specifier


def test_what_is_installed_for_them_is_pinned_in_the_version_that_is_installed():
    seen: set[tuple[str, frozenset[str]]] = set()

    installed = {name: f"=={distribution(name).version}" for each in OWN for name in needed(each, seen)}

    assert len(installed) > len(OWN)
    pinned = {name: str(each.specifier) for name, each in PINNED.items() if name in installed}
    assert installed == pinned


def test_nothing_is_pinned_that_nothing_needs():
    seen: set[tuple[str, frozenset[str]]] = set()
    names = {name for each in OWN for name in needed(each, seen)}

    assert [name for name, pin in PINNED.items() if applies(pin, set()) and name not in names] == []
