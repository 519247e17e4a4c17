"""The bars of indexes over a range, with what is known of its gaps and alerts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

from pages.common.access import database, settings
from pages.common.moments import SECOND, now
from pages.common.views import MOST_ALERTS, MOST_POINTS, View
from store.alerts import events
from store.alerts.events import Event
from store.errors import NoDatabaseError
from store.file.clock import AHEAD
from store.file.database import Cursor
from store.ledger.gaps import ledger
from store.models import Gap
from store.prices.bars import SINGLE_TICKS, bars, fits

from .recorded import Recorded, recorded, recorded_now


@dataclass(frozen=True)
class History:
    """The bars of some indexes in [start, end).

    `recorded` has the times of the first and last tick of each, if any, `gaps` what the ledger says of the range, and
    `alerts` the newest events of alerts in it, at most `MOST_ALERTS`.
    """

    bars: dict[str, pd.DataFrame]
    start: datetime
    end: datetime
    interval: timedelta
    recorded: Recorded
    gaps: list[Gap] = field(default_factory=list)
    alerts: list[Event] = field(default_factory=list)

    def inside(self) -> dict[str, pd.DataFrame]:
        """The bars without those beyond the ends, which a line of averages comes from and leads to.

        An index with none but those keeps them: they are all that is known of the range. One without any is left out.
        """
        found = {}
        for name, frame in self.bars.items():
            opened = frame["open_time"]
            its = frame[((opened + self.interval > self.start) | (opened == self.start)) & (opened < self.end)]
            if len(frame):
                found[name] = its if len(its) else frame
        return found


@st.cache_data(ttl="900ms", max_entries=64, show_spinner=False)
def read_history(at: datetime, names: Sequence[str], view: View) -> History:
    """The bars of some indexes, at this second.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    known = recorded()
    try:
        with database().read() as cursor:
            return bars_of(cursor, at, names, view, known)
    except NoDatabaseError:
        return nothing(at, view)


def bars_of(cursor: Cursor, at: datetime, names: Sequence[str], view: View, known: Recorded) -> History:
    if not known.keys() >= set(names):  # perhaps a first tick came since
        known = recorded_now(cursor)
    recorded = {name: known[name] for name in names if name in known}
    start, end = view.bounds(at, min((first for first, _ in recorded.values()), default=at))
    if view.end is None:
        end = max([end, *(last + SECOND for _, last in recorded.values() if last < end + AHEAD)])
    interval = view.interval
    if interval is None:
        single = not view.candles and all(fits(cursor, name, start, end, MOST_POINTS) for name in recorded)
        interval = SINGLE_TICKS if single else view.auto_interval(end - start, settings().poll_seconds)
    return History(
        {name: bars(cursor, name, start, end, interval) for name in recorded},
        start,
        end,
        interval,
        recorded,
        ledger(cursor, start, end, min(at, now()), names),  # slots that are still to come are no gap
        events.fired(cursor, start, end, index_names=names, limit=MOST_ALERTS),
    )


def nothing(at: datetime, view: View) -> History:
    return History({}, *view.bounds(at, at), SINGLE_TICKS, {})
