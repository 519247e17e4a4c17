"""What the pages read from the store. The only place with cache decorators.

Each answer is read on one lease and shared by all visitors who ask in the same second.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

import settings as all_settings
from settings import Settings
from store import Cursor, Database, NoDatabaseError, Tick, ticks, utc_now
from store.bars import SINGLE_TICKS, bars, extent, fits
from store.coverage import Coverage, coverage
from store.overview import SPAN, Card, cards, index_names, simulated
from store.recorder import Notice, read_notice
from store.runs import Trouble, troubles
from store.shared import shared_database

from .views import MOST_POINTS, View


@dataclass(frozen=True)
class Pulse:
    """How recording goes: the recorder's notice, when the newest tick was, and whether any tick was made up."""

    notice: Notice | None
    newest: datetime | None = None
    simulated: bool = False


@dataclass(frozen=True)
class Overview:
    """All indexes at a glance, how complete their last 24 h are, what went wrong of late, and the bars over a span."""

    cards: list[Card]
    coverage: dict[str, Coverage]
    troubles: list[Trouble]
    history: "History"


@dataclass(frozen=True)
class History:
    """The bars of some indexes in [start, end). `recorded` has the times of the first and last tick of each, if any."""

    bars: dict[str, pd.DataFrame]
    start: datetime
    end: datetime
    interval: timedelta
    recorded: dict[str, tuple[datetime, datetime]]

    def inside(self) -> dict[str, pd.DataFrame]:
        """The bars without those beyond the ends, which a line of averages comes from and leads to.

        An index with none but those keeps them: they are all that is known of the range. One without any is left out.
        """
        found = {}
        for name, frame in self.bars.items():
            opened = frame["open_time"]
            its = frame[((opened + self.interval > self.start) | (opened == self.start)) & (opened < self.end)]
            if len(frame):
                found[name] = its if len(its) else frame
        return found


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """The settings of this server, read once."""
    return all_settings.load()


def database() -> Database:
    """The database of this server."""
    return shared_database(settings().database, settings().memory_limit)


def refresh_every() -> timedelta:
    """How often a live part of a page is looked at again."""
    return timedelta(seconds=min(settings().poll_seconds, 5))


def this_second() -> datetime:
    """Now, rounded up, so that visitors of the same second ask the same question."""
    return utc_now().replace(microsecond=0) + timedelta(seconds=1)


@st.cache_data(ttl="900ms", max_entries=2, show_spinner=False)
def pulse(at: datetime) -> Pulse:
    """How recording goes at this second.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    del at
    notice = read_notice(database().path)
    try:
        with database().read() as cursor:
            newest = [tick.ts for name in settings().indexes if (tick := _observed(cursor, name))]
            return Pulse(notice, max(newest, default=None), simulated(cursor))
    except NoDatabaseError:
        return Pulse(notice)


@st.cache_data(ttl="900ms", max_entries=16, show_spinner=False)
def overview(at: datetime, span: str) -> Overview:
    """Cards of all indexes, and their bars over a span, at this second.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    try:
        with database().read() as cursor:
            found = cards(cursor, settings().indexes, shortest_bar=timedelta(seconds=2 * settings().poll_seconds))
            drawn = _history(cursor, at, [card.index_name for card in found], View(span))
            complete = {its.index_name: its for its in coverage(cursor, at - SPAN, at, at)}
            return Overview(found, complete, troubles(cursor, at - SPAN), drawn)
    except NoDatabaseError:
        return Overview([Card(name) for name in settings().indexes], {}, [], _nothing(at, View(span)))


@st.cache_data(ttl="900ms", max_entries=64, show_spinner=False)
def history(at: datetime, names: Sequence[str], view: View) -> History:
    """The bars of some indexes, at this second.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    try:
        with database().read() as cursor:
            return _history(cursor, at, names, view)
    except NoDatabaseError:
        return _nothing(at, view)


@st.cache_data(ttl="10s", max_entries=1, show_spinner=False)
def known_indexes() -> list[str]:
    """The names of all indexes, configured ones first.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    try:
        with database().read() as cursor:
            return index_names(cursor, settings().indexes)
    except NoDatabaseError:
        return list(settings().indexes)


def _history(cursor: Cursor, at: datetime, names: Sequence[str], view: View) -> History:
    recorded = {name: found for name in names if (found := extent(cursor, name))}
    start, end = view.bounds(at, min((first for first, _ in recorded.values()), default=at))
    interval = view.interval
    if interval is None:
        single = not view.candles and all(fits(cursor, name, start, end, MOST_POINTS) for name in recorded)
        interval = SINGLE_TICKS if single else view.auto_interval(end - start, settings().poll_seconds)
    return History(
        {name: bars(cursor, name, start, end, interval) for name in recorded}, start, end, interval, recorded
    )


def _nothing(at: datetime, view: View) -> History:
    return History({}, *view.bounds(at, at), SINGLE_TICKS, {})


def _observed(cursor: Cursor, index_name: str) -> Tick | None:
    tick = ticks.latest(cursor, index_name)
    return tick if tick and not tick.resolution_s else None
