"""Realised volatility of closes a minute apart, and how DVOL stands beside it and among its own past closes."""

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate
from statistics import quantiles
from typing import NamedTuple

METHOD = 1
"""The version of these formulas. It rises with each change of their results."""

MINUTES_A_DAY = 24 * 60
MINUTES_A_YEAR = 365 * MINUTES_A_DAY


class Moves(NamedTuple):
    """The known returns of a time, each from the close of a minute to the close of the next minute.

    Attributes:
        squares: the sum of the squared logarithmic returns.
        known: how many returns are known.
    """

    squares: float = 0.0
    known: int = 0


class Standing(NamedTuple):
    """Where DVOL stands among its daily closes.

    Attributes:
        rank: (now - min) / (max - min), from 0 to 1; None if DVOL was never different.
        percentile: the share of the days whose close is below now, from 0 to 1.
        days: the number of daily closes.
    """

    rank: float | None
    percentile: float
    days: int


class Premium(NamedTuple):
    """Implied minus realised volatility.

    Attributes:
        points: the difference, in percent a year.
        variance: the difference of the squares of both as fractions, a year.
    """

    points: float
    variance: float


class Band(NamedTuple):
    """How realised volatility was spread over some days, in percent a year.

    Attributes:
        low, quarter, median, three_quarters, high: the quantiles of 0, 0.25, 0.5, 0.75 and 1, linear between values.
        days: the number of values, one at the end of each day.
    """

    low: float
    quarter: float
    median: float
    three_quarters: float
    high: float
    days: int

    def apart(self, window_d: int) -> int:
        """How many windows of so many days share no day, if the known days follow each other."""
        return 1 + (self.days - 1) // window_d


def square(before: float, close: float) -> float:
    """The square of a logarithmic return."""
    return math.log(close / before) ** 2


def moves_of(squares: Sequence[float]) -> Moves:
    """The known returns that have these squares."""
    return Moves(math.fsum(squares), len(squares))


def together(moves: Iterable[Moves]) -> Moves:
    """The known returns of several times."""
    some = list(moves)
    return Moves(math.fsum(each.squares for each in some), sum(each.known for each in some))


def realised(moves: Moves, due: int) -> float | None:
    """Volatility in percent a year: the root of the mean square return times the minutes of a year.

    Its mean return is assumed to be 0.

    Args:
        moves: the known returns of a time.
        due: how many returns the time has if each minute is known.

    Returns:
        None if less than half of these returns are known.
    """
    if not moves.known or 2 * moves.known < due:
        return None
    return 100 * math.sqrt(moves.squares / moves.known * MINUTES_A_YEAR)


def rolling(steps: Sequence[Moves], window: int, due: int) -> list[float | None]:
    """The realised volatility of the last `window` steps at the end of each step.

    Args:
        steps: the known returns of one step of time after the other. One without any is `Moves()`, as are all before
            the first one.
        window: in steps.
        due: how many returns a window has if each minute is known.
    """
    squares = list(accumulate((each.squares for each in steps), initial=0.0))
    known = list(accumulate((each.known for each in steps), initial=0))
    windows = ((max(0, end - window), end) for end in range(1, len(steps) + 1))
    return [
        realised(Moves(max(0.0, squares[end] - squares[start]), known[end] - known[start]), due)
        for start, end in windows
    ]


def band(values: Iterable[float | None]) -> Band | None:
    """The spread of the known ones of some values; None without any."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    quarter, median, three_quarters = quantiles(known, method="inclusive") if len(known) > 1 else 3 * known
    return Band(known[0], quarter, median, three_quarters, known[-1], len(known))


def standing(now: float, closes: Sequence[float]) -> Standing | None:
    """Where DVOL stands among its daily closes, in percent a year; None without closes.

    Source: the usual IV rank and IV percentile. Now counts for the least and the largest, so that the rank ends at 1.
    """
    if not closes:
        return None
    low, high = min(now, *closes), max(now, *closes)
    rank = (now - low) / (high - low) if high > low else None
    return Standing(rank, sum(close < now for close in closes) / len(closes), len(closes))


def premium(implied: float | None, realised: float | None) -> Premium | None:
    """Implied minus realised volatility, both in percent a year; None if one is unknown.

    Known now, DVOL of today stands beside what was realised in the 30 days before. Known later, DVOL of 30 days ago
    stands beside what was realised since.
    """
    if implied is None or realised is None:
        return None
    return Premium(implied - realised, (implied**2 - realised**2) / 100**2)
