"""The candles of futures: bars of what was traded."""

import statistics

from store.market.instruments import Future, future_name

from .futures import TRADED_EACH_S, traded
from .noise import normal, stream

# The usual volume of a minute in USD, of the perpetual and of a dated future.
_USD_A_MINUTE = (400_000.0, 4_000.0)

# A bar above a quarter of an hour is a sample, but opens and closes with its first and its last trade. With 60 samples
# a day, 1,000 days took 6 s to compute, and a reader gives up after 4 s. With 6 samples, a page of them took 2.1 s.
_SAMPLES, _SAMPLES_ABOVE_AN_HOUR = 60, 6

_HOUR_S = 3600

Bar = tuple[float, float, float, float, float, float]
"""Open, high, low and close in USD, the volume in coin, and in USD."""


def candle(future: Future, open_time: int, step_s: int, seed: int = 1) -> Bar:
    """The bar of so many seconds from a second since 1970 on. A bar without a change of the price has no volume."""
    currency, expiry = future
    each = max(TRADED_EACH_S, step_s // (_SAMPLES if step_s <= _HOUR_S else _SAMPLES_ABOVE_AN_HOUR))
    sampled = range(open_time, open_time + step_s, each)
    prices = [traded(currency, expiry, second, seed) for second in (*sampled, open_time + step_s - 1)]
    low, high = min(prices), max(prices)
    if low == high:
        return low, low, low, low, 0.0, 0.0
    luck = normal(stream(f"{seed} {future_name(future)}") + open_time)
    usd = round(_USD_A_MINUTE[expiry is not None] * step_s / 60 * 2**luck, -1)
    return prices[0], high, low, prices[-1], round(usd / statistics.fmean(prices), 8), usd
