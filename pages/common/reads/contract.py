"""The life of one option, and the options that a reader can choose from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import streamlit as st

from pages.common.access import database, settings
from pages.common.moments import these_ten_seconds, this_second
from pages.common.views import MOST_POINTS, SPANS
from store.errors import NoDatabaseError
from store.instants import HOUR, MINUTE
from store.kinds import OPTIONS
from store.ledger.gaps import ledger
from store.market.instruments import Option
from store.market.reads import contract
from store.market.reads.contract import Moment, Settlement
from store.models import Gap
from store.prices.bars import nice_interval

from .snapshots import Standing, read_standing


@dataclass(frozen=True)
class Life:
    """What was recorded of an option in [start, end]. Change nothing in it: visitors share it.

    Attributes:
        option: whose life it is.
        upto: the instant; nothing later is in it.
        since: exchange time of the first chain with its expiry; None if no chain up to the instant has it.
        start, end: of the range; `end` is at most the expiry.
        step: the last snapshot of each such step is among the moments.
        moments: ascending.
        gaps: of the chains.
        settlement: None before the expiry, and while its delivery price is not recorded.
    """

    option: Option
    upto: datetime
    since: datetime | None
    start: datetime
    end: datetime
    step: timedelta = MINUTE
    moments: Sequence[Moment] = ()
    gaps: Sequence[Gap] = ()
    settlement: Settlement | None = None


@dataclass(frozen=True)
class LifeAt:
    """The life of an option as of an instant; none without a chain.

    Attributes:
        standing: of the chains at the instant.
        life: up to the instant; up to the newest chain, however old it is, if the instant is now.
    """

    standing: Standing
    life: Life | None = None


def read_expiries(underlying: str, at: datetime | None) -> list[datetime]:
    """The expiries that the chains of an underlying had up to an instant, or now without one, ascending.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return [each.expiry for each in _listed(underlying, at or these_ten_seconds())]


def read_options_of(underlying: str, expiry: datetime, at: datetime | None) -> list[Option]:
    """The options of an expiry in the last chain up to an instant that has it, by strike and type.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _options_of(underlying, expiry, at or these_ten_seconds())


def read_usual(underlying: str, at: datetime | None) -> Option | None:
    """The option that is shown where none is chosen; None without a chain.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _usual(underlying, at or these_ten_seconds())


def read_life(option: Option, at: datetime | None, span: str) -> LifeAt:
    """The life of an option over a range that ends with an instant, or now without one, or with its expiry.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    standing = read_standing(OPTIONS.feed(option.underlying), at or this_second())
    upto = at or standing.shown(at)
    return LifeAt(standing, _life(option, upto, span) if upto else None)


@st.cache_data(ttl="60s", max_entries=8, show_spinner=False)
def _listed(underlying: str, at: datetime) -> list[contract.Listed]:
    try:
        with database().read() as cursor:
            return contract.listed_expiries(cursor, underlying, at)
    except NoDatabaseError:
        return []


@st.cache_data(ttl="60s", max_entries=16, show_spinner=False)
def _options_of(underlying: str, expiry: datetime, at: datetime) -> list[Option]:
    listed = next((each for each in _listed(underlying, at) if each.expiry == expiry), None)
    if listed is None:
        return []
    with database().read() as cursor:
        return contract.options_of(cursor, underlying, listed)


@st.cache_data(ttl="60s", max_entries=8, show_spinner=False)
def _usual(underlying: str, at: datetime) -> Option | None:
    try:
        with database().read() as cursor:
            return contract.usual_option(cursor, underlying, at)
    except NoDatabaseError:
        return None


@st.cache_resource(ttl="120s", max_entries=16, show_spinner=False)
def _life(option: Option, upto: datetime, span: str) -> Life:
    with database().read() as cursor:
        since = next(
            (
                each.first
                for each in contract.listed_expiries(cursor, option.underlying, upto)
                if each[0] == option.expiry
            ),
            None,
        )
        end = min(upto, option.expiry)
        if since is None:
            return Life(option, upto, None, end - HOUR, end)
        length = SPANS[span]
        start = since if length is None else max(since, end - length)
        step = nice_interval(end - start, MOST_POINTS, at_least=MINUTE)
        moments = contract.life(cursor, option, start, end, step)
        start = min(max(start, moments[0].ts) if moments else start, end - HOUR)
        gaps = ledger(cursor, start, end, upto, [OPTIONS.feed(option.underlying)])
        settlement = contract.settlement(cursor, option, upto)
        return Life(option, upto, since, start, end, step, moments, gaps, settlement)
