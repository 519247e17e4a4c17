"""Each kind of rule of a market fires when its condition begins to hold, once, with words that say all of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from store.alerts.events import Event
from store.alerts.judge import EventMaker, Judge
from store.alerts.rules.kinds import AnyRule
from store.alerts.rules.tape import Tape
from store.instants import HOUR
from store.models import Exchange, Snapshot
from tests.conftest import START

FEEDS = (
    "btc_usd",
    "futures/BTC",
    "options/BTC",
    "dvol/BTC",
    "dvol/BTC-1h",
    "funding/BTC-PERPETUAL",
    "deliveries/btc_usd",
)


def made(kind: str, **fields: Any) -> Any:
    return TypeAdapter(AnyRule).validate_python({"name": "mine", "kind": kind, "cool_down": "0s", **fields})


def judge_of(rule: Any, feeds: Sequence[str] = FEEDS, **maker: Any) -> Judge:
    return Judge([rule], {feed: Tape(60, timedelta(0)) for feed in feeds}, {}, EventMaker({}, **maker))


def play(judge: Judge, values: Sequence[float], first: int = 0) -> list[Event]:
    """The events of a value each hour."""
    ((series,),) = [list(judge.series)]
    came = [(START + (first + number) * HOUR, value) for number, value in enumerate(values)]
    return list(judge.valued(series, came, START))


def in_short(found: Sequence[Event]) -> list[tuple[str, int]]:
    return [(event.event, (event.at - START) // HOUR) for event in found]


@pytest.mark.parametrize(
    ("rule", "values", "feed", "text", "condition"),
    [
        (
            made("dvol", above=60),
            [60, 62.314],
            "dvol/BTC",
            "BTC DVOL is 62.31 % a year, above 60 % a year: candle up to 2026-11-01 13:00:00 UTC",
            "DVOL above 60 % a year",
        ),
        (
            made("dvol", change=5, within="1d"),
            [50, 44.75],
            "dvol/BTC",
            (
                "BTC DVOL fell 5.25 points within 1 d, from 50 % a year to 44.75 % a year: "
                "candle up to 2026-11-01 13:00:00 UTC"
            ),
            "DVOL falls 5 points within 1 d",
        ),
        (
            made("iv", tenor="30d", below=35.5),
            [36, 35],
            "options/BTC",
            "BTC IV at 30 d is 35 % a year, below 35.5 % a year: chain of 2026-11-01 13:00:00 UTC",
            "IV at 30 d below 35.5 % a year",
        ),
        (
            made("skew", tenor="7d", below=-3),
            [-3, -3.2],
            "options/BTC",
            "BTC skew (RR25) at 7 d is -3.2 points, below -3 points: chain of 2026-11-01 13:00:00 UTC",
            "skew (RR25) at 7 d below -3 points",
        ),
        (
            made("skew", tenor="7d", change=2, within="2h"),
            [-1.5, 1],
            "options/BTC",
            (
                "BTC skew (RR25) at 7 d rose 2.5 points within 2 h, from -1.5 points to 1 point: "
                "chain of 2026-11-01 13:00:00 UTC"
            ),
            "skew (RR25) at 7 d rises 2 points within 2 h",
        ),
        (
            made("basis", tenor="90d", above=12),
            [-1, 12.4],
            "futures/BTC",
            "BTC basis at 90 d is 12.4 % a year, above 12 % a year: futures of 2026-11-01 13:00:00 UTC",
            "basis at 90 d above 12 % a year",
        ),
        (
            made("funding", over="8h", above=30),
            [29.999, 35],
            "funding/BTC-PERPETUAL",
            "BTC funding over 8 h is 35 % a year, above 30 % a year: hours up to 2026-11-01 13:00:00 UTC",
            "funding over 8 h above 30 % a year",
        ),
        (
            made("open_interest", of="options", percent=25, within="4h"),
            [310_000, 387_500],
            "options/BTC",
            (
                "BTC open interest of options rose 25 % within 4 h, from 310,000 to 387,500 coin: "
                "chain of 2026-11-01 13:00:00 UTC"
            ),
            "open interest of options rises 25 % within 4 h",
        ),
        (
            made("open_interest", of="perpetual", percent=20, within="4h", direction="down"),
            [1e9, 7.5e8],
            "futures/BTC",
            (
                "BTC open interest of the perpetual fell 25 % within 4 h, from 1,000,000,000 to 750,000,000 USD: "
                "futures of 2026-11-01 13:00:00 UTC"
            ),
            "open interest of the perpetual falls 20 % within 4 h",
        ),
    ],
)
def test_an_event_says_value_limit_and_time(rule, values, feed, text, condition):
    (event,) = play(judge_of(rule), values)

    assert (event.text, event.condition, event.index_name) == (text, condition, feed)
    assert (event.at, event.price) == (START + HOUR, values[-1])


def test_a_limit_is_over_once_the_value_has_gone_back_by_the_hysteresis_in_points():
    above = judge_of(made("dvol", above=60, hysteresis=2))
    below = judge_of(made("skew", tenor="30d", below=0, hysteresis=0.5))

    assert in_short(play(above, [61, 58, 61, 57.9, 61])) == [("fired", 0), ("over", 3), ("fired", 4)]
    assert in_short(play(below, [-0.1, 0.5, -1, 0.6, -1])) == [("fired", 0), ("over", 3), ("fired", 4)]


def test_a_change_is_over_once_it_has_shrunk_by_the_hysteresis_in_points():
    judge = judge_of(made("iv", tenor="30d", change=5, within="3h", direction="up", hysteresis=2))

    assert in_short(play(judge, [50, 55, 53, 52.9, 40, 45])) == [("fired", 1), ("over", 3), ("fired", 5)]


def test_a_change_that_takes_longer_than_the_window_does_not_fire():
    judge = judge_of(made("open_interest", of="futures", percent=10, within="2h"))

    assert play(judge, [100, 104, 108, 112, 116]) == []


def test_both_ends_of_the_window_count():
    judge = judge_of(made("dvol", change=2, within="2h", direction="up"))

    assert in_short(play(judge, [50, 51, 52])) == [("fired", 2)]


def test_a_cool_down_holds_a_rule_back():
    judge = judge_of(made("funding", over="1h", above=10, cool_down="3h"))

    assert in_short(play(judge, [11, 0, 11, 11])) == [("fired", 0), ("over", 1), ("fired", 3)]


def test_the_recovery_of_a_rule_says_the_value():
    judge = judge_of(made("dvol", above=60, recovery=True), exchange=Exchange.SIMULATOR)

    (_, over) = play(judge, [61, 55])

    assert over.text == "Simulated: BTC DVOL above 60 % a year: over, 55 % against 60 %"


def test_a_value_from_before_the_rules_were_in_force_is_known_and_not_judged():
    judge = judge_of(made("dvol", change=5, within="1d"))
    judge.since = START + 2 * HOUR

    assert in_short(play(judge, [50, 60, 55.5])) == [("fired", 2)]
    assert judge.taken_to == {next(iter(judge.series)): START + 2 * HOUR}


def test_each_currency_is_judged_for_itself():
    rule = made("dvol", above=60)
    judge = judge_of(rule, (*FEEDS, "dvol/ETH"))

    found = [event for series in judge.series for event in judge.valued(series, [(START, 61)], START)]

    assert [event.text.partition(" is")[0] for event in found] == ["BTC DVOL", "ETH DVOL"]
    assert rule.watched((*FEEDS, "dvol/ETH")) == ("dvol/BTC", "dvol/ETH")
    assert made("dvol", above=60, currencies=["ETH"]).watched((*FEEDS, "dvol/ETH")) == ("dvol/ETH",)


def test_rules_of_one_number_share_its_tape():
    rules = [made("iv", tenor="30d", above=60), made("iv", tenor="30d", change=5, within="2h")]
    judge = Judge(rules, {"options/BTC": Tape(60, timedelta(0))}, {}, EventMaker({}))

    assert [tape.length for tape in judge.series.values()] == [2 * HOUR]
    assert judge.series_of("options/BTC") == list(judge.series)
    assert judge.series_of("futures/BTC") == []


@pytest.mark.parametrize(
    ("rule", "value", "progress", "distance"),
    [
        (made("dvol", above=60), 55, "55 % against 60 %", "5 points to go"),
        (made("skew", tenor="7d", below=-3), 1, "1 against -3", "4 points to go"),
        (
            made("basis", tenor="90d", change=5, within="1d", direction="up"),
            9,
            "0 points of 5 points",
            "5 points to go",
        ),
        (made("open_interest", of="futures", percent=5, within="1d", direction="down"), 9, "0 % of 5 %", "5 % to go"),
        (made("dvol", above=60), 61, "61 % against 60 %", "holds"),
    ],
)
def test_how_far_a_condition_is_from_firing(rule, value, progress, distance):
    judge = judge_of(rule)
    play(judge, [value])
    (watch,) = judge.watches

    reading = rule.read(judge.tape(watch), watch.way)

    assert (rule.progress(reading), rule.distance(reading)) == (progress, distance)


@pytest.mark.parametrize(
    ("rule", "unit"),
    [
        (made("dvol", above=60), "%"),
        (made("iv", tenor="30d", change=5, within="1d"), "%"),
        (made("skew", tenor="30d", below=-3), "points"),
        (made("open_interest", of="options", percent=10, within="1d"), "coin"),
        (made("open_interest", of="perpetual", percent=10, within="1d"), "USD"),
    ],
)
def test_the_values_that_a_rule_watches_have_a_unit(rule, unit):
    assert rule.unit == unit


def test_a_snapshot_that_is_older_than_the_newest_one_is_not_the_newest():
    judge = judge_of(made("dvol", above=60))

    for minute in (1, 0):
        at = START + timedelta(minutes=minute)
        assert list(judge.heard(at, Snapshot("options/BTC", at, at, ()), at)) == []

    assert judge.tapes["options/BTC"].ts == START + timedelta(minutes=1)


def faults(rule: Any, *feeds: str) -> list[str]:
    return list(rule.faults(feeds))


def test_a_market_that_is_not_recorded_is_told_with_the_setting():
    dvol, iv = made("dvol", above=60), made("iv", tenor="30d", above=60)
    interest = made("open_interest", of="options", percent=5, within="1d")
    no_markets = "TICKWELL_MARKETS names no currency"

    assert faults(dvol, "btc_usd") == [f"DVOL is not recorded: {no_markets}"]
    assert faults(iv, "futures/BTC") == [
        f"IV at 30 d is not recorded: {no_markets}, or TICKWELL_OPTIONS_SECONDS is 0",
    ]
    assert faults(interest, "futures/BTC")[0].endswith("or TICKWELL_OPTIONS_SECONDS is 0")
    assert faults(dvol, *FEEDS) == []
    assert faults(made("dvol", above=60, currencies=["SOL", "BTC"]), *FEEDS, "dvol/ETH") == [
        "currencies names SOL, must be among BTC, ETH"
    ]
