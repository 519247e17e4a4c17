"""What smiles say across expiries: the IV at each delta, forward volatility, and expected moves."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from store.market.black76 import value
from store.market.curve import Curve, iv_at_delta

from .smiles import SmileAt

DELTAS = (0.95, 0.9, 0.85, 0.75, 0.5, 0.25, 0.15, 0.1, 0.05)
"""Deltas of the call, from low strikes to high ones; 0.95 is that of the put of 5 delta."""


class Term(NamedTuple):
    """What the smile of one expiry says, compared with the expiry before it. None: nothing is known of a number.

    Attributes:
        expiry: aware, in UTC.
        years: T, from the snapshot.
        atm_iv: s, at the forward; percent a year.
        forward_iv: from the last expiry before with an `atm_iv` to this one; percent a year. None for the first one,
            and where total variance falls.
        falls: does total variance s² T fall from the expiry before? No price can be right then on both.
        expected_move: F s sqrt T, one standard deviation, in USD.
        expected_move_percent: the same in percent of F.
        straddle: the value of the call and the put with a strike at F, in percent of F.
    """

    expiry: datetime
    years: float
    atm_iv: float | None = None
    forward_iv: float | None = None
    falls: bool = False
    expected_move: float | None = None
    expected_move_percent: float | None = None
    straddle: float | None = None


def terms_of(smiles: Sequence[SmileAt]) -> list[Term]:
    """The terms of all smiles of a chain, by expiry."""
    found: list[Term] = []
    before: tuple[float, float] | None = None  # years and total variance
    for each in smiles:
        iv, forward = each.smile.atm_iv, each.smile.forward
        if iv is None or forward is None or each.years <= 0:
            found.append(Term(each.smile.expiry, each.years))
            continue
        move = iv / 100 * math.sqrt(each.years)
        grows = None if before is None else (move**2 - before[1]) / (each.years - before[0])
        found.append(
            Term(
                each.smile.expiry,
                each.years,
                iv,
                forward_iv=None if grows is None or grows < 0 else 100 * math.sqrt(grows),
                falls=grows is not None and grows < 0,
                expected_move=forward * move,
                expected_move_percent=100 * move,
                straddle=200 * value("call", forward, forward, each.years, iv) / forward,
            )
        )
        before = each.years, move**2
    return found


def ivs_by_delta(its: SmileAt) -> tuple[float | None, ...]:
    """The IV at each of `DELTAS`, linear in delta between its neighbours; None beyond the last strikes."""
    known = [(each.moneyness, each.iv, each.delta) for each in its.points]
    whole = [(m, iv, delta) for m, iv, delta in known if m is not None and iv is not None and delta is not None]
    if not whole or its.smile.forward is None:
        return (None,) * len(DELTAS)
    moneyness, ivs, deltas = (tuple(column) for column in zip(*whole, strict=True))
    curve = Curve(its.smile.forward, its.years, moneyness, ivs, deltas)
    return tuple(iv_at_delta(curve, delta) for delta in DELTAS)
