"""Spread, ratio, correlation and beta of two series equal what brute force makes of the same rows."""

import math
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from pages.common.market.compared import combined, moves, rolling

START = datetime.fromisoformat("2026-11-01T12:00:00+00:00")
MINUTE, FEW = timedelta(minutes=1), timedelta(minutes=20)


def frame(values: list[float], step: timedelta = MINUTE, averaged: set[int] | None = None) -> pd.DataFrame:
    """A row for each value that is known; one behind a NaN has a gap before it."""
    known = [place for place, value in enumerate(values) if not math.isnan(value)]
    return pd.DataFrame(
        {
            "open_time": pd.DatetimeIndex([START + place * step for place in known]),
            "value": pd.Series([values[place] for place in known], dtype=float),
            "averaged": [place in (averaged or set()) for place in known],
            "gap_before": [place > 0 and math.isnan(values[place - 1]) for place in known],
        }
    )


def walks(count: int, unknown: float = 0.0) -> tuple[list[float], list[float]]:
    """Two series of made-up values that go along in part; a share of each is unknown."""
    noise = np.random.default_rng(5)
    both = noise.normal(0, 1, count)
    found = [100 * np.exp(np.cumsum(both + noise.normal(0, 1, count)) / 100) for _ in range(2)]
    a, b = ([math.nan if noise.random() < unknown else float(each) for each in its] for its in found)
    return a, b


@pytest.mark.parametrize("how", ["spread", "ratio"])
def test_a_spread_and_a_ratio_are_known_where_both_are(how: Literal["spread", "ratio"]):
    a, b = walks(200, unknown=0.2)

    found = combined(frame(a), frame(b), how)

    expected = {
        START + place * MINUTE: x - y if how == "spread" else x / y
        for place, (x, y) in enumerate(zip(a, b, strict=True))
        if not math.isnan(x - y)
    }
    assert dict(zip(found["open_time"], found["value"], strict=True)) == expected
    places = [place for place in range(200) if not math.isnan(a[place] - b[place])]
    broken = [place - before > 1 for before, place in pairwise(places)]
    assert list(found["gap_before"]) == [False, *broken]


def test_a_ratio_by_nothing_is_unknown_and_breaks_the_line():
    found = combined(frame([1.0, 2.0, 3.0]), frame([2.0, 0.0, 4.0]), "ratio")

    assert list(found["value"]) == [0.5, 0.75]
    assert list(found["gap_before"]) == [False, True]


def test_what_is_made_of_an_average_says_so():
    found = combined(frame([1.0, 2.0, 3.0], averaged={0}), frame([1.0, 1.0, 1.0], averaged={2}), "spread")

    assert list(found["averaged"]) == [True, False, True]


def test_nothing_in_common_is_empty():
    assert combined(frame([1.0, math.nan]), frame([math.nan, 1.0]), "spread").empty
    none = moves(frame([1.0, math.nan]), "btc_usd", MINUTE)
    assert rolling(none, none, MINUTE, 4 * MINUTE).empty


@pytest.mark.parametrize(("name", "is_price"), [("btc_usd", True), ("BTC DVOL", False)])
def test_a_move_leads_from_a_step_to_the_next_one(name, is_price):
    values, _ = walks(100, unknown=0.3)

    found = moves(frame(values), name, MINUTE)

    expected = {
        START + place * MINUTE: 100 * math.log(values[place] / values[place - 1])
        if is_price
        else values[place] - values[place - 1]
        for place in range(1, 100)
        if not math.isnan(values[place] - values[place - 1])
    }
    assert dict(found["move"]) == pytest.approx(expected)


@pytest.mark.parametrize("unknown", [0.0, 0.1, 0.25])
def test_correlation_and_beta_of_each_window_equal_brute_force(unknown):
    a, b = walks(400, unknown)
    x, y = moves(frame(a), "btc_usd", MINUTE)["move"], moves(frame(b), "BTC DVOL", MINUTE)["move"]

    found = rolling(moves(frame(a), "btc_usd", MINUTE), moves(frame(b), "BTC DVOL", MINUTE), MINUTE, 30 * MINUTE)

    expected, last = {}, max(at for at in x.index if at in y.index)
    for place in range(400):
        times = [START + each * MINUTE for each in range(place - 29, place + 1)]
        both = [at for at in times if at in x.index and at in y.index]
        if len(both) >= 15 and times[-1] <= last:
            its, others = [x[at] for at in both], [y[at] for at in both]
            covariance = np.cov(its, others)
            expected[times[-1]] = (np.corrcoef(its, others)[0, 1], covariance[0, 1] / covariance[1, 1], len(both))
    assert list(found["open_time"]) == list(expected)
    np.testing.assert_allclose(found[["correlation", "beta", "known"]].to_numpy(dtype=float), list(expected.values()))
    times = list(expected)
    assert list(found["gap_before"]) == [
        False,
        *(after - at > MINUTE for at, after in pairwise(times)),
    ]
    assert len(found)


def test_a_window_in_which_one_does_not_move_has_no_correlation():
    a, _ = walks(60)
    still: list[float] = [50.0] * 60

    found = rolling(moves(frame(a), "btc_usd", MINUTE), moves(frame(still), "BTC DVOL", MINUTE), MINUTE, 10 * MINUTE)

    assert found.empty


def test_a_series_with_itself_has_a_correlation_of_one():
    a, _ = walks(60)
    its = moves(frame(a), "btc_usd", MINUTE)

    found = rolling(its, its, MINUTE, 10 * MINUTE)

    np.testing.assert_allclose(found[["correlation", "beta"]], 1)
    assert found["correlation"].max() <= 1


def test_later_rows_change_no_earlier_number():
    a, b = walks(200)

    whole, part = (
        rolling(moves(frame(a[:count]), "btc_usd", MINUTE), moves(frame(b[:count]), "btc_usd", MINUTE), MINUTE, FEW)
        for count in (200, 150)
    )

    np.testing.assert_allclose(whole["beta"][: len(part)], part["beta"], rtol=1e-9)


def test_windows_say_where_averages_take_part():
    a, b = walks(60)

    found = rolling(
        moves(frame(a, averaged={20}), "btc_usd", MINUTE), moves(frame(b), "eth_usd", MINUTE), MINUTE, 10 * MINUTE
    )

    marked = list(found["open_time"][found["averaged"]])
    assert (marked[0], marked[-1]) == (START + 20 * MINUTE, START + 30 * MINUTE)
