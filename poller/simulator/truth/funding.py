"""The funding that a perpetual paid: the integral of its rate."""

import statistics
from functools import lru_cache

from .futures import funding_rate

HOUR_S = 3600
FIRST_S = 1_546_300_800
"""The history begins with 2019."""

# The rate is sampled each 5 minutes.
_STEP_S = 300


def funding(currency: str, end: int, hours: int, seed: int = 1) -> float:
    """What a perpetual paid in some hours before a second since 1970, as a fraction.

    The end counts as the last multiple of 5 minutes before it.
    """
    end -= end % _STEP_S
    return sum(_of_hour(currency, end - HOUR_S * i, seed) for i in range(hours))


# The first 8 hours of each hour are those of the hour before.
@lru_cache(maxsize=1 << 12)
def _of_hour(currency: str, end: int, seed: int) -> float:
    return statistics.fmean(funding_rate(currency, at, seed) for at in range(end - HOUR_S, end, _STEP_S)) / 8
