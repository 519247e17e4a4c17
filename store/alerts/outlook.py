"""How the rules in force stand: what a recorder would read now, and how far each condition is from firing."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from duckdb import DuckDBPyConnection

from store.alerts.rules.condition import Reading, clear_of
from store.alerts.rules.kinds import AnyRule
from store.alerts.rules.tape import Tape
from store.instants import EVER, stale_after_s
from store.prices import candles
from store.words import price

from . import events
from .judge import Watch
from .recall import recall

State = Literal["ready", "holding", "fired", "cooling down", "waiting", "unknown"]
"""The state of a condition. One that is "holding" has not fired: no recorder judged it yet. A level is "waiting" until
the price was on its other side by the hysteresis. A condition is "unknown" while too little is recorded, and when its
newest price or value is stale."""


@dataclass(frozen=True, slots=True)
class Stand:
    """How a condition stands on a feed.

    Attributes:
        condition: in words.
        feed: of which index, or of which feed of a market.
        about: the feed as messages name it.
        state: decides what happens when the condition holds next.
        progress, distance: such as "1.2 % of 3 %" and "1.8 % to go"; empty while the state is unknown. The distance of
            a waiting level says which price makes it ready.
        fired_at: when it last fired.
        ready_at: the end of its cool-down, while that lasts.
        stale_at: the time of its newest price or value, if that is stale: the log is still loading, or nothing came.
    """

    condition: str
    feed: str
    about: str
    state: State
    progress: str
    distance: str
    fired_at: datetime | None
    ready_at: datetime | None
    stale_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RuleStand:
    """How a rule stands on each of its conditions and feeds, and when it last fired. A rule of gaps has no stands."""

    rule: AnyRule
    stands: tuple[Stand, ...]
    fired_at: datetime | None


def outlook(
    cursor: DuckDBPyConnection,
    rules: Sequence[AnyRule],
    feeds: Mapping[str, int],
    now: datetime,
    shared_to: datetime | None = None,
) -> list[RuleStand]:
    """How each rule stands, by the record up to now.

    Args:
        cursor: of a read lease.
        rules: in force.
        feeds: the recorded feeds, each with the seconds between two of its slots or entries.
        now: the current time.
        shared_to: up to when a lake has the record; None if it has nothing.
    """
    slot = candles.floor(now, timedelta(seconds=min(feeds.values(), default=1)))
    judge = recall(cursor, rules, feeds, slot, {})
    if shared_to is not None:
        judge.lake.share(shared_to, now)
    stands: dict[str, list[Stand]] = {}
    for watch in judge.watches:
        period_s = feeds.get(watch.feed, 0)  # a rule of the lake watches no feed
        stands.setdefault(watch.rule.name, []).append(_stand(watch, judge.tape(watch), period_s, now))
    fired: dict[str, list[datetime]] = {}
    for (rule_name, _, _), standing in events.standings(cursor).items():
        fired.setdefault(rule_name, []).extend([standing.fired_at] if standing.fired_at else [])
    return [
        RuleStand(rule, tuple(stands.get(rule.name, ())), max(fired.get(rule.name, ()), default=None)) for rule in rules
    ]


def _stand(watch: Watch, tape: Tape, period_s: int, now: datetime) -> Stand:
    known = not math.isnan(tape.price) if watch.rule.by_tick else tape.heard is not EVER
    stale = known and watch.rule.by_tick and (now - tape.ts).total_seconds() > stale_after_s(period_s)
    reading = watch.rule.read(tape, watch.way) if known and not stale else None
    state = _state(watch, reading, now)
    return Stand(
        watch.condition,
        watch.feed,
        watch.rule.about(watch.feed),
        state,
        watch.rule.progress(reading) if reading else "",
        _distance(watch, reading, state) if reading else "",
        watch.fired_at,
        watch.fired_at + watch.rule.cool_down if watch.fired_at and state == "cooling down" else None,
        tape.ts if stale else None,
    )


def _distance(watch: Watch, reading: Reading, state: State) -> str:
    if state != "waiting":
        return watch.rule.distance(reading)
    bound = price(clear_of(watch.rule, reading.threshold, watch.way))
    return f"can fire once the price was {'below' if watch.way == 'up' else 'above'} {bound}"


def _state(watch: Watch, reading: Reading | None, now: datetime) -> State:
    if reading is None:
        return "unknown"
    if watch.event is None and not reading.over:
        return "waiting"
    if watch.event == "fired":
        return "fired"
    if not watch.cooled_down(now):
        return "cooling down"
    return "holding" if reading.holds else "ready"
