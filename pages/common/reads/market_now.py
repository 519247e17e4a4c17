"""The market of each recorded currency at a glance."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import streamlit as st

from pages.common.access import database, settings
from pages.common.moments import these_ten_seconds
from store.errors import NoDatabaseError
from store.file.database import Cursor
from store.kinds import OPTIONS, SURFACES
from store.market.reads.as_of import surfaces
from store.market.reads.snapshots import neighbours, period_at
from store.market.reads.volatility import Known, dvol_at
from store.market.smile import put_call_ratio

from .futures import FuturesAt, read_futures

_JUST_AFTER = timedelta(microseconds=1)


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


def read_markets() -> list[MarketNow]:
    """The markets of the configured currencies as of the last ten seconds.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    at = these_ten_seconds()
    return [_market(currency, at) for currency in settings().markets]


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
