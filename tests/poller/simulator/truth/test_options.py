import statistics
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from poller.simulator.truth.deliveries import estimated_delivery_price
from poller.simulator.truth.futures import forward
from poller.simulator.truth.listing import CURRENCIES, second_of
from poller.simulator.truth.options import option_summaries
from store.market.black76 import mark_price, years_between
from store.market.instruments import option_of

NOW = datetime(2026, 9, 20, 21, 17, 16, tzinfo=UTC)


@pytest.fixture(params=CURRENCIES)
def currency(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rows(currency: str) -> tuple[dict[str, Any], ...]:
    return option_summaries(currency, NOW)


def share(rows: tuple[dict[str, Any], ...], name: str) -> float:
    """The share of rows that have nothing in a field."""
    return sum(not row[name] for row in rows) / len(rows)


def test_each_mark_is_black_76_of_its_own_iv_and_forward(rows, currency):
    for row in rows:
        option = option_of(row["instrument_name"])
        years = years_between(NOW, option.expiry)
        assert row["underlying_price"] == forward(currency, option.expiry, second_of(NOW))
        assert row["mark_price"] == round(mark_price(option, row["underlying_price"], years, row["mark_iv"]), 8)


def test_a_call_and_its_put_have_one_iv_and_keep_their_parity(rows):
    pairs: defaultdict[Any, dict[str, dict[str, Any]]] = defaultdict(dict)
    for row in rows:
        option = option_of(row["instrument_name"])
        pairs[option.expiry, option.strike][option.option_type] = row

    for (_, strike), pair in pairs.items():
        call, put = pair["call"], pair["put"]
        assert call["mark_iv"] == put["mark_iv"]
        apart = call["mark_price"] - put["mark_price"]
        assert apart == pytest.approx(1 - strike / call["underlying_price"], abs=2e-8)


def test_quotes_lie_around_the_mark_on_the_ticks(rows):
    for row in rows:
        bid, mark, ask = row["bid_price"], row["mark_price"], row["ask_price"]
        assert (bid or 0) <= mark <= ask
        assert all(quote * 10_000 == pytest.approx(round(quote * 10_000)) for quote in (bid or 0, ask))
        assert row["mid_price"] is None if bid is None else bid < row["mid_price"] < ask
        assert bid is None or bid > 0


def test_as_many_rows_lack_something_as_in_recorded_chains(rows):
    assert 0.03 < share(rows, "bid_price") < 0.15
    assert share(rows, "ask_price") == 0
    assert 0.13 < share(rows, "open_interest") < 0.25
    assert 0.38 < share(rows, "volume") < 0.55


def test_only_what_was_traded_has_extremes_and_a_turnover(rows):
    for row in rows:
        traded = row["volume"] > 0
        assert [row[name] is not None for name in ("high", "low", "price_change")] == [traded] * 3
        assert row["last"] is None or row["last"] > 0
        assert not traded or row["volume_usd"] > 0


def test_last_prices_are_near_the_marks(rows):
    apart = [abs(row["last"] / row["mark_price"] - 1) for row in rows if row["last"] and row["mark_price"] > 0.01]

    assert 0 < statistics.median(apart) < 0.1


def test_rows_are_of_one_time_and_in_no_order(rows, currency):
    names = [row["instrument_name"] for row in rows]

    assert {row["creation_timestamp"] for row in rows} == {second_of(NOW) * 1000}
    assert {row["estimated_delivery_price"] for row in rows} == {estimated_delivery_price(currency, second_of(NOW))}
    assert names != sorted(names)


def test_another_seed_has_another_chain():
    assert option_summaries("BTC", NOW, 1) != option_summaries("BTC", NOW, 2)


@pytest.mark.parametrize("seconds", [1, 60, 1800])
def test_options_have_a_price_until_their_expiry(seconds):
    just_before = datetime(2026, 9, 25, 8, tzinfo=UTC) - timedelta(seconds=seconds)

    rows = option_summaries("BTC", just_before)

    assert any(row["underlying_index"] == "BTC-25SEP26" for row in rows)
    assert all(row["mark_price"] >= 0 and row["mark_iv"] > 0 for row in rows)
