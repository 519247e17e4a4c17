"""Futures: what they cost to carry, now and over time."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import plotly.graph_objects as go
import streamlit as st

from pages.common import access, moments, ranges
from pages.common.chart.component import live_chart
from pages.common.drawn import drawn_once
from pages.common.failed import empty, part
from pages.common.figures import carry_charts, charts
from pages.common.figures.gap_marks import add_marks
from pages.common.figures.hours import funding_squares
from pages.common.live import show
from pages.common.market import as_of, futures_cards, missing
from pages.common.market.cards import explained
from pages.common.market.currency import choose_currency, is_left_out, no_market, tell_if_left_out
from pages.common.moments import rounded_up
from pages.common.reads.futures import (
    FUNDING_DAYS,
    MATURITY,
    BasisPast,
    FundingPast,
    FuturesAt,
    Priced,
    known_currencies,
    perpetual_name,
    read_basis,
    read_funding,
    read_funding_days,
    read_futures,
)
from pages.common.views import MOST_POINTS
from pages.common.words import futures_text, tables, text
from pages.common.words.clock import Clock
from store.instants import HOUR
from store.kinds import FUTURES
from store.market.checks import is_settling
from store.prices.bars import nice_interval

SPANS = ["1d", "1w", "1M", "1y", "All"]
DEFAULT = "1M"
CARDS_HEIGHT, CHART_HEIGHT = 560, 320
WHAT = "snapshot of futures"
BASIS_NAME = f"Basis, {text.span(MATURITY)}"


def toolbar() -> tuple[str, str, datetime | None, int]:
    """Draw the choices: the currency, the range, the instant, and the days to compare with."""
    with st.container(horizontal=True):
        currency = choose_currency(known_currencies)
        if not currency:
            return "", DEFAULT, None, 0
        span = ranges.choose_live_span(SPANS, DEFAULT)
        days_before = as_of.choose_comparison()
    return currency, span, as_of.choose(FUTURES.feed(currency)), days_before


def shown(currency: str, span: str, at: datetime | None, days_before: int) -> None:
    if not currency:
        part("The list of markets", known_currencies, no_market)
        return
    of = currency, span, at
    part(
        "Futures",
        lambda: read_futures(currency, at, days_before),
        partial(now, at=at),
        about=(currency, at, days_before),
        height=CARDS_HEIGHT,
    )
    part("The basis", lambda: read_basis(*of), partial(basis, span=span, at=at), about=of, height=CHART_HEIGHT)
    part("Funding", lambda: read_funding(*of), partial(funding, span=span, at=at), about=of, height=CHART_HEIGHT)
    zone = text.zone()
    part(
        "Funding by hour and day",
        lambda: read_funding_days(currency, at, zone),
        partial(funding_days, zone=zone),
        about=(currency, at, zone),
        height=CHART_HEIGHT,
    )


def now(found: FuturesAt, at: datetime | None) -> None:
    """The cards, the contracts and the term structure of the shown snapshot."""
    its = found.its
    if its is None:
        nothing(found, at)
        return
    tell_if_left_out(found.currency)
    if found.compared and found.compared.its is None:
        missing.not_compared(found.compared.standing, WHAT)
    futures_cards.draw(found, its, at)
    if is_settling(its.snapshot.ts):
        st.caption(f":material/info: {futures_text.SETTLING}")
    contracts(its)
    spreads(its)
    term_structure(found, its, at)


def nothing(found: FuturesAt, at: datetime | None) -> None:
    """Say why there is no snapshot."""
    if at is None:
        empty(before_the_first(found))
    else:
        missing.draw(found.standing, WHAT)


def before_the_first(found: FuturesAt) -> str:
    """Why there is no snapshot yet, and when the first one comes."""
    words = f"No futures of {found.currency} are recorded yet."
    if not found.recorder or is_left_out(found.currency):
        return words
    at, period = moments.now(), timedelta(seconds=access.settings().market_seconds)
    return f"{words} The first snapshot comes in {text.duration(rounded_up(at, period) - at)}."


def contracts(its: Priced) -> None:
    st.header("Contracts", anchor=False)
    st.dataframe(
        futures_text.contracts(its.snapshot, its.carries),
        column_config={
            "Contract": st.column_config.TextColumn(pinned=True),
            "Mark": st.column_config.NumberColumn(format="%,.2f"),
            "Basis": st.column_config.NumberColumn(format="%.3f %%"),
            "Annual basis": tables.PERCENT,
            "Days": st.column_config.NumberColumn(format="%.1f"),
            "Open interest, USD": tables.COUNT,
            "Volume 24 h, USD": tables.COUNT,
        },
        hide_index=True,
        placeholder=futures_text.NONE,
        height="content",
    )
    explained("contracts", futures_text.how_contracts())


def spreads(its: Priced) -> None:
    """What each future costs above the one that expires before it."""
    if not its.spreads:
        return
    st.header("Calendar spreads", anchor=False)
    st.dataframe(
        futures_text.spreads(its.spreads),
        column_config={
            "Near": st.column_config.TextColumn(pinned=True),
            "Spread, USD": st.column_config.NumberColumn(format="%,.2f"),
            "Annual": tables.PERCENT,
            "Days between": st.column_config.NumberColumn(format="%.1f"),
        },
        hide_index=True,
        placeholder=futures_text.NONE,
        height="content",
    )
    explained("spreads", futures_text.how_spreads())


def term_structure(found: FuturesAt, its: Priced, at: datetime | None) -> None:
    """The annual basis by the time to expiry, then and before; what was not recorded is told."""
    if not its.terms:
        return
    st.header("Term structure of the basis", anchor=False)
    zone = text.zone()
    shown = "Now" if at is None else "Then"
    before = {f"{text.span(ago)} before": each for ago, each in found.earlier.items()}
    curves = {shown: its} | {name: each.its for name, each in before.items() if each.its}
    figure, alt = drawn_once(
        "terms", found, zone, lambda: terms_figure({name: each.terms for name, each in curves.items()})
    )
    live_chart(figure, key="terms", view=f"{found.currency} {at}", alt=alt, height=CHART_HEIGHT)
    words = [f"{name}: {text.moment(each.snapshot.ts, zone)}." for name, each in curves.items()]
    for name, each in before.items():
        if each.its is None:
            why = f"{missing.told(each.standing, WHAT)} {missing.nearest(each.standing)}".rstrip()
            words.append(f"{name}: {text.escaped(why)}")
    st.caption(" ".join(words))
    explained("terms", futures_text.how_terms())


def terms_figure(curves: Mapping[str, Sequence[tuple[str, float, float]]]) -> tuple[go.Figure, str]:
    """The chart of the term structure, and what it shows in words."""
    return carry_charts.term_structure(curves), futures_text.described_terms(next(iter(curves.values())))


def basis(found: BasisPast, span: str, at: datetime | None) -> None:
    st.header("Basis at a constant maturity", anchor=False)
    if not found.points:
        empty(f"No futures of {found.currency} are recorded in this range{yet(at)}.")
        return
    if not found.known:
        empty(f"The basis of {text.span(MATURITY)} is not known in this range.")
        return
    zone = text.zone()
    clock = Clock.over(found.start, found.end, zone)
    figure, alt = drawn_once("basis", found, zone, lambda: basis_figure(found, clock))
    live_chart(figure, key="basis", view=f"{found.currency} {span} {zone.key} {at}", alt=alt, height=CHART_HEIGHT)
    words = []
    if found.since and found.start <= found.since:
        words.append(f"Futures are recorded since {text.moment(found.since, clock.zone)}.")
    if found.gaps:
        words.append(futures_text.gaps(found.gaps))
    if any(is_settling(each.ts) for each in found.points):
        words.append(futures_text.SETTLING)
    st.caption(" ".join([*words, clock.note]))
    explained("basis", futures_text.how_maturity(None, MATURITY))


def yet(at: datetime | None) -> str:
    return " yet" if at is None else ""


def basis_figure(found: BasisPast, clock: Clock) -> tuple[go.Figure, str]:
    """The chart of the basis, and what it shows in words."""
    zone = clock.zone
    figure = carry_charts.basis(found.points, found.gaps, BASIS_NAME, zone)
    charts.set_range(figure, found.start, found.end, zone)
    add_marks(figure, found.gaps, found.start, found.end, zone)
    return figure, futures_text.described_basis(found.known, MATURITY, zone)


def funding(found: FundingPast, span: str, at: datetime | None) -> None:
    st.header("Funding", anchor=False)
    name = perpetual_name(found.currency)
    if not found.hours:
        comes = "" if at or is_left_out(found.currency) else " The exchange's history comes with the first start."
        empty(f"No funding of {name} is recorded in this range{yet(at)}.{comes}")
        return
    zone = text.zone()
    clock = Clock.over(found.start, found.end, zone)
    figure, alt = drawn_once("funding", found, zone, lambda: funding_figure(found, name, clock))
    live_chart(figure, key="funding", view=f"{name} {span} {zone.key} {at}", alt=alt, height=CHART_HEIGHT)
    st.caption(f"{futures_text.paid(found.total, name)} {clock.note}")
    explained("cumulated", futures_text.how_cumulated())


def funding_days(found: FundingPast, zone: ZoneInfo) -> None:
    """A square for each hour; nothing without a known hour."""
    if not found.hours:
        return
    st.markdown(f"**By hour and day, the last {FUNDING_DAYS} days**")
    first, last = (at.astimezone(zone).date() for at in (found.start, found.end))
    figure, alt = drawn_once("funding-days", found, zone, lambda: squares_figure(found, first, last, zone))
    live_chart(figure, key="funding-days", view=f"{found.currency} {last} {zone.key}", alt=alt, height=CHART_HEIGHT)
    st.caption(futures_text.squares(funding_squares.NARROW_DAYS))
    explained("squares", futures_text.how_squares())


def squares_figure(found: FundingPast, first: date, last: date, zone: ZoneInfo) -> tuple[go.Figure, str]:
    """The squares of funding, and what they show in words."""
    hours = funding_squares.on_the_wall(found.hours, zone)
    return funding_squares.calendar(hours, first, last), funding_squares.describe(hours, FUNDING_DAYS)


def funding_figure(found: FundingPast, name: str, clock: Clock) -> tuple[go.Figure, str]:
    """The chart of cumulated funding, and what it shows in words."""
    step = nice_interval(found.end - found.start, MOST_POINTS, at_least=HOUR)
    figure = carry_charts.funding(found.hours, step, "Cumulated funding", clock.zone)
    charts.set_range(figure, found.start, found.end, clock.zone)
    start, end = (text.moment(at, clock.zone) for at in (found.start, found.end))
    return figure, f"Cumulated funding from {start} to {end}. {futures_text.paid(found.total, name)}"


show(toolbar, shown, lambda *_: access.SELDOM)
