"""What the pages read from the store. The only place with cache decorators."""

from dataclasses import dataclass
from datetime import timedelta

import streamlit as st

import settings as all_settings
from settings import Settings
from store import Database, NoDatabaseError, utc_now
from store.overview import Card, cards
from store.recorder import Notice, read_notice
from store.shared import shared_database


@dataclass(frozen=True)
class Overview:
    """One look at the recorder and at all indexes."""

    notice: Notice | None
    cards: list[Card]


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """The settings of this server, read once."""
    return all_settings.load()


def database() -> Database:
    """The database of this server."""
    return shared_database(settings().database, settings().memory_limit)


@st.cache_data(ttl="900ms", max_entries=2, show_spinner=False)
def overview(at_slot: float) -> Overview:
    """The newest of everything, read on one lease and shared by all visitors of the same moment.

    Args:
        at_slot: the time of asking, rounded; it tells one answer from the next.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    del at_slot
    notice = read_notice(database().path)
    try:
        with database().read() as cursor:
            return Overview(
                notice, cards(cursor, settings().indexes, shortest_bar=timedelta(seconds=2 * settings().poll_seconds))
            )
    except NoDatabaseError:
        return Overview(notice, [Card(name) for name in settings().indexes])


def newest_overview() -> Overview:
    """The overview of this second."""
    return overview(float(int(utc_now().timestamp())))
