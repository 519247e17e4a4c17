"""Charts of volatility show what was read, and break where something is missing."""

from collections.abc import Sequence
from datetime import UTC, datetime, timezone

import numpy as np
import pytest

from pages.common.figures import volatility_charts
from store.instants import HOUR, MINUTE
from store.market.reads.dvol import DvolCandle
from store.market.reads.volatility import Point
from store.models import Gap, GapState

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
BERLIN = timezone(HOUR)
BARS = [DvolCandle(NOON + number * HOUR, 40 + number, 42 + number, 39 + number, 41 + number) for number in range(3)]


def point(minutes: float, iv: float | None = 40) -> Point:
    ivs = (iv, iv and iv + 1, iv and iv + 2, None)
    return Point(NOON + minutes * MINUTE, *ivs, rr25_30d=1.5, bf25_30d=0.5, iv_chain_30d=iv, method=1)


def gap(minutes: float, state: GapState = "unfillable") -> Gap:
    start = NOON + minutes * MINUTE
    return Gap("options/BTC", start, start + 5 * MINUTE, 1, 300, "unreachable", "refused", state)


def realised(*values: float | None) -> Sequence[tuple[datetime, float | None]]:
    return [(NOON + number * HOUR, value) for number, value in enumerate(values)]


def hours(x: np.ndarray) -> list[str]:
    return [str(at)[11:16] for at in x]


def test_dvol_is_candles_in_wall_clock_time():
    (candles,) = volatility_charts.dvol(BARS, [], HOUR, BERLIN).data

    assert hours(candles.x) == ["13:00", "14:00", "15:00"]
    assert [list(candles[part]) for part in ("open", "high", "low", "close")] == [
        [40, 41, 42],
        [42, 43, 44],
        [39, 40, 41],
        [41, 42, 43],
    ]
    assert candles.meta == {"series": 0, "part": "candles", "digits": 2, "unit": "%"}


def test_realised_volatility_is_a_line_that_breaks_with_a_dot_for_a_point_without_neighbours():
    _, line, dots = volatility_charts.dvol(BARS, realised(35, 36, None, 37, None), HOUR, UTC).data

    np.testing.assert_array_equal(line.y, [35, 36, np.nan, 37, np.nan])
    np.testing.assert_array_equal(dots.y, [np.nan, np.nan, np.nan, 37, np.nan])
    assert (line.meta["part"], dots.meta["part"], dots.hoverinfo) == ("line", "alone", "skip")


def test_what_is_nowhere_known_has_no_line():
    figure = volatility_charts.at_the_money([point(0), point(5)], [], MINUTE, UTC)

    assert [trace.name for trace in figure.data] == ["7 d", "30 d", "90 d"]
    assert len(volatility_charts.dvol(BARS, realised(None, None), HOUR, UTC).data) == 1


def test_axes_have_their_units():
    assert volatility_charts.at_the_money([point(0)], [], MINUTE, UTC).layout.yaxis.ticksuffix == " %"
    skews = volatility_charts.skews([point(0), point(5)], [], MINUTE, UTC)

    assert skews.layout.yaxis.ticksuffix is None
    assert {trace.meta["unit"] for trace in skews.data} == {"points"}


@pytest.mark.parametrize(
    ("gaps", "step", "broken"),
    [
        ([], MINUTE, False),
        ([gap(5)], MINUTE, True),
        ([gap(5), gap(7)], MINUTE, True),
        ([gap(5, "open")], MINUTE, True),
        ([gap(5, "healed")], MINUTE, False),
        ([gap(-10)], MINUTE, False),
        ([gap(20)], MINUTE, False),
        ([gap(5)], 30 * MINUTE, False),
    ],
    ids=["no gap", "a gap", "two gaps", "open", "healed", "before all", "after all", "shorter than a step"],
)
def test_a_line_breaks_where_a_gap_leaves_a_step_without_a_point(gaps, step, broken):
    points = [point(-5), point(0), point(10, 41), point(15, 42)]

    line = volatility_charts.at_the_money(points, gaps, step, UTC).data[0]

    expected = [40, 40, np.nan, 41, 42] if broken else [40, 40, 41, 42]
    np.testing.assert_array_equal(line.y, expected)
    assert len(line.x) == len(line.y)


def test_no_chart_has_more_points_than_it_was_given_and_its_breaks():
    points = [point(5 * number) for number in range(1500)]

    line = volatility_charts.at_the_money(points, [gap(5 * number + 1) for number in range(0, 1500, 10)], MINUTE, UTC)

    assert all(len(trace.x) <= 3000 for trace in line.data)


def test_charts_are_described_in_words():
    assert volatility_charts.describe_dvol(BARS, realised(None, 36, 37)) == (
        "DVOL from 40.00 % to 43.00 %, low 39.00 %, high 44.00 %. Realised volatility of 30 days ends at 37.00 %."
    )
    assert volatility_charts.describe_dvol(BARS, []).endswith("high 44.00 %.")
    assert volatility_charts.describe_dvol([], []) == "No DVOL in this range."


def test_constant_maturities_are_described_by_what_is_known():
    points = [point(0, None), point(5), point(10, 42)]

    assert volatility_charts.describe_at_the_money(points) == (
        "IV at the money: 7 d from 40.00 to 42.00 %, 30 d from 41.00 to 43.00 %, 90 d from 42.00 to 44.00 %."
    )
    assert volatility_charts.describe_skews(points) == (
        "25 delta at 30 d: Risk reversal from 1.50 to 1.50 points, Butterfly from 0.50 to 0.50 points."
    )
    assert volatility_charts.describe_at_the_money([point(0, None)]).endswith("nothing is known in this range.")
