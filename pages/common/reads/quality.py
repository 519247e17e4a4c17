"""How complete the record is, and how recording went."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import streamlit as st

from pages.common.access import database, settings
from pages.common.views import MOST_POINTS
from store.errors import NoDatabaseError
from store.health import vitals
from store.health.vitals import Growth, Vitals
from store.kinds import TICKS, kind_of
from store.ledger import runs
from store.ledger.coverage import Coverage, calendar
from store.ledger.gaps import ledger
from store.ledger.runs import Failures, failures
from store.models import Gap
from store.prices.bars import SINGLE_TICKS, nice_interval

from .pulse import recorder_now

_GROWTH_OVER = timedelta(days=7)


@dataclass(frozen=True)
class Completeness:
    """How complete the record is in [start, end).

    `gaps` is the ledger, newest first, `hours` the coverage of each index by hour, counted from `start`.
    `waits` says whether ticks wait to be stored, as on a full disk: they are missing until then.
    """

    start: datetime
    end: datetime
    gaps: list[Gap] = field(default_factory=list)
    hours: list[Coverage] = field(default_factory=list)
    waits: bool = False


@dataclass(frozen=True)
class Recording:
    """How recording went in [start, end).

    Attributes:
        start, end: of the range.
        vitals: folded into `interval`.
        interval: suits a chart of the range.
        latest: the newest minute, if it is of the last hour.
        growth: of the file in the last days; None when nothing is known of them.
    """

    start: datetime
    end: datetime
    vitals: list[Vitals] = field(default_factory=list)
    interval: timedelta = SINGLE_TICKS
    latest: Vitals | None = None
    growth: Growth | None = None


@dataclass(frozen=True)
class Failed:
    """The slots that failed in [start, end), by hour, index and cause."""

    start: datetime
    end: datetime
    failures: list[Failures] = field(default_factory=list)


def slot_feeds() -> list[str]:
    """The feeds with slots that are no indexes, by name, as it was some seconds ago.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _slot_feeds()


def read_completeness(at: datetime, start: datetime) -> Completeness:
    """How complete the record of all indexes is from `start` to `at`. Change nothing in it: visitors share it.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _completeness(at, start)


def read_recording(at: datetime, start: datetime) -> Recording:
    """How recording went from `start` to `at`. Change nothing in it: visitors share it.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _recording(at, start)


def read_failed(at: datetime, start: datetime) -> Failed:
    """The slots that failed from `start` to `at`. Change nothing in it: visitors share it.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _failed(at, start)


@st.cache_data(ttl="10s", max_entries=1, show_spinner=False)
def _slot_feeds() -> list[str]:
    try:
        with database().read() as cursor:
            return [feed for feed in runs.feeds(cursor) if kind_of(feed) is not TICKS]
    except NoDatabaseError:
        return []


@st.cache_resource(ttl="60s", max_entries=8, show_spinner=False)  # frozen: visitors share it, a copy took 35 ms
def _completeness(at: datetime, start: datetime) -> Completeness:
    notice = recorder_now()
    waits = notice is not None and notice.waiting > 0
    try:
        with database().read() as cursor:
            gaps = ledger(cursor, start, at, at)
            newest_first = sorted(gaps, key=lambda gap: gap.start, reverse=True)
            return Completeness(start, at, newest_first, calendar(cursor, gaps, start, at, at), waits)
    except NoDatabaseError:
        return Completeness(start, at)


@st.cache_resource(ttl="60s", max_entries=8, show_spinner=False)
def _recording(at: datetime, start: datetime) -> Recording:
    interval = nice_interval(at - start, MOST_POINTS, at_least=timedelta(minutes=1))
    try:
        with database().read() as cursor:
            return Recording(
                start,
                at,
                vitals.folded(cursor, start, at, interval),
                interval,
                next(reversed(vitals.between(cursor, at - timedelta(hours=1), at)), None),
                vitals.growth(cursor, at - _GROWTH_OVER, at),
            )
    except NoDatabaseError:
        return Recording(start, at)


@st.cache_resource(ttl="60s", max_entries=8, show_spinner=False)
def _failed(at: datetime, start: datetime) -> Failed:
    try:
        with database().read() as cursor:
            return Failed(start, at, failures(cursor, start, at))
    except NoDatabaseError:
        return Failed(start, at)
