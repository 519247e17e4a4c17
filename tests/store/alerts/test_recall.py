"""A judge that is made from the store goes on like a judge that heard every tick."""

import math
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from store.alerts import events
from store.alerts.events import Event
from store.alerts.judge import EventMaker, Judge
from store.alerts.recall import recall
from store.alerts.rules.kinds import AnyRule
from store.alerts.rules.tape import Tape
from store.file.database import Database
from store.file.exchange import admit
from store.ledger import runs
from store.models import Cause, Exchange, Miss, Run, Tick
from store.prices import averages, candles, ticks
from tests.conftest import START, tick
from tests.support.examples import examples

RULES: list[AnyRule] = TypeAdapter(list[AnyRule]).validate_python(
    [
        {"name": "move", "kind": "move", "percent": 2, "within": "150s", "cool_down": "0s"},
        {"name": "long", "kind": "move", "amount": 3, "within": "1h", "cool_down": "1m", "hysteresis": 60},
        {"name": "level", "kind": "level", "price": 100, "indexes": ["btc_usd"], "cool_down": "0s", "hysteresis": 1},
        {"name": "break", "kind": "range_break", "hours": 0.05, "cool_down": "0s"},
        {"name": "wild", "kind": "volatility", "above": 500, "over": "10m", "cool_down": "0s"},
        {"name": "stale", "kind": "stale", "slots": 2, "cool_down": "0s"},
        {"name": "thin", "kind": "coverage", "below": 99, "cool_down": "0s"},
    ]
)
PERIOD = 20
PRICES = st.one_of(st.none(), st.floats(97, 103).map(lambda price: round(price, 1)))
"""None is a slot without a tick."""
NAMES = ("btc_usd",)

Outcome = Tick | Miss


def outcome(number: int, price: float | None) -> Outcome:
    second = number * PERIOD
    if price is None:
        return Miss(START + timedelta(seconds=second), "btc_usd", Cause.UNREACHABLE, "")
    return tick(second + 0.5, price=price)


def judged(judge: Judge, first: int, outcomes: Sequence[Outcome]) -> list[Event]:
    found: list[Event] = []
    for number, each in enumerate(outcomes, first):
        slot = START + timedelta(seconds=number * PERIOD)
        found += judge.heard(slot, each, START) if isinstance(each, Tick) else judge.missed(slot, "btc_usd", START)
    return found


def of_all(rules: Sequence[AnyRule] = RULES) -> Judge:
    return Judge(rules, {"btc_usd": Tape(PERIOD, timedelta(hours=1))}, {}, EventMaker({}))


def in_short(found: Sequence[Event]) -> list[tuple[object, ...]]:
    return [
        (event.rule, event.condition, event.event, event.at, event.value, event.threshold, event.text)
        for event in found
    ]


@examples(40)
@given(
    prices=st.lists(PRICES, min_size=2, max_size=90),
    part=st.floats(0, 1),
    closed=st.floats(0, 1),
    healed=st.booleans(),
)
def test_a_judge_made_in_the_middle_of_a_history_goes_on_like_one_that_heard_it(
    open_database: Database, prices, part, closed, healed
):
    outcomes = [outcome(number, price) for number, price in enumerate(prices)]
    middle = int(part * len(outcomes))
    whole = judged(of_all(), 0, outcomes)
    before = judged(of_all(), 0, outcomes[:middle])
    with open_database.write() as cursor:
        for table in ("ticks", "misses", "runs", "gap_events", "gaps", "candles_1m", "candles_1h", "alert_events"):
            cursor.execute(f"DELETE FROM {table}")
        cursor.execute("UPDATE candles_closed SET closed_to = NULL")
        runs.note(cursor, Run(START, dict.fromkeys(NAMES, PERIOD), "0"))
        ticks.append(cursor, [each for each in outcomes[:middle] if isinstance(each, Tick)])
        runs.append_misses(cursor, [each for each in outcomes[:middle] if isinstance(each, Miss)])
        candles.close(cursor, START + timedelta(seconds=closed * middle * PERIOD))
        if healed:  # averages far outside of all prices: none of them may count
            points = [(START + timedelta(seconds=6 * number), 50.0 + number % 2 * 100) for number in range(300)]
            averages.append(cursor, "btc_usd", points, 6)
        events.append(cursor, before)

    with open_database.read() as cursor:
        judge = recall(cursor, RULES, dict.fromkeys(NAMES, PERIOD), START + timedelta(seconds=middle * PERIOD), {})
    after = judged(judge, middle, outcomes[middle:])

    assert in_short(before + after) == in_short(whole)


def test_the_judge_of_an_empty_file_knows_nothing(database: Database):
    with database.read() as cursor:
        judge = recall(cursor, RULES, dict.fromkeys(NAMES, PERIOD), START, {})

    assert judge.tapes["btc_usd"].since is None
    assert [event.condition for event in judged(judge, 0, [outcome(0, 98)])] == ["crosses 100 upwards"]


def test_the_first_observation_of_a_long_history_is_found_by_its_candle(database: Database):
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(START - timedelta(days=9), 100.0)], 3600)
        ticks.append(cursor, [tick(second) for second in range(0, 3 * 3600, 60)])
        candles.close(cursor, START + timedelta(hours=3))

    with database.read() as cursor:
        judge = recall(cursor, RULES, dict.fromkeys(NAMES, PERIOD), START + timedelta(hours=3), {})

    assert judge.tapes["btc_usd"].since == START


@pytest.mark.parametrize(
    ("exchange", "prefix"),
    [(Exchange.SIMULATOR, "Simulated: "), (Exchange.TEST, "Test environment: "), (Exchange.REAL, "")],
)
def test_a_judge_knows_whose_prices_they_are(database: Database, exchange, prefix):
    with database.write() as cursor:
        admit(cursor, exchange, START)
        ticks.append(cursor, [tick(0)])

    with database.read() as cursor:
        judge = recall(cursor, RULES, dict.fromkeys(NAMES, PERIOD), START + timedelta(seconds=PERIOD), {})
    found = judged(judge, 1, [outcome(number, None) for number in (1, 2)])

    assert {event.rule for event in found} == {"stale", "thin"}
    assert all(event.text.startswith(f"{prefix}BTC / USD") for event in found)


def test_only_observations_are_the_newest_tick(database: Database):
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(START, 100.0)], 3600)

    with database.read() as cursor:
        judge = recall(cursor, RULES, dict.fromkeys(NAMES, PERIOD), START + timedelta(hours=2), {})

    assert math.isnan(judge.tapes["btc_usd"].price)


def test_a_tick_that_was_received_by_a_wrong_clock_counts_as_heard_when_it_was_sent(database: Database):
    with database.write() as cursor:
        ticks.append(cursor, [tick(0, received_at=START + timedelta(minutes=3))])

    with database.read() as cursor:
        judge = recall(cursor, RULES, dict.fromkeys(NAMES, PERIOD), START + timedelta(seconds=PERIOD), {})

    assert judge.tapes["btc_usd"].heard == START
