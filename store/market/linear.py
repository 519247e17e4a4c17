"""Straight lines between known points."""

from bisect import bisect_left
from collections.abc import Sequence


def linear(xs: Sequence[float], ys: Sequence[float | None], x: float) -> float | None:
    """The y at x, on the straight line between the points on both sides of it.

    Args:
        xs: ascending.
        ys: one for each of `xs`; None where it is unknown.
        x: where to read.

    Returns:
        None beyond the first and the last point, and if a neighbour is unknown: nothing is extrapolated.
    """
    right = bisect_left(xs, x)
    if right < len(xs) and xs[right] == x:
        return ys[right]
    if not 0 < right < len(xs):
        return None
    before, after = ys[right - 1], ys[right]
    if before is None or after is None:
        return None
    return before + (after - before) * (x - xs[right - 1]) / (xs[right] - xs[right - 1])
