"""The futures of a currency: now, and their basis and funding over a range that ends now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import streamlit as st

from pages.common.access import database, settings
from pages.common.moments import these_ten_seconds, this_minute
from pages.common.views import EARLIEST, MOST_POINTS, SPANS
from store.errors import NoDatabaseError
from store.file.database import Cursor
from store.instants import DAY, HOUR, MINUTE
from store.kinds import FUTURES
from store.ledger.gaps import ledger
from store.market.carry import Funding, constant_maturity_basis, funding_over
from store.market.checks import is_settling
from store.market.instruments import Future, future_name
from store.market.reads.funding import FundingHour, funding_hours
from store.market.reads.futures import Basis, Carry, Quoted, basis_over, carry_of, futures_at
from store.market.reads.recorded import currencies_of_futures, first_futures
from store.market.reads.snapshots import SnapshotAt, neighbours, period_at
from store.models import Gap
from store.prices.bars import nice_interval
from store.prices.candles import floor

from .pulse import recorder_now

MATURITY = 90 * DAY
"""The constant maturity of the basis."""

WEEK = 7 * DAY

EARLIER = (DAY, WEEK)
"""How long before its newest snapshot the term structure is shown, too."""

NEAR = HOUR
"""A snapshot stands for an instant that it is at most this much before."""

NO_FUNDING = Funding(None, None, 0, WEEK // HOUR)
"""The funding of a week that nothing is known of."""

_SHORTEST = HOUR
"""The least length of a chart of what began to be recorded just now."""


@dataclass(frozen=True)
class Priced:
    """A snapshot of futures, with what they cost to carry.

    Attributes:
        snapshot: as it was recorded.
        index_price: of the snapshot, in USD; None if it is unknown, as while `is_settling`.
        carries: what each of its rows costs to carry.
    """

    snapshot: SnapshotAt[Quoted]
    index_price: float | None
    carries: tuple[Carry, ...]

    @property
    def perpetual(self) -> tuple[Quoted, Carry] | None:
        """The perpetual and its premium; None if there is none in the snapshot."""
        both = zip(self.snapshot.rows, self.carries, strict=True)
        return next((each for each in both if each[0].expiry is None), None)

    @property
    def terms(self) -> list[tuple[str, float, float]]:
        """The name, the days to expiry and the annual basis of each future that has one, by expiry."""
        both = zip(self.snapshot.rows, self.carries, strict=True)
        return [
            (row.instrument_name, (row.expiry - self.snapshot.ts) / DAY, carry.annual_basis)
            for row, carry in both
            if row.expiry is not None and carry.annual_basis is not None
        ]


@dataclass(frozen=True)
class FuturesNow:
    """The futures of a currency. Change nothing in it: readers share it.

    Attributes:
        currency: such as "BTC".
        recorder: whether a recorder runs.
        newest: their newest snapshot, however old; None before the first.
        period_s: the seconds between two snapshots.
        maturity_basis: the annual basis at `MATURITY`, a fraction; None if it is not between two futures.
        week: the funding of the last whole hours, `WEEK` long.
        earlier: the snapshot that was the newest each of `EARLIER` before; None if it was older than `NEAR` then.
    """

    currency: str
    recorder: bool = False
    newest: Priced | None = None
    period_s: int = 0
    maturity_basis: float | None = None
    week: Funding = NO_FUNDING
    earlier: Mapping[timedelta, Priced | None] = field(default_factory=dict)


@dataclass(frozen=True)
class BasisPast:
    """The basis at `MATURITY` in [start, end), which begins with the first snapshot or later. Change nothing in it.

    Attributes:
        since: when the first snapshot was recorded; None without one.
        points: the last snapshot of each step of time.
        gaps: of the snapshots.
    """

    currency: str
    start: datetime
    end: datetime
    since: datetime | None = None
    points: Sequence[Basis] = ()
    gaps: Sequence[Gap] = ()

    @property
    def known(self) -> list[tuple[datetime, float]]:
        """The times at which the basis is known, each with the basis."""
        return [(each.ts, each.annual_basis) for each in self.points if each.annual_basis is not None]


@dataclass(frozen=True)
class FundingPast:
    """The funding of a currency's perpetual in [start, end), where "All" begins with the first hour.

    Attributes:
        hours: those that are known, ascending. Change nothing in them.
        total: their sum.
    """

    currency: str
    start: datetime
    end: datetime
    hours: Sequence[FundingHour]
    total: Funding


def known_currencies() -> list[str]:
    """The currencies that are configured or have recorded futures, configured ones first.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    return list(dict.fromkeys([*settings().markets, *_currencies()]))


def read_futures(currency: str) -> FuturesNow:
    """The futures of a currency as of the last ten seconds.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _futures(currency, these_ten_seconds())


def read_basis(currency: str, span: str) -> BasisPast:
    """The basis over a range that ends with the last minute.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _basis(currency, span, this_minute())


def read_funding(currency: str, span: str) -> FundingPast:
    """The funding over a range that ends with the last minute.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _funding(currency, span, this_minute())


def perpetual_name(currency: str) -> str:
    """The name of a currency's perpetual."""
    return future_name(Future(currency, None))


@st.cache_data(ttl="60s", max_entries=1, show_spinner=False)  # takes 55 ms on a year of snapshots
def _currencies() -> list[str]:
    try:
        with database().read() as cursor:
            return currencies_of_futures(cursor)
    except NoDatabaseError:
        return []


@st.cache_resource(ttl="60s", max_entries=8, show_spinner=False)
def _futures(currency: str, at: datetime) -> FuturesNow:
    notice = recorder_now()
    recorder = notice is not None and notice.alive
    try:
        with database().read() as cursor:
            week = _week(cursor, currency, at)
            newest = _before(cursor, currency, at)
            if newest is None:
                return FuturesNow(currency, recorder, week=week)
            earlier = {ago: _before(cursor, currency, newest.snapshot.ts - ago, NEAR) for ago in EARLIER}
            period_s = period_at(cursor, newest.snapshot.feed, at)
            return FuturesNow(currency, recorder, newest, period_s, _at_maturity(newest), week, earlier)
    except NoDatabaseError:
        return FuturesNow(currency, recorder)


def _before(cursor: Cursor, currency: str, at: datetime, within: timedelta | None = None) -> Priced | None:
    """The newest snapshot at an instant; None if there is none, or none `within` a time before it."""
    ts = neighbours(cursor, FUTURES.feed(currency), at).before
    if ts is None or (within is not None and at - ts > within):
        return None
    found = futures_at(cursor, currency, ts)
    if found is None:
        return None
    index_price = None if is_settling(ts) else found.index_price
    return Priced(found, index_price, tuple(carry_of(row, ts, index_price) for row in found.rows))


def _at_maturity(its: Priced) -> float | None:
    if not its.index_price:
        return None
    rows, ts = its.snapshot.rows, its.snapshot.ts
    marks = [(row.expiry - ts, row.mark_price) for row in rows if row.expiry and row.mark_price]
    return constant_maturity_basis(marks, its.index_price, MATURITY)


def _week(cursor: Cursor, currency: str, at: datetime) -> Funding:
    end = floor(at, HOUR)
    return _total(funding_hours(cursor, perpetual_name(currency), end - WEEK, end), end - WEEK, end)


@st.cache_resource(ttl="120s", max_entries=16, show_spinner=False)
def _basis(currency: str, span: str, at: datetime) -> BasisPast:
    start = _start(span, at)
    try:
        with database().read() as cursor:
            since = first_futures(cursor, currency)
            if since is None:
                return BasisPast(currency, start, at)
            start = min(max(start, since), at - _SHORTEST)
            step = nice_interval(at - start, MOST_POINTS, at_least=MINUTE)
            found = basis_over(cursor, currency, start, at, MATURITY, step)
            gaps = ledger(cursor, start, at, at, [FUTURES.feed(currency)])
            return BasisPast(currency, start, at, since, found, gaps)
    except NoDatabaseError:
        return BasisPast(currency, start, at)


@st.cache_resource(ttl="120s", max_entries=16, show_spinner=False)
def _funding(currency: str, span: str, at: datetime) -> FundingPast:
    start = _start(span, at)
    try:
        with database().read() as cursor:
            hours = funding_hours(cursor, perpetual_name(currency), start, at)
    except NoDatabaseError:
        hours = []
    if span == "All":
        start = hours[0].ts - HOUR if hours else at - _SHORTEST
    return FundingPast(currency, start, at, hours, _total(hours, start, at))


def _total(hours: Sequence[FundingHour], start: datetime, end: datetime) -> Funding:
    return funding_over([(each.ts, each.interest_1h) for each in hours], start, end)


def _start(span: str, at: datetime) -> datetime:
    length = SPANS[span]
    return EARLIEST if length is None else at - length
