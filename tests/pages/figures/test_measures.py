"""The measures of a range follow from its bars."""

import math
import statistics
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.common.figures.measures import measured
from tests.pages.frames import frame

YEAR = timedelta(days=365)


def test_a_range_opens_with_its_first_bar_and_closes_with_its_last():
    its = measured(frame(100.0, 140.0, 80.0, 110.0, spread=5.0))

    assert (its.open, its.high, its.low, its.close) == (100.0, 145.0, 75.0, 110.0)
    assert its.change == pytest.approx(0.1)


def test_the_measures_name_the_longest_average_of_a_range():
    assert measured(frame(1.0, 2.0)).averages_s == 0
    assert measured(frame(1.0, 2.0, averaged=[1], resolution_s=60)).averages_s == 60


@given(
    closes=st.lists(st.floats(1e-6, 1e6), min_size=3, max_size=50),
    interval=st.integers(1, 10**6).map(lambda seconds: timedelta(seconds=seconds)),
)
def test_realised_volatility_is_the_root_of_the_mean_square_return_in_a_year(closes, interval):
    returns = [math.log(after / before) for before, after in pairwise(closes)]

    its = measured(frame(*closes, interval=interval))

    mean_square = statistics.fmean(each**2 for each in returns)
    assert its.volatility == pytest.approx(math.sqrt(mean_square * (YEAR / interval)), rel=1e-6, abs=1e-9)


def test_volatility_of_a_random_walk_is_that_of_its_steps():
    daily = 0.8 / math.sqrt(365)
    steps = np.random.default_rng(1).normal(0, daily, 10_000)
    century = datetime(2000, 1, 1, tzinfo=UTC)

    its = measured(frame(*np.exp(np.cumsum(steps)), start=century, interval=timedelta(days=1)))

    assert its.volatility == pytest.approx(0.8, rel=0.03)


def test_volatility_counts_neither_the_return_nor_the_time_across_a_gap():
    whole, broken = frame(100.0, 101.0, 100.0, 101.0), frame(100.0, 101.0, 100.0, None, None, 500.0, 505.0)

    returns = [math.log(1.01), math.log(1 / 1.01), math.log(1.01)]
    expected = math.sqrt(statistics.fmean(each**2 for each in returns) * (YEAR / timedelta(minutes=1)))
    assert measured(whole).volatility == pytest.approx(expected)
    assert measured(broken).volatility == pytest.approx(expected)


@pytest.mark.parametrize(
    "closes", [(100.0,), (100.0, 101.0), (100.0, None, 101.0, None, 102.0), (100.0, 101.0, None, 102.0)]
)
def test_fewer_than_two_returns_have_no_volatility(closes):
    assert math.isnan(measured(frame(*closes)).volatility)


def test_a_constant_price_has_a_volatility_of_zero():
    assert measured(frame(100.0, 100.0, 100.0)).volatility == 0.0
