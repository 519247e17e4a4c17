"""What follows from a chain that was read: the smile of each expiry by strike, and the greeks of each option."""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from store.kinds import OPTIONS
from store.market.black76 import Greeks, greeks, implied_volatility, years_between
from store.market.curve import Curve
from store.market.instruments import Option
from store.market.smile import Quote, Smile, curve_of_quotes, forward_of, smile_of_quotes

from .as_of import Chain, Row

_EXPIRY, _STRIKE = attrgetter("expiry"), attrgetter("strike")


class Point(NamedTuple):
    """A strike of a smile. None is what is unknown, and all after the expiry.

    Attributes:
        strike: K, in USD.
        moneyness: ln(K/F).
        delta: of the call at this IV; the put has 1 less.
        iv: of the marks of the call and the put, which the exchange marks alike: their mean; percent a year.
        bid_iv: at which Black-76 gives the bid of the option out of the money: the put below F, the call from F on.
        ask_iv: the same of its ask.
    """

    strike: float
    moneyness: float | None
    delta: float | None
    iv: float | None
    bid_iv: float | None
    ask_iv: float | None


class SmileAt(NamedTuple):
    """The smile of one expiry in a snapshot.

    Attributes:
        years: T, from the exchange time of the snapshot to the expiry.
        smile: its numbers.
        points: its strikes, ascending.
    """

    years: float
    smile: Smile
    points: tuple[Point, ...]


def smiles_of(chain: Chain) -> list[SmileAt]:
    """The smile of each expiry that a chain has rows of, by expiry."""
    underlying = OPTIONS.end(chain.feed)
    return [_smile(underlying, chain.ts, list(its)) for _, its in groupby(chain.rows, _EXPIRY)]


def greeks_of(chain: Chain) -> list[Greeks | None]:
    """The greeks of each row of a chain, with its IV and the forward of its expiry; None where one is unknown."""
    underlying = OPTIONS.end(chain.feed)
    return [each for _, its in groupby(chain.rows, _EXPIRY) for each in _greeks(underlying, chain.ts, list(its))]


def forward_of_rows(rows: Sequence[Row]) -> float | None:
    """F of the rows of one expiry, in USD; None if none is known."""
    return forward_of([_quote(row) for row in rows])


def _smile(underlying: str, ts: datetime, rows: Sequence[Row]) -> SmileAt:
    quotes = [_quote(row) for row in rows]
    curve = curve_of_quotes(ts, quotes)
    by_strike = ((strike, list(its)) for strike, its in groupby(rows, _STRIKE))
    points = tuple(_point(underlying, strike, its, curve) for strike, its in by_strike)
    return SmileAt(years_between(ts, rows[0].expiry), smile_of_quotes(quotes, curve), points)


def _quote(row: Row) -> Quote:
    return Quote(
        row.expiry, row.strike, row.option_type, row.mark_iv, row.underlying_price, row.open_interest, row.volume
    )


def _point(underlying: str, strike: float, rows: Sequence[Row], curve: Curve | None) -> Point:
    if curve is None:
        return Point(strike, None, None, None, None, None)
    moneyness = math.log(strike / curve.forward)
    delta, iv = None, None
    if moneyness in curve.moneyness:
        place = curve.moneyness.index(moneyness)
        delta, iv = curve.deltas[place], curve.ivs[place]
    out_of_the_money = "put" if strike < curve.forward else "call"
    bid_iv, ask_iv = next(
        (_quoted_ivs(underlying, row, curve) for row in rows if row.option_type == out_of_the_money), (None, None)
    )
    return Point(strike, moneyness, delta, iv, bid_iv, ask_iv)


def _quoted_ivs(underlying: str, row: Row, curve: Curve) -> tuple[float | None, float | None]:
    option = Option(underlying, *row[:3])
    bid, ask = (
        None if price is None else implied_volatility(option, price, curve.forward, curve.years)
        for price in (row.bid_price, row.ask_price)
    )
    return bid, ask


def _greeks(underlying: str, ts: datetime, rows: Sequence[Row]) -> Iterator[Greeks | None]:
    forward, years = forward_of_rows(rows), years_between(ts, rows[0].expiry)
    for row in rows:
        if forward is None or row.mark_iv is None:
            yield None
        else:
            yield greeks(Option(underlying, *row[:3]), forward, years, row.mark_iv)
