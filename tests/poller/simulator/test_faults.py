import dataclasses
import json
import math
import threading
from typing import Any

import pytest

from poller.simulator.faults import Fault, FaultError, Faults
from poller.simulator.fields import KINDS

NEEDED: dict[str, dict[str, Any]] = {"outage": {"seconds": 1}, "delisted": {"index_name": "btc_usd"}}


class Clock:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def faults(clock):
    return Faults(monotonic=clock)


def kinds(chosen: list[Fault]) -> list[str]:
    return [fault.kind for fault in chosen]


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(NEEDED)))
def test_nearly_every_kind_works_without_parameters(kind):
    assert Fault.from_json(json.dumps({"kind": kind})) == Fault(kind)


def test_a_fault_survives_the_way_through_json():
    fault = Fault("error", method="get_time", seconds=3, times=2, code=11051, message="system_maintenance", data=[1])

    assert Fault.from_json(json.dumps(fault.as_fields())) == fault


def test_a_fault_shows_only_what_its_kind_takes():
    assert Fault("slow", delay_s=2).as_fields() == {"kind": "slow", "delay_s": 2}


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"kind": "boom"}, "kind = 'boom': must be one of error, rate_limit, html"),
        ({"kind": ["slow"]}, "kind = ['slow']: must be one of error, "),
        ({"times": 1}, "a fault is a JSON object with a kind, such as"),
        ([], "a fault is a JSON object with a kind, such as"),
        ({"kind": "slow", "delay": 1, "colour": 2}, "not a field of a fault: colour, delay"),
        (
            {"kind": "slow", "factor": 2},
            "factor = 2: slow takes method, index_name, currency, book, seconds, times, delay_s",
        ),
        (
            {"kind": "slow", "by_s": 60.0},
            "by_s = 60.0: slow takes method, index_name, currency, book, seconds, times, delay_s",
        ),
        ({"kind": "outage", "seconds": 1, "times": 1}, "times = 1: outage takes seconds"),
        ({"kind": "outage"}, "outage needs seconds"),
        ({"kind": "reset", "method": "ticker"}, "method = 'ticker': must be one of get_index_price, "),
        ({"kind": "locked", "method": "get_time"}, "method = 'get_time': locked affects only status"),
        ({"kind": "reset", "seconds": 0}, "seconds = 0: must be a number above 0"),
        ({"kind": "reset", "seconds": "3"}, "seconds = '3': must be a number above 0"),
        ({"kind": "reset", "seconds": math.nan}, "seconds = nan: must be a number above 0"),
        ({"kind": "reset", "times": 0}, "times = 0: must be a whole number from 1"),
        ({"kind": "reset", "times": True}, "times = True: must be a whole number from 1"),
        ({"kind": "error", "code": 1.5}, "code = 1.5: must be a whole number"),
        ({"kind": "error", "message": 1}, "message = 1: must be a text"),
        ({"kind": "html", "status": 204}, "status = 204: must be 200, or a whole number from 400 to 599"),
        ({"kind": "rate_limit", "retry_after": -1}, "retry_after = -1: must be a number from 0"),
        ({"kind": "slow", "delay_s": True}, "delay_s = True: must be a number above 0"),
        ({"kind": "skew", "by_s": 1e9}, "by_s = 1000000000.0: must be a number from -86400 to 86400"),
        ({"kind": "bad_price", "value": "big"}, "value = 'big': must be one of nan, null, "),
        ({"kind": "jump", "factor": -1}, "factor = -1: must be a number above 0"),
        ({"kind": "other_step", "step_s": 0}, "step_s = 0: must be a whole number from 1"),
        ({"kind": "other_step", "window": "1w"}, "window = '1w': must be one of 1h, 1d, 2d, 1m, 1y, all"),
        ({"kind": "locked", "locked_indices": "btc_usd"}, "locked_indices = 'btc_usd': must be a list of index names"),
        ({"kind": "locked", "locked_indices": [1]}, "locked_indices = [1]: must be a list of index names"),
        ({"kind": "locked", "index_name": "btc_usd"}, "index_name = 'btc_usd': locked takes method, seconds, "),
        ({"kind": "reset", "index_name": "btc"}, "index_name = 'btc': must be the name of an index, such as btc_usd"),
        (
            {"kind": "reset", "index_name": "btc_usd", "method": "status"},
            "index_name = 'btc_usd': calls of status name",
        ),
        ({"kind": "delisted"}, "delisted needs index_name: "),
        ({"kind": "reset", "currency": "DOGE"}, "currency = 'DOGE': must be one of BTC, ETH"),
        ({"kind": "reset", "book": "spot"}, "book = 'spot': must be one of option, future"),
        (
            {"kind": "reset", "currency": "BTC", "method": "status"},
            "currency = 'BTC': calls of status name no",
        ),
        (
            {"kind": "reset", "book": "option", "method": "get_volatility_index_data"},
            "book = 'option': calls of get_volatility_index_data name no kind of instruments",
        ),
        ({"kind": "null_marks", "rows": 0}, "rows = 0: must be a whole number from 1"),
        ({"kind": "old_summary", "old_s": 0}, "old_s = 0: must be a number above 0"),
        (
            {"kind": "double_rows", "index_name": "btc_usd"},
            "index_name = 'btc_usd': double_rows takes method, ",
        ),
        (
            {"kind": "short_pages", "method": "status"},
            "method = 'status': short_pages affects only get_volatility_index_data",
        ),
        ({"kind": "other_step", "step_s": 300.0}, "step_s = 300.0: must be a whole number from 1 to "),
        ({"kind": "error", "code": 10001.0}, "code = 10001.0: must be a whole number"),
        ({"kind": "slow", "delay_s": None}, "delay_s = None: must be a number above 0"),
        ({"kind": "slow", "delay_s": 1e300}, "delay_s = 1e+300: must be a number above 0, at most 31536000"),
        ({"kind": "slow", "seconds": 10**400}, "seconds = 1000000"),
        ({"kind": "large_body", "size_bytes": 1e6}, "size_bytes = 1000000.0: must be a whole number from 1 to "),
        ({"a\nb": 1, "kind": "slow"}, "not a field of a fault: a b"),
    ],
)
def test_a_wrong_field_is_named_in_one_line(fields, line):
    with pytest.raises(FaultError) as error:
        Fault.from_json(json.dumps(fields))

    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    300.0,
    10**400,
    1e300,
    math.nan,
    -math.inf,
    "",
    "x" * 10**6,
    "\ud83d\n",
    [],
    [[]],
    {"a": {}},
)


@pytest.mark.parametrize("kind", KINDS)
def test_each_value_of_a_field_is_accepted_whole_or_refused_in_one_line(kind):
    needed = NEEDED.get(kind, {})
    said: list[str] = []
    for name in (field.name for field in dataclasses.fields(Fault)):
        for value in ODD:
            try:
                fault = Fault.from_json(json.dumps({"kind": kind} | needed | {name: value}))
                json.dumps(fault.as_fields())
            except FaultError as error:
                said.append(str(error))

    assert len(said) > len(ODD)
    assert all("\n" not in line and len(line) < 600 for line in said)


def test_data_that_no_reply_can_carry_is_refused():
    with pytest.raises(FaultError, match=r"data = <object object at .+>: must be a value that JSON can hold"):
        Fault("error", data=object())


@pytest.mark.parametrize("text", ["", "{", b"\xff\xfe\xfd", "[" * 100_000])
def test_a_fault_that_is_not_json_is_refused_in_one_line(text):
    with pytest.raises(FaultError, match=r"a fault is a JSON object: .+"):
        Fault.from_json(text)


def test_a_fault_without_an_end_stays_until_it_is_cleared(faults, clock):
    faults.add(Fault("reset"))

    clock.now += 1e6
    assert kinds(faults.active("status")) == ["reset"]
    faults.clear()
    assert faults.active("status") == []


def test_a_fault_ends_after_its_seconds(faults, clock):
    faults.add(Fault("reset", seconds=10))

    clock.now += 9.9
    assert kinds(faults.active("status")) == ["reset"]
    clock.now += 0.1
    assert faults.active("status") == []


def test_a_fault_ends_after_its_times(faults):
    faults.add(Fault("slow", times=2))

    assert [kinds(faults.active("status")) for _ in range(3)] == [["slow"], ["slow"], []]


def test_calls_of_other_methods_do_not_count(faults):
    faults.add(Fault("reset", method="get_time", times=1))

    assert faults.active("status") == []
    assert kinds(faults.active("get_time")) == ["reset"]


def test_a_fault_of_results_affects_only_the_method_that_has_them(faults):
    faults.add(Fault("truncated_chart", times=1))

    assert faults.active("get_index_price") == []
    assert kinds(faults.active("get_index_chart_data")) == ["truncated_chart"]


def test_calls_that_name_another_index_or_none_do_not_count(faults):
    faults.add(Fault("reset", index_name="btc_usd", times=1))

    assert faults.active("get_index_price", index_name="eth_usd") == []
    assert faults.active("status") == []
    assert kinds(faults.active("get_index_chart_data", index_name="btc_usd")) == ["reset"]


def test_a_fault_can_affect_one_currency_and_one_kind_of_instruments(faults):
    faults.add(Fault("reset", currency="BTC", book="option", times=1))

    assert faults.active("get_book_summary_by_currency", currency="ETH", kind="option") == []
    assert faults.active("get_book_summary_by_currency", currency="BTC", kind="future") == []
    assert faults.active("get_index_price", index_name="btc_usd") == []
    assert kinds(faults.active("get_book_summary_by_currency", currency="BTC", kind="option")) == ["reset"]


def test_a_parameter_of_any_name_can_be_asked_about(faults):
    faults.add(Fault("reset"))

    assert kinds(faults.active("status", method="x", self="y")) == ["reset"]


def test_a_delisted_index_shows_in_every_call(faults):
    faults.add(Fault("delisted", index_name="btc_usd"))

    assert kinds(faults.active("get_index_price_names")) == ["delisted"]
    assert kinds(faults.active("get_index_price", index_name="btc_usd")) == ["delisted"]


def test_faults_that_replace_the_reply_queue_up(faults):
    faults.add(Fault("error", times=2))
    faults.add(Fault("slow"))
    faults.add(Fault("html", times=1))

    met = [kinds(faults.active("status")) for _ in range(4)]

    assert met == [["error", "slow"], ["error", "slow"], ["slow", "html"], ["slow"]]


def test_an_outage_does_not_depend_on_single_calls(faults):
    faults.add(Fault("outage", seconds=5))

    assert faults.active("status") == []
    assert faults.listing() == [Fault("outage", seconds=5)]


def test_the_listing_shows_what_is_left(faults, clock):
    faults.add(Fault("slow", seconds=10, times=3))
    faults.add(Fault("jump"))

    faults.active("status")
    clock.now += 4

    assert faults.listing() == [Fault("slow", seconds=6, times=2), Fault("jump")]


def test_the_listing_leaves_out_what_has_ended(faults, clock):
    faults.add(Fault("slow", seconds=10))

    clock.now += 10

    assert faults.listing() == []


def test_only_an_outage_is_reported_to_the_server():
    told = []
    faults = Faults(on_outage=lambda: told.append("outage"))

    faults.add(Fault("slow"))
    faults.add(Fault("outage", seconds=5))

    assert told == ["outage"]


def test_waiting_ends_with_the_last_fault_of_the_kind():
    faults = Faults()
    faults.add(Fault("slow"))
    faults.add(Fault("outage", seconds=0.01))
    faults.add(Fault("outage", seconds=0.05))

    faults.wait_until_over("outage")

    assert kinds(faults.listing()) == ["slow"]


def test_waiting_ends_when_faults_are_cleared():
    faults = Faults()
    faults.add(Fault("outage", seconds=3600))
    waiting = threading.Thread(target=faults.wait_until_over, args=("outage",))
    waiting.start()

    faults.clear()

    waiting.join(5)
    assert not waiting.is_alive()


def test_times_are_exact_when_many_threads_call():
    faults = Faults()
    faults.add(Fault("slow", times=500))
    met: list[int] = []
    threads = [
        threading.Thread(target=lambda: met.extend(len(faults.active("status")) for _ in range(200))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(met) == 500
