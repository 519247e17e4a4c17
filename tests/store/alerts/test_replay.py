"""A replay brings exactly the events that a recorder would have noted."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from store.alerts import events
from store.alerts.events import Event
from store.alerts.recall import recall
from store.alerts.replay.minutes import Limits
from store.alerts.replay.replay import replay
from store.alerts.rules.kinds import AnyRule
from store.file.database import Database
from store.ledger import gaps, runs
from store.ledger.heal import heal
from store.models import Cause, Gap, Miss, Run, Tick
from store.prices import averages, candles, ticks
from tests.conftest import START, tick
from tests.support.examples import examples

RULES: list[AnyRule] = TypeAdapter(list[AnyRule]).validate_python(
    [
        {"name": "quick", "kind": "move", "percent": 1, "within": "45s", "cool_down": "0s"},
        {"name": "move", "kind": "move", "percent": 2, "within": "150s", "cool_down": "0s", "hysteresis": 50},
        {"name": "long", "kind": "move", "amount": 3, "within": "20m", "cool_down": "1m", "hysteresis": 60},
        {"name": "up", "kind": "level", "price": 100, "indexes": ["btc_usd"], "cool_down": "0s", "hysteresis": 0.5},
        {"name": "level", "kind": "level", "price": 101, "indexes": ["btc_usd"], "cool_down": "5m", "hysteresis": 0},
        {"name": "break", "kind": "range_break", "hours": 0.05, "cool_down": "0s"},
        {"name": "far", "kind": "range_break", "hours": 0.3, "cool_down": "2m", "hysteresis": 1},
        {"name": "wild", "kind": "volatility", "above": 600, "over": "10m", "cool_down": "0s", "hysteresis": 5},
        {"name": "stale", "kind": "stale", "slots": 3, "cool_down": "0s"},
        {"name": "staler", "kind": "stale", "slots": 5, "cool_down": "10m"},
        {"name": "thin", "kind": "coverage", "below": 98, "cool_down": "0s", "hysteresis": 0},
        {"name": "thinner", "kind": "coverage", "below": 90, "cool_down": "20m", "hysteresis": 3},
    ]
)
NAMES = ("btc_usd",)
NOW = START + timedelta(days=30)


@dataclass
class Recorded:
    """A run: its slots, each with its price or None; and whether it was stopped in an orderly way."""

    start: datetime
    poll_seconds: int
    prices: list[float | None] = field(default_factory=list)

    @property
    def slots(self) -> list[datetime]:
        return [self.start + number * timedelta(seconds=self.poll_seconds) for number in range(len(self.prices))]

    @property
    def end(self) -> datetime:
        return self.start + len(self.prices) * timedelta(seconds=self.poll_seconds)


def recorded(seed: int, poll_seconds: int, length: int, runs_: int) -> list[Recorded]:
    """Some runs with pauses between them: a price that walks, calmly and wildly, and outages."""
    chance = random.Random(seed)  # noqa: S311 the same story each time
    found, start, price, missing = [], START, 100.0, 0
    for _ in range(runs_):
        run = Recorded(start, poll_seconds)
        step = chance.choice([0.0002, 0.001, 0.003])
        for _ in range(length * 60 // poll_seconds):
            price *= 1 + chance.gauss(0, step)
            missing = missing - 1 if missing > 0 else chance.choice([1, 3, 6, 30]) if chance.random() < 0.01 else 0
            run.prices.append(None if missing and len(run.prices) > 0 else round(price, 2))
        found.append(run)
        # A pause shorter than a slot does not count.
        start = run.end + timedelta(seconds=poll_seconds * chance.choice([0, 3, 20, 200]))
    return found


def outcome(slot: datetime, price: float | None) -> Tick | Miss:
    if price is None:
        return Miss(slot, "btc_usd", Cause.UNREACHABLE, "")
    ts = slot + timedelta(milliseconds=37)
    return Tick("btc_usd", ts, price, received_at=ts + timedelta(milliseconds=20))


def store(database: Database, outcomes: Sequence[Tick | Miss]) -> None:
    with database.write() as cursor:
        ticks.append(cursor, [each for each in outcomes if isinstance(each, Tick)])
        runs.append_misses(cursor, [each for each in outcomes if isinstance(each, Miss)])


def live(database: Database, history: Sequence[Recorded], start: datetime, end: datetime) -> list[Event]:
    """Record all runs, and judge the slots of a range as recorders do, with a new judge for each run."""
    found: list[Event] = []
    for run in history:
        with database.write() as cursor:
            runs.note(cursor, Run(run.start, dict.fromkeys(NAMES, run.poll_seconds), "0"))
        outcomes = [(slot, outcome(slot, price)) for slot, price in zip(run.slots, run.prices, strict=True)]
        store(database, [each for slot, each in outcomes if slot < start])
        judged = [(slot, each) for slot, each in outcomes if start <= slot < end]
        new: list[Event] = []
        if judged:
            with database.read() as cursor:
                judge = recall(cursor, RULES, dict.fromkeys(NAMES, run.poll_seconds), judged[0][0], {})
            for slot, each in judged:
                new += judge.heard(slot, each, NOW) if isinstance(each, Tick) else judge.missed(slot, "btc_usd", NOW)
        store(database, [each for slot, each in outcomes if slot >= start])
        with database.write() as cursor:
            events.append(cursor, new)
            runs.note(cursor, Run(run.start, dict.fromkeys(NAMES, run.poll_seconds), "0", run.end))
        found += new
    return found


def tidy(database: Database, history: Sequence[Recorded], closed: float, *, healed: bool) -> None:
    """Do the recorder's other work: note gaps, heal some of them, and store candles up to a point."""
    end = history[-1].end
    gaps.advance(database, end, NOW, 1)
    with database.write() as cursor:
        candles.close(cursor, START + closed * (end - START))
        if healed:
            points = [(START + number * timedelta(seconds=6), 100.0 + number % 7 * 10) for number in range(200)]
            averages.append(cursor, "btc_usd", points, 6)
            heal(cursor, "btc_usd", NOW)


def in_short(found: Sequence[Event]) -> list[tuple[object, ...]]:
    told = [
        (event.at, event.rule, event.condition, event.event, event.price, event.value, event.threshold, event.text)
        for event in found
    ]
    return sorted(told, key=lambda each: each[:4])


def emptied(database: Database) -> None:
    tables = ("ticks", "misses", "runs", "gap_events", "gaps", "watermark", "candles_1m", "candles_1h", "alert_events")
    with database.write() as cursor:
        for table in tables:
            cursor.execute(f"DELETE FROM {table}")
        cursor.execute("UPDATE candles_closed SET closed_to = NULL")


@examples(25)
@given(
    seed=st.integers(0, 10**6),
    poll_seconds=st.sampled_from([1, 5, 20, 60]),
    runs_=st.integers(1, 3),
    part=st.tuples(st.floats(0, 0.6), st.floats(0.7, 1)),
    closed=st.floats(0, 1),
    healed=st.booleans(),
)
@example(seed=502, poll_seconds=60, runs_=1, part=(0.0, 0.71875), closed=0.0, healed=False)  # ends within a slot
def test_a_replay_gives_the_events_that_recorders_noted(
    open_database: Database, seed, poll_seconds, runs_, part, closed, healed
):
    history = recorded(seed, poll_seconds, 60 if poll_seconds > 5 else 15, runs_)
    whole = history[-1].end - START
    start, end = (START + int(each * whole.total_seconds()) * timedelta(seconds=1) for each in part)
    emptied(open_database)
    noted = live(open_database, history, start, end)
    tidy(open_database, history, closed, healed=healed)

    found = replay(open_database, RULES, NAMES, start, end, NOW).events

    assert in_short(found) == in_short(noted)


# By itself


def alike(database: Database, history: Sequence[Recorded], limits: Limits = Limits()) -> bool:
    """Does a replay of the whole record give the events that recorders noted?"""
    noted = live(database, history, START, history[-1].end)
    found = replay(database, RULES, NAMES, START, history[-1].end, NOW, limits=limits)
    return bool(noted) and in_short(found.events) == in_short(noted)


def test_a_replay_on_many_leases_gives_the_same_events(database: Database):
    assert alike(database, recorded(1, 5, 60, 2), Limits(lease_s=-1))


def test_a_replay_over_midnight_with_one_day_in_memory_gives_the_same_events(database: Database):
    prices: list[float | None] = [100.0] * (12 * 3600 // 10)
    prices += [103.0] * 60  # up at midnight, which is in the windows of ticks until after 00:02

    assert alike(database, [Recorded(START, 10, prices)], Limits(days=1))


def test_a_window_shorter_than_the_wait_for_a_tick_gives_the_same_events(database: Database):
    assert alike(database, [Recorded(START, 1, [100.0] * 60 + [None] * 50 + [103.0] * 10 + [None] * 55 + [100.0] * 5)])


def test_an_index_without_any_tick_is_stale_in_a_replay_too(database: Database):
    assert alike(database, [Recorded(START, 20, [None] * 30)])


def test_rules_of_prices_alone_are_replayed_without_the_gaps(database: Database):
    live(database, [Recorded(START, 1, [100.0, None, None, None, 103.0])], START, NOW)

    found = replay(database, RULES[:2], NAMES, START, START + timedelta(minutes=1), NOW)

    assert [event.text for event in found.events] == [
        "BTC / USD rose 3 % within 45 s, from 100.00 to 103.00",
        "BTC / USD rose 3 % within 150 s, from 100.00 to 103.00",
    ]
    assert (found.days, found.days_observed) == (1, 1)


def test_a_replay_counts_the_days_without_observations(database: Database):
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(START + number * timedelta(hours=1), 100.0) for number in range(48)], 3600)
        ticks.append(cursor, [tick(timedelta(days=2, hours=1).total_seconds())])

    found = replay(database, RULES, NAMES, START, START + timedelta(days=2, hours=12), NOW)

    assert [event for event in found.events if event.event == "fired"] == []
    assert (found.days, found.days_observed) == (3, 1)


def test_closed_gaps_of_the_range_are_replayed(database: Database):
    rules: list[AnyRule] = TypeAdapter(list[AnyRule]).validate_python([{"name": "gap", "kind": "gap"}])
    noted_at = [START + timedelta(hours=hours) for hours in (1, 2, 3)]
    for index_name in (*NAMES, "sol_usdc"):
        for number, at in enumerate(noted_at):
            start = START + timedelta(minutes=number)
            gap = Gap(index_name, start, start + timedelta(seconds=30), 30, 1, Cause.UNREACHABLE, "", "unfillable")
            with database.write() as cursor:
                gaps.note(cursor, [gap], at)

    found = replay(database, rules, NAMES, noted_at[0] + timedelta(seconds=1), noted_at[2], NOW)

    assert [(event.at, event.index_name) for event in found.events] == [(noted_at[1], "btc_usd")]
