"""The header of every page: its title, how the recording goes, and the time zone of the times."""

import streamlit as st

from store.errors import StoreError
from store.file.clock import clock_in_words
from store.file.recorder import Notice
from store.health.status import aside_in_words, in_words, stale_after_s
from store.models import Exchange

from . import access, moments, sign_in
from .reads.pulse import read_pulse
from .words import text


def header(title: str) -> None:
    """Draw the header."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="header"):
        st.title(title, width="content", anchor=False)
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            st.toggle(
                "UTC",
                key=text.UTC_SWITCH,
                bind="query-params",
                help="Show all times in UTC instead of your browser's time zone",
            )
            sign_in.reader(access.settings())
    st.fragment(_state, run_every=access.refresh_every())()


def _state() -> None:
    """The recorder's state in words, the zone of the times, and a warning about prices that are not real."""
    zone, now = text.zone(), moments.now()
    try:
        pulse = read_pulse(moments.this_second())
    except StoreError as error:
        st.error(f"The database can't be read. {text.escaped(str(error))}", icon=":material/error:")
        return
    notice, times = pulse.notice, f"Times are {zone.key}."
    age_s = None if pulse.newest is None else (now - pulse.newest).total_seconds()
    embedded = access.settings().poller == "embedded"
    words = text.escaped(in_words(notice, age_s, now, zone, embedded=embedded))
    if notice is not None and notice.alive and notice.state in {"starting", "recording"}:
        st.caption(f"{_mark(notice, age_s)} {words}. {times}")
    else:
        st.warning(words[0].upper() + words[1:], icon=":material/warning:")
        st.caption(times)
    if clock := clock_in_words(notice):
        st.warning(
            f"{text.escaped(clock[0].upper() + clock[1:])}: times on this page are the exchange's.",
            icon=":material/schedule:",
        )
    if pulse.set_aside:
        st.warning(f"Files {text.escaped(aside_in_words(pulse.set_aside))}", icon=":material/warning:")
    if access.settings().demo or pulse.exchange is Exchange.SIMULATOR:
        st.warning("**Simulated prices.** The built-in simulator makes them up.", icon=":material/science:")
    elif pulse.exchange is Exchange.TEST:
        st.warning("**Prices of Deribit's test environment.** Nobody trades at them.", icon=":material/science:")


def _mark(notice: Notice, age_s: float | None) -> str:
    """The mark of a recorder at work: green only while the newest tick is fresh and no index fails."""
    if age_s is None:
        return ":gray[:material/hourglass_empty:]"
    if age_s > stale_after_s(notice.poll_seconds):
        return ":orange[:material/schedule:]"
    return ":orange[:material/error:]" if notice.failing else ":green[:material/radio_button_checked:]"
