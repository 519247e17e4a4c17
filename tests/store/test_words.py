"""Prices, pairs and lengths of time read the same everywhere."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store import words


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1234567.891, "1,234,567.89"),
        (101515.7, "101,515.70"),
        (100, "100.00"),
        (99.5, "99.5000"),
        (2.3456, "2.34560"),
        (0.5, "0.500000"),
        (0.00001234, "0.0000123400"),
        (0, "0.00"),
        (-0.0, "0.00"),
        (-0.00012, "-0.000120000"),
        (-101515.7, "-101,515.70"),
        (1e-9, "0.00000000100000"),
        (-1.5e-12, "-1.50000e-12"),
        (5e-324, "4.94066e-324"),
        (float("nan"), "–"),
        (float("-inf"), "–"),
    ],
)
def test_a_price_has_digits_that_suit_its_size(value, shown):
    assert words.price(value) == shown


@pytest.mark.parametrize(
    ("value", "digits"), [(0, 2), (float("nan"), 2), (float("inf"), 2), (-250, 2), (-0.5, 6), (1e-9, 14), (5e-324, 14)]
)
def test_every_float_has_a_number_of_digits(value, digits):
    assert words.decimals(value) == digits


@given(value=st.floats(-1e9, 1e9).filter(lambda value: abs(value) >= 1e-9))
def test_a_price_is_shown_to_a_cent_or_to_six_significant_digits(value):
    told = float(words.price(value).replace(",", ""))

    assert told == pytest.approx(value, abs=0.005 if abs(value) >= 100 else 0, rel=0 if abs(value) >= 100 else 5e-6)


@pytest.mark.parametrize(
    ("name", "pair"),
    [("btc_usd", "BTC / USD"), ("sol_usdc", "SOL / USDC"), ("btcdvol", "BTCDVOL"), ("options/BTC", "options/BTC")],
)
def test_an_index_is_shown_as_the_pair_that_it_prices(name, pair):
    assert words.pair(name) == pair


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        (timedelta(0), "0 s"),
        (timedelta(milliseconds=500), "0.5 s"),
        (timedelta(seconds=6), "6 s"),
        (timedelta(seconds=90), "90 s"),
        (timedelta(minutes=15), "15 min"),
        (timedelta(minutes=90), "90 min"),
        (timedelta(hours=4), "4 h"),
        (timedelta(days=1), "1 d"),
        (timedelta(weeks=1), "7 d"),
    ],
)
def test_a_length_of_time_is_shown_in_its_largest_whole_unit(length, shown):
    assert words.span(length) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.4, "under 1 s"),
        (5, "5 s"),
        (300, "5 min"),
        (305, "5 min 5 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (4320, "1 h 12 min"),
        (90_061, "1 d 1 h"),
        (86_400 * 400, "400 d"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds, shown):
    assert words.duration(timedelta(seconds=seconds)) == shown
