"""The prices of futures: forwards, the perpetual's premium, and what was last traded."""

import math
from datetime import datetime
from functools import lru_cache

from .listing import instant_of, second_of
from .noise import stream, wander
from .prices import price

TICKS = {"BTC": (0.5, 2.5), "ETH": (0.05, 0.25)}
"""The price tick of a currency's perpetual, and of its dated futures, in USD."""

TRADED_EACH_S = 15
"""A trade of each future each 15 s, at the mark rounded to the price tick."""

_YEAR_S = 365 * 86_400

# Forwards are 2 to 5 % a year above the index: as recorded in 2026.
_CARRY, _CARRY_MOVES, _CARRY_LEVELS = 0.035, 0.006, range(8, 13)

# The perpetual is usually within 0.03 % of the index, and has its premium for minutes to hours.
_PREMIUM, _PREMIUM_LEVELS = 0.0003, range(3, 9)

# Without the damper each premium would be paid: support.deribit.com 31424939178397, read 2026-09.
_DAMPER = 0.00025


def index(currency: str, second: int, seed: int = 1) -> float:
    """The index of a currency in USD at a second since 1970."""
    return price(f"{currency.lower()}_usd", instant_of(second), seed)


def forward(currency: str, expiry: datetime, second: int, seed: int = 1) -> float:
    """The forward of an expiry in USD: the mark price of its future."""
    years = (second_of(expiry) - second) / _YEAR_S
    return round(index(currency, second, seed) * math.exp(_carry(currency, second, seed) * years), 2)


def mark(currency: str, expiry: datetime | None, second: int, seed: int = 1) -> float:
    """The mark price in USD of a future, or of the perpetual if it has no expiry."""
    if expiry is not None:
        return forward(currency, expiry, second, seed)
    return round(index(currency, second, seed) * (1 + premium(currency, second, seed)), 2)


def traded(currency: str, expiry: datetime | None, second: int, seed: int = 1) -> float:
    """The price in USD at which a future, or the perpetual, was last traded."""
    tick = TICKS[currency][expiry is not None]
    return round(round(mark(currency, expiry, second - second % TRADED_EACH_S, seed) / tick) * tick, 2)


def premium(currency: str, second: int, seed: int = 1) -> float:
    """How far the perpetual is above the index, as a fraction."""
    return _PREMIUM * wander(stream(f"{seed} {currency} premium"), second, _PREMIUM_LEVELS)


def funding_rate(currency: str, second: int, seed: int = 1) -> float:
    """The rate that the perpetual's buyers pay to its sellers, as a fraction in 8 hours."""
    above = premium(currency, second, seed)
    return max(_DAMPER, above) + min(-_DAMPER, above)


# A chain asks for the same second at each of its expiries.
@lru_cache(maxsize=16)
def _carry(currency: str, second: int, seed: int) -> float:
    return _CARRY + _CARRY_MOVES * wander(stream(f"{seed} {currency} carry"), second, _CARRY_LEVELS)
