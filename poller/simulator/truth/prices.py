"""A deterministic model of index prices: the same seed, index and second always give the same price.

Nothing is stored, so any instant can be asked for, in any order and by any process. The logarithm of a price is a sum
of noises with periods of 4^0, 4^1, … 4^13 seconds (2.1 years). Each noise is straight between independent values on its
own grid, and its height grows with the square root of its period. The sum moves like a random walk from seconds to
months but, unlike a random walk, stays near its base price for ever.
"""

import math
import statistics
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from .noise import chance, normal, stream

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_S = 365 * 86400

_TOP_LEVEL = 13
# The divisor makes steps of 1 s to 1 day show 93 % to 116 % of the stated volatility, measured.
_HEIGHTS = tuple(2.0**level / math.sqrt(2.3) for level in range(_TOP_LEVEL + 1))

# The share of the common noise in each return, as a correlation.
_WITH_MARKET = 0.85
_ON_ITS_OWN = math.sqrt(1 - _WITH_MARKET**2)

# The finest step of the charts is 6 s: such an average takes every published price.
_AVERAGED_PRICES = 6
_DOLLARS = ("usd", "usdc")
_MAIN_COINS = ("btc", "eth")
_SAME_AS = {"drbfix-btc": "btc", "drbfix-eth": "eth", "steth": "eth"}
# Base price in USD and annualised volatility of known names. Those of other names come from a hash of the name.
_KNOWN = {
    "btc": (80_000.0, 0.45),
    "eth": (3_000.0, 0.65),
    "sol": (150.0, 0.80),
    "xrp": (2.0, 0.80),
    "paxg": (4_000.0, 0.20),
    "btcdvol": (42.0, 0.80),
    "ethdvol": (62.0, 0.80),
    "eurr": (1.15, 0.07),
    "usdt": (1.0, 0.002),
    "usde": (1.0, 0.003),
    "usyc": (1.1, 0.003),
    "buidl": (1.0, 0.001),
}


def price(index_name: str, at: datetime, seed: int = 1) -> float:
    """The price of an index at an instant, in the second currency of its name.

    Like the exchange's, it is published once a second: it stays the same until the next whole second. Two decimals
    for BTC and ETH, four for other names, six for those quoted in BTC or ETH.
    """
    return _price(index_name, _second(at), seed)


def average(index_name: str, start: datetime, step_s: int, seed: int = 1) -> float:
    """The mean price over [start, start + step_s), rounded to 6 decimals as in the exchange's charts.

    The mean takes at most 6 one-second prices, evenly spaced from `start`: exact for steps up to 6 s, a sample beyond.
    """
    return _average(index_name, _second(start), step_s, seed)


@dataclass(frozen=True)
class _Coin:
    """Base price in USD, volatility per square root of a second, and the names of its two noises."""

    base: float
    volatility: float
    market: int
    own: int


def _second(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(seconds=1)


# A chart of two days has 2880 averages.
@lru_cache(maxsize=1 << 14)
def _average(index_name: str, start: int, step_s: int, seed: int) -> float:
    count = min(step_s, _AVERAGED_PRICES)
    return round(statistics.fmean(_price(index_name, start + i * step_s // count, seed) for i in range(count)), 6)


def _price(index_name: str, second: int, seed: int) -> float:
    base, _, quote = index_name.rpartition("_")
    return round(_in_dollars(base, second, seed) / _in_dollars(quote, second, seed), decimals(index_name))


@lru_cache(maxsize=256)
def decimals(index_name: str) -> int:
    """The decimals of an index's price."""
    base, _, quote = index_name.rpartition("_")
    if quote in _MAIN_COINS:
        return 6
    return 2 if base in _MAIN_COINS else 4


def _in_dollars(coin_name: str, second: int, seed: int) -> float:
    if coin_name in _DOLLARS:
        return 1.0
    coin = _coin(_SAME_AS.get(coin_name, coin_name), seed)
    noise = _WITH_MARKET * _noise(coin.market, 0, second) + _ON_ITS_OWN * _noise(coin.own, 0, second)
    return coin.base * math.exp(coin.volatility * noise)


@lru_cache(maxsize=256)
def _coin(coin_name: str, seed: int) -> _Coin:
    luck = chance(coin_name)
    base, volatility = _KNOWN.get(coin_name, (0.5 * 1000**luck, 0.7 + 0.3 * luck))
    return _Coin(base, volatility / math.sqrt(_YEAR_S), stream(f"{seed} market"), stream(f"{seed} {coin_name}"))


# Neighbouring seconds share nearly all of their grid points. 32,768 points serve three hours of an index, in 6 MB.
@lru_cache(maxsize=1 << 15)
def _noise(key: int, level: int, n: int) -> float:
    """The sum of the noises from a level up, at the nth point of that level's grid, which is n * 4^level seconds."""
    own = _HEIGHTS[level] * normal(key + (level << 48) + n)
    if level == _TOP_LEVEL:
        return own
    left, quarters = divmod(n, 4)
    coarse = _noise(key, level + 1, left)
    if quarters:
        coarse += (_noise(key, level + 1, left + 1) - coarse) * quarters / 4
    return own + coarse
