"""The measures of a range of bars: open, high, low, close, change and realised volatility."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

_YEAR_S = 365 * 86_400


@dataclass(frozen=True)
class Measures:
    """A range of bars in numbers.

    Attributes:
        open, high, low, close: of the range, in the quote currency.
        volatility: realised volatility, annualised, as a fraction: the root of the summed squared logarithmic returns
            from close to close, over the years between them. No return is counted across a gap. NaN below two returns.
        averages_s: the longest time in seconds that a tick of the range is an average over. Then high and low are
            the averages' own, and the volatility is too small. 0 when all ticks were observed.
    """

    open: float
    high: float
    low: float
    close: float
    volatility: float
    averages_s: int

    @property
    def change(self) -> float:
        """From open to close, as a fraction."""
        return self.close / self.open - 1


def measured(bars: pd.DataFrame) -> Measures:
    """The measures of at least one bar."""
    return Measures(
        open=float(bars["open"].iloc[0]),
        high=float(bars["high"].max()),
        low=float(bars["low"].min()),
        close=float(bars["close"].iloc[-1]),
        volatility=_realised_volatility(bars),
        averages_s=int(bars["resolution_s"].max()),
    )


def _realised_volatility(bars: pd.DataFrame) -> float:
    follows = ~bars["gap_before"].to_numpy()[1:]
    returns = np.diff(np.log(bars["close"].to_numpy()))[follows]
    if len(returns) < 2:
        return math.nan
    years = np.diff(bars["open_time"].astype("int64"))[follows].sum() / 1e6 / _YEAR_S
    return math.sqrt(float(np.sum(returns**2)) / years)
