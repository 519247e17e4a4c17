"""What the pages read from the store. The only place with cache decorators.

Each answer is read on one lease and shared by all visitors who ask in the same second.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pandas as pd
import streamlit as st

import settings as all_settings
from settings import Settings
from store import Cursor, Database, Exchange, Gap, NoDatabaseError, Tick, export_survey, status, ticks, vitals
from store.alerts import events
from store.alerts.events import Event, Told
from store.alerts.in_force import InForce, rules_in_force
from store.alerts.outlook import RuleStand, outlook
from store.alerts.rules import Severity
from store.aside import list_aside
from store.bars import SINGLE_TICKS, bars, fits, nice_interval
from store.clock import AHEAD, exchange_now
from store.coverage import Coverage, calendar, coverage
from store.due import EPOCH
from store.exchange import exchange_of
from store.export_query import ExportQuery
from store.export_survey import Estimate
from store.exports import Exports, Job
from store.gaps import ledger
from store.overview import SPAN, Card, cards
from store.recorder import Notice, read_notice
from store.runs import Failures, Trouble, failures, troubles
from store.shared import shared_database, shared_exports
from store.vitals import Growth, Vitals

from . import sign_in
from .views import MOST_POINTS, SPANS, View

Recorded = dict[str, tuple[datetime, datetime]]
"""The times of the first and the last tick of each index that has any."""

MOST_ALERTS = 200
"""More marks than this can't be told apart on a chart."""

_GROWTH_OVER = timedelta(days=7)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Pulse:
    """How recording goes: the recorder's notice, damaged files, when the newest tick was, and of which exchange."""

    notice: Notice | None
    set_aside: list[str]
    newest: datetime | None = None
    exchange: Exchange | None = None


@dataclass(frozen=True)
class Overview:
    """All indexes at a glance, how complete their last 24 h are, what went wrong of late, and the bars over a span."""

    cards: list[Card]
    coverage: dict[str, Coverage]
    troubles: list[Trouble]
    history: "History"


@dataclass(frozen=True)
class _Day:
    """What is known of the last 24 h: its gaps, how complete it is, and what went wrong."""

    gaps: list[Gap]
    coverage: dict[str, Coverage]
    troubles: list[Trouble]


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


@dataclass(frozen=True)
class Alerts:
    """How the rules stand that the recorder goes by, if one is at work; `in_force` is None before there were any."""

    in_force: InForce | None = None
    rules: list[RuleStand] = field(default_factory=list)
    watched: bool = False


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


@st.cache_resource(show_spinner=False)
def settings_of_server() -> Settings:
    """The settings of this server, read once."""
    return all_settings.load_to_serve()


def settings() -> Settings:
    """The settings of this server, for a reader who may read. Whatever a page reads, it comes by here.

    So nothing is told by a live part of a page whose reader signed out, or by a page's bare script on a host that runs
    those.
    """
    settings = settings_of_server()
    if not sign_in.admits(settings):
        st.stop()
    return settings


def database() -> Database:
    """The database of this server."""
    return shared_database(settings().database, settings().memory_limit)


def exports() -> Exports:
    """The exports of this server."""
    return shared_exports(database(), settings().exports_limit_bytes)


def refresh_every() -> timedelta:
    """How often a live part of a page is looked at again."""
    return timedelta(seconds=min(settings().poll_seconds, 5))


def now() -> datetime:
    """Now, by the exchange's clock: that of this machine may be wrong."""
    return exchange_now(settings().database)


def this_second() -> datetime:
    """Now, rounded up, so that visitors of the same second ask the same question."""
    return now().replace(microsecond=0) + timedelta(seconds=1)


def this_minute() -> datetime:
    """Now, rounded down to the minute."""
    return now().replace(second=0, microsecond=0)


def these_ten_seconds() -> datetime:
    """Now, rounded down to ten seconds: slots that are still to come don't count as missing."""
    return datetime.fromtimestamp(int(now().timestamp()) // 10 * 10, UTC)


@st.cache_data(ttl="900ms", max_entries=2, show_spinner=False)
def pulse(at: datetime) -> Pulse:
    """How recording goes at this second.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    del at
    notice, set_aside = read_notice(database().path), list_aside(database().path)
    try:
        with database().read() as cursor:
            newest = [tick.ts for name in settings().indexes if (tick := _observed(cursor, name))]
            return Pulse(notice, set_aside, max(newest, default=None), exchange_of(cursor))
    except NoDatabaseError:
        return Pulse(notice, set_aside)


def overview(at: datetime, span: str) -> Overview:
    """Cards of all indexes, and their bars over a span, at this second.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    with database().one_lease():
        found, day = _cards(at), _last_day(these_ten_seconds())
        # A step's worth of time moves a line by less than a pixel. But what is filled or healed shows at once.
        notice = pulse(at).notice
        step = timedelta(seconds=1) if notice and notice.backfill else _step(found, at, span)
        changed = [card.latest is None for card in found], [gap.state for gap in day.gaps]
        drawn = _drawn(rounded_up(at, step), tuple(card.index_name for card in found), span, repr(changed))
        return Overview(found, day.coverage, day.troubles, drawn)


def rounded_up(at: datetime, step: timedelta) -> datetime:
    """The next multiple of a step, counted from 1970 on, at or after an instant."""
    return at + (EPOCH - at) % step


def _step(found: Sequence[Card], at: datetime, span: str) -> timedelta:
    """How much of a span a point on the screen stands for, in whole seconds, at most a minute."""
    shown = SPANS[span] or at - min((card.since for card in found if card.since), default=at)
    return timedelta(seconds=min(60, max(1, shown.total_seconds() // MOST_POINTS)))


@st.cache_data(ttl="900ms", max_entries=2, show_spinner=False)
def _cards(at: datetime) -> list[Card]:
    del at
    names = known_indexes()
    try:
        with database().read() as cursor:
            return cards(cursor, names, shortest_bar=timedelta(seconds=2 * settings().poll_seconds))
    except NoDatabaseError:
        return [Card(name) for name in names]


@st.cache_data(ttl="10s", max_entries=2, show_spinner=False)
def _last_day(at: datetime) -> _Day:
    try:
        with database().read() as cursor:
            gaps = ledger(cursor, at - SPAN, at, at)
            complete = {its.index_name: its for its in coverage(cursor, gaps, at - SPAN, at)}
            return _Day(gaps, complete, troubles(cursor, at - SPAN))
    except NoDatabaseError:
        return _Day([], {}, [])


@st.cache_resource(ttl="60s", max_entries=16, show_spinner=False)  # frozen: visitors share it
def _drawn(at: datetime, names: Sequence[str], span: str, changed: str) -> History:
    """The bars of a span; `changed` tells apart what must not be taken for the same within a step."""
    del changed
    known = _recorded()
    try:
        with database().read() as cursor:
            return _history(cursor, at, names, View(span), known)
    except NoDatabaseError:
        return _nothing(at, View(span))


@st.cache_data(ttl="900ms", max_entries=64, show_spinner=False)
def history(at: datetime, names: Sequence[str], view: View) -> History:
    """The bars of some indexes, at this second.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    known = _recorded()
    try:
        with database().read() as cursor:
            return _history(cursor, at, names, view, known)
    except NoDatabaseError:
        return _nothing(at, view)


@st.cache_resource(ttl="60s", max_entries=8, show_spinner=False)  # frozen: visitors share it, a copy took 35 ms
def quality(at: datetime, start: datetime) -> Quality:
    """How complete the record of all indexes is from `start` to `at`. Change nothing in it.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    try:
        with database().read() as cursor:
            return _quality(cursor, at, start)
    except NoDatabaseError:
        return Quality(start, at)


@st.cache_resource(ttl="60s", max_entries=2, show_spinner=False)  # frozen: visitors share it
def alerts(at: datetime) -> Alerts:
    """How the rules of alerts stand at a time.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    notice = pulse(this_second()).notice
    indexes, seconds = (
        (notice.indexes, notice.poll_seconds) if notice else (settings().indexes, settings().poll_seconds)
    )
    try:
        with database().read() as cursor:
            in_force = rules_in_force(cursor)
            rules = outlook(cursor, in_force.rules, indexes, seconds, at) if in_force else []
            return Alerts(in_force, rules, watched=notice is not None and notice.alive)
    except NoDatabaseError:
        return Alerts()


@st.cache_data(ttl="900ms", max_entries=64, show_spinner=False)
def newest_alerts(
    at: datetime, index_name: str | None, severity: Severity | None, limit: int, *, acknowledged: bool
) -> list[Told]:
    """The newest events of alerts at this second, and what became of them.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    del at
    try:
        with database().read() as cursor:
            return events.newest(
                cursor, index_name=index_name, severity=severity, acknowledged=acknowledged, limit=limit
            )
    except NoDatabaseError:
        return []


def acknowledge(event_ids: Sequence[str]) -> None:
    """Note that this reader saw events of alerts; who may not, changes nothing.

    Raises:
        StoreError: it can't be noted.
    """
    reader = sign_in.acknowledges_as(settings())
    if reader is None:
        return
    with database().write() as cursor:
        for event_id in event_ids:
            events.acknowledge(cursor, event_id, now(), reader)
    newest_alerts.clear()


@st.cache_data(ttl="60s", max_entries=64, show_spinner=False)
def estimate(query: ExportQuery) -> Estimate:
    """About how large an export will be.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    try:
        with database().read() as cursor:
            return export_survey.estimate(cursor, query.settled(now()))
    except NoDatabaseError:
        return Estimate(0, 0)


@st.cache_resource(ttl="1h", max_entries=64, show_spinner=False)
def export_job(query: ExportQuery) -> Job:
    """The export that a query asks for, being made since the first visitor asked. Forget it by `export_job.clear`."""
    return Job(exports(), query)


def known_indexes() -> list[str]:
    """The names of all indexes, configured ones first.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    return status.known_indexes(settings().indexes, list(_recorded()))


@st.cache_data(ttl="10s", max_entries=1, show_spinner=False)
def _recorded() -> Recorded:
    """What is recorded, as it was some seconds ago. Call it without a lease."""
    try:
        with database().read() as cursor:
            return _recorded_now(cursor)
    except NoDatabaseError:
        return {}


def _recorded_now(cursor: Cursor) -> Recorded:
    return {name: (first, last) for name, (_, first, last) in ticks.summary(cursor).items()}


def _history(cursor: Cursor, at: datetime, names: Sequence[str], view: View, known: Recorded) -> History:
    if not known.keys() >= set(names):  # perhaps a first tick came since
        known = _recorded_now(cursor)
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


def _quality(cursor: Cursor, at: datetime, start: datetime) -> Quality:
    gaps = ledger(cursor, start, at, at)
    interval = nice_interval(at - start, MOST_POINTS, at_least=timedelta(minutes=1))
    return Quality(
        start,
        at,
        sorted(gaps, key=lambda gap: gap.start, reverse=True),
        calendar(cursor, gaps, start, at),
        failures(cursor, start, at),
        vitals.folded(cursor, start, at, interval),
        interval,
        next(reversed(vitals.between(cursor, at - timedelta(hours=1), at)), None),
        vitals.growth(cursor, at - _GROWTH_OVER, at),
    )


def _nothing(at: datetime, view: View) -> History:
    return History({}, *view.bounds(at, at), SINGLE_TICKS, {})


def _observed(cursor: Cursor, index_name: str) -> Tick | None:
    tick = ticks.latest(cursor, index_name)
    return tick if tick and not tick.resolution_s else None
