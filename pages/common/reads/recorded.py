"""Which indexes there are, since when each is recorded, and its newest tick."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime

import streamlit as st

from pages.common.access import database, settings
from pages.common.busy import waiting_once
from store.errors import NoDatabaseError, StoreError
from store.file.database import Cursor
from store.models import Tick
from store.prices import indexes, ticks

Recorded = dict[str, tuple[datetime, datetime]]
"""The times of the first and the last tick of each index that has any."""

_INDEX_NAME = re.compile(r"[a-z0-9-]+_[a-z]+")
_CURRENCY = re.compile(r"[A-Z0-9]+")
_FEED_NAME = re.compile(r"[a-z]+/[A-Za-z0-9_-]+")
_SERIES_NAME = re.compile(r"[A-Z0-9]+ [A-Za-z]+( \d+ d)?")


def known_indexes() -> list[str]:
    """The names of all indexes, configured ones first.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    return indexes.known_indexes(settings().indexes, list(recorded()))


def offered(read: Callable[[], list[str]]) -> list[str]:
    """The indexes that a page offers: what `read` reads, and if that fails, what it read last.

    So no choice is lost while the database can't be read. If nothing was read yet, these are the configured indexes,
    and those that the address names.
    """
    return _offered(read, _INDEX_NAME, settings().indexes)


def offered_currencies(read: Callable[[], list[str]]) -> list[str]:
    """The currencies that a page offers, likewise."""
    return _offered(read, _CURRENCY, settings().markets, "currency")


def offered_feeds(read: Callable[[], list[str]]) -> list[str]:
    """The feeds that a page offers beside the indexes, likewise; if nothing was read yet, those in the address."""
    return _offered(read, _FEED_NAME, ())


def offered_series(read: Callable[[], list[str]]) -> list[str]:
    """The series of the market that a page offers, likewise; if nothing was read yet, those in the address."""
    return _offered(read, _SERIES_NAME, (), "beside")


def _offered(
    read: Callable[[], list[str]], name: re.Pattern[str], configured: Sequence[str], choice: str = "index"
) -> list[str]:
    key = f"offered {read.__module__} {read.__name__}"
    try:
        st.session_state[key] = waiting_once(read)
    except StoreError:
        in_address = filter(name.fullmatch, st.query_params.get_all(choice))
        st.session_state.setdefault(key, list(dict.fromkeys([*configured, *in_address])))
    names: list[str] = st.session_state[key]
    return names


def recorded() -> Recorded:
    """What is recorded, as it was some seconds ago. Call it outside of `database().read()`.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _recorded()


@st.cache_data(ttl="10s", max_entries=1, show_spinner=False)
def _recorded() -> Recorded:
    try:
        with database().read() as cursor:
            return recorded_now(cursor)
    except NoDatabaseError:
        return {}


def newest_ticks(at: datetime) -> dict[str, Tick]:
    """The newest tick of each index that has any, at this second. Call it outside of `database().read()`.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _newest_ticks(at, tuple(known_indexes()))


@st.cache_data(ttl="900ms", max_entries=2, show_spinner=False)
def _newest_ticks(at: datetime, names: tuple[str, ...]) -> dict[str, Tick]:
    del at
    try:
        with database().read() as cursor:
            return ticks.latest_of(cursor, names)
    except NoDatabaseError:
        return {}


def recorded_now(cursor: Cursor) -> Recorded:
    return {name: (first, last) for name, (_, first, last) in ticks.summary(cursor).items()}
