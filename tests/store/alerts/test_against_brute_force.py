"""Days of simulated prices cause exactly the events that the plainest evaluation finds."""

import itertools
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from poller.simulator.truth.prices import price
from store.alerts import events
from store.alerts.events import Event
from store.alerts.recall import recall
from store.alerts.rules.condition import Condition
from store.alerts.rules.kinds import AnyRule
from store.file.database import Database
from store.ledger import runs
from store.models import Cause, Miss, Run, Tick
from store.prices import candles, ticks
from tests.conftest import START, WHOLE

from .brute_force import EPOCH, Slot, Story, fired, in_order

DAYS = 30 if WHOLE else 8
POLL_SECONDS = 60
RESTARTS = DAYS // 2
OUTAGES = 2 * DAYS
LATENCY = timedelta(milliseconds=30)

Outcomes = list[tuple[datetime, Tick | None]]

RULES: list[dict[str, Any]] = [
    {"name": "m15", "kind": "move", "percent": 0.5, "within": "15m", "hysteresis": 25, "cool_down": "0s"},
    {"name": "m1h", "kind": "move", "percent": 1, "within": "1h", "hysteresis": 10, "cool_down": "30m"},
    {"name": "day", "kind": "move", "percent": 3, "within": "24h", "hysteresis": 5, "cool_down": "1h"},
    {"name": "usd", "kind": "move", "amount": 150, "within": "90s", "hysteresis": 50, "cool_down": "10m"},
    {"name": "b4", "kind": "range_break", "hours": 4, "hysteresis": 0.1, "cool_down": "15m"},
    {"name": "b24", "kind": "range_break", "hours": 24, "hysteresis": 0.3, "cool_down": "0s"},
    {"name": "v1", "kind": "volatility", "above": 45, "over": "1h", "hysteresis": 10, "cool_down": "0s"},
    {"name": "v30", "kind": "volatility", "above": 50, "over": "30m", "hysteresis": 20, "cool_down": "2h"},
    {"name": "late", "kind": "stale", "slots": 3, "hysteresis": 0, "cool_down": "0s"},
    {"name": "thin", "kind": "coverage", "below": 95, "hysteresis": 1, "cool_down": "0s"},
    {"name": "thinner", "kind": "coverage", "below": 50, "hysteresis": 10, "cool_down": "6h"},
]
LEVELS = ((0.2, 0.0), (0.5, 0.1), (0.8, 0.5))
"""Levels, as fractions between the lowest and the highest price, and their hysteresis."""


@pytest.fixture
def outcomes() -> Outcomes:
    """The outcome of each slot: there are outages, most of them short, some of hours."""
    chance = random.Random(30)  # noqa: S311 the same story each time
    slots = [START + number * timedelta(seconds=POLL_SECONDS) for number in range(DAYS * 86_400 // POLL_SECONDS)]
    missed: set[datetime] = set()
    for _ in range(OUTAGES):
        first = chance.randrange(2, len(slots))
        missed |= set(slots[first : first + chance.choice([1, 1, 2, 3, 5, 30, 90])])
    return [(slot, None if slot in missed else tick_of(slot)) for slot in slots]


def tick_of(slot: datetime) -> Tick:
    return Tick("btc_usd", slot + LATENCY, price("btc_usd", slot), received_at=slot + 2 * LATENCY)


def levels(outcomes: Outcomes) -> list[dict[str, Any]]:
    prices = [tick.price for _, tick in outcomes if tick]
    low, high = min(prices), max(prices)
    common = {"kind": "level", "indexes": ["btc_usd"], "cool_down": "5m"}
    return [
        {**common, "name": f"l{part}", "price": round(low + part * (high - low), 2), "hysteresis": back}
        for part, back in LEVELS
    ]


def judged(database: Database, rules: Sequence[AnyRule], outcomes: Outcomes) -> list[Event]:
    """The events of a judge that is made again from the store several times, as when a recorder restarts."""
    found: list[Event] = []
    edges = [len(outcomes) * part // RESTARTS for part in range(RESTARTS + 1)]
    with database.hold():
        with database.write() as cursor:
            runs.note(cursor, Run(START, {"btc_usd": POLL_SECONDS}, "0"))
        for first, last in itertools.pairwise(edges):
            came = outcomes[first:last]
            with database.read() as cursor:
                judge = recall(cursor, rules, {"btc_usd": POLL_SECONDS}, came[0][0], {})
            new = [
                event
                for slot, tick in came
                for event in (judge.heard(slot, tick, slot) if tick else judge.missed(slot, "btc_usd", slot))
            ]
            with database.write() as cursor:
                ticks.append(cursor, [tick for _, tick in came if tick])
                runs.append_misses(
                    cursor, [Miss(slot, "btc_usd", Cause.UNREACHABLE, "") for slot, tick in came if not tick]
                )
                events.append(cursor, new)
                candles.close(cursor, came[-1][0] - timedelta(hours=2))
            found += new
    return found


def story_of(outcomes: Outcomes) -> Story:
    microsecond = timedelta(microseconds=1)
    told = [
        Slot((slot - EPOCH) // microsecond, (tick.ts - EPOCH) // microsecond, tick.price)
        if tick
        else Slot((slot - EPOCH) // microsecond)
        for slot, tick in outcomes
    ]
    return Story(told, POLL_SECONDS * 1_000_000)


def test_many_days_cause_exactly_the_events_of_a_plain_evaluation(new_database: Database, outcomes: Outcomes):
    written = RULES + levels(outcomes)
    rules = TypeAdapter(list[AnyRule]).validate_python(written)

    found = judged(new_database, rules, outcomes)

    ways = {rule.words(way): way for rule in rules if isinstance(rule, Condition) for way in rule.ways}
    told = [(event.rule, ways[event.condition], event.at) for event in found if event.event == "fired"]
    expected = fired(story_of(outcomes), written)
    assert sorted(told, key=in_order) == expected
    assert {rule for rule, *_ in expected} == {rule["name"] for rule in written}
