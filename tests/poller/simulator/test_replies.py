import json
import statistics
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from poller.simulator.methods import answer
from poller.simulator.replies import INDEX_NAMES, WINDOWS, Call, RpcError, settling
from poller.simulator.truth.prices import average, price
from settings import VERSION

RECORDED = Path(__file__).parents[2] / "fixtures/deribit"
NOW = datetime(2026, 9, 20, 21, 17, 16, 123456, tzinfo=UTC)
NOW_MS = 1789939036123


def ask(method: str, now: datetime = NOW, seed: int = 1, **params: str) -> Any:
    return answer(method, Call(params, now, seed))


def at(hours: int, minutes: int = 0, seconds: int = 0) -> datetime:
    return NOW.replace(hour=hours, minute=minutes, second=seconds, microsecond=0)


def shape(value: object) -> object:
    """Keys and types. The length of a list does not matter, nor whether a number is whole."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return {str(shape(inner)) for inner in value}
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


@pytest.mark.parametrize(
    ("recording", "method", "params"),
    [
        ("index_price", "get_index_price", {"index_name": "btc_usd"}),
        ("index_chart_data", "get_index_chart_data", {"index_name": "btc_usd", "range": "1h"}),
        ("supported_index_names", "get_supported_index_names", {}),
        ("supported_index_names", "get_index_price_names", {}),
        ("status", "status", {}),
    ],
)
def test_a_result_has_the_shape_of_the_recorded_one(recording, method, params):
    recorded = json.loads((RECORDED / f"{recording}.json").read_text())

    assert shape(ask(method, **params)) == shape(recorded)


def test_the_index_price_is_that_of_the_model():
    assert ask("get_index_price", seed=7, index_name="eth_usd")["index_price"] == price("eth_usd", NOW, 7)


@pytest.mark.parametrize("now", [at(7, 29, 59), at(8), NOW])
def test_the_delivery_price_is_the_index_outside_the_last_half_hour_before_expiry(now):
    result = ask("get_index_price", now, index_name="btc_usd")

    assert result["estimated_delivery_price"] == result["index_price"]


def test_the_delivery_price_is_a_running_average_in_the_last_half_hour_before_expiry():
    so_far = [price("btc_usd", at(7, 30) + timedelta(seconds=s)) for s in range(0, 29 * 60 + 1, 60)]

    result = ask("get_index_price", at(7, 59), index_name="btc_usd")

    assert result["estimated_delivery_price"] == round(statistics.fmean(so_far), 2)
    assert result["estimated_delivery_price"] != result["index_price"]


def test_the_half_hour_before_expiry_is_one_of_utc():
    here = at(7, 59).astimezone(tz=datetime.strptime("+0530", "%z").tzinfo)

    assert ask("get_index_price", here, index_name="btc_usd") == ask("get_index_price", at(7, 59), index_name="btc_usd")


@pytest.mark.parametrize(
    ("window", "step_s", "count"),
    [("1h", 6, 600), ("1d", 60, 1440), ("2d", 60, 2880), ("1m", 3600, 720), ("1y", 86400, 365), ("all", 86400, 2819)],
)
def test_a_chart_has_every_complete_step_of_its_window(window, step_s, count):
    points = ask("get_index_chart_data", index_name="btc_usd", range=window)

    starts = [ts for ts, _ in points]
    last = NOW_MS // (step_s * 1000) * step_s * 1000 - step_s * 1000
    assert starts == list(range(last - (count - 1) * step_s * 1000, last + 1, step_s * 1000))


def test_all_history_starts_with_2019():
    first, _ = ask("get_index_chart_data", index_name="btc_usd", range="all")[0]

    assert datetime.fromtimestamp(first / 1000, UTC) == datetime(2019, 1, 1, tzinfo=UTC)


def test_the_points_of_a_chart_are_averages_of_the_model():
    ts, value = ask("get_index_chart_data", seed=7, index_name="btc_usd", range="1d")[-1]

    assert value == average("btc_usd", datetime.fromtimestamp(ts / 1000, UTC), 60, 7)


def test_a_later_chart_repeats_the_points_of_an_earlier_one():
    earlier = ask("get_index_chart_data", index_name="btc_usd", range="1h")
    later = ask("get_index_chart_data", NOW + timedelta(minutes=10), index_name="btc_usd", range="1h")

    assert later[:-100] == earlier[100:]


def test_names_can_be_asked_for_by_type():
    spot = ask("get_supported_index_names", type="spot")
    derivative = ask("get_supported_index_names", type="derivative")

    assert "btc_usd" in derivative
    assert "eth_btc" in spot
    assert sorted(spot + derivative) == ask("get_supported_index_names", type="all") == list(INDEX_NAMES)


def test_extended_names_are_objects():
    names = ask("get_index_price_names", extended="true")

    assert [entry["name"] for entry in names] == list(INDEX_NAMES)
    assert {entry["name"] for entry in names if entry["option_combo_creation_enabled"]} == {"btc_usd", "eth_usd"}


def test_the_time_is_in_milliseconds():
    assert ask("get_time") == NOW_MS


def test_the_test_method_gives_the_version():
    assert ask("test") == {"version": VERSION}


def test_the_test_method_fails_on_request():
    with pytest.raises(RpcError, match="10001 error"):
        ask("test", expected_result="exception")


def test_unknown_parameters_are_ignored():
    assert ask("get_time", kind="option") == ask("get_time")


def test_an_unknown_method_is_refused():
    with pytest.raises(RpcError) as refusal:
        ask("get_horoscope")

    assert (refusal.value.code, refusal.value.message, refusal.value.data) == (-32601, "Method not found", None)


@pytest.mark.parametrize(
    ("method", "params", "reason", "param"),
    [
        ("get_index_price", {}, "value is required", "index_name"),
        ("get_index_price", {"index_name": "BTC_USD"}, "invalid index_name", "index_name"),
        ("get_index_chart_data", {"range": "1h"}, "value is required", "index_name"),
        ("get_index_chart_data", {"index_name": "btc_usd"}, "value is required", "range"),
        ("get_index_chart_data", {"index_name": "btc_usd", "range": "1w"}, "invalid range", "range"),
        ("get_supported_index_names", {"type": "futures"}, "invalid type", "type"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(method, params, reason, param):
    with pytest.raises(RpcError) as refusal:
        ask(method, **params)

    assert (refusal.value.code, refusal.value.message) == (-32602, "Invalid params")
    assert refusal.value.data == {"reason": reason, "param": param}


def test_every_window_of_the_exchange_is_offered():
    assert list(WINDOWS) == ["1h", "1d", "2d", "1m", "1y", "all"]


@pytest.mark.parametrize(
    ("now", "expected"), [(at(7, 59, 59), False), (at(8), True), (at(8, 0, 9), True), (at(8, 0, 10), False)]
)
def test_settlement_is_the_first_ten_seconds_after_eight(now, expected):
    assert settling(now) is expected
