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
from store.instants import MINUTE
from store.ledger.gaps import ledger
from store.market.reads.series import Series
from store.models import Gap
from store.prices.bars import SINGLE_TICKS, bars, fits, nice_interval
from store.prices.candles import floor

from .recorded import Recorded, recorded, recorded_now
from .series import Lines, firsts, read_lines

_FILLED_EVERY = timedelta(seconds=10)

Besides = TypeVar("Besides")


@dataclass(frozen=True)
class History:
    """The bars of some indexes in [start, end).

    `recorded` has the times of the first and last tick of each, if any, `gaps` what the ledger says of the range, and
    `alerts` the newest events of alerts in it, at most `MOST_ALERTS`. `lines` has series of the market, and indexes to
    compare them with. `unread` has what could not be read of these, and why.
    """

    bars: dict[str, pd.DataFrame]
    start: datetime
    end: datetime
    interval: timedelta
    recorded: Recorded
    gaps: list[Gap] = field(default_factory=list)
    alerts: list[Event] = field(default_factory=list)
    lines: Lines = field(default_factory=Lines)
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


def read_history(at: datetime, names: Sequence[str], view: View, lines: Sequence[str] = ()) -> History:
    """The bars of some indexes, as they are within a step of the view. Change nothing in it: visitors share it.

    `lines` names series of the market, and indexes to compare. A range that has ended is read again each ten seconds,
    since history and imports may fill it.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    asked = rounded_up(at, view.step() if view.lives(at) else _FILLED_EVERY), tuple(names), view, tuple(lines)
    found = _history(*asked)
    if found.unread:
        _history.clear(*asked)
    return found


@st.cache_resource(ttl=_FILLED_EVERY, max_entries=64, show_spinner=False)
def _history(at: datetime, names: tuple[str, ...], view: View, lines: tuple[str, ...]) -> History:
    return bars_of(at, names, view, lines)


def bars_of(at: datetime, names: Sequence[str], view: View, lines: Sequence[str] = ()) -> History:
    """The bars of some indexes, with what is known besides; bars without their gaps or alerts say so.

    Raises:
        StoreError: the bars can't be read.
    """
    known, since = recorded(), _begins(lines, at)
    try:
        with database().read() as cursor:
            found = _bars(cursor, at, names, view, known, since)
            found = _with_besides(found, min(at, now()), names)
            return _with_lines(found, lines, lives=view.lives(at)) if lines else found
    except NoDatabaseError:
        return History({}, *view.bounds(at, at), SINGLE_TICKS, {})


def _begins(lines: Sequence[str], at: datetime) -> datetime:
    """When the record of some series begins; `at` without any, and if it can't be read."""
    try:
        return min(firsts(lines).values(), default=at) if lines else at
    except StoreError:
        return at


def _with_besides(found: History, at: datetime, names: Sequence[str]) -> History:
    start, end = found.start, found.end
    unread: dict[str, str] = {}
    gaps = _besides("Gaps", unread, lambda cursor: ledger(cursor, start, end, at, names))
    alerts = _besides(
        "Alerts", unread, lambda cursor: events.fired(cursor, start, end, index_names=names, limit=MOST_ALERTS)
    )
    return replace(found, gaps=gaps, alerts=alerts, unread=unread)


def _with_lines(found: History, names: Sequence[str], *, lives: bool) -> History:
    """The lines in the range of some bars, with the steps of the bars if the lines can have them.

    A series changes each minute at most, so a range that still grows has whole minutes of it: visitors share them.
    """
    has_series, start, end = any(map(Series.of, names)), found.start, found.end
    least = MINUTE if has_series else timedelta(seconds=settings().poll_seconds)
    step = max(found.interval, least) if found.interval else nice_interval(end - start, MOST_POINTS, least)
    if lives and has_series:
        start, end = floor(start, MINUTE), floor(end, MINUTE)
    try:
        its = read_lines(names, start, end, step)
    except StoreError as error:
        return replace(found, unread={**found.unread, "The market": str(error)})
    return replace(found, lines=its, gaps=[*found.gaps, *its.gaps])


def _bars(cursor: Cursor, at: datetime, names: Sequence[str], view: View, known: Recorded, since: datetime) -> History:
    if not known.keys() >= set(names):  # perhaps a first tick came since
        known = recorded_now(cursor)
    recorded = {name: known[name] for name in names if name in known}
    start, end = view.bounds(at, min([since, *(first for first, _ in recorded.values())]))
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
