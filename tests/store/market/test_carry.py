"""Basis and funding are rates a year only where a year can be told from what is known."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.market.carry import (
    annual_basis,
    annual_rate,
    basis,
    constant_maturity_basis,
    funding_over,
    funding_rate,
)

INDEX = 80_000.0
START = datetime(2026, 11, 28, tzinfo=UTC)


def days(count: float) -> timedelta:
    return timedelta(days=count)


def hours(count: int) -> list[tuple[datetime, float]]:
    return [(START + timedelta(hours=number + 1), 1e-5 * (number + 1)) for number in range(count)]


def test_the_basis_is_a_fraction_of_the_index():
    assert basis(81_600, INDEX) == pytest.approx(0.02)
    assert basis(79_200, INDEX) == pytest.approx(-0.01)


def test_the_annual_basis_is_simple():
    assert annual_basis(81_600, INDEX, days(73)) == pytest.approx(0.1)
    assert annual_basis(81_600, INDEX, days(365)) == pytest.approx(0.02)


def test_a_future_has_no_annual_basis_on_its_last_day():
    assert annual_basis(80_012.8, INDEX, timedelta(hours=23, minutes=59)) is None
    assert annual_basis(80_012.8, INDEX, days(1)) == pytest.approx(0.00016 * 365)


@given(end=st.floats(1_000, 1_000_000), future=st.floats(70_000, 90_000))
def test_the_carry_trade_earns_the_basis_whatever_the_price_at_expiry(end, future):
    """One coin is bought, and contracts for F USD are sold: each USD of them pays 1/S_T - 1/F coins at expiry."""
    coins = 1 + future * (1 / end - 1 / future)

    assert coins * end / INDEX - 1 == pytest.approx(basis(future, INDEX))


def test_the_basis_at_a_constant_maturity_is_linear_in_the_logarithm():
    futures = [(days(123), 82_000.0), (days(70), 81_000.0)]
    share = 20 / 53
    carry = (1 - share) * math.log(81_000 / INDEX) + share * math.log(82_000 / INDEX)

    assert constant_maturity_basis(futures, INDEX, days(90)) == pytest.approx((math.exp(carry) - 1) * 365 / 90)


@given(rate=st.floats(-0.5, 0.5), maturity=st.integers(1, 300))
def test_one_rate_for_all_futures_is_the_rate_at_each_maturity(rate, maturity):
    futures = [(days(left), INDEX * math.exp(rate * left / 365)) for left in (1, 30, 90, 300)]

    found = constant_maturity_basis(futures, INDEX, days(maturity))

    assert found == pytest.approx(math.expm1(rate * maturity / 365) * 365 / maturity, rel=1e-9, abs=1e-12)


def test_no_basis_is_known_beyond_the_futures_and_from_the_last_day_of_one():
    futures = [(days(0.9), 80_100.0), (days(20), 80_200.0), (days(60), 81_000.0)]

    assert [constant_maturity_basis(futures, INDEX, days(left)) for left in (7, 90)] == [None, None]
    assert constant_maturity_basis(futures, INDEX, days(30)) is not None
    assert constant_maturity_basis([], INDEX, days(30)) is None


@pytest.mark.parametrize(
    ("premium", "rate"),
    [(0.0, 0), (0.000196, 0), (-0.00025, 0), (0.00025, 0), (0.001, 0.00075), (-0.001, -0.00075)],
)
def test_a_premium_up_to_a_fortieth_of_a_percent_costs_no_funding(premium, rate):
    assert funding_rate(INDEX * (1 + premium), INDEX) == pytest.approx(rate, abs=1e-12)


def test_a_rate_for_8_hours_is_paid_1095_times_a_year():
    assert annual_rate(0.0001) == pytest.approx(0.1095)


def test_funding_over_a_window_is_annual_by_the_hours_that_are_known():
    known = [hour for number, hour in enumerate(hours(24)) if number not in {3, 4}]

    found = funding_over(reversed(known), START, START + days(1))

    total = 1e-5 * (300 - 4 - 5)
    assert list(found) == pytest.approx([total, total * 8760 / 22, 22, 24])


def test_a_window_has_its_whole_hours_only():
    found = funding_over(hours(24), START + timedelta(minutes=30), START + timedelta(hours=4, minutes=59))

    assert list(found) == pytest.approx([1e-5 * (2 + 3 + 4), 3e-5 * 8760, 3, 3])


def test_the_hour_that_ends_with_the_window_is_in_it():
    found = funding_over(hours(24), START + timedelta(hours=1), START + timedelta(hours=2))

    assert list(found) == pytest.approx([2e-5, 2e-5 * 8760, 1, 1])


@pytest.mark.parametrize("length", [timedelta(0), timedelta(minutes=59), -days(1)])
def test_a_window_without_a_whole_hour_has_no_funding(length):
    assert funding_over(hours(24), START, START + length) == (None, None, 0, 0)


def test_hours_that_nobody_knows_are_due():
    assert funding_over([], START, START + days(7)) == (None, None, 0, 168)
