"""The frame of every page: its choices, and below them one live part that is refreshed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import streamlit as st

from . import access, address, header


def show(
    choose: Callable[[], tuple[Any, ...]], draw: Callable[..., None], every: Callable[..., timedelta] | None = None
) -> None:
    """Draw a page below its title.

    Each block keeps its place, whatever is drawn into the others: Streamlit would mount a chart that moved anew.

    Args:
        choose: draws the choices, and returns them.
        draw: draws the live part; it takes the choices.
        every: how often the live part is refreshed, by the choices; as `access.refresh_every` without it.
    """
    access.settings()
    state = st.container()
    with st.container():
        choices = choose()
    period = every(*choices) if every else access.refresh_every()
    st.fragment(_live, run_every=period)(state, draw, choices)


def _live(state: Any, draw: Callable[..., None], choices: tuple[Any, ...]) -> None:
    """The state of the recorder and the live part."""
    address.hold()
    with state:
        header.state()
    draw(*choices)
