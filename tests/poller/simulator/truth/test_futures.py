import math
import statistics
from datetime import UTC, datetime

import pytest

from poller.simulator.truth import futures
from poller.simulator.truth.listing import CURRENCIES, expiries, second_of
from poller.simulator.truth.prices import price

AT = datetime(2026, 9, 20, 21, 17, 16, tzinfo=UTC)
NOW = second_of(AT)
INSTANTS = range(NOW - 90 * 86_400, NOW, 6131)


@pytest.mark.parametrize("currency", CURRENCIES)
def test_forwards_are_1_to_6_percent_a_year_above_the_index(currency):
    for second in INSTANTS:
        expiry = expiries(second)[-1]
        years = (second_of(expiry) - second) / 31_536_000
        carry = math.log(futures.forward(currency, expiry, second) / futures.index(currency, second)) / years
        assert 0.01 < carry < 0.06


def test_the_index_is_that_of_the_currency_in_usd():
    assert futures.index("ETH", NOW, seed=7) == price("eth_usd", AT, 7)


def test_the_mark_of_a_dated_future_is_its_forward():
    expiry = expiries(NOW)[3]

    assert futures.mark("BTC", expiry, NOW, 7) == futures.forward("BTC", expiry, NOW, 7)


@pytest.mark.parametrize("currency", CURRENCIES)
def test_the_perpetual_stays_near_the_index_and_pays_funding_beyond_the_damper(currency):
    rates = []
    for second in INSTANTS:
        above = futures.mark(currency, None, second) / futures.index(currency, second) - 1
        rate = futures.funding_rate(currency, second)
        rates.append(rate)
        assert abs(above) < 0.0015
        assert above == pytest.approx(futures.premium(currency, second), abs=3e-6)
        assert rate == pytest.approx(math.copysign(max(0, abs(above) - 0.00025), above), abs=3e-6)

    assert statistics.mode(rates) == 0
    assert min(rates) < 0 < max(rates)


@pytest.mark.parametrize("currency", CURRENCIES)
@pytest.mark.parametrize("dated", [False, True])
def test_a_trade_is_at_the_mark_on_a_price_tick_for_15_s(currency, dated):
    expiry, start = expiries(NOW)[0] if dated else None, NOW - NOW % 15
    tick = futures.TICKS[currency][dated]

    trades = {futures.traded(currency, expiry, start + i) for i in range(15)}

    (trade,) = trades
    assert trade == pytest.approx(futures.mark(currency, expiry, start), abs=tick / 2 + 1e-9)
    assert trade / tick == pytest.approx(round(trade / tick))
