"""The outlook of rules comes from the record, as a recorder would judge it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from store.alerts import events
from store.alerts.events import Kind
from store.alerts.outlook import RuleStand, Stand, outlook
from store.alerts.rules.kinds import AnyRule
from store.file.database import Database
from store.ledger import runs
from store.models import Run
from store.prices import ticks
from tests.conftest import START, tick
from tests.support.carry import record_funding
from tests.support.events import alert
from tests.support.stored import append

MOVE = {"name": "move", "kind": "move", "percent": 5, "within": "1m", "direction": "up", "cool_down": "10m"}
LEVEL = {"name": "level", "kind": "level", "price": 102, "indexes": ["btc_usd"], "direction": "up"}
STALE = {"name": "stale", "kind": "stale", "slots": 4}
GAP = {"name": "gap", "kind": "gap"}


@pytest.fixture
def recorded(database: Database) -> Database:
    """A minute of an index, a tick every five seconds, from 100 to 103."""
    with database.write() as cursor:
        runs.note(cursor, Run(START, {"btc_usd": 5}, "0"))
        ticks.append(cursor, [tick(second, price=100 + second / 20) for second in range(0, 61, 5)])
    return database


def look(database: Database, *rules: dict[str, Any], second: float = 63, feeds: Mapping[str, int] = {"btc_usd": 5}):
    checked: list[AnyRule] = TypeAdapter(list[AnyRule]).validate_python(list(rules))
    with database.read() as cursor:
        return outlook(cursor, checked, feeds, START + timedelta(seconds=second))


def noted(database: Database, second: float, condition: str, event: Kind = "fired", rule: str = "move") -> datetime:
    at = START + timedelta(seconds=second)
    with database.write() as cursor:
        events.append(cursor, [alert(rule=rule, condition=condition, event=event, at=at)])
    return at


def stand(found: Sequence[RuleStand]) -> Stand:
    ((only,),) = (each.stands for each in found)
    return only


def test_a_condition_says_how_far_it_is_from_firing(recorded: Database):
    assert look(recorded, MOVE) == [
        RuleStand(
            TypeAdapter(AnyRule).validate_python(MOVE),
            (Stand("rises 5 % within 1 min", "btc_usd", "BTC / USD", "ready", "3 % of 5 %", "2 % to go", None, None),),
            None,
        )
    ]


def test_a_condition_that_fired_stays_so_until_it_is_over_and_then_cools_down(recorded: Database):
    at = noted(recorded, 10, "rises 5 % within 1 min")

    (fired,) = look(recorded, MOVE)
    assert (stand([fired]).state, stand([fired]).fired_at, fired.fired_at) == ("fired", at, at)

    noted(recorded, 20, "rises 5 % within 1 min", "over")
    append(recorded, tick(605, price=100))
    cooling, ready = (stand(look(recorded, MOVE, second=second)) for second in (609, 610))
    assert (cooling.state, cooling.ready_at) == ("cooling down", at + timedelta(minutes=10))
    assert (ready.state, ready.ready_at) == ("ready", None)


@pytest.mark.parametrize(("price", "state"), [(102, "waiting"), (103.05, "waiting"), (104, "ready")])
def test_a_level_that_the_price_starts_beyond_or_near_to_waits(recorded: Database, price, state):
    assert stand(look(recorded, {**LEVEL, "price": price})).state == state


@pytest.mark.parametrize(
    ("direction", "price", "distance"),
    [
        ("up", 102, "can fire once the price was below 100.98"),
        ("down", 104, "can fire once the price was above 105.04"),
    ],
)
def test_a_waiting_level_says_which_price_makes_it_ready(recorded: Database, direction, price, distance):
    level = {**LEVEL, "price": price, "direction": direction, "hysteresis": 1}

    assert (stand(look(recorded, level)).state, stand(look(recorded, level)).distance) == ("waiting", distance)


@pytest.mark.parametrize(("second", "late"), [(60.5, 0), (64, 0), (66, 0), (71, 1), (81, 3)])
def test_slots_without_a_tick_are_counted_up_to_the_last_that_is_over(recorded: Database, second, late):
    assert stand(look(recorded, STALE, second=second)).progress == f"{late} of 4 slots"


def test_nothing_is_known_of_an_index_that_was_never_recorded(recorded: Database):
    for rule in (MOVE, STALE):
        found = stand(look(recorded, rule, feeds={"eth_usd": 5}))

        assert (found.state, found.progress, found.distance) == ("unknown", "", "")


@pytest.mark.parametrize(("second", "stale"), [(90, False), (91, True)])
def test_a_price_that_is_stale_is_not_taken_for_now(recorded: Database, second, stale):
    found = stand(look(recorded, {**MOVE, "percent": 3}, second=second))

    now = ("unknown", "", "", START + timedelta(seconds=60)) if stale else ("holding", "3 % of 3 %", "holds", None)
    assert (found.state, found.progress, found.distance, found.stale_at) == now


@pytest.mark.parametrize(("hours", "stale"), [(3, False), (3.1, True), (5 * 8766, True)])
def test_the_newest_hour_of_a_log_that_still_loads_is_not_taken_for_now(database: Database, hours, stale):
    known = record_funding(database, START, 8)
    rule = {"name": "longs", "kind": "funding", "over": "1h", "above": -1000}

    found = stand(look(database, rule, second=3600 * hours, feeds={"funding/BTC-PERPETUAL": 3600}))

    percent = f"{100 * 8760 * known[-1][1]:z,.2f}".rstrip("0").rstrip(".")
    now = ("unknown", "", known[-1][0]) if stale else ("holding", f"{percent} % against -1,000 %", None)
    assert (found.state, found.progress, found.stale_at) == now


def test_a_rule_of_gaps_only_says_when_it_fired(recorded: Database):
    at = noted(recorded, 30, "gap healed or unfillable", rule="gap")

    (found,) = look(recorded, GAP)

    assert (found.stands, found.fired_at) == ((), at)


LAKE = {"name": "lake", "kind": "lake", "longer_than": "15m"}


@pytest.mark.parametrize(
    ("shared_to", "state", "progress", "distance"),
    [
        (START - timedelta(minutes=2), "ready", "2 min of 15 min", "13 min to go"),
        (START - timedelta(minutes=20), "holding", "20 min of 15 min", "holds"),
        (None, "unknown", "", ""),
    ],
)
def test_a_rule_of_a_lake_stands_by_the_time_up_to_which_the_record_is_shared(
    recorded, shared_to, state, progress, distance
):
    rules: list[AnyRule] = TypeAdapter(list[AnyRule]).validate_python([LAKE])
    with recorded.read() as cursor:
        ((stand,),) = [each.stands for each in outlook(cursor, rules, {"btc_usd": 5}, START, shared_to)]

    assert (stand.about, stand.state, stand.progress, stand.distance) == ("Lake", state, progress, distance)
