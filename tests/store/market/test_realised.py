"""Realised volatility, rank, percentile and premia equal what pandas and plain arithmetic make of the same numbers."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.market.realised import (
    MINUTES_A_DAY,
    Band,
    Moves,
    Standing,
    band,
    moves_of,
    premium,
    realised,
    rolling,
    square,
    standing,
    together,
)

SQUARES = st.lists(st.floats(0, 1e-4), max_size=30)
CLOSES = st.lists(st.floats(10, 200), min_size=1, max_size=400)


@given(closes=st.lists(st.floats(50, 200), min_size=2, max_size=200))
def test_realised_volatility_is_the_root_of_the_mean_square_return_in_a_year_of_minutes(closes):
    found = realised(moves_of([square(*pair) for pair in pairwise(closes)]), len(closes) - 1)

    returns = pd.Series(np.log(closes)).diff().dropna()
    assert found == pytest.approx(100 * math.sqrt((returns**2).mean() * 525_600), abs=1e-9)


@pytest.mark.parametrize(("known", "shown"), [(50, True), (49, False), (0, False)])
def test_half_of_the_returns_must_be_known(known, shown):
    assert (realised(Moves(1e-6 * known, known), due=100) is not None) == shown


def test_no_return_is_no_volatility_also_where_none_is_due():
    assert realised(Moves(), due=0) is None


def test_what_is_not_known_counts_for_nothing():
    assert realised(Moves(6e-6, 6), due=10) == realised(Moves(1e-5, 10), due=10)


@given(first=SQUARES, second=SQUARES)
def test_the_moves_of_two_times_are_those_of_both(first, second):
    found = together([moves_of(first), moves_of(second)])

    assert found.known == len(first) + len(second)
    assert found.squares == pytest.approx(sum(first + second), abs=1e-12)


@given(
    days=st.lists(st.tuples(st.floats(0, 1e-2), st.integers(0, MINUTES_A_DAY)), max_size=60),
    window=st.integers(1, 30),
)
def test_a_rolling_volatility_is_that_of_the_steps_up_to_each_one(days, window):
    found = rolling([Moves(squares, count) for squares, count in days], window, window * MINUTES_A_DAY)

    frame = pd.DataFrame(days, columns=["squares", "count"], dtype=float)
    sums = frame.rolling(window, min_periods=1).sum()
    expected = 100 * np.sqrt(sums["squares"].clip(lower=0) / sums["count"] * 525_600)
    expected = expected.where((sums["count"] > 0) & (2 * sums["count"] >= window * 1440))
    assert [math.nan if each is None else each for each in found] == pytest.approx(expected, nan_ok=True, abs=1e-3)


@given(values=st.lists(st.none() | st.floats(1, 200), max_size=50))
def test_a_band_has_the_quantiles_of_what_is_known(values):
    found = band(values)

    known = [value for value in values if value is not None]
    expected = [*np.quantile(known, [0, 0.25, 0.5, 0.75, 1]), len(known)] if known else None
    assert found == (expected if expected is None else pytest.approx(tuple(expected)))


@given(now=st.floats(10, 200), closes=CLOSES)
def test_rank_and_percentile_are_those_of_the_daily_closes(now, closes):
    found = standing(now, closes)

    series = pd.Series([*closes, now])
    assert found is not None
    assert found.days == len(closes)
    assert found.percentile == pytest.approx((pd.Series(closes) < now).mean())
    if series.nunique() > 1:
        assert found.rank == pytest.approx((now - series.min()) / (series.max() - series.min()))


@pytest.mark.parametrize(
    ("now", "found"),
    [(50, Standing(0.5, 0.5, 4)), (60, Standing(1, 0.75, 4)), (70, Standing(1, 1, 4)), (30, Standing(0, 0, 4))],
)
def test_rank_goes_from_the_least_to_the_largest_and_percentile_counts_days_below(now, found):
    assert standing(now, [40, 45, 55, 60]) == found


def test_a_volatility_that_never_moved_has_no_rank_and_one_without_a_past_has_no_standing():
    assert standing(50, [50, 50]) == Standing(None, 0, 2)
    assert standing(50, []) is None


def test_a_premium_is_implied_less_realised_in_points_and_in_variance():
    assert premium(50, 40) == pytest.approx((10, 0.25 - 0.16))
    assert premium(40, 50) == pytest.approx((-10, 0.16 - 0.25))


@pytest.mark.parametrize("pair", [(None, 40), (50, None)])
def test_a_premium_needs_both(pair):
    assert premium(*pair) is None


@pytest.mark.parametrize(
    ("days", "window_d", "apart"), [(1, 90, 1), (90, 90, 1), (91, 90, 2), (365, 90, 5), (365, 180, 3), (360, 180, 2)]
)
def test_windows_are_apart_that_share_no_day(days, window_d, apart):
    ends, picked = range(days), [0]
    for end in ends:
        if end - picked[-1] >= window_d:
            picked.append(end)

    assert Band(1, 1, 1, 1, 1, days).apart(window_d) == apart == len(picked)
