"""How the feeds of the market are, and its self-checks."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from pages.common.access import database, settings
from pages.common.reads.pulse import recorder_now
from store.errors import NoDatabaseError
from store.health import checks
from store.health.checks import Stretch
from store.health.status import feeds_at


@dataclass(frozen=True)
class MarketHealth:
    """The market at a time. All is empty without a market.

    Attributes:
        feeds: the feeds that are no indexes, as `health` has them.
        checks: the newest stretch of each self-check.
        troubles: the stretches with a note or a warning in the days shown, newest first.
    """

    at: datetime
    feeds: dict[str, dict[str, Any]] = field(default_factory=dict)
    checks: list[Stretch] = field(default_factory=list)
    troubles: list[Stretch] = field(default_factory=list)


def read_market_health(at: datetime, start: datetime) -> MarketHealth:
    """The market at `at`, with what its self-checks found from `start` on.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _market_health(at, start)


@st.cache_resource(ttl=timedelta(seconds=60), max_entries=8, show_spinner=False)
def _market_health(at: datetime, start: datetime) -> MarketHealth:
    try:
        with database().read() as cursor:
            feeds = {name: feed for name, feed in feeds_at(cursor, {}, at, recorder_now()).items() if "/" in name}
            return MarketHealth(at, feeds, checks.newest(cursor), checks.troubles(cursor, start))
    except NoDatabaseError:
        return MarketHealth(at)
