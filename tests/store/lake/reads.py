"""The functions that read a record for pages, API and exports, found in their source."""

import ast
import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from settings import ROOT

_READERS = ("pages", "api", "store/export", "store/health")
"""The folders whose code reads for somebody."""


def used() -> set[str]:
    """The functions of the store that take a cursor and that readers call, such as "store.prices.ticks.latest"."""
    files = [path for folder in _READERS for path in (ROOT / folder).rglob("*.py")]
    return {name for path in files for name in _called(path)}


def name_of(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__name__}"


def _called(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    imported = dict(_imported(tree, path))
    of_modules = (
        getattr(imported[node.value.id], node.attr, None)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imported
    )
    for found in (*imported.values(), *of_modules):
        if _reads(found):
            yield name_of(found)


def _imported(tree: ast.Module, path: Path) -> Iterator[tuple[str, Any]]:
    """What a file imports of the store, by the name that it has there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and _absolute(node, path).startswith("store"):
            of = importlib.import_module(_absolute(node, path))
            for each in node.names:
                is_module = not hasattr(of, each.name)
                found = importlib.import_module(f"{of.__name__}.{each.name}") if is_module else getattr(of, each.name)
                yield each.asname or each.name, found


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    package = path.relative_to(ROOT).parent.parts[: None if node.level <= 1 else 1 - node.level]
    return ".".join([*(package if node.level else ()), *filter(None, [node.module])])


def _reads(found: Any) -> bool:
    """Does it take a cursor and write nothing?"""
    if not inspect.isfunction(found) or next(iter(inspect.signature(found).parameters), "") != "cursor":
        return False
    return "`Database.write`" not in (found.__doc__ or "")
