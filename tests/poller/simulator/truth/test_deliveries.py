import statistics
from datetime import UTC, datetime, timedelta

import pytest

from poller.simulator.truth.deliveries import delivery_price, estimated_delivery_price, running_delivery_price
from poller.simulator.truth.listing import DAY_S, instant_of, second_of
from poller.simulator.truth.prices import price

EIGHT = datetime(2026, 9, 20, 8, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("index_name", ["btc_usd", "eth_usd", "xrp_usdc"])
def test_the_delivery_price_is_the_mean_index_of_the_half_hour_before_expiry(index_name):
    every = [price(index_name, EIGHT - i * SECOND) for i in range(1, 1801)]

    delivered = delivery_price(index_name, second_of(EIGHT) // DAY_S)

    assert delivered == pytest.approx(statistics.fmean(every), rel=3e-4)
    assert delivered != price(index_name, EIGHT)


def test_the_running_mean_ends_as_the_delivery_price():
    assert running_delivery_price("btc_usd", second_of(EIGHT) - 1) == delivery_price(
        "btc_usd", second_of(EIGHT) // DAY_S
    )


@pytest.mark.parametrize("seconds", [-1801, 0, 50_000])
def test_outside_of_the_half_hour_it_is_the_index(seconds):
    second = second_of(EIGHT) + seconds

    assert running_delivery_price("btc_usd", second) == price("btc_usd", instant_of(second))
    assert estimated_delivery_price("BTC", second) == price("btc_usd", instant_of(second))


def test_it_begins_with_the_index():
    second = second_of(EIGHT) - 1800

    assert estimated_delivery_price("ETH", second) == price("eth_usd", instant_of(second))
