"""How each derived number of the market is computed: its formula, what it is made of, and where the formula is from."""

from typing import NamedTuple

from store.kinds import TENORS_D
from store.market import realised
from store.market.surface import METHOD

_BLACK = "F. Black, The pricing of commodity contracts, 1976; the exchange takes the forward of the expiry"
_BLACK_INPUTS = ("options.mark_iv", "options.underlying_price", "options.strike", "options.expiry", "options.ts")
_PRACTICE = "the usual practice of those who publish constant maturities"
_OWN = "Tickwell"

CARRY_METHOD = 1
"""The version of the formulas of basis and funding. It rises with each change of their results."""


class Formula(NamedTuple):
    """How a number is computed.

    Attributes:
        number: its name in replies and tables; several that are computed alike are separated by commas.
        formula: F is the forward of an expiry or the mark price of a future, S the index price, K the strike, T the
            years to expiry, V the value of an option in USD, s = IV / 100, N and n the normal distribution and its
            density.
        inputs: the columns that it is made of, as table.column.
        unit: of the number.
        source: where the formula is from.
        method: the version of the formula. It rises with each change of its results.
    """

    number: str
    formula: str
    inputs: tuple[str, ...]
    unit: str
    source: str
    method: int = METHOD


def _at_tenors(name: str) -> str:
    return ", ".join(f"{name}_{days}d" for days in TENORS_D)


_LETTERS = (
    Formula("forward", "F = the median underlying_price of the expiry", ("options.underlying_price",), "USD", _OWN),
    Formula("years", "T = (expiry - ts) / 365 d", ("options.expiry", "options.ts"), "years", _OWN),
    Formula("d1", "ln(F/K) / (s sqrt T) + s sqrt T / 2", _BLACK_INPUTS, "1", _BLACK),
)

GREEKS = (
    *_LETTERS,
    Formula("delta", "w N(w d1), w = 1 for a call, -1 for a put", _BLACK_INPUTS, "1", _BLACK),
    Formula("gamma", "n(d1) / (F s sqrt T)", _BLACK_INPUTS, "1/USD", _BLACK),
    Formula("vega", "F n(d1) sqrt T / 100", _BLACK_INPUTS, "USD per point of IV", _BLACK),
    Formula(
        "theta",
        "max(-F n(d1) s / (2 sqrt T) / 365 x min(1, 365 T), -V)",
        _BLACK_INPUTS,
        "USD per day",
        f"{_BLACK}; both limits are the exchange's",
    ),
    Formula("rho", "w K T N(w d2) / 100, d2 = d1 - s sqrt T", _BLACK_INPUTS, "USD per point of interest", _BLACK),
)

SMILE = (
    *_LETTERS,
    Formula("moneyness", "ln(K/F)", ("options.strike", "options.underlying_price"), "1", _OWN),
    Formula("delta", "N(d1), of the call", _BLACK_INPUTS, "1", _BLACK),
    Formula("iv", "the mean mark_iv of the call and the put", ("options.mark_iv",), "% a year", _OWN),
    Formula(
        "bid_iv, ask_iv",
        "the IV at which Black-76 gives the bid or the ask of the put below F, of the call from F on",
        ("options.bid_price", "options.ask_price", *_BLACK_INPUTS[1:]),
        "% a year",
        _BLACK,
    ),
    Formula("atm_iv", "iv, linear in ln(K/F), at 0", _BLACK_INPUTS, "% a year", _OWN),
    Formula(
        "rr25, rr10",
        "IV of the call less IV of the put of 25 or of 10 delta, each linear in N(d1)",
        _BLACK_INPUTS,
        "points",
        _OWN,
    ),
    Formula(
        "bf25, bf10",
        "the mean IV of that call and that put less atm_iv; some write twice as much",
        _BLACK_INPUTS,
        "points",
        _OWN,
    ),
    Formula("call_oi, put_oi", "the sum of what is known", ("options.open_interest",), "coin", _OWN),
    Formula("call_volume, put_volume", "the sum of what is known", ("options.volume",), "coin in 24 h", _OWN),
    Formula(
        "max_pain",
        "the strike X with the least sum of OI max(X - K, 0) over calls and OI max(K - X, 0) over puts",
        ("options.open_interest", "options.strike"),
        "USD",
        "a statistic, not a forecast",
    ),
)

SETTLEMENT = (
    Formula(
        "payoff_usd",
        "max(w (D - K), 0), D the delivery price, w = 1 for a call, -1 for a put",
        ("deliveries.price", "options.strike"),
        "USD",
        "the exchange's rule: D is the mean of the index from 07:30 to 08:00 UTC",
    ),
    Formula(
        "payoff",
        "payoff_usd / D; payoff_usd itself for a linear option",
        ("deliveries.price", "options.strike"),
        "coin",
        _OWN,
    ),
)

SUMS = tuple(each for each in SMILE if each.number in {"call_oi, put_oi", "call_volume, put_volume"})

GAMMA = (
    Formula(
        "call_gamma, put_gamma",
        "gamma OI F² / 100, unsigned: who holds which side is not known",
        ("options.open_interest", *_BLACK_INPUTS),
        "USD per 1 % of F",
        _BLACK,
    ),
)

INTEREST = (
    *SUMS,
    Formula("notional", "(call_oi + put_oi) S", ("options.open_interest", "snapshots.index_price"), "USD", _OWN),
    Formula("put_call_oi", "put_oi / call_oi", ("options.open_interest",), "1", _OWN),
    Formula("put_call_volume", "put_volume / call_volume", ("options.volume",), "1", _OWN),
    *GAMMA,
)

TERMS = (
    Formula(
        "forward_iv",
        "sqrt((s2² T2 - s1² T1) / (T2 - T1)) of atm_iv at the expiry before, 1, and at this one, 2; none where that is "
        "below 0",
        _BLACK_INPUTS,
        "% a year",
        _OWN,
    ),
    Formula("expected_move", "F s sqrt T, s of atm_iv", _BLACK_INPUTS, "USD", "one standard deviation"),
    Formula(
        "by_delta",
        "iv, linear in N(d1) between two strikes; none beyond the last",
        _BLACK_INPUTS,
        "% a year",
        _OWN,
    ),
    Formula("straddle", "the value of the call and the put at K = F by F, s of atm_iv", _BLACK_INPUTS, "%", _BLACK),
)

_VARIANCE = "total variance s² T, linear in T between the two expiries around it"
_TAKING_PART = "; expiries with less than 12 h or 5 strikes take no part"

SURFACE = (
    Formula(
        _at_tenors("iv"),
        f"atm_iv of smiles, {_VARIANCE}{_TAKING_PART}",
        _BLACK_INPUTS,
        "% a year",
        _PRACTICE,
    ),
    Formula(
        _at_tenors("rr25"),
        f"IV of the call less IV of the put of 25 delta, for each {_VARIANCE}",
        _BLACK_INPUTS,
        "points",
        _PRACTICE,
    ),
    Formula(
        _at_tenors("bf25"),
        f"the mean IV of that call and that put less atm_iv, for each {_VARIANCE}",
        _BLACK_INPUTS,
        "points",
        _PRACTICE,
    ),
    Formula(
        "iv_chain_30d",
        "s² = 2/T ∫ q(K)/K² dK from 5 to 95 delta, q the value in USD of the option out of the money; then at 30 days",
        _BLACK_INPUTS,
        "% a year",
        "calibrated against DVOL; not the exchange's own method",
    ),
    *SUMS,
)

_CARRY_INPUTS = ("futures.mark_price", "snapshots.index_price")
_SETTLING = "; none from 07:30 to 08:00 UTC, while a snapshot has the mean of the index since 07:30"

CARRY = (
    Formula("basis", f"F / S - 1, F the mark price of the future{_SETTLING}", _CARRY_INPUTS, "1", _OWN, CARRY_METHOD),
    Formula(
        "annual_basis",
        "basis / T, simple; none below one day to expiry",
        (*_CARRY_INPUTS, "futures.expiry", "futures.ts"),
        "1 a year",
        "the payoff of an inverse future: one coin, and F USD of contracts sold, are F USD at expiry",
        CARRY_METHOD,
    ),
)

SPREADS = (
    Formula(
        "spread",
        "F2 - F1, the mark prices of a future and of the one that expires before it",
        ("futures.mark_price",),
        "USD",
        _OWN,
        CARRY_METHOD,
    ),
    Formula(
        "annual_spread",
        "(F2 / F1 - 1) / (T2 - T1), simple; none below one day between the expiries",
        ("futures.mark_price", "futures.expiry"),
        "1 a year",
        _OWN,
        CARRY_METHOD,
    ),
)

MATURITY = (
    Formula(
        "annual_basis",
        "(F / S - 1) / T at the constant maturity T, ln(F/S) linear in T between the two futures around it; "
        f"futures with less than a day take no part{_SETTLING}",
        (*_CARRY_INPUTS, "futures.expiry", "futures.ts"),
        "1 a year",
        _PRACTICE,
        CARRY_METHOD,
    ),
)

FUNDING = (
    Formula(
        "cumulated", "the sum of interest_1h over the known hours", ("funding.interest_1h",), "1", _OWN, CARRY_METHOD
    ),
    Formula(
        "annual",
        "cumulated x 8760 / hours_known: simple, as if the coins were sold each hour",
        ("funding.interest_1h",),
        "1 a year",
        _OWN,
        CARRY_METHOD,
    ),
)

_IMPLIED, _REALISED = ("volatility_index.close",), ("candles_1m.close",)

VOLATILITY = (
    Formula(
        "realised",
        "100 sqrt(525600 / n sum r²), r = ln(close / close of the minute before), n known ones in the 30 days before",
        _REALISED,
        "% a year",
        "the usual close to close, of minutes that were observed",
        realised.METHOD,
    ),
    Formula(
        "rank",
        "(dvol - min) / (max - min) over the daily closes of 365 days and dvol",
        _IMPLIED,
        "1",
        "the usual IV rank",
        realised.METHOD,
    ),
    Formula(
        "percentile",
        "the share of these days whose close is below dvol",
        _IMPLIED,
        "1",
        "the usual IV percentile",
        realised.METHOD,
    ),
    Formula(
        "premium_now",
        "dvol - realised; none if dvol is older than 2 h",
        (*_IMPLIED, *_REALISED),
        "points",
        _OWN,
        realised.METHOD,
    ),
    Formula(
        "premium_later",
        "dvol_30d_before - realised: who was right",
        (*_IMPLIED, *_REALISED),
        "points",
        _OWN,
        realised.METHOD,
    ),
    Formula(
        "low, quarter, median, three_quarters, high",
        "the quantiles of realised over that many days, at each midnight of the year before",
        _REALISED,
        "% a year",
        "the usual cone",
        realised.METHOD,
    ),
)
