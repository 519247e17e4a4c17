import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from poller.simulator.market_replies import made_at
from poller.simulator.methods import answer
from poller.simulator.replies import Call, RpcError
from poller.simulator.truth import candles, volatility
from poller.simulator.truth.deliveries import delivery_price
from poller.simulator.truth.funding import funding
from poller.simulator.truth.future_summaries import future_summaries
from poller.simulator.truth.futures import index
from poller.simulator.truth.listing import DAY_S, second_of
from poller.simulator.truth.options import option_summaries
from store.market.instruments import Future

RECORDED = Path(__file__).parents[2] / "fixtures/deribit"
NOW = datetime(2026, 9, 20, 21, 17, 16, 123456, tzinfo=UTC)
SECOND = second_of(NOW)
MINUTE, HOUR, DAY = 60, 3600, 86_400


def ask(method: str, now: datetime = NOW, seed: int = 1, page: int = 1000, **params: object) -> Any:
    return answer(method, Call({name: str(value) for name, value in params.items()}, now, seed, page=page))


def summary(now: datetime = NOW, currency: str = "BTC", **params: Any) -> Any:
    return ask("get_book_summary_by_currency", now, currency=currency, **params)


def dvol(start: int, end: int, resolution: object, currency: str = "BTC", **more: Any) -> Any:
    params: dict[str, Any] = {"start_timestamp": start * 1000, "end_timestamp": end * 1000, "resolution": resolution}
    return ask("get_volatility_index_data", currency=currency, **params, **more)


def chart(start: int, end: int, resolution: object, instrument_name: str = "BTC-PERPETUAL") -> Any:
    params: dict[str, Any] = {"start_timestamp": start * 1000, "end_timestamp": end * 1000, "resolution": resolution}
    return ask("get_tradingview_chart_data", instrument_name=instrument_name, **params)


def rates(start: int, end: int, instrument_name: str = "BTC-PERPETUAL") -> Any:
    params: dict[str, Any] = {"start_timestamp": start * 1000, "end_timestamp": end * 1000}
    return ask("get_funding_rate_history", instrument_name=instrument_name, **params)


def ago(seconds: int, step_s: int) -> int:
    """A multiple of a step, some seconds before now."""
    return (SECOND - seconds) // step_s * step_s


def fields(rows: list[dict[str, Any]]) -> set[frozenset[str]]:
    return {frozenset(row) for row in rows}


def recorded(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text())


@pytest.mark.parametrize("kind", ["option", "future"])
@pytest.mark.parametrize("currency", ["BTC", "ETH"])
def test_summaries_have_the_fields_of_recorded_ones(kind, currency):
    assert fields(summary(currency=currency, kind=kind)) == fields(recorded(f"book_summary_{kind}"))


@pytest.mark.parametrize("kind", ["option", "future"])
def test_the_fields_of_summaries_have_the_recorded_types(kind):
    known = {
        name: value for row in recorded(f"book_summary_{kind}") for name, value in row.items() if value is not None
    }

    for row in summary(kind=kind):
        for name, value in row.items():
            assert value is None or isinstance(value, str) == isinstance(known[name], str)


def test_histories_have_the_fields_of_recorded_ones():
    chart_of_days = chart(ago(5 * DAY, DAY), SECOND, "1D")
    candles_of_half_days = dvol(ago(5 * DAY, DAY), SECOND, 43_200)
    delivered = ask("get_delivery_prices", index_name="btc_usd")

    assert chart_of_days.keys() == recorded("tradingview_chart").keys()
    assert candles_of_half_days.keys() == recorded("volatility_index").keys()
    assert {len(row) for row in candles_of_half_days["data"]} == {5}
    assert fields(rates(ago(5 * HOUR, HOUR), SECOND)) == fields(recorded("funding_rate_history"))
    assert delivered.keys() == recorded("delivery_prices").keys()
    assert fields(delivered["data"]) == fields(recorded("delivery_prices")["data"])


# Summaries


def test_summaries_are_rebuilt_every_2_s_and_sent_later():
    at = datetime(2026, 9, 20, 12, tzinfo=UTC)
    made = [made_at(at + timedelta(milliseconds=100 * i)) for i in range(50)]

    assert {each.second % 2 for each in made} == {0}
    assert {each.microsecond for each in made} == {0}
    assert made_at(at + timedelta(seconds=1.6)) == at
    assert made_at(at + timedelta(seconds=0.39)) == at - timedelta(seconds=2)


def test_a_summary_is_that_of_the_model_at_its_time():
    made = made_at(NOW)

    assert summary(kind="option") == [*option_summaries("BTC", made)]
    assert summary(kind="future") == [*future_summaries("BTC", made)]
    assert {row["creation_timestamp"] for row in summary()} == {second_of(made) * 1000}


def test_without_a_kind_options_and_futures_come_together():
    assert len(summary()) == len(summary(kind="option")) + len(summary(kind="future"))


@pytest.mark.parametrize("kind", ["spot", "option_combo"])
def test_no_summary_is_given_of_what_is_not_simulated(kind):
    assert summary(kind=kind) == []


@pytest.mark.parametrize("currency", ["USDC", "EURR"])
def test_other_currencies_have_no_options(currency):
    assert summary(currency=currency) == []


@pytest.mark.parametrize(("seconds", "settling"), [(-0.1, False), (0, True), (3.9, True), (4, False)])
def test_no_summary_is_given_for_4_s_after_8(seconds, settling):
    at = datetime(2026, 9, 20, 8, tzinfo=UTC) + timedelta(seconds=seconds)

    if settling:
        with pytest.raises(RpcError, match="10041 settlement_in_progress"):
            summary(at)
    else:
        assert summary(at)


# The volatility index


def test_dvol_has_the_candles_that_open_in_the_window():
    start = ago(HOUR, MINUTE)

    data = dvol(start, start + 10 * MINUTE, 60)["data"]

    assert data == [[1000 * at, *volatility.candle("BTC", at, 60)] for at in range(start, start + 11 * MINUTE, 60)]


def test_a_window_begins_and_ends_within_a_millisecond():
    start = 1000 * ago(HOUR, MINUTE)
    window: dict[str, Any] = {"start_timestamp": start + 1, "end_timestamp": start + 120_000 - 1, "resolution": 60}

    (row,) = ask("get_volatility_index_data", currency="BTC", **window)["data"]

    assert row[0] == start + 60_000


def test_the_last_candle_of_dvol_is_not_over_yet():
    hour = ago(0, HOUR)

    (row,) = dvol(hour, SECOND + HOUR, 3600)["data"]

    assert row == [1000 * hour, *volatility.candle("BTC", hour, SECOND - hour + 1)]


@pytest.mark.parametrize(("resolution", "step_s"), [(1, 1), ("60", 60), (3600, 3600), (43_200, 43_200), ("1D", DAY_S)])
def test_dvol_candles_open_at_multiples_of_their_length(resolution, step_s):
    data = dvol(SECOND - 5 * step_s + 1, SECOND, resolution)["data"]

    assert [row[0] // 1000 for row in data] == [ago(0, step_s) - i * step_s for i in range(4, -1, -1)]


def test_dvol_pages_go_backward():
    start, end, asked = ago(HOUR, MINUTE), ago(0, MINUTE), 0
    pages: list[Any] = []
    until: int | None = end
    while until is not None:
        reply = dvol(start, until, 60, page=25)
        pages, asked = [*reply["data"], *pages], asked + 1
        until = None if reply["continuation"] is None else reply["continuation"] // 1000

    assert pages == dvol(start, end, 60)["data"]
    assert asked == 3


def test_a_page_has_1000_candles_unless_another_length_is_asked_for():
    reply = dvol(ago(5000 * MINUTE, MINUTE), SECOND, 60)

    assert len(reply["data"]) == 1000
    assert reply["continuation"] == reply["data"][0][0] - 60_000


def test_dvol_begins_in_2021_and_other_currencies_have_none():
    assert dvol(0, 1_000_000_000, 3600) == {"data": [], "continuation": None}
    assert dvol(ago(DAY, DAY), SECOND, 3600, currency="USDC") == {"data": [], "continuation": None}
    assert dvol(0, volatility.FIRST_S + DAY, "1D")["data"][0][0] == volatility.FIRST_S * 1000


# Candles of futures


def test_a_chart_has_the_candles_that_open_in_the_window():
    start = ago(HOUR, MINUTE)

    found = chart(start, start + 10 * MINUTE, 1)

    bars = [candles.candle(Future("BTC", None), start + MINUTE * i, 60) for i in range(11)]
    assert found["status"] == "ok"
    assert found["ticks"] == [1000 * (start + MINUTE * i) for i in range(11)]
    columns = ("open", "high", "low", "close", "volume", "cost")
    assert [*zip(*(found[name] for name in columns), strict=True)] == bars


def test_candles_of_a_day_open_at_8():
    ticks = chart(SECOND - 3 * DAY, SECOND, "1D")["ticks"]

    assert [datetime.fromtimestamp(tick / 1000, UTC).hour for tick in ticks] == [8, 8, 8]


def test_a_chart_before_the_listing_has_no_candles():
    found = chart(1_000_000_000, 1_000_086_400, 60, "BTC-25DEC26")

    assert found.pop("status") == "no_data"
    assert all(column == [] for column in found.values())


def test_a_chart_has_at_most_5000_candles():
    assert len(chart(SECOND - 6000 * MINUTE, SECOND, "1")["ticks"]) == 5000


# Funding


def test_funding_rows_are_the_hours_after_the_start_to_the_end():
    start = ago(10 * HOUR, HOUR)

    found = rates(start, start + 3 * HOUR)

    assert [row["timestamp"] // 1000 for row in found] == [start + HOUR * i for i in (1, 2, 3)]
    for row in found:
        end = row["timestamp"] // 1000
        assert row["interest_1h"] == funding("BTC", end, 1)
        assert row["interest_8h"] == funding("BTC", end, 8)
        assert (row["prev_index_price"], row["index_price"]) == (index("BTC", end - HOUR), index("BTC", end))


def test_funding_ends_with_the_last_whole_hour_and_begins_with_2019():
    assert rates(SECOND - 2 * HOUR, SECOND + DAY)[-1]["timestamp"] == 1000 * ago(0, HOUR)
    assert rates(0, 1_546_300_800)[0]["timestamp"] == 1_546_300_800_000


def test_a_funding_history_has_at_most_744_hours():
    assert len(rates(SECOND - 1000 * HOUR, SECOND)) == 744


# Deliveries


def test_deliveries_come_newest_first_and_from_the_offset():
    ten = ask("get_delivery_prices", index_name="btc_usd")["data"]
    three = ask("get_delivery_prices", index_name="btc_usd", offset=2, count=3)["data"]

    assert [row["date"] for row in ten[:2]] == ["2026-09-20", "2026-09-19"]
    assert len(ten) == 10
    assert three == ten[2:5]
    assert ten[0]["delivery_price"] == delivery_price("btc_usd", SECOND // DAY_S)


def test_today_is_delivered_from_8_on():
    before, after = (datetime(2026, 9, 20, hour, minute, tzinfo=UTC) for hour, minute in ((7, 59), (8, 0)))

    newest = [
        ask("get_delivery_prices", at, index_name="eth_usd", count=1)["data"][0]["date"] for at in (before, after)
    ]

    assert newest == ["2026-09-19", "2026-09-20"]


def test_the_last_delivery_is_the_first_day_of_2019():
    total = ask("get_delivery_prices", index_name="btc_usd", count=1)["records_total"]

    (last,) = ask("get_delivery_prices", index_name="btc_usd", offset=total - 1)["data"]

    assert last["date"] == "2019-01-01"
    assert ask("get_delivery_prices", index_name="btc_usd", offset=total)["data"] == []


# Refusals

WINDOW = {"start_timestamp": "0", "end_timestamp": "1"}


@pytest.mark.parametrize(
    ("method", "params", "reason", "param"),
    [
        ("get_book_summary_by_currency", {}, "value is required", "currency"),
        ("get_book_summary_by_currency", {"currency": "any"}, "invalid currency", "currency"),
        ("get_book_summary_by_currency", {"currency": "BTC", "kind": "options"}, "invalid kind", "kind"),
        ("get_volatility_index_data", {"currency": "BTC", **WINDOW}, "value is required", "resolution"),
        ("get_volatility_index_data", {"currency": "BTC", "resolution": "5"}, "invalid resolution", "resolution"),
        ("get_volatility_index_data", {"currency": "BTC", "resolution": "60"}, "value is required", "start_timestamp"),
        (
            "get_volatility_index_data",
            {"currency": "BTC", "resolution": "60", **WINDOW, "end_timestamp": "now"},
            "wrong format",
            "end_timestamp",
        ),
        ("get_tradingview_chart_data", WINDOW, "value is required", "instrument_name"),
        ("get_tradingview_chart_data", {"instrument_name": "BTC-1JAN20"}, "instrument not found", "instrument_name"),
        (
            "get_tradingview_chart_data",
            {"instrument_name": "BTC-PERPETUAL", "resolution": "2"},
            "invalid resolution",
            "resolution",
        ),
        ("get_funding_rate_history", {"instrument_name": "BTC-25DEC26"}, "instrument not found", "instrument_name"),
        ("get_delivery_prices", {}, "value is required", "index_name"),
        ("get_delivery_prices", {"index_name": "btc_usd", "count": "1001"}, "value is too high", "count"),
        ("get_delivery_prices", {"index_name": "btc_usd", "offset": "-1"}, "wrong format", "offset"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(method, params, reason, param):
    with pytest.raises(RpcError) as refusal:
        ask(method, **params)

    assert (refusal.value.code, refusal.value.message) == (-32602, "Invalid params")
    assert refusal.value.data == {"reason": reason, "param": param}
