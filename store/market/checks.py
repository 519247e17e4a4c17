"""Self-checks: numbers of the market that must agree, each pair with the difference that it may have.

A check says that two numbers differ, not which one is wrong: it may be the exchange's number or our reading of it.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean
from typing import Literal, NamedTuple

from .carry import funding_rate
from .instruments import is_linear

State = Literal["ok", "note", "warn"]

SETTLING = timedelta(minutes=30)
"""Before 08:00 UTC the exchange takes the mean index of this time for what expires."""

SETTLED = timedelta(hours=8)
SETTLES_FROM = SETTLED - SETTLING
"""The half hour of settlement, since midnight UTC; both ends belong to it."""

_MINUTES = SETTLING // timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Check:
    """A check, and how much its value may differ from 0.

    Attributes:
        name: as the database and the metrics have it.
        title: for readers.
        unit: of the value: "fraction", shown in percent, or "points" of volatility.
        warn_above: a value further from 0 is a warning.
        note_above: a value further from 0 is worth a note; None: the check has no notes.
    """

    name: str
    title: str
    unit: Literal["fraction", "points"]
    warn_above: float
    note_above: float | None = None

    def state(self, value: float) -> State:
        """The state of the check at a value."""
        if abs(value) > self.warn_above:
            return "warn"
        return "note" if self.note_above is not None and abs(value) > self.note_above else "ok"

    def words(self, value: float) -> str:
        """A value with its unit, such as "0.0038 %" or "1.20 points"."""
        return f"{100 * value:z.4f} %" if self.unit == "fraction" else f"{value:z.2f} points"


PARITY = Check("put_call_parity", "Put-call parity", "fraction", warn_above=5e-4)
"""On 985 recorded pairs the largest value was 3.8e-5."""

ONE_IV = Check("one_iv_a_strike", "One IV a strike", "points", warn_above=0.05)
"""On 985 recorded pairs the largest value was 0.01 points, the last digit that the exchange writes."""

DVOL = Check("chain_against_dvol", "Chain against DVOL", "points", warn_above=3.0, note_above=1.5)
"""On 156 recorded days the median distance was 0.29 points, and 95 % of the distances were below 1.16 points."""

FUNDING = Check("funding_against_premium", "Funding against premium", "fraction", warn_above=1e-4)
"""A rule with 0.05 % free instead of 0.025 % would differ by up to 2.5e-4."""

DELIVERY = Check("delivery_against_index", "Delivery against index", "fraction", warn_above=5e-4, note_above=1e-4)
"""The minutes of a half hour, each by one tick instead of by all, differ by about 4e-5 at a volatility of 40 %."""

CHECKS = {check.name: check for check in (PARITY, ONE_IV, DVOL, FUNDING, DELIVERY)}
"""All checks, by name, in the order of every list."""


class Pair(NamedTuple):
    """The call and the put of a strike in one snapshot. None is what is unknown.

    Attributes:
        expiry: aware, in UTC.
        strike: in USD.
        forward: `underlying_price`, in USD.
        call_mark, put_mark: in coin; in the second currency of a linear underlying.
        call_iv, put_iv: percent a year.
    """

    expiry: datetime
    strike: float
    forward: float | None
    call_mark: float | None
    put_mark: float | None
    call_iv: float | None
    put_iv: float | None


class Found(NamedTuple):
    """What a check found: its value, and where in the market that is."""

    value: float
    detail: str = ""


def parity(underlying: str, ts: datetime, pairs: Iterable[Pair]) -> Found | None:
    """The put-call parity of marks: (C - P) - (1 - K/F), as a fraction of the forward F; the pair furthest from 0.

    C and P are the marks of the call and the put in coin, K is the strike. The marks of linear options are divided by F
    first. What expires within half an hour takes no part, because the exchange then marks it by a mean of the index.

    Source: the value of a call less that of a put with the same IV, by Black-76 without interest.

    Returns:
        None if no pair has two marks and a forward.
    """

    def value(pair: Pair) -> float | None:
        if pair.forward is None or pair.call_mark is None or pair.put_mark is None or pair.expiry - ts < SETTLING:
            return None
        unit = pair.forward if is_linear(underlying) else 1.0
        return (pair.call_mark - pair.put_mark) / unit - (1 - pair.strike / pair.forward)

    return _furthest(pairs, value)


def iv_difference(pairs: Iterable[Pair]) -> Found | None:
    """The IV of a call less the IV of the put of its strike, in points; the pair furthest from 0.

    Source: the exchange marks both with one volatility, as recorded chains show.

    Returns:
        None if no pair has two IVs.
    """

    def value(pair: Pair) -> float | None:
        return None if pair.call_iv is None or pair.put_iv is None else pair.call_iv - pair.put_iv

    return _furthest(pairs, value)


def dvol_difference(iv_chain_30d: float, dvol: float) -> Found:
    """The volatility of our chain for 30 days less DVOL, in points.

    Source: `strip_iv` from 5 to 95 delta, which was calibrated against DVOL; it is not the exchange's own method.
    """
    return Found(iv_chain_30d - dvol, f"chain {iv_chain_30d:.2f}, DVOL {dvol:.2f}")


def is_settling(ts: datetime) -> bool:
    """Is it the half hour before 08:00 UTC? A reply then has the mean of the index so far instead of the index."""
    return SETTLES_FROM <= _since_midnight(ts) <= SETTLED


def funding_difference(ts: datetime, mark_price: float, index_price: float, current_funding: float) -> Found | None:
    """The published funding of a perpetual less the funding that its premium implies, as a fraction in 8 h.

    Source: `funding_rate`. It has no cap, so a capped rate differs.

    Returns:
        None while `is_settling`.
    """
    if is_settling(ts):
        return None
    implied = funding_rate(mark_price, index_price)
    return Found(current_funding - implied, f"published {100 * current_funding:z.4f} %, implied {100 * implied:z.4f} %")


def delivery_difference(price: float, minutes: Sequence[float]) -> Found | None:
    """A delivery price by our own mean of the index in the half hour before it, less 1.

    Source: the exchange delivers at the mean index from 07:30 to 08:00 UTC.

    Args:
        price: the delivery price.
        minutes: the mean of our ticks in each minute of the half hour that has any.

    Returns:
        None if a minute has no tick.
    """
    if len(minutes) < _MINUTES:
        return None
    own = fmean(minutes)
    return Found(price / own - 1, f"published {price:.2f}, own mean {own:.2f}")


def _furthest(pairs: Iterable[Pair], value: Callable[[Pair], float | None]) -> Found | None:
    """The value of the pair that is furthest from 0, and which pair that is."""
    known = [(found, pair) for pair in pairs if (found := value(pair)) is not None and math.isfinite(found)]
    if not known:
        return None
    found, pair = max(known, key=lambda each: abs(each[0]))
    return Found(found, f"strike {pair.strike:,.10g} of {pair.expiry:%Y-%m-%d}, largest of {len(known)} pairs")


def _since_midnight(ts: datetime) -> timedelta:
    return timedelta(hours=ts.hour, minutes=ts.minute, seconds=ts.second)
