"""What a whole chain says: its smiles, and its surface at constant maturities. They are a row each in the file."""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from store.kinds import TENORS_D

from .black76 import YEAR
from .curve import Curve, iv_at_delta, iv_at_the_money, strip_iv
from .linear import linear
from .smile import Quote, Smile, butterfly, curve_of_quotes, known_sum, risk_reversal, smile_of_quotes

METHOD = 1
"""The version of the formulas that made a row of `smiles` or `surfaces`. It rises with each change of their results."""

STRIP_DELTA = 0.05
"""The chain's own volatility is read between 5 and 95 delta.

Over 156 days its bias against published DVOL is then -0.1 % and its median error 0.3 points. With 4 and 6 delta the
bias is +0.9 and -1.1 %. It is a calibrated check and not the exchange's method.
"""

_STRIP_YEARS = timedelta(days=30) / YEAR

# Nearer to expiry, and with fewer strikes, a smile says more about the last trades than about volatility.
_LEAST_YEARS, _LEAST_STRIKES = timedelta(hours=12) / YEAR, 5


class Surface(NamedTuple):
    """A chain at constant maturities: the columns of `surfaces` from `iv_7d` to `index_price`, in their order.

    A number is None if its maturity is not between two expiries that take part, or if one of these lacks it. An expiry
    takes part with 12 h to go and 5 strikes or more; in `iv_chain_30d`, if its strikes reach from 5 to 95 delta too.

    Attributes:
        iv: IV at the forward at each of `TENORS_D`, with total variance linear in time; percent a year.
        rr25, bf25: as in `Smile`, of the IV of 25 delta at each of `TENORS_D`; points.
        iv_chain_30d: `strip_iv` between 5 and 95 delta at 30 days; percent a year.
        call_oi, put_oi: open interest of the chain, in coin.
        call_volume, put_volume: of the last 24 h, in coin.
        index_price: in USD.
    """

    iv: tuple[float | None, ...]
    rr25: tuple[float | None, ...]
    bf25: tuple[float | None, ...]
    iv_chain_30d: float | None
    call_oi: float | None
    put_oi: float | None
    call_volume: float | None
    put_volume: float | None
    index_price: float | None

    @property
    def columns(self) -> tuple[float | None, ...]:
        """The values of the columns of `surfaces`, from `iv_7d` to `index_price`."""
        return (*self.iv, *self.rr25, *self.bf25, *self[3:])


class Derived(NamedTuple):
    """What follows from one snapshot of a chain."""

    smiles: list[Smile]
    surface: Surface


def derived(ts: datetime, quotes: Iterable[Quote], index_price: float | None) -> Derived:
    """The smiles of a snapshot of a chain, by expiry, and its surface. The order of the quotes changes nothing.

    Args:
        ts: the exchange time of the snapshot.
        quotes: of one underlying.
        index_price: of the snapshot, in USD; only handed on.
    """
    by_expiry: defaultdict[datetime, list[Quote]] = defaultdict(list)
    for quote in quotes:
        by_expiry[quote.expiry].append(quote)
    chain = [by_expiry[expiry] for expiry in sorted(by_expiry)]
    curves = [curve_of_quotes(ts, each) for each in chain]
    smiles = [smile_of_quotes(each, curve) for each, curve in zip(chain, curves, strict=True)]
    return Derived(smiles, _surface([curve for curve in curves if curve], smiles, index_price))


def constant_maturity(points: Sequence[tuple[float, float | None]], years: float) -> float | None:
    """The IV at a time to expiry, with total variance IV^2 T linear in T between the two expiries around it.

    Source: the VIX, and the usual practice of those who publish constant maturities.

    Args:
        points: years and IV of each expiry, ascending.
        years: the constant maturity.

    Returns:
        Percent a year; None if it is not between two expiries, or if one of these lacks its IV.
    """
    variances = [None if iv is None else iv * iv * years for years, iv in points]
    variance = linear([years for years, _ in points], variances, years)
    return None if variance is None else math.sqrt(variance / years)


def _surface(curves: Sequence[Curve], smiles: Sequence[Smile], index_price: float | None) -> Surface:
    taking_part = [curve for curve in curves if curve.years >= _LEAST_YEARS and len(curve.ivs) >= _LEAST_STRIKES]
    atm_ivs = _at_tenors(taking_part, iv_at_the_money)
    calls = _at_tenors(taking_part, lambda curve: iv_at_delta(curve, 0.25))
    puts = _at_tenors(taking_part, lambda curve: iv_at_delta(curve, 0.75))
    return Surface(
        iv=atm_ivs,
        rr25=tuple(map(risk_reversal, calls, puts)),
        bf25=tuple(map(butterfly, calls, puts, atm_ivs)),
        iv_chain_30d=_chain_iv(taking_part),
        call_oi=known_sum(smile.call_oi for smile in smiles),
        put_oi=known_sum(smile.put_oi for smile in smiles),
        call_volume=known_sum(smile.call_volume for smile in smiles),
        put_volume=known_sum(smile.put_volume for smile in smiles),
        index_price=index_price,
    )


def _at_tenors(curves: Sequence[Curve], iv: Callable[[Curve], float | None]) -> tuple[float | None, ...]:
    points = [(curve.years, iv(curve)) for curve in curves]
    return tuple(constant_maturity(points, timedelta(days=days) / YEAR) for days in TENORS_D)


def _chain_iv(curves: Sequence[Curve]) -> float | None:
    """The volatility of the strip at 30 days, from the nearest expiries whose strikes reach far enough."""
    after = bisect_left(curves, _STRIP_YEARS, key=lambda curve: curve.years)
    points = (_first_strip(reversed(curves[:after])), _first_strip(curves[after:]))
    return constant_maturity([point for point in points if point], _STRIP_YEARS)


def _first_strip(curves: Iterable[Curve]) -> tuple[float, float] | None:
    """The years and the volatility of the strip of the first curve that has one."""
    strips = ((curve.years, strip_iv(curve, STRIP_DELTA)) for curve in curves)
    return next(((years, iv) for years, iv in strips if iv is not None), None)
