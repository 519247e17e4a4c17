"""The bar that chooses the instant of a page: now, or one in the past, which the address names as `at`.

Beside it stands the choice of a moment before it to compare with, which the address names as `vs`.
"""

from datetime import datetime, timedelta

import streamlit as st

from pages.common import address, moments
from pages.common.busy import waiting_once
from pages.common.choices import one_of
from pages.common.reads.snapshots import read_steps
from pages.common.views import EARLIEST, LATEST, to_url
from pages.common.words import text
from store.errors import StoreError
from store.instants import DAY, from_text

DAYS_BEFORE = {"Nothing": 0, "1d": 1, "7d": 7, "30d": 30}
"""The moments to compare with, by their names in the address: how many days before the shown one they lie."""

_CLEARED = "as of, cleared"
_MILLISECOND = timedelta(milliseconds=1)


def choose(feed: str) -> datetime | None:
    """Draw the bar, and return the instant that it names; None for now.

    Args:
        feed: the one whose snapshots the arrows step to, such as "options/BTC".
    """
    at = _named()
    with st.container(horizontal=True, vertical_alignment="bottom", key="as-of"):
        st.button("Now", disabled=at is None, on_click=go_to, args=(None,))
        st.button(
            "Earlier",
            icon=":material/chevron_left:",
            help="To the snapshot before",
            on_click=_step,
            args=(feed, at),
            kwargs={"back": True},
        )
        st.button(
            "Later",
            icon=":material/chevron_right:",
            help="To the next snapshot",
            disabled=at is None,
            on_click=_step,
            args=(feed, at),
        )
        st.button("−1 d", help="To a day before", on_click=_back, args=(at, DAY))
        st.button("−7 d", help="To a week before", on_click=_back, args=(at, 7 * DAY))
        _edit(at)
    return at


def choose_comparison() -> int:
    """Draw the choice of a moment to compare with; return how many days before the shown one it lies, 0 for none."""
    return DAYS_BEFORE[one_of("Compare with", list(DAYS_BEFORE), "Nothing", key="vs")]


def go_to(at: datetime | None) -> None:
    """Show the page as of an instant; as of now without one."""
    # Up to a millisecond later, since the address has no shorter times: the snapshot of the instant is shown.
    address.keep(at="" if at is None else to_url(moments.rounded_up(at, _MILLISECOND)))


def _named() -> datetime | None:
    """The instant that the address names; None without one."""
    written = address.named("at")
    if not written:
        return None
    try:
        at = from_text(written)
    except ValueError:
        st.warning(
            "at in the address must be a time such as 2026-11-22T18:00Z. Now is shown.", icon=":material/warning:"
        )
        return None
    if at > moments.now():
        st.warning("The chosen time is still to come. Now is shown.", icon=":material/warning:")
        return None
    if at < EARLIEST:
        st.warning(
            f"The chosen time is before {EARLIEST:%Y-%m-%d}, the earliest that can be shown. That day is shown.",
            icon=":material/warning:",
        )
        return EARLIEST
    return at


def _step(feed: str, at: datetime | None, *, back: bool = False) -> None:
    """Go to the snapshot before or after the shown one. After the newest one comes now."""
    try:
        steps = waiting_once(lambda: read_steps(feed, at or moments.now()))
    except StoreError as error:
        st.toast(f"The snapshots can't be read. {text.escaped(str(error))}", icon=":material/error:")
        return
    if not back:
        go_to(steps.after)
    elif steps.before is None:
        st.toast("There is no snapshot before.", icon=":material/first_page:")
    else:
        go_to(steps.before)


def _back(at: datetime | None, length: timedelta) -> None:
    go_to((at or moments.now()) - length)


def _edit(at: datetime | None) -> None:
    """Show the instant in an input. A cleared input leads to now."""
    zone = text.zone()
    local = None if at is None else at.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0)
    key = f"as of {address.named('at')} {zone.key} {st.session_state.get(_CLEARED, 0)}"
    st.datetime_input(
        "As of",
        value=local,
        min_value=EARLIEST - DAY,  # in the zone's time
        max_value=LATEST + DAY,
        key=key,
        step=60,
        on_change=_typed,
        args=(key, local),
        width=200,
        format="YYYY-MM-DD",
    )


def _typed(key: str, put: datetime | None) -> None:
    """Go to the time that the reader typed. An input that was replaced meanwhile still has `put`: nothing changes."""
    local = st.session_state[key]
    if local != put:
        st.session_state[_CLEARED] = st.session_state.get(_CLEARED, 0) + 1
        go_to(local and local.replace(tzinfo=text.zone()))
