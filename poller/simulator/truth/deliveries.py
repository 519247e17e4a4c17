"""Delivery prices: the mean index of the half hour before expiry, at 08:00 UTC of each day."""

import statistics
from datetime import timedelta
from functools import lru_cache

from .listing import DAY_S, EXPIRY_S, instant_of
from .prices import decimals, price

FIRST_DAY = 17_897
"""The day since 1970 of the first delivery: 2019-01-01."""

_AVERAGED_S = 1800

# The mean takes a price each minute. A mean of every price would take 60 times as long, and differ by some 0.005 %.
_EACH = timedelta(minutes=1)


def delivery_price(index_name: str, day: int, seed: int = 1) -> float:
    """The delivery price of an index on a day since 1970."""
    return _mean(index_name, day, _AVERAGED_S, seed)


def running_delivery_price(index_name: str, second: int, seed: int = 1) -> float:
    """The index at a second since 1970; in the half hour before expiry its mean since the half hour began."""
    elapsed = second % DAY_S - (EXPIRY_S - _AVERAGED_S)
    if 0 <= elapsed < _AVERAGED_S:
        return _mean(index_name, second // DAY_S, elapsed + 1, seed)
    return price(index_name, instant_of(second), seed)


def estimated_delivery_price(currency: str, second: int, seed: int = 1) -> float:
    """As `running_delivery_price`, for the index of a currency in USD."""
    return running_delivery_price(f"{currency.lower()}_usd", second, seed)


@lru_cache(maxsize=1 << 12)
def _mean(index_name: str, day: int, seconds: int, seed: int) -> float:
    start = instant_of(day * DAY_S + EXPIRY_S - _AVERAGED_S)
    count = -(-seconds // _EACH.seconds)
    mean = statistics.fmean(price(index_name, start + i * _EACH, seed) for i in range(count))
    return round(mean, decimals(index_name))
