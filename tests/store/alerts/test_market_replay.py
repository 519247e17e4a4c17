"""A replay over a market brings exactly the events that recorders noted, restarts and all."""

import math
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from store.alerts import events
from store.alerts.events import Event
from store.alerts.judge import EventMaker, Judge
from store.alerts.recall import recall
from store.alerts.replay.replay import replay
from store.alerts.rules.kinds import AnyRule
from store.alerts.rules.tape import Tape
from store.alerts.series import MICROSECOND, values
from store.file.database import Cursor, Database
from store.file.rows import insert
from store.instants import DAY, HOUR, MINUTE
from store.kinds import FUNDING, VOLATILITY_INDEX
from store.models import to_column
from tests.conftest import START
from tests.support.examples import examples
from tests.support.volatility import record_dvol

FEEDS = {"options/BTC": 300, "futures/BTC": 60, "dvol/BTC": 60, "funding/BTC-PERPETUAL": 3600, "dvol/BTC-1h": 3600}
NOW = START + 30 * DAY

RULES: list[AnyRule] = TypeAdapter(list[AnyRule]).validate_python(
    [
        {"name": "dvol", "kind": "dvol", "above": 51, "hysteresis": 0.5, "cool_down": "0s"},
        {"name": "dvol low", "kind": "dvol", "below": 49.5, "hysteresis": 0, "cool_down": "20m"},
        {"name": "dvol moves", "kind": "dvol", "change": 1.5, "within": "40m", "hysteresis": 0.5, "cool_down": "5m"},
        {"name": "iv", "kind": "iv", "tenor": "30d", "above": 50.5, "cool_down": "0s"},
        {"name": "iv moves", "kind": "iv", "tenor": "30d", "change": 1, "within": "1h", "hysteresis": 0.2},
        {"name": "skew", "kind": "skew", "tenor": "7d", "below": 0, "hysteresis": 0.1, "cool_down": "0s"},
        {"name": "skew rises", "kind": "skew", "tenor": "7d", "change": 1, "within": "2h", "direction": "up"},
        {"name": "basis", "kind": "basis", "tenor": "60d", "above": 8, "hysteresis": 0.2, "cool_down": "0s"},
        {"name": "funding", "kind": "funding", "over": "3h", "above": 5, "hysteresis": 1, "cool_down": "0s"},
        {"name": "chain oi", "kind": "open_interest", "of": "options", "percent": 4, "within": "1h"},
        {"name": "oi", "kind": "open_interest", "of": "perpetual", "percent": 3, "within": "30m", "cool_down": "0s"},
    ]
)

FUTURE = ("currency", "instrument_name", "expiry", "ts", "mark_price", "open_interest", "source", "resolution_s")
SNAPSHOT = ("feed", "ts", "received_at", "source", "rows", "index_price", "rejected")

Row = tuple[str, datetime, Any]
"""A feed, the exchange time of what it brings, and its rows: a function that stores them."""


def story(seed: int, minutes: int) -> list[Row]:
    """Hours of a market: numbers that walk, calmly and wildly, outages, and values that are not known."""
    chance = random.Random(seed)  # noqa: S311 the same story each time
    walks = {"dvol": 50.0, "iv": 50.0, "rr25": 0.3, "basis": 0.08, "rate": 1e-5, "oi": 1000.0, "chain": 500.0}
    steps = {"dvol": 0.15, "iv": 0.3, "rr25": 0.2, "basis": 0.002, "rate": 4e-6, "oi": 5.0, "chain": 8.0}
    found: list[Row] = []
    for minute in range(minutes):
        at = START + minute * MINUTE
        for name, step in steps.items():
            walks[name] += chance.gauss(0, step * chance.choice([1, 1, 1, 4]))
        if chance.random() < 0.05:
            continue
        found.append(("dvol/BTC", at + MINUTE, dict(walks)))
        found.append(("futures/BTC", at + timedelta(seconds=1.9), dict(walks)))
        if minute % 5 == 0:
            walks["unknown"] = chance.random() < 0.1
            found.append(("options/BTC", at + timedelta(seconds=2.2), dict(walks)))
        if minute % 60 == 0:
            found.append(("funding/BTC-PERPETUAL", at, dict(walks)))
    return sorted(found, key=lambda row: row[1])


def store(cursor: Cursor, row: Row) -> None:
    feed, at, numbers = row
    ts = to_column(at)
    if feed == "dvol/BTC":
        candle = ("BTC", to_column(at - MINUTE), *4 * [round(numbers["dvol"], 2)], "simulator", 60)
        insert(cursor, "volatility_index", VOLATILITY_INDEX.column_names, [candle])
    elif feed == "funding/BTC-PERPETUAL":
        hour = ("BTC-PERPETUAL", ts, None, numbers["rate"], None, "simulator")
        insert(cursor, "funding", FUNDING.column_names, [hour])
    else:
        insert(cursor, "snapshots", SNAPSHOT, [(feed, ts, ts, "simulator", 3, 100.0, 0)])
    if feed == "options/BTC":
        iv, rr25 = (None, math.nan) if numbers["unknown"] else (numbers["iv"], numbers["rr25"])
        its = {"underlying": "BTC", "ts": ts, "call_oi": numbers["chain"], "put_oi": 300.0, "method": 1}
        its |= {"iv_30d": iv, "rr25_7d": rr25}
        insert(cursor, "surfaces", tuple(its), [tuple(its.values())])
    if feed == "futures/BTC":
        insert(cursor, "futures", FUTURE, futures(at, numbers))


def futures(at: datetime, numbers: dict[str, float]) -> list[tuple[Any, ...]]:
    """A perpetual, and two futures around 60 days, as `FUTURE` has them."""
    listed = {"BTC-PERPETUAL": None, "BTC-30": 30 * DAY, "BTC-90": 90 * DAY}
    return [
        (
            "BTC",
            name,
            left and to_column(START + left),
            to_column(at),
            100 * (1 + numbers["basis"] * (left or DAY).days / 365),
            numbers["oi"],
            "simulator",
            0,
        )
        for name, left in listed.items()
    ]


def live(database: Database, told: Sequence[Row], restarts: int) -> list[Event]:
    """Store a story row by row, and judge each as a recorder does; a new judge goes on after each restart."""
    found: list[Event] = []
    size = max(1, len(told) // (restarts + 1))
    for first in range(0, len(told), size):
        with database.read() as cursor:
            judge = recall(cursor, RULES, FEEDS, told[first][1], {})
        new: list[Event] = []
        for row in told[first : first + size]:
            with database.write() as cursor:
                store(cursor, row)
                new += judged(cursor, judge, row[0])
        with database.write() as cursor:
            events.append(cursor, new)
        found += new
    return found


def judged(cursor: Cursor, judge: Judge, feed: str) -> list[Event]:
    return [
        event
        for series in judge.series_of(feed)
        for event in judge.valued(series, values(cursor, series, judge.taken_to[series] + MICROSECOND, NOW), NOW)
    ]


def in_short(found: Sequence[Event]) -> list[tuple[object, ...]]:
    told = [
        (each.at, each.rule, each.condition, each.event, each.price, each.value, each.threshold, each.text)
        for each in found
    ]
    return sorted(told, key=lambda each: each[:4])


def emptied(database: Database) -> None:
    with database.write() as cursor:
        for table in ("volatility_index", "funding", "snapshots", "surfaces", "futures", "alert_events"):
            cursor.execute(f"DELETE FROM {table}")


@examples(25)
@given(seed=st.integers(0, 10**6), minutes=st.sampled_from([30, 60, 120]), restarts=st.integers(0, 5))
def test_a_replay_of_a_market_gives_the_events_that_recorders_noted(open_database: Database, seed, minutes, restarts):
    emptied(open_database)
    noted = live(open_database, story(seed, minutes), restarts)

    found = replay(open_database, RULES, FEEDS, START - DAY, NOW, NOW).events

    assert in_short(found) == in_short(noted)


def test_each_rule_of_a_long_story_fires(open_database: Database):
    emptied(open_database)
    noted = [event for event in live(open_database, story(3, 400), 3) if event.event == "fired"]

    assert {event.rule for event in noted} == {rule.name for rule in RULES}


def test_a_replay_of_a_part_begins_anew_with_the_values_before_it_in_its_windows(open_database: Database):
    emptied(open_database)
    live(open_database, [row for row in story(3, 200) if row[0] == "dvol/BTC"], 0)
    middle = START + 2 * HOUR

    found = replay(open_database, RULES[2:3], FEEDS, middle, middle + HOUR, NOW).events

    judge = Judge(RULES[2:3], {"dvol/BTC": Tape(60, timedelta(0))}, {}, EventMaker({}))
    judge.since = middle
    (series,) = judge.series
    with open_database.read() as cursor:
        expected = list(judge.valued(series, values(cursor, series, middle - 40 * MINUTE, middle + HOUR), NOW))
    assert expected
    assert in_short(found) == in_short(expected)


def test_dvol_is_replayed_back_to_before_the_recording_by_its_hours(database: Database):
    record_dvol(database, START - 900 * DAY, START, HOUR)
    rules: list[AnyRule] = TypeAdapter(list[AnyRule]).validate_python([{"name": "d", "kind": "dvol", "below": 41}])

    found = replay(database, rules, FEEDS, START - 900 * DAY, START, NOW)

    assert found.events[0].at < START - 700 * DAY
    assert (found.days, found.days_observed) == (900, 900)


@pytest.mark.parametrize("feeds", [("btc_usd",), ()])
def test_a_replay_without_a_market_has_no_events_of_it(database: Database, feeds):
    assert replay(database, RULES, feeds, START, NOW, NOW).events == []
