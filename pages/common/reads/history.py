"""The bars of indexes over a range, with what is known of its gaps and alerts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

import pandas as pd
import streamlit as st

from pages.common.access import database, settings
from pages.common.moments import SECOND, now, rounded_up
from pages.common.views import MOST_ALERTS, MOST_POINTS, View
from store.alerts import events
from store.alerts.events import Event
from store.errors import NoDatabaseError, StoreError
from store.file.clock import AHEAD
from store.file.database import Cursor
from store.ledger.gaps import ledger
from store.models import Gap
from store.prices.bars import SINGLE_TICKS, bars, fits

from .recorded import Recorded, recorded, recorded_now

_FILLED_EVERY = timedelta(seconds=10)

Besides = TypeVar("Besides")


@dataclass(frozen=True)
class History:
    """The bars of some indexes in [start, end).

    `recorded` has the times of the first and last tick of each, if any, `gaps` what the ledger says of the range, and
    `alerts` the newest events of alerts in it, at most `MOST_ALERTS`. `unread` has what could not be read of these, and
    why.
    """

    bars: dict[str, pd.DataFrame]
    start: datetime
    end: datetime
    interval: timedelta
    recorded: Recorded
    gaps: list[Gap] = field(default_factory=list)
    alerts: list[Event] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)

    def inside(self) -> dict[str, pd.DataFrame]:
        """The bars without those beyond the ends, which a line of averages comes from and leads to.

        An index with none but those keeps the first one, an average that covers the start: it is all that is known of
        the range. An index without any is left out.
        """
        found = {}
        for name, frame in self.bars.items():
            opened = frame["open_time"]
            its = frame[((opened + self.interval > self.start) | (opened == self.start)) & (opened < self.end)]
            if len(frame):
                found[name] = its if len(its) else frame[:1]
        return found


def read_history(at: datetime, names: Sequence[str], view: View) -> History:
    """The bars of some indexes, as they are within a step of the view. Change nothing in it: visitors share it.

    A range that has ended is read again each ten seconds, since history and imports may fill it.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    asked = rounded_up(at, view.step() if view.lives(at) else _FILLED_EVERY), tuple(names), view
    found = _history(*asked)
    if found.unread:
        _history.clear(*asked)
    return found


@st.cache_resource(ttl=_FILLED_EVERY, max_entries=64, show_spinner=False)
def _history(at: datetime, names: tuple[str, ...], view: View) -> History:
    return bars_of(at, names, view)


def bars_of(at: datetime, names: Sequence[str], view: View) -> History:
    """The bars of some indexes, with what is known besides; bars without their gaps or alerts say so.

    Raises:
        StoreError: the bars can't be read.
    """
    known = recorded()
    try:
        with database().read() as cursor:
            return _with_besides(_bars(cursor, at, names, view, known), min(at, now()), names)
    except NoDatabaseError:
        return History({}, *view.bounds(at, at), SINGLE_TICKS, {})


def _with_besides(found: History, at: datetime, names: Sequence[str]) -> History:
    start, end = found.start, found.end
    unread: dict[str, str] = {}
    gaps = _besides("Gaps", unread, lambda cursor: ledger(cursor, start, end, at, names))
    alerts = _besides(
        "Alerts", unread, lambda cursor: events.fired(cursor, start, end, index_names=names, limit=MOST_ALERTS)
    )
    return replace(found, gaps=gaps, alerts=alerts, unread=unread)


def _bars(cursor: Cursor, at: datetime, names: Sequence[str], view: View, known: Recorded) -> History:
    if not known.keys() >= set(names):  # perhaps a first tick came since
        known = recorded_now(cursor)
    recorded = {name: known[name] for name in names if name in known}
    start, end = view.bounds(at, min((first for first, _ in recorded.values()), default=at))
    if view.end is None:
        end = max([end, *(last + SECOND for _, last in recorded.values() if last < end + AHEAD)])
    interval = view.interval
    if interval is None:
        single = not view.candles and all(fits(cursor, name, start, end, MOST_POINTS) for name in recorded)
        interval = SINGLE_TICKS if single else view.auto_interval(end - start, settings().poll_seconds)
    found = {name: bars(cursor, name, start, end, interval) for name in recorded}
    drawn = {name: frame if _lies_within(frame, end) else frame[:0] for name, frame in found.items()}
    return History(drawn, start, end, interval, recorded)


def _lies_within(frame: pd.DataFrame, end: datetime) -> bool:
    """Does any bar open before the end? One that follows is drawn so that a line reaches the end, and not alone."""
    return bool((frame["open_time"] < end).any())


def _besides(what: str, unread: dict[str, str], read: Callable[[Cursor], list[Besides]]) -> list[Besides]:
    """What is drawn besides the bars; if it can't be read, its name goes into `unread` with the error."""
    try:
        with database().read() as cursor:
            return read(cursor)
    except StoreError as error:
        unread[what] = str(error)
        return []
