"""What is held and traded of a chain at each strike: open interest, volume, and gamma in USD."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from store.market.black76 import Greeks
from store.market.smile import known_sum

from .as_of import Chain, Row
from .smiles import forward_of_rows


class AtStrike(NamedTuple):
    """The call and the put of a strike. None is what is unknown, such as of an option that is not listed.

    Attributes:
        strike: in USD.
        call_oi, put_oi: open interest, in coin.
        call_volume, put_volume: of the last 24 h, in coin.
        call_gamma, put_gamma: gamma OI F² / 100: how many USD of delta a move of the forward by 1 % adds to all open
            options. It is unsigned: nothing tells who holds which side.
    """

    strike: float
    call_oi: float | None
    put_oi: float | None
    call_volume: float | None
    put_volume: float | None
    call_gamma: float | None
    put_gamma: float | None


class InterestAt(NamedTuple):
    """The strikes of an expiry, ascending."""

    expiry: datetime
    strikes: tuple[AtStrike, ...]

    def total(self, *names: str) -> float | None:
        """The sum of what is known of some numbers of `AtStrike`, such as "call_oi"; None if nothing is."""
        return known_sum(getattr(each, name) for each in self.strikes for name in names)


def interest_of(chain: Chain, greeks: Sequence[Greeks | None]) -> list[InterestAt]:
    """What is held and traded at each strike of a chain, by expiry.

    Args:
        chain: by expiry, strike and type.
        greeks: of each of its rows.
    """
    both = zip(chain.rows, greeks, strict=True)
    return [_at_expiry(expiry, list(its)) for expiry, its in groupby(both, lambda each: each[0].expiry)]


def _at_expiry(expiry: datetime, rows: Sequence[tuple[Row, Greeks | None]]) -> InterestAt:
    forward = forward_of_rows([row for row, _ in rows])
    by_strike = groupby(rows, lambda each: each[0].strike)
    return InterestAt(expiry, tuple(_at_strike(strike, its, forward) for strike, its in by_strike))


def _at_strike(strike: float, rows: Iterable[tuple[Row, Greeks | None]], forward: float | None) -> AtStrike:
    of = {row.option_type: (row.open_interest, row.volume, _gamma(row, its, forward)) for row, its in rows}
    none = (None, None, None)
    (call_oi, call_volume, call_gamma), (put_oi, put_volume, put_gamma) = of.get("call", none), of.get("put", none)
    return AtStrike(strike, call_oi, put_oi, call_volume, put_volume, call_gamma, put_gamma)


def _gamma(row: Row, its: Greeks | None, forward: float | None) -> float | None:
    """G of an option; without open interest it is 0, whatever gamma is."""
    if row.open_interest == 0:
        return 0.0
    if its is None or forward is None or row.open_interest is None:
        return None
    return its.gamma * row.open_interest * forward**2 / 100
