"""A sparkline draws each stretch of prices, and nothing in a gap."""

import math
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.common.figures.sparkline import sparkline

NAN = math.nan
Points = list[tuple[float, float]]


def polygons(drawing: str) -> list[Points]:
    """The points of the area and of its upper edge, in percent from the left and from above."""
    return [
        [(float(x), float(y)) for x, y in re.findall(r"([-\d.]+)% ([-\d.]+)%", polygon)]
        for polygon in re.findall(r"clip-path:polygon\((.*?)\)", drawing)
    ]


def area(*closes: float) -> Points:
    return polygons(sparkline(closes, 0.5, ""))[0]


def test_the_area_goes_from_the_left_edge_along_the_prices_to_the_right_edge():
    assert area(1.0, 3.0, 2.0, 1.0) == [
        (0.0, 100.0),
        (0.0, 96.5),
        (12.5, 96.5),
        (37.5, 0.0),
        (62.5, 48.2),
        (87.5, 96.5),
        (100.0, 96.5),
        (100.0, 100.0),
    ]


def test_the_upper_edge_is_as_thick_everywhere():
    edge = polygons(sparkline([1.0, 3.0], 0.5, ""))[1][1:-1]

    above, below = edge[: len(edge) // 2], edge[len(edge) // 2 :][::-1]
    assert [x for x, _ in above] == [x for x, _ in below]
    assert {round(lower - upper, 1) for (_, upper), (_, lower) in zip(above, below, strict=True)} == {3.5}


def test_a_gap_breaks_the_area_for_just_its_bars():
    drawn = area(1.0, 2.0, NAN, NAN, 1.0)

    assert [x for x, _ in drawn] == [0.0, 0.0, 10.0, 30.0, 40.0, 40.0, 80.0, 80.0, 90.0, 100.0, 100.0]


@pytest.mark.parametrize("part", [0, 1], ids=["area", "edge"])
def test_the_stretches_of_a_drawing_are_joined_along_the_floor_alone(part):
    drawn = polygons(sparkline([1.0, NAN, 3.0, NAN, 2.0], 0.5, ""))[part]

    across = [pair for pair in pairwise([*drawn, drawn[0]]) if abs(pair[0][0] - pair[1][0]) > 20]
    assert across
    assert {y for pair in across for _, y in pair} == {100.0}


def test_a_bar_alone_between_gaps_is_as_wide_as_any():
    drawn = area(1.0, NAN, 2.0, NAN, 1.0)

    assert drawn[5:10] == [(40.0, 100.0), (40.0, 0.0), (50.0, 0.0), (60.0, 0.0), (60.0, 100.0)]


@pytest.mark.parametrize("closes", [(7.0,), (7.0, 7.0, 7.0)])
def test_prices_that_are_all_equal_are_in_the_middle(closes):
    heights = {y for _, y in area(*closes)}

    assert heights == {100.0, 48.2}


@given(closes=st.lists(st.just(NAN) | st.floats(1e-9, 1e9), max_size=60), known=st.floats(1e-9, 1e9))
def test_every_point_is_inside_the_drawing(closes, known):
    drawn = polygons(sparkline([known, *closes], 0.5, ""))

    assert len(drawn) == 2
    assert all(0 <= part <= 100 for polygon in drawn for point in polygon for part in point)


@pytest.mark.parametrize(("position", "left"), [(0.0, "0.0%"), (0.25, "25.0%"), (1.0, "100.0%")])
def test_a_dot_shows_the_place_of_the_price_between_low_and_high(position, left):
    assert f"position:absolute;left:{left};" in sparkline([1.0], position, "")


def test_the_label_is_always_plain_text():
    drawing = sparkline([1.0], 0.5, '"><script>alert(1)</script> {high} & low')

    assert 'aria-label="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt; {high} &amp; low"' in drawing
    assert "<script" not in drawing
