"""Expiries, strikes and the numbers of options as text."""

from datetime import datetime, timedelta

from store.market.reads.smiles import SmileAt

from . import text

NOT_KNOWN = text.NOT_KNOWN


def expiry(at: datetime) -> str:
    """The day of an expiry as the exchange names it, in UTC, such as "25 Dec 2026"."""
    return f"{at.day} {at:%b %Y}"


def in_address(at: datetime) -> str:
    """The day of an expiry as the address names it."""
    return f"{at:%Y-%m-%d}"


def until(its: SmileAt) -> str:
    """The time from the snapshot to the expiry, in its largest whole unit; or that it is over."""
    if its.years <= 0:
        return "expired"
    left = timedelta(days=365 * its.years)
    return f"in {left.days} d" if left >= timedelta(days=2) else f"in {text.duration(left)}"


def strike(value: float) -> str:
    return f"{value:,.10g}"


def percent(value: float | None) -> str:
    """A volatility in percent a year."""
    return NOT_KNOWN if value is None else f"{value:.2f} %"


def points(value: float | None) -> str:
    """A difference of volatilities."""
    return NOT_KNOWN if value is None else f"{value:+.2f}"


def amount(value: float | None) -> str:
    """An amount of coins or of USD, in whole units."""
    return NOT_KNOWN if value is None else f"{value:,.0f}"


def ratio(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{value:.2f}"


def millions(value: float) -> str:
    """USD in millions."""
    return f"{value / 1e6:,.1f} M USD"


def about_bars(underlying: str, measure: str, compared: str) -> str:
    """What bars by strike show, and of which moment their outlines are; empty without one to compare with."""
    if measure == "Change of open interest":
        return f"In {underlying}, since {compared}. A strike that was not listed then has no bar."
    outlined = f" Outlined: as of {compared}." if compared else ""
    if measure == "Gamma":
        how = "In millions of USD of delta for a move of the forward by 1 %: calls up, puts down. It is unsigned: "
        return f"{how}who holds which side is not known.{outlined}"
    return f"In {underlying}: calls up, puts down.{outlined}"
