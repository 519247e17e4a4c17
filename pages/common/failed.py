"""The parts of a page, each by itself: one whose query fails says so in its place, and the others go on."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import streamlit as st

from store.errors import StoreError

from . import moments
from .busy import waiting_once
from .words import text

Found = TypeVar("Found")
NOTHING_YET = ":material/hourglass_empty:"


@dataclass(frozen=True)
class _Last(Generic[Found]):
    """What a part showed last: of what, what was read, and when, by two clocks."""

    about: Any
    found: Found
    monotonic_s: float
    clock_s: float

    @property
    def at(self) -> datetime:
        """When it was read.

        The monotonic clock stands still while the machine sleeps, and the other one may be set back: the larger time
        counts.
        """
        since_s = max(time.monotonic() - self.monotonic_s, time.time() - self.clock_s)
        return moments.now() - timedelta(seconds=since_s)


def part(
    name: str, read: Callable[[], Found], draw: Callable[[Found], None], *, about: Any = None, height: int = 100
) -> Found | None:
    """Draw a part of a page, and return what was read for it; None if nothing could be read.

    If the read fails, the reason stands above the part. The part keeps what it showed last, and says how old that is.

    Args:
        name: of the part, as it begins a sentence.
        read: reads all that the part shows.
        draw: draws what was read, and reads nothing.
        about: what is read; what the part showed of anything else is not kept.
        height: of the part while it is read for the first time, in pixels.
    """
    key = f"last {name}"
    last: _Last[Found] | None = st.session_state.get(key)
    if last is not None and last.about != about:
        last = None
    with st.container():  # the next part has the same place, whatever this one draws
        trouble = st.container()
        try:
            with trouble, contextlib.nullcontext() if last else st.skeleton(height=height):
                found = waiting_once(read)
        except StoreError as error:
            if last is None:
                failed(name, error)
                return None
            with trouble:
                old(last.at, error)
            found = last.found
        else:
            st.session_state[key] = _Last(about, found, time.monotonic(), time.time())
        draw(found)
    return found


def failed(what: str, error: StoreError | str) -> None:
    """Say that something can't be shown, where it would be."""
    st.markdown(f":red[:material/error:] {what} can't be read. {text.escaped(str(error))}")


def old(at: datetime, error: StoreError) -> None:
    """Say that what follows is as it was, and why."""
    when = text.when(at, text.zone())
    st.caption(f":orange[:material/schedule:] As of {when}; the newest could not be read: {text.escaped(str(error))}")


def empty(words: str, icon: str = NOTHING_YET) -> None:
    """Say that there is nothing to show, and why."""
    st.info(words, icon=icon)
