"""What the options of one expiry say together: a row of `smiles`."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import accumulate
from statistics import median
from typing import NamedTuple

from .black76 import years_between
from .curve import Curve, curve_of, iv_at_delta, iv_at_the_money
from .instruments import OptionType

# The exchange writes hundredths of a percent, and 0 at an expiry. Recorded IVs of marks reach some hundred percent.
_LEAST_IV, _MOST_IV = 0.01, 10_000.0


class Quote(NamedTuple):
    """What a snapshot of a chain has of one option, as far as smiles and surfaces need it. None is what is unknown.

    Attributes:
        expiry: aware, in UTC.
        strike: in USD.
        option_type: "call" or "put".
        mark_iv: percent a year.
        underlying_price: the forward of the expiry, in USD.
        open_interest: in coin.
        volume: of the last 24 h, in coin.
    """

    expiry: datetime
    strike: float
    option_type: OptionType
    mark_iv: float | None
    underlying_price: float | None
    open_interest: float | None
    volume: float | None


class Smile(NamedTuple):
    """The options of one expiry at an instant: the columns of `smiles` from `expiry` to `strikes`, in their order.

    A number is None if nothing is known of it, or if it lies beyond the last strikes.

    Attributes:
        expiry: aware, in UTC.
        forward: the median of `underlying_price`, in USD.
        atm_iv: IV at the forward, linear in ln(K/F); percent a year.
        rr25, rr10: IV of the call minus IV of the put of 25 and of 10 delta, each linear in delta; points.
        bf25, bf10: the mean IV of that call and that put, minus `atm_iv`; points. Some write twice as much.
        call_oi, put_oi: open interest, in coin.
        call_volume, put_volume: of the last 24 h, in coin.
        max_pain: the strike at which the options of this expiry would pay least, in USD. The lowest one of several.
        strikes: how many strikes have an IV.
    """

    expiry: datetime
    forward: float | None
    atm_iv: float | None
    rr25: float | None
    bf25: float | None
    rr10: float | None
    bf10: float | None
    call_oi: float | None
    put_oi: float | None
    call_volume: float | None
    put_volume: float | None
    max_pain: float | None
    strikes: int


def curve_of_quotes(ts: datetime, quotes: Sequence[Quote]) -> Curve | None:
    """The curve of one expiry: at each strike the mean IV of its call and put, which the exchange marks alike.

    Returns:
        None after the expiry, and if no forward is known.
    """
    forward, years = forward_of(quotes), years_between(ts, quotes[0].expiry)
    if forward is None or years <= 0:
        return None
    ivs: defaultdict[float, list[float]] = defaultdict(list)
    for quote in quotes:
        if quote.mark_iv is not None and _LEAST_IV <= quote.mark_iv <= _MOST_IV:
            ivs[quote.strike].append(quote.mark_iv)
    return curve_of(forward, years, {strike: math.fsum(each) / len(each) for strike, each in ivs.items()})


def smile_of_quotes(quotes: Sequence[Quote], curve: Curve | None) -> Smile:
    """The smile of one expiry, from its quotes and the curve that they make."""
    calls = [quote for quote in quotes if quote.option_type == "call"]
    puts = [quote for quote in quotes if quote.option_type == "put"]
    atm_iv = iv_at_the_money(curve) if curve else None
    call25, put25, call10, put10 = (iv_at_delta(curve, delta) if curve else None for delta in (0.25, 0.75, 0.1, 0.9))
    return Smile(
        expiry=quotes[0].expiry,
        forward=forward_of(quotes),
        atm_iv=atm_iv,
        rr25=risk_reversal(call25, put25),
        bf25=butterfly(call25, put25, atm_iv),
        rr10=risk_reversal(call10, put10),
        bf10=butterfly(call10, put10, atm_iv),
        call_oi=known_sum(quote.open_interest for quote in calls),
        put_oi=known_sum(quote.open_interest for quote in puts),
        call_volume=known_sum(quote.volume for quote in calls),
        put_volume=known_sum(quote.volume for quote in puts),
        max_pain=max_pain(quotes),
        strikes=len(curve.ivs) if curve else 0,
    )


def forward_of(quotes: Iterable[Quote]) -> float | None:
    """F: the median `underlying_price` of one expiry, in USD; None if none is known."""
    known = [quote.underlying_price for quote in quotes if quote.underlying_price]
    return median(known) if known else None


def risk_reversal(call: float | None, put: float | None) -> float | None:
    """IV of a call minus IV of the put of the same delta, in points; None if one is unknown."""
    return None if call is None or put is None else call - put


def butterfly(call: float | None, put: float | None, atm_iv: float | None) -> float | None:
    """The mean IV of a call and a put minus the IV at the money, in points; None if one is unknown."""
    return None if call is None or put is None or atm_iv is None else (call + put) / 2 - atm_iv


def max_pain(quotes: Iterable[Quote]) -> float | None:
    """The listed strike X with the least sum of OI max(X - K, 0) over calls and OI max(K - X, 0) over puts, in USD.

    From one strike to the next the sum grows by the calls below and falls by the puts above. So the least sum is at the
    first strike up to which the calls weigh as much as the puts above it. It is a statistic, not a forecast.

    Returns:
        The lowest one of several strikes; None without open interest.
    """
    calls: defaultdict[float, float] = defaultdict(float)
    puts: defaultdict[float, float] = defaultdict(float)
    for quote in quotes:
        (calls if quote.option_type == "call" else puts)[quote.strike] += quote.open_interest or 0.0
    strikes = sorted({*calls, *puts})
    weights = list(accumulate(calls[strike] + puts[strike] for strike in strikes))
    if not weights or not weights[-1]:
        return None
    all_puts, rounding = math.fsum(puts.values()), 1e-12 * weights[-1]
    return next(strike for strike, weight in zip(strikes, weights, strict=True) if weight >= all_puts - rounding)


def put_call_ratio(put: float | None, call: float | None) -> float | None:
    """Puts by calls, of open interest or of volume; None if one is unknown, or without calls."""
    return put / call if put is not None and call else None


def known_sum(numbers: Iterable[float | None]) -> float | None:
    """The sum of what is known, in whatever order; None if nothing is."""
    known = [number for number in numbers if number is not None]
    return math.fsum(known) if known else None
