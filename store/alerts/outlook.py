"""How the rules in force stand: what a recorder would read now, and how far each condition is from firing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from duckdb import DuckDBPyConnection

from store.alerts.rules.condition import Reading
from store.alerts.rules.kinds import AnyRule
from store.alerts.rules.tape import Tape
from store.prices import candles

from . import events
from .judge import Watch
from .recall import recall

State = Literal["ready", "fired", "cooling down", "waiting", "too near", "unknown"]
"""The state of a condition. From the start of recording on it is "waiting" while the price is beyond a level, and "too
near" while the price is nearer to the level than the hysteresis. It is "unknown" while too little is recorded."""


@dataclass(frozen=True, slots=True)
class Stand:
    """How a condition stands on an index.

    Attributes:
        condition: in words.
        index_name: of which index.
        state: decides what happens when the condition holds next.
        progress, distance: such as "1.2 % of 3 %" and "1.8 % to go"; empty where too little is recorded.
        fired_at: when it last fired.
        ready_at: the end of its cool-down, while that lasts.
    """

    condition: str
    index_name: str
    state: State
    progress: str
    distance: str
    fired_at: datetime | None
    ready_at: datetime | None


@dataclass(frozen=True, slots=True)
class RuleStand:
    """How a rule stands on each of its conditions and indexes, and when it last fired. A rule of gaps has no stands."""

    rule: AnyRule
    stands: tuple[Stand, ...]
    fired_at: datetime | None


def outlook(
    cursor: DuckDBPyConnection, rules: Sequence[AnyRule], index_names: Sequence[str], poll_seconds: int, now: datetime
) -> list[RuleStand]:
    """How each rule stands, by the record up to now.

    Args:
        cursor: of a read lease.
        rules: in force.
        index_names: the recorded indexes.
        poll_seconds: between two slots.
        now: the current time.
    """
    slot = candles.floor(now, timedelta(seconds=poll_seconds))
    judge = recall(cursor, rules, index_names, poll_seconds, slot, {})
    for tape in judge.tapes.values():
        tape.slot = max(tape.slot, tape.heard)  # the tick of this slot may be stored already
    stands: dict[str, list[Stand]] = {}
    for watch in judge.watches:
        stands.setdefault(watch.rule.name, []).append(_stand(watch, judge.tapes[watch.index_name], now))
    fired: dict[str, list[datetime]] = {}
    for (rule_name, _, _), standing in events.standings(cursor).items():
        fired.setdefault(rule_name, []).extend([standing.fired_at] if standing.fired_at else [])
    return [
        RuleStand(rule, tuple(stands.get(rule.name, ())), max(fired.get(rule.name, ()), default=None)) for rule in rules
    ]


def _stand(watch: Watch, tape: Tape, now: datetime) -> Stand:
    reading = None if math.isnan(tape.price) else watch.rule.read(tape, watch.way)
    state = _state(watch, reading, now)
    return Stand(
        watch.condition,
        watch.index_name,
        state,
        watch.rule.progress(reading) if reading else "",
        watch.rule.distance(reading) if reading else "",
        watch.fired_at,
        watch.fired_at + watch.rule.cool_down if watch.fired_at and state == "cooling down" else None,
    )


def _state(watch: Watch, reading: Reading | None, now: datetime) -> State:
    if reading is None:
        return "unknown"
    if watch.event is None and not reading.over:
        return "waiting" if reading.holds else "too near"
    if watch.event == "fired":
        return "fired"
    return "ready" if watch.cooled_down(now) else "cooling down"
