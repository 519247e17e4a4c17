"""The volatility of an expiry is read between its strikes, at the money, at a delta, and of the whole strip."""

import math
from collections.abc import Callable
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.market.black76 import call_delta, value
from store.market.curve import Curve, curve_of, iv_at_delta, iv_at_the_money, strip_iv
from tests.store.market.chains import FORWARD, STRIKES

YEARS = 30 / 365


def skewed(strike: float) -> float:
    """More volatility below the forward than above, and most far from it."""
    far = math.log(strike / FORWARD)
    return 45 - 12 * far + 15 * far**2


def curve(iv: Callable[[float], float], years: float = YEARS, strikes: tuple[float, ...] = STRIKES) -> Curve:
    return curve_of(FORWARD, years, {strike: iv(strike) for strike in strikes})


def strip_by_midpoints(of: Curve, delta: float) -> float:
    """The strip by its definition: 40,000 slices between the outermost strikes, with an IV linear in ln(K/F)."""
    low, high = of.moneyness[0], of.moneyness[-1]
    width = (high - low) / 40_000
    integral, right = 0.0, 1
    for number in range(40_000):
        x = low + width * (number + 0.5)
        while of.moneyness[right] < x:
            right += 1
        before, after = of.moneyness[right - 1 : right + 1]
        iv_before, iv_after = of.ivs[right - 1 : right + 1]
        iv = iv_before + (iv_after - iv_before) * (x - before) / (after - before)
        strike = of.forward * math.exp(x)
        if delta <= call_delta(of.forward, strike, of.years, iv) <= 1 - delta:
            integral += (
                value("call" if strike > of.forward else "put", of.forward, strike, of.years, iv)
                / strike**2
                * strike
                * width
            )
    return 100 * math.sqrt(2 / of.years * integral)


def test_the_volatility_at_the_money_lies_between_its_two_strikes_by_the_logarithm_of_the_strike():
    both = curve(lambda strike: 40 if strike < FORWARD else 44, strikes=(78_000, 83_000))
    share = math.log(80_000 / 78_000) / math.log(83_000 / 78_000)

    assert iv_at_the_money(both) == pytest.approx(40 + 4 * share)


def test_the_volatility_at_the_money_is_that_of_a_strike_at_the_forward():
    assert iv_at_the_money(curve(skewed, strikes=(78_000, FORWARD, 90_000))) == skewed(FORWARD)


@pytest.mark.parametrize("strikes", [(), (79_000,), (81_000, 82_000), (78_000, 79_000)])
def test_no_volatility_is_at_the_money_where_no_strikes_are_around_it(strikes):
    assert iv_at_the_money(curve(skewed, strikes=strikes)) is None


@pytest.mark.parametrize("delta", [0.1, 0.25, 0.5, 0.75, 0.9])
def test_the_volatility_at_a_delta_is_linear_in_delta_between_its_two_strikes(delta):
    of = curve(skewed)
    right = next(number for number, each in enumerate(of.deltas) if each < delta)
    share = (of.deltas[right - 1] - delta) / (of.deltas[right - 1] - of.deltas[right])

    found = iv_at_delta(of, delta)

    assert found is not None
    assert found == pytest.approx((1 - share) * of.ivs[right - 1] + share * of.ivs[right])
    strike = FORWARD * math.exp((found / 100) ** 2 * YEARS / 2 - NormalDist().inv_cdf(delta) * found / 100 * YEARS**0.5)
    assert found == pytest.approx(skewed(strike), abs=0.05)


def test_no_volatility_is_at_a_delta_that_the_strikes_do_not_reach():
    near = curve(skewed, strikes=(78_000, 80_000, 82_000))

    assert [iv_at_delta(near, delta) for delta in (0.1, 0.25, 0.75, 0.9)] == [None] * 4
    assert iv_at_delta(near, 0.5) is not None
    assert iv_at_delta(curve(skewed, strikes=(80_000,)), 0.5) is None


def test_the_delta_nearest_to_the_money_counts_where_noise_repeats_it():
    noisy = Curve(
        FORWARD, YEARS, (-0.2, -0.1, 0.0, 0.1, 0.2, 0.3), (60, 50, 40, 41, 44, 48), (0.7, 0.8, 0.5, 0.2, 0.3, 0)
    )

    assert iv_at_delta(noisy, 0.75) == pytest.approx(50 - 10 / 6)
    assert iv_at_delta(noisy, 0.25) == pytest.approx(40 + 5 / 6)


def test_two_strikes_of_one_delta_have_the_volatility_of_the_first():
    level = Curve(FORWARD, YEARS, (0.0, 0.1), (40, 42), (0.5, 0.5))

    assert iv_at_delta(level, 0.5) == 40


@pytest.mark.parametrize("years", [2 / 365, YEARS, 1])
def test_the_strip_is_the_integral_between_two_deltas(years):
    of = curve(skewed, years, tuple(FORWARD * math.exp(far / 40) for far in range(-60, 81)))

    assert strip_iv(of, 0.05) == pytest.approx(strip_by_midpoints(of, 0.05), abs=0.03)


@given(iv=st.floats(20, 150), years=st.floats(1 / 365, 1))
def test_the_whole_strip_of_a_flat_smile_has_its_volatility(iv, years):
    width = iv / 100 * math.sqrt(years)
    strikes = tuple(FORWARD * math.exp(width * far / 10) for far in range(-80, 81))

    found = strip_iv(curve(lambda _: iv, years, strikes), 1e-10)

    assert found == pytest.approx(iv, rel=1e-5)


@given(iv=st.floats(20, 150), delta=st.floats(0.01, 0.2), more=st.floats(0.01, 0.2))
def test_a_shorter_strip_has_less_volatility(iv, delta, more):
    strikes = tuple(FORWARD * math.exp(iv / 1000 * far / 10) for far in range(-100, 101))
    of = curve(lambda _: iv, YEARS, strikes)

    longer, shorter = strip_iv(of, delta), strip_iv(of, delta + more)

    assert longer is not None
    assert shorter is not None
    assert shorter < longer < iv


@pytest.mark.parametrize("strikes", [STRIKES[:30], STRIKES[22:], (80_000,), ()])
def test_a_strip_that_the_strikes_do_not_reach_is_unknown(strikes):
    assert strip_iv(curve(skewed, strikes=strikes), 0.05) is None


def test_a_strip_whose_ends_noise_has_swapped_is_unknown():
    noisy = Curve(FORWARD, YEARS, (-0.1, 0.0, 0.1), (60, 50, 40), (0.0, 0.5, 1.0))

    assert strip_iv(noisy, 0.05) is None


def test_the_unit_of_the_strikes_changes_nothing():
    of = curve(skewed)
    in_cents = curve_of(FORWARD * 100, YEARS, {strike * 100: skewed(strike) for strike in STRIKES})

    for read in (iv_at_the_money, lambda each: iv_at_delta(each, 0.25), lambda each: strip_iv(each, 0.05)):
        assert read(in_cents) == pytest.approx(read(of))
