"""Black-76 without interest, as the exchange prices its options: marks, greeks, and the volatility of a price.

Implied volatility (IV) is in percent a year, as the exchange writes it. A year has 365 days of 86,400 s. Prices inside
the formulas are in USD; for a linear option USD means the second currency of its name.

With F the forward, K the strike, T the years to expiry, s = IV / 100, N and n the standard normal distribution and its
density, and w = 1 for a call, -1 for a put:

    d1 = ln(F/K) / (s sqrt T) + s sqrt T / 2,  d2 = d1 - s sqrt T,  V = w (F N(w d1) - K N(w d2))

Source: F. Black, "The pricing of commodity contracts", 1976; support.deribit.com 25944688327069: the exchange takes the
forward of the expiry, not the index.
"""

import math
from datetime import datetime, timedelta
from typing import NamedTuple

from .instruments import Option, OptionType, is_linear

YEAR = timedelta(days=365)
"""The year of all annual figures."""

_DAYS = YEAR.days

_ROOT_2, _ROOT_2PI = math.sqrt(2), math.sqrt(2 * math.pi)

# At 40 standard deviations to expiry, an option's time value is at its limit for a float.
_MOST_DEVIATIONS = 40.0

_START_AT_THE_MONEY = 1e-3

# 5 to 10 steps find the IV of a quote. Bisection alone needs 55. More steps only follow the rounding of the value.
_MOST_STEPS = 60

# The last step is at most this part of the result, or what rounding makes of the value.
_CLOSE, _ROUNDING = 1e-12, 1e-15


class Greeks(NamedTuple):
    """The greeks of one option, as the exchange defines them.

    Attributes:
        delta: w N(w d1), of the value in USD. It is the exchange's `delta`, not the premium-adjusted one.
        gamma: n(d1) / (F s sqrt T): the change of delta per USD of the forward.
        vega: F n(d1) sqrt T / 100: USD per point of IV.
        theta: -F n(d1) s / (2 sqrt T) / 365: USD per day, at most 0. It covers the rest of the option's life if that is
            below a day, and never loses more than the option's value: the exchange has both rules.
        rho: w K T N(w d2) / 100: USD per point of interest.
    """

    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float


def years_between(ts: datetime, expiry: datetime) -> float:
    """T: the years from an instant to an expiry; negative after it."""
    return (expiry - ts) / YEAR


def value(option_type: OptionType, forward: float, strike: float, years: float, iv: float) -> float:
    """V: the value of an option in USD. At its expiry, and without volatility, it is the intrinsic value."""
    deviations = _deviations(years, iv)
    intrinsic = forward - strike if option_type == "call" else strike - forward
    return max(0.0, intrinsic) + _time_value(forward, strike, deviations)


def call_delta(forward: float, strike: float, years: float, iv: float) -> float:
    """N(d1): the delta of a call of any years and IV above 0. The put of the same strike has 1 less."""
    return _normal(_d1(forward, strike, _deviations(years, iv)))


def mark_price(option: Option, forward: float, years: float, iv: float) -> float:
    """The mark price of an option as the exchange quotes it: V / F in coin, or V for a linear option."""
    usd = value(option.option_type, forward, option.strike, years, iv)
    return usd if is_linear(option.underlying) else usd / forward


def greeks(option: Option, forward: float, years: float, iv: float) -> Greeks | None:
    """The greeks of an option with this IV; None at its expiry, and without volatility."""
    deviations = _deviations(years, iv)
    if not deviations:
        return None
    sign = 1 if option.option_type == "call" else -1
    d1 = _d1(forward, option.strike, deviations)
    density, root, volatility = _density(d1), math.sqrt(years), iv / 100
    decay = -forward * density * volatility / (2 * root) / _DAYS * min(1.0, _DAYS * years)
    return Greeks(
        delta=sign * _normal(sign * d1),
        gamma=density / (forward * deviations),
        vega=forward * density * root / 100,
        theta=max(decay, -value(option.option_type, forward, option.strike, years, iv)),
        rho=sign * option.strike * years * _normal(sign * (d1 - deviations)) / 100,
    )


def implied_volatility(option: Option, price: float, forward: float, years: float) -> float | None:
    """The IV at which `mark_price` is a price, such as a bid or an ask.

    It is found by Newton's method, and by bisection where that would leave the bracket.

    Args:
        option: what is priced.
        price: as the exchange quotes it: in coin, or in the second currency of a linear option.
        forward: in USD, above 0.
        years: to expiry.

    Returns:
        Percent a year. None if no volatility gives the price: it is at or below the intrinsic value, or at or above the
        forward (call) or the strike (put). None at the expiry too.
    """
    usd = price if is_linear(option.underlying) else price * forward
    intrinsic = forward - option.strike if option.option_type == "call" else option.strike - forward
    time_value = usd - max(0.0, intrinsic)
    if years <= 0 or not 0 < time_value < min(forward, option.strike):
        return None
    return 100 * _deviations_at(time_value, forward, option.strike) / math.sqrt(years)


def _deviations(years: float, iv: float) -> float:
    """The standard deviation of the logarithm of the price at expiry, s sqrt T; 0 if nothing is left to happen."""
    return iv / 100 * math.sqrt(years) if years > 0 and iv > 0 else 0.0


def _d1(forward: float, strike: float, deviations: float) -> float:
    return math.log(forward / strike) / deviations + deviations / 2


def _normal(x: float) -> float:
    """N: by erfc, because the usual polynomials fail far from the money."""
    return math.erfc(-x / _ROOT_2) / 2


def _density(x: float) -> float:
    return math.exp(-x * x / 2) / _ROOT_2PI


def _time_value(forward: float, strike: float, deviations: float) -> float:
    """V of the option that is out of the money, and what the other one is worth above its intrinsic value."""
    if not deviations:
        return 0.0
    sign = 1 if strike >= forward else -1
    d1 = _d1(forward, strike, deviations)
    return max(0.0, sign * (forward * _normal(sign * d1) - strike * _normal(sign * (d1 - deviations))))


def _deviations_at(time_value: float, forward: float, strike: float) -> float:
    """The standard deviations at which an option has a time value.

    Newton's method takes the logarithm of the value, which bends little, and starts where the value is steepest.
    """
    low, high = 0.0, _MOST_DEVIATIONS
    found = min(max(math.sqrt(2 * abs(math.log(forward / strike))), _START_AT_THE_MONEY), high)
    for _ in range(_MOST_STEPS):
        there = _time_value(forward, strike, found)
        low, high = (low, found) if there > time_value else (found, high)
        slope = forward * _density(_d1(forward, strike, found))
        step = there * math.log(time_value / there) / slope if slope and there else math.inf
        step = step if low <= found + step <= high else (low + high) / 2 - found
        found += step
        if abs(step) <= _CLOSE * found + _ROUNDING:
            break
    return found
