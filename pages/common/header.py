"""The header of every page: its title, how the recording goes, and the time zone of the times."""

from datetime import datetime

import streamlit as st

from store.errors import StoreError
from store.file.clock import clock_in_words
from store.health.status import aside_in_words, shared_in_words, words_of
from store.models import Exchange

from . import access, moments, sign_in
from .busy import waiting_once
from .pulse.component import draw_line
from .pulse.line import Line, line_of, line_of_lake, newest_price
from .reads.pulse import Pulse, poll_seconds, read_pulse
from .words import text

_EXCHANGE = "exchange"
"""Which exchange the prices were of when that was read last."""


def title_row(title: str) -> None:
    """Draw the title, the switch of the time zone, and who reads."""
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


def state() -> None:
    """Draw the recorder's state in words, the zone of the times, and a warning about prices that are not real.

    What comes and goes is drawn last. A box after it would move, and would be there twice during a refresh.
    """
    try:
        pulse = waiting_once(lambda: read_pulse(moments.this_second()))
    except StoreError as error:
        draw_line(Line(), moments.now(), _times())
        _of_which_exchange(st.session_state.get(_EXCHANGE))
        what = "The lake" if access.reads_lake() else "The database"
        st.error(f"{what} can't be read. {text.escaped(str(error))}", icon=":material/error:")
        return
    st.session_state[_EXCHANGE] = pulse.exchange
    trouble = _how_recording_goes(pulse)
    _of_which_exchange(pulse.exchange)
    if trouble:
        st.warning(text.escaped(trouble), icon=":material/warning:")
    if clock := clock_in_words(pulse.notice):
        st.warning(
            f"{text.escaped(_first_upper(clock))}: times on this page are the exchange's.",
            icon=":material/schedule:",
        )
    if pulse.shared is not None and pulse.shared.is_behind:
        words = _first_upper(shared_in_words(pulse.shared, moments.now(), text.zone()))
        st.warning(text.escaped(words), icon=":material/cloud_off:")
    if pulse.set_aside:
        st.warning(f"Files {text.escaped(aside_in_words(pulse.set_aside))}", icon=":material/warning:")


def _how_recording_goes(pulse: Pulse) -> str:
    """Draw the recorder's state with the age of the newest tick, and the zone of the times.

    Returns:
        Why nothing is recorded, or why it is not stored; empty if all is well.
    """
    now, notice = moments.now(), pulse.notice
    age_s = None if pulse.newest is None else (now - pulse.newest).total_seconds()
    words = words_of(access.settings(), notice, age_s, now, text.zone())
    if access.reads_lake():
        draw_line(line_of_lake(words, age_s, poll_seconds()), now, _times())
        return ""
    if notice is not None and notice.alive and notice.state in {"starting", "recording"}:
        draw_line(line_of(notice, words, age_s), now, _end(pulse, now))
        return ""
    draw_line(newest_price(age_s, poll_seconds()), now, _end(pulse, now))
    return _first_upper(words)


def _end(pulse: Pulse, now: datetime) -> str:
    """The end of the line: how far the record is shared while that goes well, and the zone of the times."""
    if pulse.shared is None or pulse.shared.is_behind:
        return _times()
    return f"{_first_upper(shared_in_words(pulse.shared, now, text.zone()))}. {_times()}"


def _first_upper(words: str) -> str:
    return words[0].upper() + words[1:]


def _times() -> str:
    return f"Times are {text.zone().key}."


def _of_which_exchange(exchange: Exchange | None) -> None:
    """Draw a warning if the prices are not of the real exchange."""
    if access.settings().demo or exchange is Exchange.SIMULATOR:
        st.warning("**Simulated prices.** The built-in simulator makes them up.", icon=":material/science:")
    elif exchange is Exchange.TEST:
        st.warning("**Prices of Deribit's test environment.** Nobody trades at them.", icon=":material/science:")
