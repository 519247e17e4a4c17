"""What a page says where it has no snapshot: why, and where the nearest ones are."""

from datetime import datetime

import streamlit as st

from pages.common.reads.snapshots import Standing
from pages.common.words import text

from .as_of import go_to


def told(standing: Standing, what: str) -> str:
    """That a snapshot is missing, and why.

    Args:
        standing: of a feed without a snapshot at its instant.
        what: the snapshots of the feed, in words, such as "option chain".
    """
    at = text.moment(standing.at, text.zone(), seconds=True)
    return f"No {what} at {at}: {standing.cause or 'nothing was recorded then'}."


def draw(standing: Standing, what: str) -> None:
    """Say that a snapshot is missing and why, with links to its neighbours. None of them is shown in its place."""
    st.warning(text.escaped(told(standing, what)), icon=":material/event_busy:")
    with st.container(horizontal=True, key="nearest"):
        for word, ts in (("before", standing.before), ("after", standing.after)):
            if ts is not None:
                _link(f"The nearest {word}: {text.moment(ts, text.zone(), seconds=True)}", ts)


def not_compared(standing: Standing, what: str) -> None:
    """Say that the snapshot to compare with is missing and why, and where its neighbours are."""
    words = f"Nothing to compare with. {told(standing, what)} {nearest(standing)}"
    st.caption(f":orange[:material/event_busy:] {text.escaped(words.rstrip())}")


def nearest(standing: Standing) -> str:
    """Where the nearest snapshots are, in a sentence; empty if there are none."""
    known = [
        f"{text.moment(ts, text.zone(), seconds=True)} {word}"
        for word, ts in (("before", standing.before), ("after", standing.after))
        if ts is not None
    ]
    return f"The nearest: {', '.join(known)}." if known else ""


def _link(label: str, ts: datetime) -> None:
    st.button(label, type="tertiary", icon=":material/arrow_forward:", on_click=go_to, args=(ts,))
