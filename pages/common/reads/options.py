"""The option chain of an underlying as of an instant, with its smiles and greeks."""

from dataclasses import dataclass
from datetime import datetime

import streamlit as st

from pages.common.access import database, settings
from pages.common.moments import this_second
from store.errors import NoDatabaseError
from store.kinds import OPTIONS
from store.ledger import arrivals
from store.market.black76 import Greeks
from store.market.reads.as_of import Chain, chain_at
from store.market.reads.interest import InterestAt, interest_of
from store.market.reads.smiles import SmileAt, greeks_of, smiles_of

from .pulse import recorder_runs
from .snapshots import Standing, read_before, read_standing


@dataclass(frozen=True)
class Options:
    """A chain and what follows from it. Change nothing in it: visitors share it.

    Attributes:
        chain: as of the time of its snapshot.
        smiles: of each expiry.
        greeks: of each row of the chain.
        interest: of each expiry.
    """

    chain: Chain
    smiles: list[SmileAt]
    greeks: list[Greeks | None]
    interest: list[InterestAt]


@dataclass(frozen=True)
class OptionsAt:
    """The options of an underlying at an instant, and at one before to compare with.

    Attributes:
        standing: of the feed at the instant.
        options: None if the chain is missing. Now, the newest chain is never missing, however old it is.
        before: the standing of the feed at the instant to compare with; None without a comparison.
        compared: the options at that instant; None if the chain is missing there.
        recorder: whether a recorder runs now.
    """

    standing: Standing
    options: Options | None = None
    before: Standing | None = None
    compared: Options | None = None
    recorder: bool = False


def known_underlyings() -> list[str]:
    """The underlyings whose chains are configured or recorded, configured ones first.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    return list(dict.fromkeys([*settings().markets, *_underlyings()]))


def read_options(underlying: str, at: datetime | None, days_before: int) -> OptionsAt:
    """The options of an underlying at an instant, or now without one.

    Args:
        underlying: such as "BTC".
        at: the instant; nothing later is used.
        days_before: how many days before it lies the instant to compare with; 0 for none.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    standing = read_standing(OPTIONS.feed(underlying), at or this_second())
    before = read_before(standing, at, days_before)
    options, compared = _options(underlying, standing.shown(at)), _options(underlying, before.ts if before else None)
    return OptionsAt(standing, options, before, compared, recorder_runs())


@st.cache_data(ttl="10s", max_entries=1, show_spinner=False)
def _underlyings() -> list[str]:
    try:
        with database().read() as cursor:
            return [OPTIONS.end(feed) for feed in sorted(arrivals.newest(cursor)) if feed.startswith("options/")]
    except NoDatabaseError:
        return []


@st.cache_resource(ttl="1h", max_entries=8, show_spinner=False)  # the rows of a snapshot never change
def _options(underlying: str, ts: datetime | None) -> Options | None:
    if ts is None:
        return None
    with database().read() as cursor:
        chain = chain_at(cursor, underlying, ts)
    if chain is None or not chain.rows:
        return None
    greeks = greeks_of(chain)
    return Options(chain, smiles_of(chain), greeks, interest_of(chain, greeks))
