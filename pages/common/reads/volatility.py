"""The volatility of a currency: now, and over a range that ends now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import streamlit as st

from pages.common.access import database, settings
from pages.common.moments import these_ten_seconds, this_minute
from pages.common.views import EARLIEST, MOST_POINTS, SPANS
from store.errors import NoDatabaseError
from store.instants import DAY, HOUR, MINUTE
from store.kinds import OPTIONS
from store.ledger.gaps import ledger
from store.market.reads import volatility
from store.market.reads.dvol import DvolCandle
from store.market.reads.volatility import Point, VolatilityAt
from store.market.realised import Band
from store.models import Gap
from store.prices.bars import nice_interval
from store.prices.candles import floor

BARS = {"1d": 15 * MINUTE, "1w": HOUR, "1M": 4 * HOUR, "1y": DAY, "All": 7 * DAY}
"""The ranges of the page, and the interval of the bars of DVOL in each of them."""

_SHORTEST = HOUR


@dataclass(frozen=True)
class Past:
    """DVOL in [start, end), with the realised volatility of the index beside it. Change nothing in it.

    Attributes:
        bars: of DVOL, in percent a year.
        interval: of a bar.
        realised: of the 30 days before each time, in percent a year; None where too little is known.
    """

    currency: str
    start: datetime
    end: datetime
    interval: timedelta
    bars: Sequence[DvolCandle] = ()
    realised: Sequence[tuple[datetime, float | None]] = ()


@dataclass(frozen=True)
class Surfaces:
    """What the option chains said in [start, end), which begins with the first chain or later. Change nothing in it.

    Attributes:
        since: when the first chain was recorded; None without one.
        step: one surface of each such step is among the points.
        gaps: of the chains.
    """

    currency: str
    start: datetime
    end: datetime
    since: datetime | None = None
    step: timedelta = MINUTE
    points: Sequence[Point] = ()
    gaps: Sequence[Gap] = ()


@dataclass(frozen=True)
class Cone:
    """How realised volatility was spread in the year before a midnight in UTC: a band for each of `CONE_D`."""

    bands: Sequence[Band | None] = ()


def known_currencies() -> list[str]:
    """The currencies that are configured or have a recorded DVOL, configured ones first.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    return list(dict.fromkeys([*settings().markets, *_currencies()]))


def read_now(currency: str) -> VolatilityAt | None:
    """The volatility of a currency at the last ten seconds; None without a database.

    Raises:
        StoreError: the database can't be read.
    """
    settings()
    return _now(currency, these_ten_seconds())


def read_past(currency: str, span: str) -> Past:
    """DVOL and realised volatility over a range that ends with the last minute.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _past(currency, span, this_minute())


def read_cone(currency: str) -> Cone:
    """How realised volatility was spread in the last year.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _cone(currency, floor(this_minute(), DAY))


def read_surfaces(currency: str, span: str) -> Surfaces:
    """What the chains said over a range that ends with the last minute.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _surfaces(currency, span, this_minute())


@st.cache_data(ttl="10s", max_entries=1, show_spinner=False)
def _currencies() -> list[str]:
    try:
        with database().read() as cursor:
            return volatility.currencies(cursor)
    except NoDatabaseError:
        return []


@st.cache_resource(ttl="60s", max_entries=8, show_spinner=False)
def _now(currency: str, at: datetime) -> VolatilityAt | None:
    try:
        with database().read() as cursor:
            return volatility.volatility_at(cursor, currency, at)
    except NoDatabaseError:
        return None


@st.cache_resource(ttl="120s", max_entries=16, show_spinner=False)
def _past(currency: str, span: str, at: datetime) -> Past:
    interval, start = BARS[span], _start(span, at)
    try:
        with database().read() as cursor:
            bars = volatility.dvol_bars(cursor, currency, start, at, interval)
            first = bars[0].open_time if bars and span == "All" else start
            realised = volatility.realised_by(cursor, currency, first, at, min(interval, DAY)) if bars else []
            return Past(currency, first, at, interval, bars, realised)
    except NoDatabaseError:
        return Past(currency, start, at, interval)


@st.cache_resource(ttl="120s", max_entries=8, show_spinner=False)
def _cone(currency: str, midnight: datetime) -> Cone:
    try:
        with database().read() as cursor:
            return Cone(volatility.cone(cursor, currency, midnight))
    except NoDatabaseError:
        return Cone()


@st.cache_resource(ttl="120s", max_entries=16, show_spinner=False)
def _surfaces(currency: str, span: str, at: datetime) -> Surfaces:
    start = _start(span, at)
    try:
        with database().read() as cursor:
            since = volatility.first_surface(cursor, currency)
            if since is None:
                return Surfaces(currency, start, at)
            start = min(max(start, since), at - _SHORTEST)
            step = nice_interval(at - start, MOST_POINTS, at_least=MINUTE)
            points = volatility.surfaces_by(cursor, currency, start, at, step)
            gaps = ledger(cursor, start, at, at, [OPTIONS.feed(currency)])
            return Surfaces(currency, start, at, since, step, points, gaps)
    except NoDatabaseError:
        return Surfaces(currency, start, at)


def _start(span: str, at: datetime) -> datetime:
    length = SPANS[span]
    return EARLIEST if length is None else at - length
