"""The candles of futures: bars of what was traded."""

import statistics

from store.market.instruments import Future, future_name

from .futures import TRADED_EACH_S, traded
from .noise import normal, stream

# The usual volume of a minute in USD, of the perpetual and of a dated future.
_USD_A_MINUTE = (400_000.0, 4_000.0)

# A bar above a quarter of an hour is a sample.
_SAMPLES = 60

Bar = tuple[float, float, float, float, float, float]
"""Open, high, low and close in USD, the volume in coin, and in USD."""


def candle(future: Future, open_time: int, step_s: int, seed: int = 1) -> Bar:
    """The bar of so many seconds from a second since 1970 on. A bar without a change of the price has no volume."""
    currency, expiry = future
    each = max(TRADED_EACH_S, step_s // _SAMPLES)
    prices = [traded(currency, expiry, second, seed) for second in range(open_time, open_time + step_s, each)]
    low, high = min(prices), max(prices)
    if low == high:
        return low, low, low, low, 0.0, 0.0
    luck = normal(stream(f"{seed} {future_name(future)}") + open_time)
    usd = round(_USD_A_MINUTE[expiry is not None] * step_s / 60 * 2**luck, -1)
    return prices[0], high, low, prices[-1], round(usd / statistics.fmean(prices), 8), usd
