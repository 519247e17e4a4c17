"""How the rules of alerts stand, and what they fired; and the one thing that a page writes, that somebody saw it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import streamlit as st

from pages.common import sign_in
from pages.common.access import database, file, settings
from pages.common.moments import now, these_ten_seconds
from pages.common.views import MOST_ALERTS, MOST_POINTS, View
from settings import is_index_name
from store.alerts import events
from store.alerts.events import Event, EventStatus
from store.alerts.in_force import InForce, rules_in_force
from store.alerts.outlook import RuleStand, outlook
from store.alerts.rules.bounded import OfMarket, Series, currency_of
from store.alerts.rules.rules import Severity
from store.alerts.series import values
from store.errors import NoDatabaseError, StoreError
from store.file.database import Cursor
from store.health.sharing import sharing
from store.kinds import TICKS, kind_of
from store.ledger.logs import logs
from store.ledger.runs import runs
from store.prices.bars import bucket, nice_interval

from .pulse import recorder_now


@dataclass(frozen=True)
class Alerts:
    """How the rules stand that the recorder goes by, if one is at work; `in_force` is None before there were any."""

    in_force: InForce | None = None
    rules: list[RuleStand] = field(default_factory=list)
    watched: bool = False


def read_alerts(at: datetime) -> Alerts:
    """How the rules of alerts stand at a time. Change nothing in it: visitors share it.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _alerts(at)


@st.cache_resource(ttl="60s", max_entries=2, show_spinner=False)
def _alerts(at: datetime) -> Alerts:
    notice = recorder_now()
    names, seconds = (notice.indexes, notice.poll_seconds) if notice else (settings().indexes, settings().poll_seconds)
    indexes = [name for name in names if is_index_name(name)]  # a recorder's notice names its other feeds too
    try:
        with database().read() as cursor:
            in_force = rules_in_force(cursor)
            feeds = dict.fromkeys(indexes, seconds) | _market(cursor)
            shared = sharing(settings(), at)
            shared_to = None if shared is None else shared.shared_to
            rules = outlook(cursor, in_force.rules, feeds, at, shared_to) if in_force else []
            return Alerts(in_force, rules, watched=notice is not None and notice.alive)
    except NoDatabaseError:
        return Alerts()


def watched_feeds() -> list[str]:
    """The feeds of markets that rules watch, by name, as it was some seconds ago.

    Raises:
        StoreError: as of `read_alerts`.
    """
    rules = read_alerts(these_ten_seconds()).rules
    return sorted({stand.feed for rule in rules for stand in rule.stands if kind_of(stand.feed) is not TICKS})


def rules_of_numbers(feed: str) -> list[OfMarket]:
    """The rules of numbers that a feed brings, as it was some seconds ago; none while the database can't be read."""
    try:
        rules = read_alerts(these_ten_seconds()).rules
    except StoreError:
        return []
    return [each.rule for each in rules if isinstance(each.rule, OfMarket) and each.rule.watched([feed])]


def _market(cursor: Cursor) -> dict[str, int]:
    """The feeds of the markets of the newest run, with the seconds between two of their slots or entries."""
    of_run = {feed: period_s for run in runs(cursor)[-1:] for feed, period_s in run.feeds.items()}
    of_slots = {feed: period_s for feed, period_s in of_run.items() if kind_of(feed) is not TICKS}
    currencies = {currency_of(feed) for feed in of_slots}
    of_logs = {name: its.period_s or 60 for name, its in logs(cursor).items() if currency_of(name) in currencies}
    return of_slots | of_logs


@dataclass(frozen=True)
class Number:
    """A number of a market in [start, end), and the alerts of it. Change nothing in it: visitors share it.

    Attributes:
        times, values: at most `MOST_POINTS`: the last known value of each step.
        apart: two values further from each other have a gap between them.
        alerts: the newest ones, at most `MOST_ALERTS`.
    """

    start: datetime
    end: datetime
    times: list[datetime] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    apart: timedelta = timedelta(0)
    alerts: list[Event] = field(default_factory=list)


def read_number(at: datetime, series: Series, noun: str, span: str) -> Number:
    """A number of a market over a span that ends at a time, with the alerts of conditions that begin with its noun.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _number(at, series, noun, span)


@st.cache_resource(ttl="60s", max_entries=16, show_spinner=False)
def _number(at: datetime, series: Series, noun: str, span: str) -> Number:
    start, end = View(span).bounds(at, at)
    try:
        with database().read() as cursor:
            known = list(values(cursor, series, start, end))
            fired = events.fired(cursor, start, end, index_names=[series.feed], limit=MOST_ALERTS)
    except NoDatabaseError:
        return Number(start, end)
    step = nice_interval(end - start, MOST_POINTS)
    drawn = list({bucket(ts, step): (ts, value) for ts, value in known}.values())
    distances = sorted(later[0] - ts for (ts, _), later in pairwise(known)) or [step]
    usual = distances[len(distances) // 2]
    its = [event for event in fired if event.condition.startswith(f"{noun} ")]
    return Number(start, end, [ts for ts, _ in drawn], [value for _, value in drawn], 2 * max(step, usual), its)


def newest_alerts(
    at: datetime, index_name: str | None, severity: Severity | None, limit: int, offset: int, *, acknowledged: bool
) -> list[EventStatus]:
    """The newest events of alerts at this second, from an offset on, and what became of them.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _newest(at, index_name, severity, limit, offset, acknowledged=acknowledged)


@st.cache_data(ttl="900ms", max_entries=64, show_spinner=False)
def _newest(
    at: datetime, index_name: str | None, severity: Severity | None, limit: int, offset: int, *, acknowledged: bool
) -> list[EventStatus]:
    del at
    try:
        with database().read() as cursor:
            return events.newest(
                cursor,
                index_name=index_name,
                severity=severity,
                acknowledged=acknowledged,
                limit=limit,
                offset=offset,
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
    with file().write() as cursor:
        for event_id in event_ids:
            events.acknowledge(cursor, event_id, now(), reader)
    _newest.clear()
