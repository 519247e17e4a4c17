"""Nothing is read but between two known points."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.market.linear import linear


@pytest.mark.parametrize(("x", "y"), [(1, 10), (1.5, 15), (2, 20), (3, 0), (4, -20), (0.9, None), (4.1, None)])
def test_a_line_is_read_between_its_points_only(x, y):
    assert linear([1, 2, 4], [10, 20, -20], x) == y


@pytest.mark.parametrize(("x", "y"), [(1, 10), (1.5, None), (2, None), (2.5, None), (3, 30), (3.5, 35)])
def test_nothing_is_read_beside_an_unknown_point(x, y):
    assert linear([1, 2, 3, 4], [10, None, 30, 40], x) == y


def test_no_points_are_no_line():
    assert linear([], [], 1) is None


@given(ys=st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), x=st.floats(0, 1))
def test_what_is_read_lies_between_its_neighbours(ys, x):
    y = linear([0, 1], ys, x)

    assert y is not None
    assert min(ys) - 1e-9 <= y <= max(ys) + 1e-9
