"""All indexes at a glance."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import streamlit as st

from pages.common.access import database, settings
from pages.common.moments import rounded_up, these_ten_seconds
from pages.common.views import MOST_POINTS, SPANS, View
from store.errors import NoDatabaseError
from store.ledger.coverage import Coverage, coverage
from store.ledger.gaps import ledger
from store.ledger.runs import Trouble, troubles
from store.models import Gap
from store.prices.overview import SPAN, Card, cards

from .history import History, bars_of, nothing
from .pulse import read_pulse
from .recorded import known_indexes, recorded


@dataclass(frozen=True)
class Overview:
    """All indexes at a glance, how complete their last 24 h are, what went wrong of late, and the bars over a span."""

    cards: list[Card]
    coverage: dict[str, Coverage]
    troubles: list[Trouble]
    history: History


@dataclass(frozen=True)
class _Day:
    """What is known of the last 24 h: its gaps, how complete it is, and what went wrong."""

    gaps: list[Gap]
    coverage: dict[str, Coverage]
    troubles: list[Trouble]


def read_overview(at: datetime, span: str) -> Overview:
    """Cards of all indexes, and their bars over a span, at this second.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    with database().one_lease():
        found, day = _cards(at), _last_day(these_ten_seconds())
        # A step's worth of time moves a line by less than a pixel. But what is filled or healed shows at once.
        notice = read_pulse(at).notice
        step = timedelta(seconds=1) if notice and notice.backfill else _step(found, at, span)
        changed = [card.latest is None for card in found], [gap.state for gap in day.gaps]
        drawn = _drawn(rounded_up(at, step), tuple(card.index_name for card in found), span, repr(changed))
        return Overview(found, day.coverage, day.troubles, drawn)


def _step(found: Sequence[Card], at: datetime, span: str) -> timedelta:
    """How much of a span a point on the screen stands for, in whole seconds, at most a minute."""
    shown = SPANS[span] or at - min((card.since for card in found if card.since), default=at)
    return timedelta(seconds=min(60, max(1, shown.total_seconds() // MOST_POINTS)))


@st.cache_data(ttl="900ms", max_entries=2, show_spinner=False)
def _cards(at: datetime) -> list[Card]:
    del at
    names = known_indexes()
    try:
        with database().read() as cursor:
            return cards(cursor, names, shortest_bar=timedelta(seconds=2 * settings().poll_seconds))
    except NoDatabaseError:
        return [Card(name) for name in names]


@st.cache_data(ttl="10s", max_entries=2, show_spinner=False)
def _last_day(at: datetime) -> _Day:
    try:
        with database().read() as cursor:
            gaps = ledger(cursor, at - SPAN, at, at)
            complete = {its.feed: its for its in coverage(cursor, gaps, at - SPAN, at, at)}
            return _Day(gaps, complete, troubles(cursor, at - SPAN))
    except NoDatabaseError:
        return _Day([], {}, [])


@st.cache_resource(ttl="60s", max_entries=16, show_spinner=False)  # frozen: visitors share it
def _drawn(at: datetime, names: Sequence[str], span: str, changed: str) -> History:
    """The bars of a span; `changed` tells apart what must not be taken for the same within a step."""
    del changed
    known = recorded()
    try:
        with database().read() as cursor:
            return bars_of(cursor, at, names, View(span), known)
    except NoDatabaseError:
        return nothing(at, View(span))
