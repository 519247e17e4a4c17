"""Figures that are kept while what they show stays the same, since most refreshes bring nothing new."""

import weakref
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Drawn = TypeVar("Drawn")

_BUILT: dict[int, dict[Hashable, Any]] = {}
"""What was built of each source that is still in use, for all readers."""


def drawn_once(key: str, source: object, about: Hashable, build: Callable[[], Drawn]) -> Drawn:
    """What `build` builds of a source; what it built before, for any reader. Change nothing in it: readers share it.

    Args:
        key: of the figure on its page.
        source: what was read; a read that brings nothing new returns the same object.
        about: all else that the figure depends on.
        build: builds the figure.
    """
    built = _BUILT.get(id(source))
    if built is None:
        built = _BUILT[id(source)] = {}
        weakref.finalize(source, _BUILT.pop, id(source), None).atexit = False
    name = key, about
    if name not in built:
        built[name] = build()
    found: Drawn = built[name]
    return found
