"""All indexes at a glance."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import streamlit as st

from pages.common.access import database, settings
from pages.common.moments import SECOND, rounded_up, these_ten_seconds
from pages.common.views import MOST_POINTS, View
from store.errors import NoDatabaseError, StoreError
from store.ledger.coverage import Coverage, coverage
from store.ledger.gaps import ledger
from store.ledger.runs import Trouble, troubles
from store.models import Gap
from store.prices.overview import SPAN, Card, cards

from .history import History, bars_of
from .pulse import recorder_now
from .recorded import known_indexes, newest_ticks

_DAY_MOVES_ON = timedelta(seconds=10)


@dataclass(frozen=True)
class Overview:
    """A card of each index, and how complete its last 24 h are."""

    cards: list[Card]
    coverage: dict[str, Coverage]


@dataclass(frozen=True)
class Day:
    """What is known of the last 24 h: its gaps, how complete it is, and what went wrong."""

    gaps: list[Gap]
    coverage: dict[str, Coverage]
    troubles: list[Trouble]


def read_overview(at: datetime) -> Overview:
    """The cards of all indexes at this second. They go without coverage if that can't be read.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    found = _cards_at(at)
    try:
        return Overview(found, read_day().coverage)
    except StoreError:
        return Overview(found, {})


def read_day() -> Day:
    """The last 24 h, counted in steps of ten seconds.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _last_day(these_ten_seconds())


def read_lines(at: datetime, view: View) -> History:
    """The bars of all indexes over a range, at this second. Change nothing in it: visitors share it.

    A step's worth of time moves a line by less than a pixel. But what is filled or healed shows at once.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    found = _cards_at(at)
    notice = recorder_now()
    step = SECOND if notice and notice.backfill else _step(found, at, view)
    changed = repr(([card.latest is None for card in found], _states()))
    asked = rounded_up(at, step), tuple(card.index_name for card in found), view, changed
    lines = _drawn(*asked)
    if lines.unread:
        _drawn.clear(*asked)
    return lines


def _states() -> list[str]:
    """The states of the gaps of the last 24 h; none if they can't be read."""
    try:
        return [gap.state for gap in read_day().gaps]
    except StoreError:
        return []


def _cards_at(at: datetime) -> list[Card]:
    """The cards with the newest ticks. All else of a day that moves on by seconds stays as it was for some seconds."""
    newest = newest_ticks(at)
    found = _cards(rounded_up(at, _DAY_MOVES_ON), tuple(newest))
    return [card.followed_by(newest[card.index_name]) if card.index_name in newest else card for card in found]


def _step(found: Sequence[Card], at: datetime, view: View) -> timedelta:
    """How much of a range a point on the screen stands for, in whole seconds, at most a minute.

    A range that has ended is read each ten seconds or less often: only what fills it changes it.
    """
    start, end = view.bounds(at, min((card.since for card in found if card.since), default=at))
    a_point = timedelta(seconds=(end - start).total_seconds() // MOST_POINTS)
    return min(timedelta(minutes=1), max(SECOND if view.lives(at) else _DAY_MOVES_ON, a_point))


@st.cache_data(ttl=_DAY_MOVES_ON, max_entries=2, show_spinner=False)
def _cards(at: datetime, with_ticks: tuple[str, ...]) -> list[Card]:
    """The cards of all indexes; those `with_ticks` had ticks already."""
    del at, with_ticks
    names = known_indexes()
    try:
        with database().read() as cursor:
            return cards(cursor, names, shortest_bar=timedelta(seconds=2 * settings().poll_seconds))
    except NoDatabaseError:
        return [Card(name) for name in names]


@st.cache_data(ttl="10s", max_entries=2, show_spinner=False)
def _last_day(at: datetime) -> Day:
    try:
        with database().read() as cursor:
            gaps = ledger(cursor, at - SPAN, at, at)
            complete = {its.feed: its for its in coverage(cursor, gaps, at - SPAN, at, at)}
            return Day(gaps, complete, troubles(cursor, at - SPAN))
    except NoDatabaseError:
        return Day([], {}, [])


@st.cache_resource(ttl="60s", max_entries=16, show_spinner=False)  # frozen: visitors share it
def _drawn(at: datetime, names: tuple[str, ...], view: View, changed: str) -> History:
    """The bars of a range; `changed` tells apart what must not be taken for the same within a step."""
    del changed
    return bars_of(at, names, view)
