"""Futures in words and as a table: their rates, and how each number is computed. Rates are fractions."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any

from store.instants import DAY
from store.market.carry import FREE_PREMIUM, LEAST_TO_EXPIRY, Funding, annual_rate
from store.market.reads.explained import CARRY, FUNDING, MATURITY, SPREADS, Formula
from store.market.reads.futures import Carry, Quoted, Spread
from store.market.reads.snapshots import SnapshotAt
from store.models import Gap

from . import text

NONE = text.NOT_KNOWN

FUNDING_OF_8H = "What longs paid shorts in the last 8 hours, × 3 × 365: simple. Below 0 shorts paid longs."

SETTLING = (
    "From 07:30 to 08:00 UTC there is no basis: the exchange's replies then have the mean of the index since 07:30, by "
    "which it settles, instead of the index."
)

_PLAIN, _ANNUAL = CARRY
(_MATURITY,) = MATURITY
_SUM, _YEAR = FUNDING
_SPREAD, _ANNUAL_SPREAD = SPREADS


def price(usd: float | None) -> str:
    return NONE if usd is None else text.price(usd)


def percent(fraction: float | None) -> str:
    """A basis or a rate in percent with its sign."""
    return NONE if fraction is None else text.change(fraction)


def small(fraction: float | None) -> str:
    """A premium or a rate of hours in percent with its sign and four digits."""
    percent = None if fraction is None else round(100 * fraction, 4)
    return NONE if percent is None else f"{percent:+.4f} %" if percent else "0.0000 %"


def rate_of_8h(rate: float | None) -> str:
    """A rate for 8 hours, and what it is in a year."""
    return NONE if rate is None else f"{small(rate)}, {percent(annual_rate(rate))} a year"


def moved(now: float | None, then: float | None) -> str | None:
    """The change of an amount in percent; None if one of both is not known."""
    return text.change(now / then - 1) if now and then else None


def points(now: float | None, then: float | None) -> str | None:
    """The difference of two rates in points of percent; None if one of both is not known."""
    if now is None or then is None:
        return None
    change = round(100 * (now - then), 2)
    return f"{change:+.2f} points" if change else "0.00 points"


def large(amount: float) -> str:
    """An amount in three significant digits, such as "1.23 bn"."""
    for size, unit in ((1e9, " bn"), (1e6, " m"), (1e3, " k")):
        if abs(amount) >= 0.9995 * size:
            return f"{_three(amount / size)}{unit}"
    return _three(amount)


def _three(number: float) -> str:
    return f"{number:,.{2 if abs(number) < 9.995 else 1 if abs(number) < 99.95 else 0}f}"


def hours_known(funding: Funding) -> str:
    return f"{funding.hours_known:,} of {funding.hours_due:,} hours known"


def paid(funding: Funding, name: str) -> str:
    """What the holders of a perpetual paid each other, in sentences."""
    if funding.cumulated is None or funding.annual is None:
        return f"{hours_known(funding)}."
    who = "Longs paid shorts" if funding.cumulated >= 0 else "Shorts paid longs"
    return (
        f"{who} {abs(100 * funding.cumulated):.4f} % of a position in {name}: {percent(funding.annual)} a year, "
        f"simple. {hours_known(funding)}."
    )


def contracts(snapshot: SnapshotAt[Quoted], carries: Sequence[Carry]) -> dict[str, list[Any]]:
    """A row for each contract, the perpetual first; rates in percent. What is unknown is None."""
    rows = snapshot.rows
    return {
        "Contract": [row.instrument_name for row in rows],
        "Mark": [row.mark_price for row in rows],
        "Basis": [_percent(each.basis) for each in carries],
        "Annual basis": [_percent(each.annual_basis) for each in carries],
        "Days": [None if row.expiry is None else (row.expiry - snapshot.ts) / DAY for row in rows],
        "Open interest, USD": [row.open_interest for row in rows],
        "Volume 24 h, USD": [row.volume_usd for row in rows],
    }


def spreads(found: Sequence[Spread]) -> dict[str, list[Any]]:
    """A row for each pair of neighbouring expiries; rates in percent. What is unknown is None."""
    return {
        "Near": [each.near for each in found],
        "Far": [each.far for each in found],
        "Days between": [each.between / DAY for each in found],
        "Spread, USD": [each.spread for each in found],
        "Annual": [_percent(each.annual_spread) for each in found],
    }


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def around(snapshot: SnapshotAt[Quoted], maturity: timedelta) -> tuple[str, str] | None:
    """The names of the futures that a constant maturity lies between; None if it lies beyond them."""
    left = [
        (row.expiry - snapshot.ts, row.instrument_name)
        for row in snapshot.rows
        if row.expiry and row.mark_price and row.expiry - snapshot.ts >= LEAST_TO_EXPIRY
    ]
    before = max((each for each in left if each[0] <= maturity), default=None)
    after = min((each for each in left if each[0] >= maturity), default=None)
    return (before[1], after[1]) if before and after else None


def gaps(found: Sequence[Gap]) -> str:
    """The gaps of a range in sentences."""
    length = text.duration(sum((gap.end - gap.start for gap in found), timedelta()))
    many = f"{text.count(len(found), 'gap')} of {length}{' in all' if len(found) > 1 else ''}"
    return f"{many}: the line breaks there. Trades that heal a gap have no mark."


def how_mark() -> str:
    return (
        "The **mark price** is the exchange's fair price of the perpetual, which margins are computed with. It is "
        "neither the last trade nor the index.\n\n"
        f"**Premium** = {_PLAIN.formula}. S is the index of the same reply.\n\n{_source(_PLAIN)}"
    )


def how_funding(funding: Funding) -> str:
    free = f"{100 * FREE_PREMIUM:g} %"
    return (
        f"**7 d, a year** = {_YEAR.formula}. Cumulated is {_SUM.formula}, of the last 168 whole hours. An hour that is "
        f"not known is not made up: {hours_known(funding)}.\n\n"
        "**Now** and **last 8 h** are the exchange's rates for 8 hours: of this moment, and of the last 8 hours. "
        "A year of one is rate × 3 × 365.\n\n"
        f"With a premium p the rate is max({free}, p) + min(-{free}, p), up to a limit. Above 0 longs pay shorts.\n\n"
        f"{_source(_YEAR, '`futures.current_funding`, `futures.funding_8h`', 'support.deribit.com 31424939178397')}"
    )


def how_maturity(snapshot: SnapshotAt[Quoted] | None, maturity: timedelta) -> str:
    """How the basis at a constant maturity is computed; with the futures of a snapshot if there is one."""
    found = snapshot and around(snapshot, maturity)
    between = f" As shown, it lies between {found[0]} and {found[1]}." if found else ""
    return (
        f"**Basis, {text.span(maturity)}** = {_MATURITY.formula}\n\n"
        "F is the mark of a future, S the index of the same reply, T in years of 365 days. Beyond the listed futures "
        f"there is no number.{between}\n\n{_source(_MATURITY)}"
    )


def how_open_interest() -> str:
    return (
        "**Open interest** is the sum over the perpetual and all futures of the snapshot, in USD as the exchange "
        "counts its inverse contracts. A contract without a number is left out, and the card says so.\n\n"
        "Source: `futures.open_interest`."
    )


def how_contracts() -> str:
    return (
        f"**Basis** = {_PLAIN.formula}. S is the index of the same reply.\n\n"
        f"**Annual basis** = {_ANNUAL.formula}. T is the time to expiry in years of 365 days. Below a day, 0.016 % "
        f"in 16 h would read as 9 % a year. The perpetual has no expiry.\n\n{_source(_ANNUAL)}"
    )


def how_spreads() -> str:
    return (
        f"**Spread** = {_SPREAD.formula}. The index has no part in it, so it is known from 07:30 to 08:00 UTC, too.\n\n"
        f"**Annual** = {_ANNUAL_SPREAD.formula}. T1 and T2 are the years to their expiries.\n\n"
        f"{_source(_ANNUAL_SPREAD)}"
    )


def how_terms() -> str:
    return (
        f"The annual basis of each future as in the table: {_ANNUAL.formula}.\n\n"
        "A day and a week before count from the shown moment, or now from the newest snapshot. The snapshot of such a "
        f"moment is at most one period older; an older one does not stand for it.\n\n{_source(_ANNUAL)}"
    )


def how_cumulated() -> str:
    return (
        f"The line is {_SUM.formula}: what longs paid shorts, in percent of a position. It breaks where an hour is not "
        "known; behind it, the sum goes on without that hour.\n\n"
        f"**A year** = {_YEAR.formula}. The hours due are the whole hours of the range.\n\n{_source(_YEAR)}"
    )


def squares(narrow_days: int) -> str:
    """What the squares of funding show."""
    return (
        "Blue: longs paid shorts. Orange: shorts paid longs. The stronger the colour, the larger the simple rate a "
        f"year. An hour that is not known is empty. A narrow screen shows {narrow_days} days."
    )


def how_squares() -> str:
    return (
        f"**A year** = {_YEAR.formula}, of the one hour. The hour that clocks show twice in autumn is one square with "
        f"both.\n\n{_source(_YEAR)}"
    )


def _source(formula: Formula, *besides: str) -> str:
    """Where a formula and its inputs come from, and its version."""
    inputs = ", ".join(f"`{name}`" for name in formula.inputs)
    return f"Source: {'; '.join([inputs, *besides, formula.source])}. Method version {formula.method}."


def described_basis(known: Sequence[tuple[datetime, float]], maturity: timedelta, zone: tzinfo) -> str:
    """What the chart of the basis shows, for readers who can't see it: at least one known basis."""
    (first, opens), (last, closes) = known[0], known[-1]
    values = [value for _, value in known]
    over = f"from {text.moment(first, zone)} to {text.moment(last, zone)}"
    return (
        f"Annual basis at {text.span(maturity)} {over}: from {percent(opens)} to {percent(closes)}, "
        f"lowest {percent(min(values))}, highest {percent(max(values))}."
    )


def described_terms(terms: Sequence[tuple[str, float, float]]) -> str:
    """What the chart of the term structure shows now, for readers who can't see it."""
    (first, _, near), (last, _, far) = terms[0], terms[-1]
    return f"Annual basis by the time to expiry: from {percent(near)} of {first} to {percent(far)} of {last}."
