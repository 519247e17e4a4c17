"""Cards of numbers that open to how they are computed, and say how old they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import streamlit as st

from pages.common import access, moments
from pages.common.moments import SECOND
from pages.common.words import text, volatility_text
from store.health.status import age_in_words
from store.instants import MINUTE
from store.market.reads.snapshots import COMES_WITHIN
from store.market.reads.volatility import Known


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


def is_stale(age: timedelta, period: timedelta) -> bool:
    """Is something that comes once a period late by more than one? It may take seconds to come."""
    return age > 2 * period + COMES_WITHIN


def aged(ts: datetime, period: timedelta, at: datetime | None = None) -> str:
    """How old something that comes once a period is now, or was at an instant, and its time; marked if it is stale."""
    age = max((at or moments.now()) - ts, timedelta())
    if at is None:
        words = text.age_at(age, ts.astimezone(text.zone()))
    else:
        words = f"{age_in_words(age.total_seconds())} then, {text.moment(ts, text.zone(), seconds=True)}"
    return f":orange[:material/schedule:] Stale, {words}" if is_stale(age, period) else words


def dvol_period() -> timedelta:
    """How often a candle of DVOL comes: the exchange has one a minute."""
    return max(MINUTE, access.settings().market_seconds * SECOND)


def dvol_metric(label: str, newest: Known, before: Known | None, days_before: int = 0, how: str | None = None) -> None:
    """DVOL, and how far it moved since a time before if that is known: in 24 h, or in the days that a reader chose."""
    change = None if before is None else round(newest.value - before.value, 2)
    st.metric(
        label,
        volatility_text.percent(newest.value),
        None if change is None else volatility_text.signed(change),
        delta_color="off",
        delta_arrow="auto" if change else "off",
        delta_description=None if change is None else f"points in {volatility_text.ago(days_before)}",
        help=how,
    )
