"""Two series together: their spread, their ratio, and how their moves go along. All is a function of frames.

A frame has `open_time`, `value`, `averaged` and `gap_before`, a row for each step that is known.
"""

from datetime import timedelta
from typing import Literal

import numpy as np
import pandas as pd

from store.market.reads.series import Series

METHOD = 1
"""The version of these formulas. It rises with each change of their results."""

LEAST_SHARE = 2
"""A number over a window needs one in this many of its moves to be known."""

# Below it, a variance in squared percent is what rounding leaves of none.
_NO_VARIANCE = 1e-12


def combined(a: pd.DataFrame, b: pd.DataFrame, how: Literal["spread", "ratio"]) -> pd.DataFrame:
    """A - B, or A / B, in the steps in which both are known; nothing is filled in. A ratio by 0 is unknown."""
    its, others = (frame.assign(gaps=frame["gap_before"].cumsum()).set_index("open_time") for frame in (a, b))
    both = its.merge(others, left_index=True, right_index=True, suffixes=("_a", "_b"))
    if how == "spread":
        value = both["value_a"] - both["value_b"]
    else:
        value = both["value_a"] / both["value_b"].where(both["value_b"] != 0)
    made = pd.DataFrame(
        {
            "value": value,
            "averaged": both["averaged_a"] | both["averaged_b"],
            "gaps": both["gaps_a"] + both["gaps_b"] + value.isna().cumsum(),
        }
    ).dropna()
    made["gap_before"] = made["gaps"].diff().gt(0)
    return made.drop(columns="gaps").reset_index()


def moves(frame: pd.DataFrame, name: str, step: timedelta) -> pd.DataFrame:
    """The moves of a series, each from a step to the next one, by `open_time`; no move leads across an unknown step.

    Returns:
        `move`, 100 times the logarithmic return of an index, and the change of a series of the market, both in percent;
        and `averaged`: one of its ends is an average.
    """
    value = frame["value"] if Series.of(name) else 100 * np.log(frame["value"])
    adjacent = frame["open_time"].diff() == step
    averaged = frame["averaged"] | frame["averaged"].shift(fill_value=False)
    found = pd.DataFrame({"move": value.diff(), "averaged": averaged})
    return found.set_axis(pd.DatetimeIndex(frame["open_time"]))[adjacent.to_numpy()]


def rolling(a: pd.DataFrame, b: pd.DataFrame, step: timedelta, window: timedelta) -> pd.DataFrame:
    """Correlation and beta of A to B over the window that ends with each step, where enough of its moves are known.

    Args:
        a: the moves of A.
        b: the moves of B.
        step: from a move to the next one.
        window: a whole number of steps.

    Returns:
        A row for each step at which they are known, up to the last move of both, ascending: open_time, correlation,
        beta (the covariance by the variance of B), `known` (how many moves of both the window has), `averaged` (one of
        them is between averages) and `gap_before` (a step between this row and the one before is unknown).
    """
    both = a.merge(b, left_index=True, right_index=True, suffixes=("_a", "_b"))
    if both.empty:
        return pd.DataFrame(columns=["open_time", "correlation", "beta", "known", "averaged", "gap_before"])
    both = both.reindex(pd.date_range(both.index[0], both.index[-1], freq=step, name="open_time"))
    x, y = both["move_a"], both["move_b"]
    due = window // step
    least = max(2, -(-due // LEAST_SHARE))
    varies = [each.rolling(due, least).var().gt(_NO_VARIANCE) for each in (x, y)]
    found = pd.DataFrame(
        {
            "correlation": x.rolling(due, least).corr(y).clip(-1, 1).where(varies[0] & varies[1]),
            "beta": x.rolling(due, least).cov(y) / y.rolling(due, least).var(),
            "known": x.notna().rolling(due, 1).sum(),
            "averaged": (both["averaged_a"].eq(1) | both["averaged_b"].eq(1)).rolling(due, 1).max().gt(0),
        }
    )
    found["unknown"] = found["correlation"].isna().cumsum()
    known = found[found["correlation"].notna()]
    return known.assign(gap_before=known["unknown"].diff().gt(0)).drop(columns="unknown").reset_index()
