"""Each kind of rule fires when its condition begins to hold, once, with the right numbers."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from store.alerts.events import Event
from store.alerts.judge import EventMaker, Judge
from store.alerts.rules.kinds import AnyRule
from store.alerts.rules.tape import Tape
from store.models import Exchange, Gap, Tick
from tests.conftest import START

ONE_RULE: TypeAdapter[AnyRule] = TypeAdapter(AnyRule)
LENGTH = timedelta(days=2)

Play = Callable[..., list[Event]]
"""Give a judge prices, one per slot from START on, None for a slot without a tick; return the rule's events."""


def made(kind: str, **fields: Any) -> AnyRule:
    return ONE_RULE.validate_python({"name": "mine", "kind": kind, "cool_down": "0s", **fields})


def judge_of(rule: AnyRule, poll_seconds: int = 1, **maker: Any) -> Judge:
    return Judge([rule], {"btc_usd": Tape(poll_seconds, LENGTH)}, {}, EventMaker({"mine": ("ntfy",)}, **maker))


def play(judge: Judge, prices: Iterable[float | None], first: int = 0, poll_seconds: int = 1) -> list[Event]:
    found: list[Event] = []
    for number, price in enumerate(prices, first):
        slot = at(number * poll_seconds)
        if price is None:
            found += judge.missed(slot, "btc_usd", slot)
        else:
            found += judge.heard(slot, Tick("btc_usd", slot, price), slot)
    return found


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def in_short(events: Iterable[Event]) -> list[tuple[str, float]]:
    return [(event.event, (event.at - START).total_seconds()) for event in events]


def firings(events: Iterable[Event]) -> list[float]:
    return [second for event, second in in_short(events) if event == "fired"]


def test_a_rise_within_the_window_fires_with_price_change_and_low():
    (event,) = play(judge_of(made("move", percent=3, within="10s")), [101, 100, 102, 103, 104])

    assert (event.at, event.price, event.threshold, event.event) == (at(3), 103, 3, "fired")
    assert event.value == pytest.approx(3)
    assert event.text == "BTC / USD rose 3 % within 10 s, from 100.00 to 103.00"
    assert (event.condition, event.severity, event.targets) == ("rises 3 % within 10 s", "warning", ("ntfy",))


def test_a_fall_is_counted_from_the_high():
    (event,) = play(judge_of(made("move", percent=3, within="10s")), [99, 100, 98, 97])

    assert (event.at, event.text) == (at(3), "BTC / USD fell 3 % within 10 s, from 100.00 to 97.0000")


def test_a_move_in_the_quote_currency():
    (event,) = play(judge_of(made("move", amount=2.5, within="10s", direction="up")), [100, 102.4, 102.5])

    assert (event.at, event.value, event.text) == (at(2), 2.5, "BTC / USD rose 2.5 within 10 s, from 100.00 to 102.50")


def test_a_move_that_takes_longer_than_the_window_does_not_fire():
    assert play(judge_of(made("move", percent=3, within="2s")), [100, 101, 102, 103, 104, 105]) == []


def test_a_price_at_the_very_start_of_the_window_counts():
    assert firings(play(judge_of(made("move", percent=3, within="3s")), [100, 101, 102, 103])) == [3]


def test_a_rule_with_one_direction_ignores_the_other():
    assert play(judge_of(made("move", percent=3, within="10s", direction="up")), [100, 90]) == []


def test_a_move_fires_again_once_it_has_gone_back_by_the_hysteresis():
    prices = [100, 103, 102.5, 103, 102.2, 103]

    found = play(judge_of(made("move", percent=3, within="60s", direction="up", hysteresis=25)), prices)

    assert in_short(found) == [("fired", 1), ("over", 4), ("fired", 5)]


def test_a_price_that_moves_around_a_level_causes_one_alert():
    level = made("level", price=100, indexes=["btc_usd"], direction="up", hysteresis=1)

    found = play(judge_of(level), [98.9, 100, 99.5, 100.5, 99.1, 100.2, 98.9, 100.1])

    assert firings(found) == [1, 7]


def test_the_event_of_a_level_has_its_price_and_direction():
    level = made("level", price=100, indexes=["btc_usd"], hysteresis=0)

    found = play(judge_of(level), [99, 100.25, 99.75])

    assert [event.text for event in found if event.event == "fired"] == [
        "BTC / USD crossed 100 upwards: 100.25",
        "BTC / USD crossed 100 downwards: 99.7500",
    ]


def test_a_price_that_starts_beyond_a_level_has_not_crossed_it():
    level = made("level", price=100, indexes=["btc_usd"], direction="up", hysteresis=0)

    assert firings(play(judge_of(level), [101, 102, 99, 101])) == [3]


def test_a_range_breaks_upwards_and_downwards():
    rule = made("range_break", hours=0.001, hysteresis=0)  # 3.6 s

    found = play(judge_of(rule), [100, 101, 99, 100, 101, 101.5, 100, 98])

    assert [(event.at, event.text) for event in found if event.event == "fired"] == [
        (at(5), "BTC / USD broke above the high of 0.001 h, 101.00: 101.50"),
        (at(7), "BTC / USD broke below the low of 0.001 h, 100.00: 98.0000"),
    ]


def test_a_range_that_is_only_partly_known_does_not_break():
    assert play(judge_of(made("range_break", hours=1)), range(100, 200)) == []


def test_a_range_without_observations_does_not_break():
    judge = judge_of(made("range_break", hours=0.001, hysteresis=0))
    play(judge, [100])

    assert play(judge, [200], first=60) == []


def test_volatility_fires_at_the_first_tick_after_the_minute_that_raised_it():
    rule = made("volatility", above=100, over="10m", hysteresis=0)
    calm, wild = [100.0] * 12, [100.0, 101.0] * 6

    found = play(judge_of(rule), [*calm, *wild], poll_seconds=60)

    assert firings(found) == [60 * 14]
    # A single return of ln(1.01) among nine, the others of which are 0.
    assert found[0].value == pytest.approx(100 * (0.00995033**2 / 9 * 525_600) ** 0.5, rel=1e-6)
    assert found[0].text == "BTC / USD realised volatility over 10 min is 240.46 % a year, above 100 %"


def test_volatility_is_not_judged_before_half_of_its_minutes_are_known():
    judge = judge_of(made("volatility", above=1, over="10m"))

    assert firings(play(judge, [100, 110, 100, 110, 100, 110, 100], poll_seconds=60)) == [6 * 60]


def test_minutes_that_are_not_neighbours_make_no_return():
    judge = judge_of(made("volatility", above=1, over="10m"))

    assert play(judge, [100, 110] * 20, poll_seconds=120) == []


def test_a_tick_is_stale_after_the_given_number_of_slots_without_one():
    (event,) = play(judge_of(made("stale", slots=3)), [100, None, None, None, None])

    assert (event.at, event.price, event.value, event.threshold) == (at(3), 100, 3, 3)
    assert event.text == "BTC / USD nothing came for 3 slots, 3 s: the newest is from 2026-11-01 12:00:00 UTC"


def test_a_stale_tick_is_over_with_the_next_tick():
    found = play(judge_of(made("stale", slots=1, recovery=True)), [100, None, 100])

    assert in_short(found) == [("fired", 1), ("over", 2)]
    assert found[1].text == "BTC / USD nothing for 1 slot: over, 0 of 1 slot"
    assert [event.targets for event in found] == [("ntfy",), ("ntfy",)]


def test_an_index_without_any_tick_is_stale_too():
    (event,) = play(judge_of(made("stale", slots=2)), [None, None])

    assert (event.at, event.text) == (at(1), "BTC / USD nothing came for 2 slots, 2 s: nothing ever came")


def test_too_few_ticks_in_an_hour_fire_fire_fire():
    rule = made("coverage", below=90, hysteresis=0)

    found = play(judge_of(rule, 60), [*[100] * 60, *[None] * 8, *[100] * 70], poll_seconds=60)

    assert in_short(found) == [("fired", 66 * 60), ("over", 121 * 60)]
    assert found[0].value == pytest.approx(100 * 53 / 60)
    assert found[0].text == "BTC / USD coverage of the last hour is 88.33 %, under 90 %: 7 min missing"


def test_slots_that_were_not_served_count_as_missing():
    judge = judge_of(made("coverage", below=90), 60)
    play(judge, [100] * 60, poll_seconds=60)

    found = play(judge, [100], first=70, poll_seconds=60)

    assert firings(found) == [70 * 60]


def test_a_stretch_that_was_not_served_leaves_the_hour_slot_by_slot():
    judge = judge_of(made("coverage", below=90, hysteresis=0), 60)
    play(judge, [100] * 60, poll_seconds=60)

    found = play(judge, [100] * 60, first=90, poll_seconds=60)  # 30 slots are missing

    assert in_short(found) == [("fired", 90 * 60), ("over", 143 * 60)]


def test_a_recovery_is_sent_only_if_the_rule_asks_for_it():
    found = play(judge_of(made("stale", slots=1)), [100, None, 100])

    assert [event.targets for event in found] == [("ntfy",), ()]


def test_a_level_that_becomes_ready_for_the_first_time_is_not_sent():
    level = made("level", price=100, indexes=["btc_usd"], direction="up", recovery=True)

    (event,) = play(judge_of(level), [90])

    assert (event.event, event.targets) == ("over", ())
    assert event.text == "BTC / USD crosses 100 upwards: ready, 90.0000"


def test_a_rule_does_not_fire_within_its_cool_down_but_after_it_if_it_still_holds():
    level = made("level", price=100, indexes=["btc_usd"], direction="up", hysteresis=0, cool_down="5s")

    found = play(judge_of(level), [99, 101, 99, 101, 101, 101, 101, 99, 101])

    assert firings(found) == [1, 6]


def test_a_tick_that_is_not_newer_than_the_one_before_is_not_judged():
    judge = judge_of(made("move", percent=3, within="10s"))
    play(judge, [100, 100])

    assert list(judge.heard(at(2), Tick("btc_usd", at(1), 200.0), at(2))) == []
    assert list(judge.heard(at(1), Tick("btc_usd", at(3), 100.0), at(2))) == []
    assert judge.tapes["btc_usd"].slot == at(2)


def test_the_event_of_a_simulated_price_says_so():
    (event,) = play(judge_of(made("stale", slots=1), exchange=Exchange.SIMULATOR), [100, None])

    assert event.text.startswith("Simulated: BTC / USD nothing came")


def test_an_event_in_quiet_hours_is_sent_after_them():
    rule = made("stale", slots=1, quiet={"from": "12:00", "to": "13:00", "zone": "UTC"})

    (event,) = play(judge_of(rule), [100, None])

    assert event.send_after == at(3600)


@pytest.mark.parametrize(
    ("fields", "events"),
    [
        ({}, ["BTC / USD gap from 2026-11-01 12:00:00 to 2026-11-01 12:05:00 UTC healed by chart, 6 s"]),
        ({"becomes": "healed", "at_least": "5m"}, 1),
        ({"becomes": "unfillable"}, 0),
        ({"at_least": "6m"}, 0),
        ({"indexes": ["eth_usd"]}, 0),
        ({"indexes": ["btc_usd"]}, 1),
    ],
)
def test_a_healed_gap_fires(fields, events):
    rule = ONE_RULE.validate_python({"name": "mine", "kind": "gap", **fields})
    gap = Gap("btc_usd", at(0), at(300), 300, 1, "unreachable", "", "healed", "chart", 6)

    found = list(judge_of(rule).closed(gap, at(400), at(401)))

    assert [event.text for event in found] == events if isinstance(events, list) else len(found) == events
    assert {event.at for event in found} <= {at(400)}


def test_an_unfillable_gap_fires():
    rule = ONE_RULE.validate_python({"name": "mine", "kind": "gap"})
    gap = Gap("btc_usd", at(0), at(300), 300, 1, "unreachable", "", "unfillable")

    (event,) = judge_of(rule).closed(gap, at(400), at(401))

    assert event.text.endswith("to 2026-11-01 12:05:00 UTC can't be filled")


@pytest.mark.parametrize(
    ("rule", "prices", "progress", "distance"),
    [
        (made("move", percent=3, within="1h", direction="up"), [100, 101.2], "1.2 % of 3 %", "1.8 % to go"),
        (made("move", amount=3, within="1h", direction="down"), [101.2, 100], "1.2 of 3", "1.8 to go"),
        (made("level", price=110, indexes=["btc_usd"], direction="up"), [100], "100.00", "10 (10 %) away"),
        (made("range_break", hours=0.001, direction="up"), [99, 101, 100, 99, 100], "100.00 against 101.00",
         "1 (1 %) away"),
        (made("volatility", above=300, over="10m"), [100, 101] * 6, "721.38 % of 300 %", "holds"),
        (made("volatility", above=800, over="10m"), [100, 101] * 6, "721.38 % of 800 %", "78.62 % to go"),
        (made("stale", slots=3), [100, None], "1 of 3 slots", "2 slots to go"),
        (made("coverage", below=95), [100] * 60, "100 % against 95 %", "5 % to go"),
    ],
)  # fmt: skip
def test_each_kind_says_how_far_it_is_from_firing(rule, prices, progress, distance):
    poll_seconds = 60 if rule.kind == "volatility" else 1
    judge = judge_of(rule, poll_seconds)
    play(judge, prices, poll_seconds=poll_seconds)

    (watch,) = judge.watches

    assert watch.reading is not None
    assert watch.rule.progress(watch.reading) == progress
    assert watch.rule.distance(watch.reading) == distance


def test_prices_beyond_the_length_are_dropped_from_the_tape():
    tape = Tape(1, timedelta(minutes=1))

    for second in range(10_000):
        tape.hear(at(second), 100.0 + second)

    assert tape.lowest(timedelta(days=1)) > 100 + 9999 - 5000
    assert tape.lowest(timedelta(minutes=1)) == 100 + 9999 - 60
    assert tape.highest(timedelta(minutes=1)) == 100 + 9999


def test_closes_beyond_the_length_are_dropped_from_the_tape():
    tape = Tape(60, timedelta(hours=1))

    for minute in range(5000):
        tape.hear(at(60 * minute), 100 + minute % 2)

    assert tape.volatility(timedelta(minutes=5000)) is None
    assert tape.volatility(timedelta(minutes=30)) is not None


LAKE = {"longer_than": "15m"}


def lagging(judge: Judge, *looks: tuple[float, float | None]) -> list[Event]:
    """The events of a lake at some minutes, each with the minute up to which it has the record."""
    return [
        event for minute, to in looks for event in judge.shared(None if to is None else at(60 * to), at(60 * minute))
    ]


def test_a_lake_that_lags_fires_once_and_is_over_when_the_lag_went_back_by_the_hysteresis():
    judge = judge_of(made("lake", **LAKE, recovery=True))

    found = lagging(judge, (1, 0), (14.9, 0), (15, 0), (16, 0), (24, 16), (24.5, 17.02), (25, 25))

    assert in_short(found) == [("fired", 900), ("over", 24.5 * 60)]
    assert [(event.value, event.threshold, event.index_name) for event in found] == [
        (900, 900, ""),
        (pytest.approx(448.8), 900, ""),
    ]
    assert [event.text for event in found] == [
        f"The record is shared up to {START:%Y-%m-%d %H:%M:%S} UTC, 15 min ago",
        "not shared for 15 min: over, 7 min 29 s of 15 min",
    ]


def test_a_record_that_was_never_shared_counts_from_the_first_look():
    (found,) = lagging(judge_of(made("lake", **LAKE)), (100, None), (114, None), (115, None))

    assert found.at == at(115 * 60)
    assert found.text == "The record was not shared by the lake yet, for 15 min"


def test_a_lake_is_judged_by_no_tick():
    judge = judge_of(made("lake", **LAKE))

    assert play(judge, [100, None] * 600) == []
