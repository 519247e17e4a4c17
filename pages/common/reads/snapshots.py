"""Which snapshots a feed has around an instant, and why it has none there."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import streamlit as st

from pages.common.access import database, settings
from pages.common.moments import now
from store.errors import NoDatabaseError, StoreError
from store.file.database import Cursor
from store.instants import DAY
from store.kinds import OPTIONS, kind_of
from store.ledger.gaps import ledger
from store.market.reads.snapshots import Neighbours, SnapshotAt, cause_at, neighbours, period_at, snapshot_at
from store.models import Gap

_JUST_BEFORE = timedelta(microseconds=1)


@dataclass(frozen=True)
class Standing:
    """What a feed has at an instant.

    Attributes:
        feed: such as "options/BTC".
        at: the instant.
        period: from one slot of the feed to the next.
        ts: exchange time of the snapshot as of the instant; None if it is missing.
        before, after: exchange times of the snapshots on both sides of the instant; None where there is none.
        cause: why the snapshot is missing; None if that is unknown, and if it is not missing.
    """

    feed: str
    at: datetime
    period: timedelta
    ts: datetime | None = None
    before: datetime | None = None
    after: datetime | None = None
    cause: str | None = None

    def shown(self, at: datetime | None) -> datetime | None:
        """The exchange time of the snapshot that a page shows: `ts`, or now the newest one, however old it is.

        Args:
            at: the instant that the reader chose; None for now.
        """
        return self.ts or (self.before if at is None else None)


def read_standing(feed: str, at: datetime) -> Standing:
    """What a feed has at an instant.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _standing(feed, at)


def read_before(shown: Standing, at: datetime | None, days: int) -> Standing | None:
    """What a feed has some days before what is shown: a snapshot that was at most a period old then, as at any moment.

    Args:
        shown: the feed at the instant that is shown.
        at: the instant that the reader chose; None for now, where the days count from the shown snapshot.
        days: how many; 0 for none.

    Returns:
        None if nothing is to be compared, or nothing is shown.

    Raises:
        StoreError: the database can't be read.
    """
    ts = shown.shown(at)
    return None if ts is None or not days else read_standing(shown.feed, (at or ts) - days * DAY)


def read_steps(feed: str, at: datetime) -> Neighbours:
    """The snapshots before and after the one that is shown as of an instant, or around the instant if none is.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    try:
        with database().read() as cursor:
            around = neighbours(cursor, feed, at)
            if around.before is None or _ts_at(cursor, feed, at) is None:
                return around
            return Neighbours(neighbours(cursor, feed, around.before - _JUST_BEFORE).before, around.after)
    except NoDatabaseError:
        return Neighbours(None, None)


def gaps_until(cursor: Cursor, feed: str, start: datetime, at: datetime) -> list[Gap]:
    """The gaps of a feed in [start, at). Of one that goes on, only what lies before `at`."""
    return [gap._replace(end=min(gap.end, at)) for gap in ledger(cursor, start, at, at, {feed})]


@st.cache_resource(ttl="10s", max_entries=16, show_spinner=False)
def _standing(feed: str, at: datetime) -> Standing:
    try:
        with database().read() as cursor:
            period = timedelta(seconds=period_at(cursor, feed, at))
            ts = _ts_at(cursor, feed, at)
            around = neighbours(cursor, feed, at)
            return Standing(feed, at, period, ts, *around, None if ts else _cause(feed, at))
    except NoDatabaseError:
        its = settings()
        seconds = its.options_seconds if kind_of(feed) is OPTIONS else its.market_seconds
        return Standing(feed, at, timedelta(seconds=seconds))


def _cause(feed: str, at: datetime) -> str | None:
    """Why a snapshot is missing. The snapshots are shown also where the ledger of gaps can't be read."""
    try:
        with database().read() as cursor:
            return cause_at(cursor, feed, at, now())
    except StoreError:
        return "the cause can't be read"


def _ts_at(cursor: Cursor, feed: str, at: datetime) -> datetime | None:
    found: SnapshotAt[None] | None = snapshot_at(cursor, feed, at, lambda _: ())
    return None if found is None else found.ts
