"""Volatility: DVOL, what was realised, and what the option chains say at constant maturities."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import plotly.graph_objects as go
import streamlit as st

from pages.common import access, ranges
from pages.common.chart.component import live_chart
from pages.common.drawn import drawn_once
from pages.common.failed import NOTHING_YET, empty, part
from pages.common.figures import charts, volatility_charts
from pages.common.figures.gap_marks import add_marks
from pages.common.live import show
from pages.common.market import as_of, missing
from pages.common.market.cards import aged, card, dvol_metric, dvol_period, explained
from pages.common.market.currency import choose_currency, is_left_out, no_market, tell_if_left_out
from pages.common.reads.volatility import (
    BARS,
    Cone,
    Now,
    Past,
    Surfaces,
    known_currencies,
    read_cone,
    read_now,
    read_past,
    read_surfaces,
)
from pages.common.words import gap_text, tables, text, volatility_text
from pages.common.words.clock import Clock
from store.kinds import OPTIONS
from store.market.reads.volatility import CONE_D, Point, VolatilityAt

DEFAULT = "1y"
WHAT = "option chain"
PERCENTS = ("Lowest", "25 %", "Median", "75 %", "Highest", "Realised now", "IV at the money")
CARDS_HEIGHT, DVOL_HEIGHT, CHART_HEIGHT = 200, 380, 300


def toolbar() -> tuple[str, str, datetime | None, int]:
    """Draw the choices: the currency, the range, the instant, and the days to compare with."""
    with st.container(horizontal=True):
        currency = choose_currency(known_currencies)
        if not currency:
            return "", DEFAULT, None, 0
        span = ranges.choose_live_span(list(BARS), DEFAULT)
        days_before = as_of.choose_comparison()
    return currency, span, as_of.choose(OPTIONS.feed(currency)), days_before


def shown(currency: str, span: str, at: datetime | None, days_before: int) -> None:
    if not currency:
        part("The list of markets", known_currencies, no_market)
        return
    of = currency, span, at
    now = part(
        "Volatility",
        lambda: read_now(currency, at, days_before),
        cards,
        about=(currency, at, days_before),
        height=CARDS_HEIGHT,
    )
    part("DVOL", lambda: read_past(*of), partial(past, at=at), about=of, height=DVOL_HEIGHT)
    part(
        "Option chains",
        lambda: read_surfaces(*of),
        partial(chains, span=span, at=at),
        about=of,
        height=2 * CHART_HEIGHT,
    )
    part("The cone", lambda: read_cone(currency, at), partial(cone, now=now), about=(currency, at))


def cards(now: Now | None) -> None:
    if now is None:
        empty("No market is recorded yet.")
        return
    found = now.found
    tell_if_left_out(found.currency)
    with st.grid(4, min_column_width=160):
        with card("dvol", volatility_text.how_dvol(found, now.days_before)):
            dvol_card(now)
        with card("standing", volatility_text.how_standing()):
            standing_card(found)
        with card("realised", volatility_text.how_realised(found)):
            realised_card(now)
        with card("premium", volatility_text.how_premium(found)):
            premium_card(found)
    chain_line(now)


def dvol_card(now: Now) -> None:
    found = now.found
    if found.dvol is None:
        st.metric("DVOL", text.NOT_KNOWN)
        comes = " yet: the exchange's history comes within minutes of the first start"
        st.caption(f"No DVOL{'' if now.at or is_left_out(found.currency) else comes}")
        return
    dvol_metric("DVOL", found.dvol, found.before, now.days_before)
    st.caption(aged(found.dvol.ts, dvol_period(), now.at))


def standing_card(found: VolatilityAt) -> None:
    its = found.standing
    st.metric("IV rank", text.NOT_KNOWN if its is None or its.rank is None else text.share(its.rank))
    st.caption(f"Percentile {text.share(its.percentile)}, of {text.count(its.days, 'day')}" if its else "No day yet")


def realised_card(now: Now) -> None:
    found = now.found
    realised = text.NOT_KNOWN if found.realised is None else volatility_text.percent(found.realised)
    st.metric("Realised, 30 d", realised)
    comes = "" if now.at else volatility_text.realised_comes(found, text.zone())
    st.caption("  \n".join(line for line in (volatility_text.minutes_known(found), comes) if line))


def premium_card(found: VolatilityAt) -> None:
    """DVOL less realised volatility: two numbers that are never mixed."""
    now = found.premium_now
    st.metric("Premium now, points", text.NOT_KNOWN if now is None else volatility_text.signed(now.points))
    st.caption(volatility_text.known_later(found))


def chain_line(now: Now) -> None:
    """Our chain's volatility for 30 days beside DVOL of the same moment. A chain that is missing is told."""
    its, dvol, standing = now.surface, now.found.dvol_of_surface, now.standing
    if now.at is not None and standing.ts is None and (standing.before or standing.after):
        missing.draw(standing, WHAT)
    if now.before is not None and now.before.ts is None:
        missing.not_compared(now.before, WHAT)
    if its is None or its.iv_chain_30d is None or dvol is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(volatility_text.chain_against_dvol(its.iv_chain_30d, dvol.value), width="content")
        st.caption(aged(its.ts, now.standing.period, now.at), width="content")
        explained("chain", volatility_text.how_chain(its))


def past(found: Past, at: datetime | None) -> None:
    if not found.bars:
        empty(f"No DVOL of {found.currency} is recorded in this range{'' if at else ' yet'}.")
        return
    st.header("DVOL and realised volatility", anchor=False)
    zone = text.zone()
    clock = Clock.over(found.start, found.end, zone)
    figure, alt = drawn_once("dvol", found, zone, lambda: dvol_figure(found, clock))
    live_chart(
        figure, key="dvol", view=f"{found.currency} {found.interval} {zone.key} {at}", alt=alt, height=DVOL_HEIGHT
    )
    words = [f"Candles of {text.span(found.interval)}."]
    first = next((at for at, value in found.realised if value is not None), None)
    if first is None:
        words.append("Realised volatility begins once half of the minutes of 30 days are recorded.")
    elif first > found.start + found.interval:
        words.append(f"Realised volatility is known since {text.moment(first, clock.zone)}.")
    st.caption(" ".join([*words, clock.note]))


def dvol_figure(found: Past, clock: Clock) -> tuple[go.Figure, str]:
    """The chart of DVOL, and what it shows in words."""
    figure = volatility_charts.dvol(found.bars, found.realised, found.interval, clock.zone)
    charts.set_range(figure, found.start, found.end, clock.zone)
    return figure, volatility_charts.describe_dvol(found.bars, found.realised)


def chains(found: Surfaces, span: str, at: datetime | None) -> None:
    st.header("Option chains at constant maturities", anchor=False)
    if not found.points:
        empty(*no_chains(found, at))
        return
    zone = text.zone()
    clock = Clock.over(found.start, found.end, zone)
    view = f"{found.currency} {span} {zone.key} {at}"
    st.markdown("**IV at the money**")
    figure, alt = drawn_once("at-the-money", found, zone, lambda: at_the_money(found, clock))
    live_chart(figure, key="at-the-money", view=view, alt=alt, height=CHART_HEIGHT)
    explained("at-the-money", volatility_text.how_at_the_money(found.points))
    st.markdown("**Skew and smile of 25 delta at 30 days, in points**")
    figure, alt = drawn_once("skews", found, zone, lambda: skews(found, clock))
    live_chart(figure, key="skews", view=view, alt=alt, height=CHART_HEIGHT)
    explained("skews", volatility_text.how_skews(found.points))
    st.caption(" ".join(about_chains(found, clock)))


def no_chains(found: Surfaces, at: datetime | None) -> tuple[str, str]:
    """Why there are no chains, with an icon."""
    seconds = access.settings().options_seconds
    if at is not None and found.since is None:
        return f"No option chain of {found.currency} was recorded before that moment.", NOTHING_YET
    if not seconds:
        return "Option chains aren't recorded: TICKWELL_OPTIONS_SECONDS=0.", ":material/block:"
    if found.since is None:
        if is_left_out(found.currency):
            return f"No option chain of {found.currency} was recorded.", ":material/block:"
        due = f" One is due every {text.span(timedelta(seconds=seconds))}." if found.recorder else ""
        return f"No option chain yet.{due}", NOTHING_YET
    return (
        f"No option chain in this range. They are recorded since {text.moment(found.since, text.zone())}.",
        NOTHING_YET,
    )


def at_the_money(found: Surfaces, clock: Clock) -> tuple[go.Figure, str]:
    figure = volatility_charts.at_the_money(found.points, found.gaps, found.step, clock.zone)
    return finished(figure, found, clock), volatility_charts.describe_at_the_money(found.points)


def skews(found: Surfaces, clock: Clock) -> tuple[go.Figure, str]:
    figure = volatility_charts.skews(found.points, found.gaps, found.step, clock.zone)
    return finished(figure, found, clock), volatility_charts.describe_skews(found.points)


def finished(figure: go.Figure, found: Surfaces, clock: Clock) -> go.Figure:
    charts.set_range(figure, found.start, found.end, clock.zone)
    add_marks(figure, found.gaps, found.start, found.end, clock.zone)
    return figure


def about_chains(found: Surfaces, clock: Clock) -> list[str]:
    words = []
    if found.since and found.start <= found.since:
        words.append(f"Chains are recorded since {text.moment(found.since, clock.zone)}.")
    if found.gaps:
        words.append(f"{gap_text.fates(found.gaps)}.")
    if not access.settings().options_seconds:
        words.append("Option chains aren't recorded any more: TICKWELL_OPTIONS_SECONDS=0.")
    return [*words, clock.note]


def cone(found: Cone, now: Now | None) -> None:
    """Realised volatility by its length, with the IV at the money of the same length; nothing if none is known."""
    its = windows(found, now)
    if not its:
        return
    st.header("Cone", anchor=False)
    currency = now.found.currency if now else ""
    figure, alt = drawn_once("cone", found, tuple(its), lambda: cone_figure(its))
    live_chart(figure, key="cone", view=f"{currency} {len(its)}", alt=alt, height=CHART_HEIGHT)
    st.caption(volatility_text.about_cone([(each.days, each.band) for each in its]))
    st.dataframe(
        {
            "Over": [f"{each.days} d" for each in its],
            "Lowest": [each.band.low for each in its],
            "25 %": [each.band.quarter for each in its],
            "Median": [each.band.median for each in its],
            "75 %": [each.band.three_quarters for each in its],
            "Highest": [each.band.high for each in its],
            "Realised now": [each.now for each in its],
            "IV at the money": [each.implied for each in its],
            "Days known": [each.band.days for each in its],
        },
        column_config=dict.fromkeys(PERCENTS, tables.PERCENT),
        hide_index=True,
        placeholder=text.NOT_KNOWN,
    )
    explained("cone", volatility_text.how_cone())


def windows(found: Cone, now: Now | None) -> list[volatility_charts.OfWindow]:
    """What is known of each window of the cone that has a known day."""
    surface, before = (now.surface, now.compared) if now else (None, None)

    def implied(its: Point | None, days: int) -> float | None:
        iv: float | None = its and getattr(its, f"iv_{days}d")
        return iv

    return [
        volatility_charts.OfWindow(days, band, realised, implied(surface, days), implied(before, days))
        for days, band, realised in zip(CONE_D, found.bands, found.now, strict=False)
        if band is not None
    ]


def cone_figure(its: Sequence[volatility_charts.OfWindow]) -> tuple[go.Figure, str]:
    return volatility_charts.cone(its), volatility_charts.describe_cone(its)


show(toolbar, shown, lambda *_: access.SELDOM)
