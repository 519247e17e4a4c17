from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from poller.simulator.truth.deliveries import estimated_delivery_price
from poller.simulator.truth.funding import funding
from poller.simulator.truth.future_summaries import future_summaries, held_since
from poller.simulator.truth.futures import funding_rate, mark, traded
from poller.simulator.truth.listing import CURRENCIES, expiries, instant_of, listed_since, second_of
from store.market.instruments import future_of

NOW = datetime(2026, 9, 20, 21, 17, 16, tzinfo=UTC)
SECOND = second_of(NOW)


def rows_of(currency: str, at: datetime = NOW) -> dict[datetime | None, dict[str, Any]]:
    return {future_of(row["instrument_name"]).expiry: row for row in future_summaries(currency, at)}


@pytest.mark.parametrize("currency", CURRENCIES)
def test_there_is_a_future_for_each_expiry_and_a_perpetual(currency):
    assert rows_of(currency).keys() == {None, *expiries(SECOND)}


@pytest.mark.parametrize("currency", CURRENCIES)
def test_prices_are_those_of_the_model(currency):
    for expiry, row in rows_of(currency).items():
        assert row["mark_price"] == mark(currency, expiry, SECOND)
        assert row["last"] == traded(currency, expiry, SECOND)
        assert row["estimated_delivery_price"] == estimated_delivery_price(currency, SECOND)
        assert row["bid_price"] <= row["mark_price"] < row["ask_price"]
        assert row["creation_timestamp"] == SECOND * 1000


@pytest.mark.parametrize("currency", CURRENCIES)
def test_only_the_perpetual_has_funding(currency):
    rows = rows_of(currency)
    perpetual = rows.pop(None)

    assert perpetual["current_funding"] == round(funding_rate(currency, SECOND), 8)
    assert perpetual["funding_8h"] == round(funding(currency, SECOND, 8), 8)
    assert all("current_funding" not in row and "funding_8h" not in row for row in rows.values())


def test_the_perpetual_is_held_most():
    rows = rows_of("BTC")

    assert max(rows, key=lambda expiry: rows[expiry]["open_interest"]) is None
    assert all(row["open_interest"] % 10 == 0 for row in rows.values())
    assert all(row["volume"] == pytest.approx(row["volume_usd"] / row["mark_price"], abs=1e-8) for row in rows.values())


def test_a_future_begins_without_trades():
    expiry = expiries(SECOND)[3]
    row = rows_of("BTC", instant_of(held_since(expiry)))[expiry]

    assert held_since(expiry) == listed_since(expiry)
    assert (row["open_interest"], row["volume"]) == (0, 0)
    assert [row[name] for name in ("last", "high", "low", "price_change")] == [None] * 4


def test_the_rows_are_in_no_order():
    names = [row["instrument_name"] for row in future_summaries("BTC", NOW + timedelta(seconds=2))]

    assert names != sorted(names)
