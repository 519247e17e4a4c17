"""Which indexes there are, and since when each is recorded."""

from datetime import datetime

import streamlit as st

from pages.common.access import database, settings
from store.errors import NoDatabaseError
from store.file.database import Cursor
from store.prices import indexes, ticks

Recorded = dict[str, tuple[datetime, datetime]]
"""The times of the first and the last tick of each index that has any."""


def known_indexes() -> list[str]:
    """The names of all indexes, configured ones first.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    return indexes.known_indexes(settings().indexes, list(recorded()))


@st.cache_data(ttl="10s", max_entries=1, show_spinner=False)
def recorded() -> Recorded:
    """What is recorded, as it was some seconds ago. Call it without a lease."""
    try:
        with database().read() as cursor:
            return recorded_now(cursor)
    except NoDatabaseError:
        return {}


def recorded_now(cursor: Cursor) -> Recorded:
    return {name: (first, last) for name, (_, first, last) in ticks.summary(cursor).items()}
