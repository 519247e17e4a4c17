"""The futures of a currency: as of an instant, and their basis and funding over a range that ends then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import streamlit as st

from pages.common.access import database, settings
from pages.common.moments import these_ten_seconds, this_minute
from pages.common.views import EARLIEST, MOST_POINTS, SPANS, first_midnight
from store.errors import NoDatabaseError
from store.file.database import Cursor
from store.instants import DAY, HOUR, MINUTE
from store.kinds import FUTURES
from store.market.carry import Funding, constant_maturity_basis, funding_over
from store.market.checks import is_settling
from store.market.instruments import Future, future_name
from store.market.reads.funding import FundingHour, funding_hours
from store.market.reads.futures import Basis, Carry, Quoted, Spread, basis_over, carry_of, futures_at, spreads_of
from store.market.reads.recorded import currencies_of_futures, first_futures
from store.market.reads.snapshots import EACH, SnapshotAt
from store.models import Gap
from store.prices.bars import nice_interval
from store.prices.candles import floor

from .pulse import recorder_runs
from .snapshots import Standing, gaps_until, read_before, read_standing

MATURITY = 90 * DAY
"""The constant maturity of the basis."""

WEEK = 7 * DAY

FUNDING_DAYS = 60
"""How many days funding is shown of by hour and day."""

EARLIER = (DAY, WEEK)
"""How long before the shown snapshot the term structure is shown, too."""

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
        spreads: of each future over the one that expires before it.
    """

    snapshot: SnapshotAt[Quoted]
    index_price: float | None
    carries: tuple[Carry, ...]
    spreads: tuple[Spread, ...]

    @property
    def perpetual(self) -> tuple[Quoted, Carry] | None:
        """The perpetual and its premium; None if there is none in the snapshot."""
        both = zip(self.snapshot.rows, self.carries, strict=True)
        return next((each for each in both if each[0].expiry is None), None)

    @property
    def maturity_basis(self) -> float | None:
        """The annual basis at `MATURITY`, a fraction; None if it is not between two futures."""
        if not self.index_price:
            return None
        rows, ts = self.snapshot.rows, self.snapshot.ts
        marks = [(row.expiry - ts, row.mark_price) for row in rows if row.expiry and row.mark_price]
        return constant_maturity_basis(marks, self.index_price, MATURITY)

    @property
    def open_interest(self) -> list[float]:
        """The open interest of each contract that has one, in USD."""
        return [row.open_interest for row in self.snapshot.rows if row.open_interest is not None]

    @property
    def terms(self) -> list[tuple[str, float, float]]:
        """The name, the days to expiry and the annual basis of each future that has one, by expiry."""
        both = zip(self.snapshot.rows, self.carries, strict=True)
        return [
            (row.instrument_name, (row.expiry - self.snapshot.ts) / DAY, carry.annual_basis)
            for row, carry in both
            if row.expiry is not None and carry.annual_basis is not None
        ]


class Before(NamedTuple):
    """The futures `ago` before those that are shown: what the feed had then, and the snapshot if it had one."""

    ago: timedelta
    standing: Standing
    its: Priced | None


@dataclass(frozen=True)
class FuturesAt:
    """The futures of a currency as of an instant. Change nothing in it: readers share it.

    Attributes:
        currency: such as "BTC".
        standing: of their feed at the instant.
        recorder: whether a recorder runs now.
        its: their snapshot; None if it is missing. Now, the newest one is never missing, however old it is.
        week: the funding of the last whole hours, `WEEK` long.
        earlier: by how long before: those of `EARLIER`, and the one to compare with.
        compared: the one of `earlier` to compare with; None without a comparison.
    """

    currency: str
    standing: Standing
    recorder: bool = False
    its: Priced | None = None
    week: Funding = NO_FUNDING
    earlier: Mapping[timedelta, Before] = field(default_factory=dict)
    compared: Before | None = None


@dataclass(frozen=True)
class BasisPast:
    """The basis at `MATURITY` in [start, end], which begins with the first snapshot or later. Change nothing in it.

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


def read_futures(currency: str, at: datetime | None, days_before: int) -> FuturesAt:
    """The futures of a currency as of an instant, or of the last ten seconds without one.

    Args:
        currency: such as "BTC".
        at: the instant; nothing later is used.
        days_before: how many days before it lies the moment to compare with; 0 for none.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _futures(currency, at, at or these_ten_seconds(), days_before)


def read_basis(currency: str, span: str, at: datetime | None) -> BasisPast:
    """The basis over a range that ends with an instant, or with the last minute without one.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _basis(currency, span, at or this_minute())


def read_funding(currency: str, span: str, at: datetime | None) -> FundingPast:
    """The funding over a range that ends with an instant, or with the last minute without one.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _funding(currency, span, at or this_minute())


def read_funding_days(currency: str, at: datetime | None, zone: ZoneInfo) -> FundingPast:
    """The funding of the last `FUNDING_DAYS` days of a zone up to an instant, or to the last minute without one.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    end = at or this_minute()
    return _funding_since(currency, first_midnight(end, FUNDING_DAYS, zone), end)


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
def _futures(currency: str, at: datetime | None, instant: datetime, days_before: int) -> FuturesAt:
    recorder = recorder_runs()
    try:
        with database().read() as cursor:
            standing = read_standing(FUTURES.feed(currency), instant)
            agos = sorted({*EARLIER, days_before * DAY} - {timedelta()})
            earlier = {ago: its for ago in agos if (its := _before(currency, standing, at, ago))}
            return FuturesAt(
                currency,
                standing,
                recorder,
                _priced(currency, standing.shown(at)),
                _week(cursor, currency, instant),
                earlier,
                earlier.get(days_before * DAY),
            )
    except NoDatabaseError:
        return FuturesAt(currency, read_standing(FUTURES.feed(currency), instant), recorder)


def _before(currency: str, shown: Standing, at: datetime | None, ago: timedelta) -> Before | None:
    standing = read_before(shown, at, ago // DAY)
    return None if standing is None else Before(ago, standing, _priced(currency, standing.ts))


@st.cache_resource(ttl="1h", max_entries=32, show_spinner=False)  # the rows of a snapshot never change
def _priced(currency: str, ts: datetime | None) -> Priced | None:
    if ts is None:
        return None
    with database().read() as cursor:
        found = futures_at(cursor, currency, ts)
    if found is None:
        return None
    index_price = None if is_settling(ts) else found.index_price
    return Priced(found, index_price, tuple(carry_of(row, ts, index_price) for row in found.rows), spreads_of(found))


def _week(cursor: Cursor, currency: str, at: datetime) -> Funding:
    end = floor(at, HOUR)
    return _total(funding_hours(cursor, perpetual_name(currency), end - WEEK, end), end - WEEK, end)


@st.cache_resource(ttl="120s", max_entries=16, show_spinner=False)
def _basis(currency: str, span: str, at: datetime) -> BasisPast:
    start = _start(span, at)
    try:
        with database().read() as cursor:
            since = first_futures(cursor, currency)
            if since is None or since > at:
                return BasisPast(currency, start, at)
            start = min(max(start, since), at - _SHORTEST)
            step = nice_interval(at - start, MOST_POINTS, at_least=MINUTE)
            found = basis_over(cursor, currency, start, at + EACH, MATURITY, step)
            return BasisPast(currency, start, at, since, found, gaps_until(cursor, FUTURES.feed(currency), start, at))
    except NoDatabaseError:
        return BasisPast(currency, start, at)


@st.cache_resource(ttl="120s", max_entries=16, show_spinner=False)
def _funding(currency: str, span: str, at: datetime) -> FundingPast:
    found = _funding_since(currency, _start(span, at), at)
    if span != "All":
        return found
    start = found.hours[0].ts - HOUR if found.hours else at - _SHORTEST
    return replace(found, start=start, total=_total(found.hours, start, at))


@st.cache_resource(ttl="120s", max_entries=16, show_spinner=False)
def _funding_since(currency: str, start: datetime, at: datetime) -> FundingPast:
    try:
        with database().read() as cursor:
            hours = funding_hours(cursor, perpetual_name(currency), start, at)
    except NoDatabaseError:
        hours = []
    return FundingPast(currency, start, at, hours, _total(hours, start, at))


def _total(hours: Sequence[FundingHour], start: datetime, end: datetime) -> Funding:
    return funding_over([(each.ts, each.interest_1h) for each in hours], start, end)


def _start(span: str, at: datetime) -> datetime:
    length = SPANS[span]
    return EARLIEST if length is None else at - length
