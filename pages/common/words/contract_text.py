"""The life of one option in words."""

from collections.abc import Iterator
from datetime import datetime, tzinfo

from pages.common.words import formula_text, options_text, text
from store.market.black76 import greeks, years_between
from store.market.instruments import Option, is_linear, option_name
from store.market.reads.contract import Moment, Settlement
from store.market.reads.explained import GREEKS, SETTLEMENT

_OF_DELTA = {"d1", "delta"}


def how() -> str:
    """How the derived numbers of an option are computed."""
    return formula_text.listed([*(each for each in GREEKS if each.number in _OF_DELTA), *SETTLEMENT])


def coin(option: Option) -> str:
    """What the prices of an option are in."""
    return option.underlying.partition("_")[2] if is_linear(option.underlying) else option.underlying


def standing(option: Option, at: datetime, zone: tzinfo) -> str:
    """When an option expires, or that it has."""
    when = text.moment(option.expiry, zone)
    if at >= option.expiry:
        return f"expired {when}"
    return f"expires {when}, in {text.duration(option.expiry - at)}"


def absent(option: Option, at: datetime | None, zone: tzinfo) -> str:
    """That no chain up to an instant has an option."""
    upto = "" if at is None else f" up to {text.moment(at, zone)}"
    return f"{option_name(option)} is in no option chain that was recorded{upto}."


def numbers(option: Option, last: Moment, paid: Settlement | None) -> Iterator[tuple[str, str, str]]:
    """The label, the number and the unit of each metric of an option: the settlement, or else the newest numbers."""
    unit, row = coin(option), last.row
    if paid is not None:
        yield "Delivery price", f"{paid.delivery_price:,.2f}", "USD: the mean of the index from 07:30 to 08:00 UTC"
        yield "Payoff, USD", f"{paid.payoff_usd:,.2f}", "The intrinsic value at the delivery price"
        if not is_linear(option.underlying):
            yield f"Payoff, {unit}", f"{paid.payoff:.4f}", "The same in coin"
    yield "Last mark" if paid else "Mark", _price(row.mark_price), unit
    yield "IV of the mark", options_text.percent(row.mark_iv), "Percent a year"
    if paid is None:
        yield "Bid", _price(row.bid_price), unit
        yield "Ask", _price(row.ask_price), unit
        yield "Delta", _delta(option, last), "Of the value in USD, with the IV of the mark"
        yield "Forward", options_text.amount(row.underlying_price), "USD"
    yield "Open interest", _contracts(row.open_interest), option.underlying
    yield "Volume, 24 h", _contracts(row.volume), option.underlying


def _price(value: float | None) -> str:
    return options_text.NOT_KNOWN if value is None else f"{value:.4f}"


def _contracts(value: float | None) -> str:
    return options_text.NOT_KNOWN if value is None else f"{value:,.1f}"


def _delta(option: Option, last: Moment) -> str:
    row = last.row
    if row.mark_iv is None or not row.underlying_price:
        return options_text.NOT_KNOWN
    its = greeks(option, row.underlying_price, years_between(last.ts, option.expiry), row.mark_iv)
    return options_text.NOT_KNOWN if its is None else f"{its.delta:+.3f}"
