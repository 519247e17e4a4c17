"""What futures cost to carry: basis and funding. Rates are fractions: 0.05 is 5 %."""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from store.instants import EPOCH, HOUR

from .black76 import YEAR
from .linear import linear

LEAST_TO_EXPIRY = timedelta(days=1)
"""Nearer to its expiry, a future has a basis but no annual rate: 0.016 % in 16 h would read as 9 % a year."""

FREE_PREMIUM = 0.00025
"""A perpetual's premium up to 0.025 % costs no funding. Source: support.deribit.com 31424939178397."""

_HOURS_A_YEAR = 8760


class Funding(NamedTuple):
    """The funding of a perpetual over a window.

    Attributes:
        cumulated: the sum of the known hours: what longs paid, as a fraction of their position. None without hours.
        annual: `cumulated` x 8760 / `hours_known`: simple, as if the coins were sold each hour. None without hours.
        hours_known: how many hours of the window are known.
        hours_due: how many whole hours the window has.
    """

    cumulated: float | None
    annual: float | None
    hours_known: int
    hours_due: int


def basis(future_price: float, index_price: float) -> float:
    """F / S - 1: a future's price above its index, as a fraction of the index.

    S is the `estimated_delivery_price` of the same reply.
    """
    return future_price / index_price - 1


def annual_basis(future_price: float, index_price: float, to_expiry: timedelta) -> float | None:
    """The basis by the years to expiry, simple; None below one day.

    For an inverse future it is what the carry trade earns: one coin, and F USD of contracts sold, are F USD at expiry.
    That follows from the payoff of each USD sold, 1/S_T - 1/F coins.
    """
    return basis(future_price, index_price) / (to_expiry / YEAR) if to_expiry >= LEAST_TO_EXPIRY else None


def annual_spread(near_price: float, far_price: float, between: timedelta) -> float | None:
    """(F2 / F1 - 1) by the years between two expiries, simple; None below one day between them.

    It is what an inverse future earns above one that expires before it, from the one expiry to the other.
    """
    return basis(far_price, near_price) / (between / YEAR) if between >= LEAST_TO_EXPIRY else None


def constant_maturity_basis(
    futures: Iterable[tuple[timedelta, float]], index_price: float, maturity: timedelta
) -> float | None:
    """The annual basis of a future that would expire after a constant time, with ln(F/S) linear in that time.

    Source: the usual practice of those who publish constant maturities.

    Args:
        futures: time to expiry and price in USD of each, in any order; those below one day take no part.
        index_price: S, in USD.
        maturity: one day or more.

    Returns:
        The simple annual rate; None if the maturity is not between two futures.
    """
    points = sorted((left / YEAR, math.log(price / index_price)) for left, price in futures if left >= LEAST_TO_EXPIRY)
    carry = linear([years for years, _ in points], [each for _, each in points], maturity / YEAR)
    return None if carry is None else math.expm1(carry) / (maturity / YEAR)


def funding_rate(mark_price: float, index_price: float) -> float:
    """The funding of a perpetual for 8 hours at this premium: max(0.025 %, p) + min(-0.025 %, p), p = mark / index - 1.

    Longs pay it if it is above 0. The exchange caps it, at a limit that differs by instrument; this does not.
    """
    premium = basis(mark_price, index_price)
    return max(FREE_PREMIUM, premium) + min(-FREE_PREMIUM, premium)


def annual_rate(funding_8h: float) -> float:
    """A funding rate for 8 hours as a simple annual rate: three times a day on 365 days."""
    return funding_8h * 3 * 365


def annual_rate_of_hours(cumulated: float, hours: int) -> float:
    """The funding of some hours as a simple annual rate: `cumulated` x 8760 / `hours`."""
    return cumulated * _HOURS_A_YEAR / hours


def funding_over(hours: Iterable[tuple[datetime, float]], start: datetime, end: datetime) -> Funding:
    """The funding of the whole hours in [start, end). An hour that is not known is not made up.

    Args:
        hours: the end of each hour with its `interest_1h`; each once, in any order. Those outside are left out.
        start: aware.
        end: aware.
    """
    known = [interest for ended_at, interest in hours if start + HOUR <= ended_at <= end]
    return Funding(
        cumulated=math.fsum(known) if known else None,
        annual=annual_rate_of_hours(math.fsum(known), len(known)) if known else None,
        hours_known=len(known),
        hours_due=max(0, (end - EPOCH) // HOUR + (EPOCH - start) // HOUR),
    )
