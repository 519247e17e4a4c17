"""Which series of the market there are, and how two series, or indexes, move together over a range."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

from pages.common.access import database, settings
from pages.common.moments import now
from pages.common.views import MOST_POINTS
from store.errors import NoDatabaseError
from store.file.database import Cursor
from store.instants import DAY, HOUR, MINUTE
from store.ledger.gaps import ledger
from store.market.reads import volatility
from store.market.reads.recorded import currencies_of_futures
from store.market.reads.series import Series, all_series, closes_by, first_known, values_by
from store.models import Gap
from store.prices.bars import bucket, nice_interval

WINDOWS: Mapping[str, tuple[timedelta, timedelta]] = {
    "1d": (DAY, 5 * MINUTE),
    "1w": (7 * DAY, HOUR),
    "1M": (30 * DAY, 4 * HOUR),
    "3M": (90 * DAY, 12 * HOUR),
    "1y": (365 * DAY, DAY),
}
"""The lengths of a rolling window by their names on screen and in the address, each with the step of its moves."""

_FEWEST_MOVES = 20
"""A window of fewer says nothing."""


@dataclass(frozen=True)
class Together:
    """Two series or indexes in the steps of [start, end), and in a window before. Change nothing in it.

    Attributes:
        step: from one value to the next.
        window: a whole number of steps.
        a, b: as `values_by` and `closes_by` have them.
    """

    start: datetime
    end: datetime
    step: timedelta
    window: timedelta
    a: pd.DataFrame
    b: pd.DataFrame


@dataclass(frozen=True)
class Lines:
    """Some series and indexes in [start, end), a value for each step. Change nothing in it: visitors share it.

    Attributes:
        step: from one value to the next.
        frames: of each name, as `values_by` and `closes_by` have them.
        since: when the record of each series begins; a series without one is left out.
        gaps: of the snapshots that the series are made of.
    """

    step: timedelta = MINUTE
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    since: dict[str, datetime] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)


def known_series() -> list[str]:
    """The names of the series of the currencies that are configured or recorded, configured ones first.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    return [each.name for each in all_series(dict.fromkeys([*settings().markets, *_currencies()]))]


def firsts(names: Sequence[str]) -> dict[str, datetime]:
    """When the record of each series begins; a series without one is left out.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _firsts(tuple(names))


def read_lines(names: Sequence[str], start: datetime, end: datetime, step: timedelta) -> Lines:
    """Series and indexes in [start, end), as they were in the last minute, and what is missing of them.

    Raises:
        StoreError: the database can't be read.
    """
    settings()
    return _lines(tuple(names), start, end, step)


def windows_for(a: str, b: str, length: timedelta) -> list[str]:
    """The windows that a range of a length can have, so that it has few points, and a window has enough moves."""
    return [name for name, (window, _) in WINDOWS.items() if window >= _FEWEST_MOVES * _step_of(a, b, length, name)]


def read_together(a: str, b: str, window: str, start: datetime, end: datetime) -> Together | None:
    """Two series or indexes in whole steps of [start, end), and in the window before; None without a database.

    Raises:
        StoreError: the database can't be read.
    """
    settings()
    step = _step_of(a, b, end - start, window)
    return _together(a, b, WINDOWS[window][0], step, bucket(start, step), bucket(end, step))


@st.cache_resource(ttl="60s", max_entries=32, show_spinner=False)
def _lines(names: tuple[str, ...], start: datetime, end: datetime, step: timedelta) -> Lines:
    series = {name: its for name in names if (its := Series.of(name))}
    feeds = {its.feed for its in series.values() if its.feed}
    with database().read() as cursor:
        gaps = ledger(cursor, start, end, now(), feeds) if feeds else []
        frames = {}
        for name in names:
            if its := series.get(name):
                own = [gap for gap in gaps if gap.feed == its.feed]
                frames[name] = values_by(cursor, its, start, end, step, own)
            else:
                frames[name] = closes_by(cursor, name, start, end, step)
        return Lines(step, frames, _known(cursor, list(series)), gaps)


@st.cache_resource(ttl="60s", max_entries=16, show_spinner=False)
def _together(a: str, b: str, window: timedelta, step: timedelta, start: datetime, end: datetime) -> Together | None:
    try:
        found = read_lines([a, b], start - window - step, end, step)
    except NoDatabaseError:
        return None
    return Together(start, end, step, window, found.frames[a], found.frames[b])


def _step_of(a: str, b: str, length: timedelta, name: str) -> timedelta:
    """The step of the moves of two series over a window: at least what each of them is recorded at."""
    window, step = WINDOWS[name]
    least = max(step, *map(_recorded_each, (a, b)))
    return nice_interval(length + window, 2 * MOST_POINTS, least)


def _recorded_each(name: str) -> timedelta:
    its, configured = Series.of(name), settings()
    if its is None:
        return timedelta(seconds=configured.poll_seconds)
    seconds = {"basis": configured.market_seconds, "IV": configured.options_seconds, "funding": 3600}
    return timedelta(seconds=seconds.get(its.kind, 60))


@st.cache_data(ttl="60s", max_entries=1, show_spinner=False)
def _currencies() -> list[str]:
    try:
        with database().read() as cursor:
            return list(dict.fromkeys([*volatility.currencies(cursor), *currencies_of_futures(cursor)]))
    except NoDatabaseError:
        return []


@st.cache_data(ttl="60s", max_entries=32, show_spinner=False)
def _firsts(names: tuple[str, ...]) -> dict[str, datetime]:
    try:
        with database().read() as cursor:
            return _known(cursor, names)
    except NoDatabaseError:
        return {}


def _known(cursor: Cursor, names: Sequence[str]) -> dict[str, datetime]:
    found = {name: first_known(cursor, its) for name in names if (its := Series.of(name))}
    return {name: first for name, first in found.items() if first}
