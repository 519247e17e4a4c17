"""Cards of numbers that open to how they are computed, and say how old they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import streamlit as st

from pages.common import moments
from pages.common.words import text


@contextmanager
def card(key: str, how: str) -> Iterator[None]:
    """A card, which opens to how its numbers are computed."""
    with st.container(border=True, height="stretch", key=f"card-{key}"):
        yield
        explained(key, how)


def explained(key: str, how: str) -> None:
    """Offer how a number is computed: its formula, its source and the version of the method."""
    with st.popover("How this is computed", icon=":material/function:", type="tertiary", key=f"how-{key}"):
        st.markdown(how)


def aged(ts: datetime, stale_s: float) -> str:
    """How old something is, and its time; marked when that is more than some seconds."""
    age = max(moments.now() - ts, timedelta())
    words = text.age_at(age, ts.astimezone(text.zone()))
    return f":orange[:material/schedule:] Stale, {words}" if age.total_seconds() > stale_s else words
