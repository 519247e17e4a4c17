"""How complete the record is, and how recording went."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import streamlit as st

from pages.common.access import database
from pages.common.views import MOST_POINTS
from store.errors import NoDatabaseError
from store.file.database import Cursor
from store.health import vitals
from store.health.vitals import Growth, Vitals
from store.ledger.coverage import Coverage, calendar
from store.ledger.gaps import ledger
from store.ledger.runs import Failures, failures
from store.models import Gap
from store.prices.bars import SINGLE_TICKS, nice_interval

_GROWTH_OVER = timedelta(days=7)


@dataclass(frozen=True)
class Quality:
    """How complete the record is in [start, end), and how recording went.

    Attributes:
        start, end: of all of it.
        gaps: the ledger, newest first.
        hours: the coverage of each index by hour, counted from `start`.
        failures: slots that failed, by hour, index and cause.
        vitals: folded into `interval`.
        interval: suits a chart of the range.
        latest: the newest minute, if it is of the last hour.
        growth: of the file in the last days; None when nothing is known of them.
    """

    start: datetime
    end: datetime
    gaps: list[Gap] = field(default_factory=list)
    hours: list[Coverage] = field(default_factory=list)
    failures: list[Failures] = field(default_factory=list)
    vitals: list[Vitals] = field(default_factory=list)
    interval: timedelta = SINGLE_TICKS
    latest: Vitals | None = None
    growth: Growth | None = None


@st.cache_resource(ttl="60s", max_entries=8, show_spinner=False)  # frozen: visitors share it, a copy took 35 ms
def read_quality(at: datetime, start: datetime) -> Quality:
    """How complete the record of all indexes is from `start` to `at`. Change nothing in it.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    try:
        with database().read() as cursor:
            return _quality(cursor, at, start)
    except NoDatabaseError:
        return Quality(start, at)


def _quality(cursor: Cursor, at: datetime, start: datetime) -> Quality:
    gaps = ledger(cursor, start, at, at)
    interval = nice_interval(at - start, MOST_POINTS, at_least=timedelta(minutes=1))
    return Quality(
        start,
        at,
        sorted(gaps, key=lambda gap: gap.start, reverse=True),
        calendar(cursor, gaps, start, at, at),
        failures(cursor, start, at),
        vitals.folded(cursor, start, at, interval),
        interval,
        next(reversed(vitals.between(cursor, at - timedelta(hours=1), at)), None),
        vitals.growth(cursor, at - _GROWTH_OVER, at),
    )
