import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from poller.simulator.truth.listing import CURRENCIES, second_of
from poller.simulator.truth.surface import STEADY_S, Slice, slice_of
from store.market.black76 import value

NOW = second_of(datetime(2026, 9, 20, 21, 17, tzinfo=UTC))
DAYS = (0.01, 0.5, 1, 7, 30, 90, 365)
MONEYNESS = [i / 20 for i in range(-30, 31)]
INSTANTS = [NOW - 86_400 * 9 * i for i in range(40)]


def smiles(currency: str, second: int) -> list[Slice]:
    return [slice_of(currency, days / 365, second) for days in DAYS]


@pytest.mark.parametrize("currency", CURRENCIES)
def test_no_calendar_arbitrage_is_possible(currency):
    for second in INSTANTS:
        for near, far in pairwise(smiles(currency, second)):
            assert all(near.variance(k) < far.variance(k) for k in MONEYNESS)


@pytest.mark.parametrize("currency", CURRENCIES)
@pytest.mark.parametrize("days", [1, 30, 365])
def test_no_butterfly_arbitrage_is_possible(currency, days):
    step = 0.1 * math.sqrt(days / 365)
    for second in INSTANTS:
        smile = slice_of(currency, days / 365, second)
        strikes = [1 + i * step / 10 for i in range(-9, 30) if 1 + i * step / 10 > 0]
        calls = [
            value("call", 1, strike, smile.years, 100 * math.sqrt(smile.variance(math.log(strike)) / smile.years))
            for strike in strikes
        ]

        assert all(a > b for a, b in pairwise(calls))
        assert all(a - 2 * b + c > -1e-12 for a, b, c in zip(calls, calls[1:], calls[2:], strict=False))
        assert smile.eta * (1 + abs(smile.rho)) <= 2


@pytest.mark.parametrize(("currency", "low", "high"), [("BTC", 30, 52), ("ETH", 45, 72)])
def test_the_volatility_at_the_money_is_the_usual_one(currency, low, high):
    ivs = [slice_of(currency, days / 365, second).iv(0) for second in INSTANTS for days in (1, 30, 300)]

    assert low < min(ivs)
    assert max(ivs) < high
    assert len(set(ivs)) > 50


def test_calls_cost_more_near_expiry_and_puts_later():
    near, far = slice_of("BTC", 1 / 365, NOW), slice_of("BTC", 1, NOW - 86_400 * 50)

    assert near.iv(0.03) > near.iv(-0.03)
    assert near.rho > far.rho


def test_iv_is_percent_with_two_decimals():
    smile = slice_of("ETH", 30 / 365, NOW)
    exact = 100 * math.sqrt(smile.variance(0.1) / smile.years)

    assert smile.iv(0.1) == round(exact, 2)


def test_the_surface_moves_evenly_between_its_steps():
    start = NOW - NOW % STEADY_S
    rhos = [slice_of("BTC", 0.1, start + STEADY_S * i // 2).rho for i in range(3)]

    assert rhos[1] == pytest.approx((rhos[0] + rhos[2]) / 2)


def test_each_currency_and_seed_has_its_own_surface():
    found = {slice_of(currency, 0.1, NOW, seed).theta for currency in CURRENCIES for seed in range(5)}

    assert len(found) == 10


def test_the_surface_is_smooth_in_time():
    minute = timedelta(minutes=1).seconds
    ivs = [slice_of("BTC", 30 / 365, NOW + minute * i).iv(0) for i in range(600)]

    assert max(abs(a - b) for a, b in pairwise(ivs)) < 0.3
