"""Figures that are kept while what they show stays the same, since most refreshes bring nothing new."""

from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

Drawn = TypeVar("Drawn")


def drawn_once(key: str, source: object, about: Any, build: Callable[[], Drawn]) -> Drawn:
    """What `build` builds of a source; what it built before, if that was of the same object.

    Args:
        key: of the figure on its page.
        source: what was read; a read that brings nothing new returns the same object.
        about: all else that the figure depends on.
        build: builds the figure.
    """
    name = f"drawn {key}"
    kept = st.session_state.get(name)
    if kept is None or kept[0] is not source or kept[1] != about:
        kept = st.session_state[name] = (source, about, build())
    found: Drawn = kept[2]
    return found
