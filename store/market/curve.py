"""The implied volatility of one expiry by strike, and what is read from it. Nothing is read beyond its last strikes."""

import math
from bisect import bisect_left
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from .black76 import call_delta, value
from .linear import linear

# Between two strikes, Simpson's rule takes this many parts: that leaves an error below 0.0001 points.
_PARTS = 4

# A strike is found to 2^-40 of the distance between its neighbours.
_HALVINGS = 40


class Curve(NamedTuple):
    """The IV of one expiry at its strikes, ascending.

    Attributes:
        forward: F, in USD.
        years: T, above 0.
        moneyness: ln(K/F) of each strike K.
        ivs: percent a year.
        deltas: of the call at each strike with the IV of the strike.
    """

    forward: float
    years: float
    moneyness: tuple[float, ...]
    ivs: tuple[float, ...]
    deltas: tuple[float, ...]


def curve_of(forward: float, years: float, ivs: Mapping[float, float]) -> Curve:
    """The curve through the IV of each strike. All numbers are above 0."""
    strikes = sorted(ivs)
    return Curve(
        forward,
        years,
        tuple(math.log(strike / forward) for strike in strikes),
        tuple(ivs[strike] for strike in strikes),
        tuple(call_delta(forward, strike, years, ivs[strike]) for strike in strikes),
    )


def iv_at_the_money(curve: Curve) -> float | None:
    """The IV at the forward, linear in ln(K/F) between its neighbours; None if it is not between two strikes."""
    return linear(curve.moneyness, curve.ivs, 0.0)


def iv_at_delta(curve: Curve, delta: float) -> float | None:
    """The IV where a call has a delta, linear in delta between its neighbours; None if it is not between two strikes.

    The put of delta -0.25 is where the call has 0.75. Delta is N(d1) at the IV of each strike, as the exchange has it.
    """
    right = _crossing(curve, delta)
    if right is None:
        return None
    ivs, deltas = curve.ivs[right - 1 : right + 1], curve.deltas[right - 1 : right + 1]
    share = (delta - deltas[0]) / (deltas[1] - deltas[0]) if deltas[0] != deltas[1] else 0.0
    return ivs[0] + share * (ivs[1] - ivs[0])


def strip_iv(curve: Curve, delta: float) -> float | None:
    """The volatility that the options out of the money imply together, between two deltas.

    s^2 = 2/T times the integral of q(K) / K^2 over the strikes K at which a call has a delta from `delta` to
    1 - `delta`. Here q is the value in USD of the option out of the money, with an IV linear in ln(K/F).

    Source: the replication of a variance swap, as in the VIX, but cut at deltas instead of at the last listed strikes.

    Returns:
        Percent a year; None if the strikes do not reach from one delta to the other.
    """
    ends = _edge(curve, 1 - delta), _edge(curve, delta)
    if ends[0] is None or ends[1] is None or ends[0] >= ends[1]:
        return None
    low, high = ends[0], ends[1]
    inner = [x for x in (*curve.moneyness, 0.0) if low < x < high]
    integral = math.fsum(_simpson(curve, *segment) for segment in pairwise((low, *sorted(set(inner)), high)))
    return 100 * math.sqrt(2 / curve.years * integral)


def _crossing(curve: Curve, delta: float) -> int | None:
    """The right one of the two neighbours of a delta: those nearest to the money, if noise makes more than one pair."""
    deltas, moneyness = curve.deltas, curve.moneyness
    found = (
        right
        for right in range(1, len(deltas))
        if deltas[right - 1] >= delta >= deltas[right] or deltas[right - 1] <= delta <= deltas[right]
    )
    return min(found, key=lambda right: abs(moneyness[right - 1] + moneyness[right]), default=None)


def _iv_between(curve: Curve, right: int, moneyness: float) -> float:
    """The IV between a strike and the one before, linear in ln(K/F)."""
    before, after = curve.moneyness[right - 1], curve.moneyness[right]
    share = (moneyness - before) / (after - before)
    return curve.ivs[right - 1] + share * (curve.ivs[right] - curve.ivs[right - 1])


def _edge(curve: Curve, delta: float) -> float | None:
    """The ln(K/F) at which a call has a delta, with an IV linear in ln(K/F); None if it is not between two strikes."""
    right = _crossing(curve, delta)
    if right is None:
        return None
    low, high = curve.moneyness[right - 1], curve.moneyness[right]
    falls = curve.deltas[right - 1] >= curve.deltas[right]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        strike = curve.forward * math.exp(middle)
        beyond = call_delta(curve.forward, strike, curve.years, _iv_between(curve, right, middle)) < delta
        low, high = (low, middle) if beyond == falls else (middle, high)
    return low


def _simpson(curve: Curve, low: float, high: float) -> float:
    """The integral of q/K over ln(K) between two strikes without another strike between them."""
    right = bisect_left(curve.moneyness, high)
    width = (high - low) / _PARTS
    weights = (1, 4, 2, 4, 1)
    at = (low + width * part for part in range(_PARTS + 1))
    return width / 3 * math.fsum(weight * _strip(curve, right, x) for weight, x in zip(weights, at, strict=True))


def _strip(curve: Curve, right: int, moneyness: float) -> float:
    """q/K at a strike."""
    strike = curve.forward * math.exp(moneyness)
    iv = _iv_between(curve, right, moneyness)
    return value("call" if moneyness >= 0 else "put", curve.forward, strike, curve.years, iv) / strike
