"""All indexes and markets at a glance."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import streamlit as st

from pages.common.access import database, settings
from pages.common.moments import SECOND, rounded_up, these_ten_seconds
from pages.common.views import MOST_POINTS, View
from store.errors import NoDatabaseError, StoreError
from store.file.database import Cursor
from store.kinds import OPTIONS, SURFACES
from store.ledger.coverage import Coverage, coverage
from store.ledger.gaps import ledger
from store.ledger.runs import Trouble, troubles
from store.market.reads.as_of import surfaces
from store.market.reads.snapshots import neighbours, period_at
from store.market.reads.volatility import Known, dvol_at
from store.market.smile import put_call_ratio
from store.models import Gap
from store.prices.overview import SPAN, Card, cards

from .futures import FuturesAt, read_futures
from .history import History, bars_of
from .pulse import recorder_now
from .recorded import known_indexes, newest_ticks

_DAY_MOVES_ON = timedelta(seconds=10)
_JUST_AFTER = timedelta(microseconds=1)


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


@dataclass(frozen=True)
class Traded:
    """The puts and calls of a chain.

    Attributes:
        ts: exchange time of the chain.
        period_s: the seconds between two chains.
        by_interest: the open interest of all puts by that of all calls; None if one is unknown.
        by_volume: the same of the volume of 24 h.
    """

    ts: datetime
    period_s: int
    by_interest: float | None
    by_volume: float | None


@dataclass(frozen=True)
class MarketNow:
    """The newest of each feed of a currency, however old; None is what was never recorded. Change nothing in it.

    Attributes:
        currency: such as "BTC".
        futures: their newest snapshot, with its basis and its funding.
        dvol: the newest value of the last year.
        day_before: DVOL 24 h before that.
        traded: the puts and calls of the newest chain.
    """

    currency: str
    futures: FuturesAt
    dvol: Known | None = None
    day_before: Known | None = None
    traded: Traded | None = None


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


def read_markets() -> list[MarketNow]:
    """The markets of the configured currencies as of the last ten seconds.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    at = these_ten_seconds()
    return [_market(currency, at) for currency in settings().markets]


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


@st.cache_resource(ttl="60s", max_entries=8, show_spinner=False)
def _market(currency: str, at: datetime) -> MarketNow:
    futures = read_futures(currency, None, 0)
    try:
        with database().read() as cursor:
            return MarketNow(currency, futures, *dvol_at(cursor, currency, at), _traded(cursor, currency, at))
    except NoDatabaseError:
        return MarketNow(currency, futures)


def _traded(cursor: Cursor, currency: str, at: datetime) -> Traded | None:
    feed = OPTIONS.feed(currency)
    ts = neighbours(cursor, feed, at).before
    found = surfaces(cursor, currency, ts, ts + _JUST_AFTER) if ts else []
    if not found:
        return None
    its = dict(zip(SURFACES.column_names[1:], found[0], strict=True))
    ratios = [put_call_ratio(its[f"put_{what}"], its[f"call_{what}"]) for what in ("oi", "volume")]
    return Traded(its["ts"], period_at(cursor, feed, at), *ratios)
