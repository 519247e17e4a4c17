"""Options are valued by Black-76 without interest, with the greeks as the exchange defines them."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from vollib.black import black
from vollib.black.greeks import analytical
from vollib.black.implied_volatility import implied_volatility as vollib_iv
from vollib.black_scholes.greeks import analytical as with_interest

from store.market.black76 import call_delta, greeks, implied_volatility, mark_price, value, years_between
from store.market.instruments import Option

EXPIRY = datetime(2026, 12, 25, 8, tzinfo=UTC)
CALL = Option("BTC", EXPIRY, 90_000.0, "call")
PUT = CALL._replace(option_type="put")
FORWARD, YEARS, IV = 80_000.0, 0.25, 45.0

FORWARDS = st.floats(0.1, 200_000)
FAR = st.floats(-6, 6)  # standard deviations from the forward to the strike
HALF_HOUR_TO_TWO_YEARS = st.floats(0.5 / 8760, 2)
IVS = st.floats(5, 300)
TYPES = st.sampled_from(["call", "put"])


def payoff_by_integration(option_type: str, forward: float, strike: float, deviations: float) -> float:
    """The mean of the payoff over the lognormal distribution, by the midpoints of 20,000 slices."""
    width = 20 / 20_000
    total = 0.0
    for number in range(20_000):
        z = -10 + width * (number + 0.5)
        end = forward * math.exp(deviations * z - deviations**2 / 2)
        payoff = max(0.0, end - strike if option_type == "call" else strike - end)
        total += payoff * math.exp(-z * z / 2) / math.sqrt(2 * math.pi) * width
    return total


def strike_at(far: float, forward: float, years: float, iv: float) -> float:
    return forward * math.exp(far * iv / 100 * math.sqrt(years))


def close(expected: float, scale: float = 1.0) -> Any:
    """Up to what vollib loses far in the money, where it takes one large number from another."""
    return pytest.approx(expected, rel=1e-7, abs=1e-12 * scale)


def slope(function: Callable[[float], float], x: float, step: float) -> float:
    return (function(x + step) - function(x - step)) / (2 * step)


@pytest.mark.parametrize(("strike", "years", "iv"), [(80_000, 0.25, 45), (110_000, 1, 60), (70_000, 1 / 365, 80)])
@pytest.mark.parametrize("option_type", ["call", "put"])
def test_the_value_is_the_mean_payoff(option_type, strike, years, iv):
    expected = payoff_by_integration(option_type, FORWARD, strike, iv / 100 * math.sqrt(years))

    assert value(option_type, FORWARD, strike, years, iv) == pytest.approx(expected, rel=1e-6, abs=1e-3)


@given(option_type=TYPES, forward=FORWARDS, far=FAR, years=HALF_HOUR_TO_TWO_YEARS, iv=IVS)
def test_values_and_greeks_are_those_of_vollib(option_type, forward, far, years, iv):
    option = Option("BTC", EXPIRY, strike_at(far, forward, years, iv), option_type)
    theirs = (option_type[0], forward, option.strike, years, 0, iv / 100)

    ours = greeks(option, forward, years, iv)

    assert value(option_type, forward, option.strike, years, iv) == close(black(*theirs), forward)
    assert ours is not None
    assert ours.delta == close(analytical.delta(*theirs))
    assert ours.gamma == pytest.approx(analytical.gamma(*theirs))
    assert ours.vega == close(analytical.vega(*theirs), forward)
    assert ours.rho == close(with_interest.rho(*theirs), forward)


@given(option_type=TYPES, forward=FORWARDS, far=FAR, years=st.floats(1 / 365, 2), iv=IVS)
def test_theta_is_that_of_vollib_where_the_rules_of_the_exchange_change_nothing(option_type, forward, far, years, iv):
    option = Option("BTC", EXPIRY, strike_at(far, forward, years, iv), option_type)
    theirs = (option_type[0], forward, option.strike, years, 0, iv / 100)
    assume(-analytical.theta(*theirs) < black(*theirs))

    ours = greeks(option, forward, years, iv)

    assert ours is not None
    assert ours.theta == close(analytical.theta(*theirs), forward)


def test_theta_covers_no_more_than_the_life_that_is_left():
    years = 6 / 24 / 365
    deep = CALL._replace(strike=FORWARD)

    ours = greeks(deep, FORWARD, years, IV)

    assert ours is not None
    assert ours.theta == pytest.approx(analytical.theta("c", FORWARD, FORWARD, years, 0, IV / 100) / 4)


@pytest.mark.parametrize("option", [CALL, PUT._replace(strike=75_000.0)])
def test_theta_never_loses_more_than_the_value(option):
    years = 1.2 / 365

    ours = greeks(option, FORWARD, years, IV)

    assert ours is not None
    assert 0 < value(option.option_type, FORWARD, option.strike, years, IV) == -ours.theta


@given(forward=FORWARDS, far=FAR, years=HALF_HOUR_TO_TWO_YEARS, iv=IVS)
def test_a_call_is_worth_a_put_and_the_forward_against_the_strike(forward, far, years, iv):
    strike = strike_at(far, forward, years, iv)
    call, put = (Option("BTC", EXPIRY, strike, option_type) for option_type in ("call", "put"))
    of_call, of_put = greeks(call, forward, years, iv), greeks(put, forward, years, iv)

    marks = mark_price(call, forward, years, iv) - mark_price(put, forward, years, iv)

    assert marks == pytest.approx(1 - strike / forward, abs=1e-12 * max(1, strike / forward))
    assert of_call is not None
    assert of_put is not None
    assert of_call.delta - of_put.delta == pytest.approx(1)
    assert of_call.delta == call_delta(forward, strike, years, iv)
    assert (of_call.gamma, of_call.vega) == (of_put.gamma, of_put.vega)
    assert of_call.rho - of_put.rho == pytest.approx(strike * years / 100)


@pytest.mark.parametrize("option", [CALL, PUT, CALL._replace(strike=70_000.0), PUT._replace(strike=81_000.0)])
def test_greeks_are_the_slopes_of_the_value(option):
    def at(forward: float = FORWARD, years: float = YEARS, iv: float = IV) -> float:
        return value(option.option_type, forward, option.strike, years, iv)

    ours = greeks(option, FORWARD, YEARS, IV)

    assert ours is not None
    assert ours.delta == pytest.approx(slope(lambda forward: at(forward=forward), FORWARD, 1), rel=1e-6)
    assert ours.gamma == pytest.approx((at(FORWARD + 20) - 2 * at() + at(FORWARD - 20)) / 400, rel=1e-4)
    assert ours.vega == pytest.approx(slope(lambda iv: at(iv=iv), IV, 0.01), rel=1e-6)
    assert ours.theta == pytest.approx(-slope(lambda years: at(years=years), YEARS, 1e-4) / 365, rel=1e-6)


@given(option_type=TYPES, forward=FORWARDS, far=FAR, years=HALF_HOUR_TO_TWO_YEARS, iv=IVS, more=st.floats(0, 50))
def test_the_value_rises_with_volatility_between_its_bounds(option_type, forward, far, years, iv, more):
    strike = strike_at(far, forward, years, iv)
    intrinsic = max(0, forward - strike if option_type == "call" else strike - forward)

    less, most = (value(option_type, forward, strike, years, each) for each in (iv, iv + more))

    assert intrinsic <= less <= most + 1e-12 * max(forward, strike)
    assert most <= (forward if option_type == "call" else strike) * (1 + 1e-12)


@pytest.mark.parametrize(("years", "iv"), [(0, 45), (-0.1, 45), (0.25, 0)])
def test_an_option_that_nothing_can_happen_to_has_its_intrinsic_value_and_no_greeks(years, iv):
    in_the_money = CALL._replace(strike=70_000.0)

    assert value("call", FORWARD, 70_000, years, iv) == 10_000
    assert value("put", FORWARD, 70_000, years, iv) == 0
    assert greeks(in_the_money, FORWARD, years, iv) is None


def test_a_mark_is_in_coin_and_that_of_a_linear_option_in_its_second_currency():
    linear = CALL._replace(underlying="BTC_USDC")

    assert mark_price(linear, FORWARD, YEARS, IV) == value("call", FORWARD, 90_000, YEARS, IV)
    assert mark_price(CALL, FORWARD, YEARS, IV) == mark_price(linear, FORWARD, YEARS, IV) / FORWARD


@given(option=st.sampled_from([CALL, PUT]), far=st.floats(-5, 5), years=HALF_HOUR_TO_TWO_YEARS, iv=IVS)
def test_the_volatility_of_a_mark_is_the_one_it_was_made_with(option, far, years, iv):
    option = option._replace(strike=strike_at(far, FORWARD, years, iv))
    mark = mark_price(option, FORWARD, years, iv)
    intrinsic = mark_price(option, FORWARD, years, 0)
    assume(mark - intrinsic > 1e-9)  # what a float of a deep mark keeps of its time value

    assert implied_volatility(option, mark, FORWARD, years) == pytest.approx(iv, rel=1e-5)


@given(far=st.floats(0, 12), years=HALF_HOUR_TO_TWO_YEARS, iv=IVS)
def test_the_volatility_of_a_price_is_that_of_vollib(far, years, iv):
    option = Option("BTC_USDC", EXPIRY, strike_at(far, FORWARD, years, iv), "call")
    price = value("call", FORWARD, option.strike, years, iv)

    theirs = 100 * vollib_iv(price, FORWARD, option.strike, 0, years, "c")

    assert implied_volatility(option, price, FORWARD, years) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("option", [CALL._replace(strike=70_000.0), PUT._replace(strike=70_000.0)])
@pytest.mark.parametrize(
    ("price", "years"), [(0.0, YEARS), (-0.01, YEARS), (0.125, 0.0), (0.125, -1.0), (1.0, YEARS), (1.5, YEARS)]
)
def test_a_price_that_no_volatility_gives_has_none(option, price, years):
    assert implied_volatility(option, price, FORWARD, years) is None


def test_a_bid_at_the_intrinsic_value_has_no_volatility():
    assert implied_volatility(CALL._replace(strike=70_000.0), 0.125, FORWARD, YEARS) is None
    assert implied_volatility(CALL._replace(strike=70_000.0), 0.1251, FORWARD, YEARS) is not None


@pytest.mark.parametrize("missing", [10 ** -(tenths / 10) for tenths in range(40, 150)])
def test_a_price_near_its_upper_bound_has_the_volatility_that_rounding_leaves(missing):
    at_the_money = CALL._replace(strike=FORWARD)

    found = implied_volatility(at_the_money, 1 - missing, FORWARD, 1.0)

    assert found is not None
    assert mark_price(at_the_money, FORWARD, 1.0, found) == pytest.approx(1 - missing, abs=1e-15)


def test_a_year_has_365_days():
    assert years_between(EXPIRY - timedelta(days=73), EXPIRY) == 0.2
    assert years_between(EXPIRY, EXPIRY) == 0
