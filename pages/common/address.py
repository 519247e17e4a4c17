"""What an address names besides bound widgets, such as the times of a range.

The session has the truth, and the address follows it. A browser sends its address with each refresh: what it sent
before it heard of a change is old, and undoes nothing. Only a page that is opened, and the browser's Back and Forward,
bring an address that counts.
"""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

_KEPT, _PAGE, _COMING = "address", "page of the address", "coming from another page"


def arrive(page: str) -> bool:
    """Begin a run of a page; return whether its address counts: the reader opened it, or went back or forward to it."""
    before = st.session_state.get(_PAGE)
    opened = before != page
    st.session_state[_PAGE] = page
    st.session_state[_COMING] = opened and before is not None
    kept = _kept()
    counts = _went_back() or (opened and any(name in st.query_params for name in kept))
    if counts:
        kept.clear()
    return opened or counts


def named(name: str) -> str:
    """What the address of this view says under a name; empty if nothing."""
    found: str = _kept().setdefault(name, st.query_params.get(name, ""))
    return found


def keep(**parts: str) -> None:
    """Name something in the address; an empty text takes the name out."""
    _kept().update(parts)
    hold()


def hold() -> None:
    """Write the address where the browser's differs, in one message: each one is a step of the browser's Back.

    A page that the reader came to from another one writes it with its first refresh. Before that, a browser may still
    have the path of the other page, and would add a step that leads there.
    """
    kept = _kept()
    if st.session_state.get(_COMING) and not _refreshing():
        return
    if any(st.query_params.get(name, "") != value for name, value in kept.items()):
        st.query_params.update({name: value or () for name, value in kept.items()})


def _kept() -> dict[str, str]:
    """What this page's address says, by name."""
    found: dict[str, str] = st.session_state.setdefault(_KEPT, {}).setdefault(st.session_state.get(_PAGE), {})
    return found


def _refreshing() -> bool:
    context = get_script_run_ctx()
    return context is not None and bool(context.fragment_ids_this_run)


def _went_back() -> bool:
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation
