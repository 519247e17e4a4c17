"""A file that another process keeps: a page waits for it once, not once for each of its parts."""

import time
from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from store.errors import BusyError

_BUSY = "busy"
_SPARED_S = 0.9
"""The time during which a page does not wait again: less than any refresh takes to come."""

Found = TypeVar("Found")


def waiting_once(read: Callable[[], Found]) -> Found:
    """What `read` reads, unless the page waited for the file in vain just now.

    Raises:
        BusyError: it waited in vain, now or just now.
        Others: as `read`.
    """
    error, since = st.session_state.get(_BUSY, (None, 0.0))
    if error is not None and time.monotonic() - since < _SPARED_S:
        raise error
    try:
        return read()
    except BusyError as error:
        st.session_state[_BUSY] = error, time.monotonic()
        raise
