"""The range that a reader chooses, one that ends now or one between two times, and its form in the address."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import streamlit as st

from store.instants import from_text

from . import moments
from .views import EARLIEST, EXACT, LATEST, to_url, within_reach
from .words import text


def choose_span(spans: Sequence[str], default: str) -> str:
    """One of some spans that end now, or `EXACT`."""
    if "start" in st.query_params and "range" not in st.query_params:
        st.session_state["range"] = EXACT
    span = st.segmented_control(
        "Range",
        [*spans, EXACT],
        default=default,
        required=True,
        key="range",
        bind="query-params",
        on_change=_leave_exact_range,
        wrap=True,
    )
    if span != EXACT:
        _leave_exact_range()
    return span


def exact_range(before: tuple[datetime, datetime] | None) -> tuple[datetime, datetime]:
    """The exact range in the address, else the range that was shown before, else the last day."""
    now = moments.now()
    start, end = _from_url() or before or (now - timedelta(days=1), now)
    st.query_params.update(start=to_url(start), end=to_url(end))
    return start, end


def edit(start: datetime, end: datetime) -> None:
    """Show the two times of an exact range in inputs."""
    for name, label, at in (("start", "From", start), ("end", "To", end)):
        local = at.astimezone(text.zone()).replace(tzinfo=None, second=0, microsecond=0)
        # The key holds the shown time, so that a late rerun can't bring back a time that was replaced.
        key = f"{name} {to_url(at)} {text.zone().key} {st.session_state.get('cleared', 0)}"
        st.datetime_input(
            label,
            value=local,
            min_value=EARLIEST - timedelta(days=1),  # in the zone's time
            max_value=LATEST + timedelta(days=1),
            key=key,
            step=60,
            on_change=_typed,
            args=(name, key, local),
            width=200,
            format="YYYY-MM-DD",
        )


def look_at(start: datetime, end: datetime) -> None:
    """Go to an exact range."""
    start, end = within_reach(start, end)
    st.session_state["range"] = EXACT
    st.query_params.update(start=to_url(start), end=to_url(end))


def _from_url() -> tuple[datetime, datetime] | None:
    """The exact range in the URL; None without one."""
    written = [st.query_params.get(name, "") for name in ("start", "end")]
    if not any(written):
        return None
    try:
        start, end = map(from_text, written)
    except ValueError:
        st.warning("start and end in the address must be times such as 2026-11-22T18:00Z.", icon=":material/warning:")
        return None
    if start >= end:
        st.warning("That range ends before it starts.", icon=":material/warning:")
        return None
    return within_reach(start, end)


def _leave_exact_range() -> None:
    """Go to the range that the reader clicked. The address omits the default range, so it must name no exact one."""
    for name in ("start", "end"):
        st.query_params.pop(name, None)


def _typed(name: str, key: str, put: datetime) -> None:
    """Put the time that the reader typed into the address, as one end of the range. A cleared input gets its time back.

    Streamlit also calls this for an input that the page has replaced meanwhile. Its time is still `put`, and nothing
    changes.
    """
    local = st.session_state[key]
    if local is None:
        st.session_state["cleared"] = st.session_state.get("cleared", 0) + 1
    elif local != put:
        st.query_params[name] = to_url(local.replace(tzinfo=text.zone()))
