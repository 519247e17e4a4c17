"""The volatility index (DVOL), from the simulator's own surface."""

import math
from datetime import UTC, datetime
from functools import lru_cache

from store.market.curve import curve_of, strip_iv
from store.market.surface import STRIP_DELTA

from .surface import STEADY_S, Slice, slice_of

FIRST_S = int(datetime(2021, 3, 24, tzinfo=UTC).timestamp())
"""The history begins with 2021-03-24."""

_YEARS = 30 / 365

# A candle above an hour is a sample: 14 values.
_EXACT_S, _SAMPLES = 3600, 12

# The strip is computed at the nodes of a grid. Between them it is interpolated, with an error below 0.002 points.
_THETA_STEP, _RHO_STEP = 0.1, 0.05
_DEVIATIONS, _STRIKES = 3, 50


def volatility_index(currency: str, second: int, seed: int = 1) -> float:
    """DVOL at a second since 1970, in percent a year."""
    its = slice_of(currency, _YEARS, second, seed)
    x, y = math.log(its.theta) / _THETA_STEP, its.rho / _RHO_STEP
    i, j = math.floor(x), math.floor(y)
    low = _ratio(i, j, its.eta) * (1 - x + i) + _ratio(i + 1, j, its.eta) * (x - i)
    high = _ratio(i, j + 1, its.eta) * (1 - x + i) + _ratio(i + 1, j + 1, its.eta) * (x - i)
    ratio = low * (1 - y + j) + high * (y - j)
    return round(100 * math.sqrt(ratio * its.theta / _YEARS), 2)


def candle(currency: str, open_time: int, step_s: int, seed: int = 1) -> list[float]:
    """Open, high, low and close of DVOL in a bar of so many seconds, from a second since 1970 on."""
    end = open_time + step_s - 1
    if step_s <= _EXACT_S:
        inside = range(open_time - open_time % -STEADY_S, end, STEADY_S)
    else:
        inside = range(open_time, end, step_s // _SAMPLES)
    values = [volatility_index(currency, second, seed) for second in (open_time, *inside, end)]
    return [values[0], max(values), min(values), values[-1]]


@lru_cache(maxsize=1 << 10)
def _ratio(i: int, j: int, eta: float) -> float:
    """The variance of the strip at a node of the grid, per variance at the money."""
    smile = Slice(_YEARS, math.exp(i * _THETA_STEP), j * _RHO_STEP, eta)
    return strip(smile) ** 2 / 1e4 * _YEARS / smile.theta


def strip(smile: Slice) -> float:
    """The volatility in percent a year that the options of 5 to 95 delta imply, with a strike at each point."""
    width = _DEVIATIONS * math.sqrt(smile.theta)
    ks = [width * i / _STRIKES for i in range(-_STRIKES, _STRIKES + 1)]
    ivs = {math.exp(k): 100 * math.sqrt(smile.variance(k) / smile.years) for k in ks}
    found = strip_iv(curve_of(1.0, smile.years, ivs), STRIP_DELTA)
    assert found is not None, "the strikes reach from 5 to 95 delta"  # noqa: S101 only our own mistake can break it
    return found
