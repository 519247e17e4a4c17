"""The volatility of a currency: as of an instant, and over a range that ends then."""

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
from store.market.reads import volatility
from store.market.reads.dvol import DvolCandle
from store.market.reads.snapshots import EACH
from store.market.reads.volatility import Point, VolatilityAt
from store.market.realised import Band
from store.models import Gap
from store.prices.bars import nice_interval
from store.prices.candles import floor

from .pulse import recorder_runs
from .snapshots import Standing, gaps_until, read_before, read_standing

BARS = {"1d": 15 * MINUTE, "1w": HOUR, "1M": 4 * HOUR, "1y": DAY, "All": 7 * DAY}
"""The ranges of the page, and the interval of the bars of DVOL in each of them."""

_SHORTEST = HOUR


@dataclass(frozen=True)
class Now:
    """The volatility of a currency as of an instant. Change nothing in it: readers share it.

    Attributes:
        at: the instant that the reader chose; None for now.
        found: what is known at the instant.
        standing: of the option chains at the instant.
        days_before: how many days before it lies the moment to compare with; 0 for none.
        before: of the option chains at the moment to compare with; None without a comparison.
        compared: the surface at that moment; None if the chain is missing there.
    """

    at: datetime | None
    found: VolatilityAt
    standing: Standing
    days_before: int = 0
    before: Standing | None = None
    compared: Point | None = None

    @property
    def surface(self) -> Point | None:
        """The surface of the shown chain; None if the chain is missing at the instant."""
        return self.found.surface if self.at is None or self.standing.ts else None


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
    """What the option chains said in [start, end], which begins with the first chain or later. Change nothing in it.

    Attributes:
        since: when the first chain was recorded; None without one.
        step: one surface of each such step is among the points.
        gaps: of the chains.
        recorder: whether a recorder runs now.
    """

    currency: str
    start: datetime
    end: datetime
    since: datetime | None = None
    step: timedelta = MINUTE
    points: Sequence[Point] = ()
    gaps: Sequence[Gap] = ()
    recorder: bool = False


@dataclass(frozen=True)
class Cone:
    """Realised volatility over each of `CONE_D`. Change nothing in it.

    Attributes:
        bands: how it was spread in the year before a midnight in UTC; None where no day is known.
        now: of the time before the instant, in percent a year; None where too little is known.
    """

    bands: Sequence[Band | None] = ()
    now: Sequence[float | None] = ()


def known_currencies() -> list[str]:
    """The currencies that are configured or have a recorded DVOL, configured ones first.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    return list(dict.fromkeys([*settings().markets, *_currencies()]))


def read_now(currency: str, at: datetime | None, days_before: int) -> Now | None:
    """The volatility of a currency at an instant, or at the start of these ten seconds. None without a database.

    Args:
        currency: such as "BTC".
        at: the instant; nothing later is used.
        days_before: how many days before it lies the moment to compare with; 0 for none.

    Raises:
        StoreError: the database can't be read.
    """
    settings()
    return _now(currency, at, at or these_ten_seconds(), days_before)


def read_past(currency: str, span: str, at: datetime | None) -> Past:
    """DVOL and realised volatility over a range that ends with an instant, or with the last minute without one.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _past(currency, span, at or this_minute())


def read_cone(currency: str, at: datetime | None) -> Cone:
    """How realised volatility was spread in the year before an instant, or before now without one.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _cone(currency, floor(at or this_minute(), MINUTE))


def read_surfaces(currency: str, span: str, at: datetime | None) -> Surfaces:
    """What the chains said over a range that ends with an instant, or with the last minute without one.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _surfaces(currency, span, at or this_minute())


@st.cache_data(ttl="10s", max_entries=1, show_spinner=False)
def _currencies() -> list[str]:
    try:
        with database().read() as cursor:
            return volatility.currencies(cursor)
    except NoDatabaseError:
        return []


@st.cache_resource(ttl="60s", max_entries=8, show_spinner=False)
def _now(currency: str, at: datetime | None, instant: datetime, days_before: int) -> Now | None:
    try:
        with database().read() as cursor:
            found = volatility.volatility_at(cursor, currency, instant, (days_before or 1) * DAY)
            standing = read_standing(OPTIONS.feed(currency), instant)
            before = read_before(standing, at, days_before)
            compared = volatility.surface_at(cursor, currency, before.ts) if before and before.ts else None
            return Now(at, found, standing, days_before, before, compared)
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
def _bands(currency: str, midnight: datetime) -> list[Band | None]:
    with database().read() as cursor:
        return volatility.cone(cursor, currency, midnight)


@st.cache_resource(ttl="120s", max_entries=8, show_spinner=False)
def _cone(currency: str, minute: datetime) -> Cone:
    try:
        with database().read() as cursor:
            return Cone(_bands(currency, floor(minute, DAY)), volatility.realised_at(cursor, currency, minute))
    except NoDatabaseError:
        return Cone()


@st.cache_resource(ttl="120s", max_entries=16, show_spinner=False)
def _surfaces(currency: str, span: str, at: datetime) -> Surfaces:
    start = _start(span, at)
    try:
        with database().read() as cursor:
            since = volatility.first_surface(cursor, currency)
            if since is None or since > at:
                return Surfaces(currency, start, at, recorder=recorder_runs())
            start = min(max(start, since), at - _SHORTEST)
            step = nice_interval(at - start, MOST_POINTS, at_least=MINUTE)
            points = volatility.surfaces_by(cursor, currency, start, at + EACH, step)
            gaps = gaps_until(cursor, OPTIONS.feed(currency), start, at)
            return Surfaces(currency, start, at, since, step, points, gaps)
    except NoDatabaseError:
        return Surfaces(currency, start, at)


def _start(span: str, at: datetime) -> datetime:
    length = SPANS[span]
    return EARLIEST if length is None else at - length
