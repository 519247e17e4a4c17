"""Options: the chain of an underlying as of an instant, its expiries, smiles and open interest."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

import plotly.graph_objects as go
import streamlit as st

from pages.common import access, address, moments
from pages.common.chart.component import live_chart
from pages.common.choices import one_listed, one_of
from pages.common.drawn import drawn_once
from pages.common.failed import empty, part
from pages.common.figures.options import interest, smiles, surface
from pages.common.live import show
from pages.common.market import as_of, missing
from pages.common.market.cards import explained, is_stale
from pages.common.market.currency import choose_currency, is_left_out, no_market, tell_if_left_out
from pages.common.reads.options import Options, OptionsAt, known_underlyings, read_options
from pages.common.views import to_url
from pages.common.words import chain_table, formula_text, options_text, text
from store.health.status import age_in_words
from store.kinds import OPTIONS
from store.market.checks import is_settling
from store.market.instruments import Option, OptionType, option_name
from store.market.reads.explained import GREEKS, INTEREST, SMILE, TERMS
from store.market.reads.smiles import SmileAt
from store.market.reads.terms import terms_of
from store.market.smile import put_call_ratio
from store.words import shortened

AXES, BARS = list(smiles.AXES), list(interest.MEASURES)
STRIKES = {"Around the money": 11, "All": None}
"""How many strikes the table has: as many as it shows without scrolling, or all."""
SIDES: Mapping[str, Sequence[OptionType]] = {"Both": ("call", "put"), "Calls": ("call",), "Puts": ("put",)}
CONTRACT = "pages/contract.py"
OF_DELTA = {"forward", "years", "d1", "delta"}
CALENDAR_HEIGHT, CHART_HEIGHT, TABLE_HEIGHT = 310, 340, 420


class Shown(NamedTuple):
    """What charts show: the axis of the smile, and the measure of bars."""

    axis: str
    bars: str


def toolbar() -> tuple[str, datetime | None, int, Shown]:
    """Draw the choices: the underlying, the instant, the days to compare with, and what charts show."""
    with st.container(horizontal=True):
        underlying = choose_currency(known_underlyings)
        if not underlying:
            return "", None, 0, Shown(AXES[0], BARS[0])
        days = as_of.choose_comparison()
        axis = one_of("Smile by", AXES, AXES[0], key="x")
        bars = one_of("Bars", BARS, BARS[0], key="bars", wrap=True)
    return underlying, as_of.choose(OPTIONS.feed(underlying)), days, Shown(axis, bars)


def measure_of(bars: str, compared: Options | None) -> interest.Measure:
    """What bars show. Without a moment to compare with, a change is not known: they show open interest."""
    measure = interest.MEASURES[bars]
    if measure.since and compared is None:
        st.caption("A change needs a moment to compare with: open interest is shown.")
        return interest.MEASURES[BARS[0]]
    return measure


def shown(underlying: str, at: datetime | None, days_before: int, its: Shown) -> None:
    if not underlying:
        part("The list of markets", known_underlyings, no_market)
        return
    part(
        "The option chain",
        lambda: read_options(underlying, at, days_before),
        partial(drawn, underlying=underlying, at=at, how=its),
        about=(underlying, at, days_before),
        height=CALENDAR_HEIGHT + 2 * CHART_HEIGHT,
    )


def drawn(found: OptionsAt, underlying: str, at: datetime | None, how: Shown) -> None:
    if found.options is None:
        nothing(found, underlying, at)
        return
    headline(found.options, found.standing.period, underlying, at)
    if found.before is not None and found.compared is None:
        missing.not_compared(found.before, "option chain")
    options, compared = found.options, found.compared
    its = chosen(options)
    measure = measure_of(how.bars, compared)
    expiries(options, compared, its, measure)
    numbers(its, underlying)
    left, right = st.columns(2)
    with left:
        smile(options, compared, its, how.axis)
    with right:
        by_strike(options, compared, its, measure)
    term_structure(options, compared)
    surface_squares(options)
    table(options, its, at)


def nothing(found: OptionsAt, underlying: str, at: datetime | None) -> None:
    """Say why there is no chain."""
    seconds = access.settings().options_seconds
    if at is not None:
        missing.draw(found.standing, "option chain")
    elif seconds and (is_left_out(underlying) or not found.recorder):
        empty(f"No option chain of {underlying} yet.")
    elif seconds:
        now = moments.now()
        left = moments.rounded_up(now, timedelta(seconds=seconds)) - now
        empty(f"No option chain of {underlying} yet. The next one is due in {text.duration(left)}.")
    else:
        empty("Option chains aren't recorded: TICKWELL_OPTIONS_SECONDS=0.", ":material/block:")


def headline(options: Options, period: timedelta, underlying: str, at: datetime | None) -> None:
    """Which chain is shown, and how old it is: now, or at the instant that the reader chose."""
    chain = options.chain
    age = max((at or moments.now()) - chain.ts, timedelta())
    words = f"{age_in_words(age.total_seconds())}{' then' if at else ''}"
    shown = f":orange[:material/schedule: stale, {words}]" if is_stale(age, period) else words
    when = text.moment(chain.ts, text.zone(), seconds=True)
    st.markdown(f"**{underlying}** · as of {when} ({shown}) · {text.count(len(chain.rows), 'contract')}")
    if at is not None:
        return
    tell_if_left_out(underlying)
    if not access.settings().options_seconds:
        st.caption("Option chains aren't recorded any more: TICKWELL_OPTIONS_SECONDS=0.")


def chosen(options: Options) -> SmileAt:
    """The smile of the expiry that the address names, else of the one with the largest open interest."""
    named = address.named("expiry")
    by_name = {options_text.in_address(each.smile.expiry): each for each in options.smiles}
    if named and named not in by_name:
        which = f"This chain has no expiry {text.escaped(shortened(named))}."
        st.warning(f"{which} The one with the largest open interest is shown.", icon=":material/warning:")
    return by_name.get(named) or max(options.smiles, key=open_contracts)


def open_contracts(its: SmileAt) -> float:
    return (its.smile.call_oi or 0.0) + (its.smile.put_oi or 0.0)


def choose_expiry(name: str) -> None:
    address.keep(expiry=name)


def expiries(options: Options, compared: Options | None, its: SmileAt, measure: interest.Measure) -> None:
    """Draw the calendar, where a click chooses an expiry, and the choice as a list."""
    underlying, expiry = OPTIONS.end(options.chain.feed), its.smile.expiry
    st.header("Expiries", anchor=False)

    def build() -> tuple[go.Figure, str]:
        before = compared.interest if compared else []
        values = interest.values_of(options.interest, before, measure, options.chain.index_price)
        figure = interest.calendar(options.smiles, options.interest, values, measure, underlying, expiry)
        return figure, interest.describe_calendar(options.smiles, values, measure)

    figure, alt = drawn_once("calendar", options, (expiry, measure, when(compared)), build)
    live_chart(figure, key="calendar", view=underlying, alt=alt, height=CALENDAR_HEIGHT, on_choose=choose_expiry)
    mean = " The index is its mean since 07:30 UTC." if is_settling(options.chain.ts) and not measure.in_usd else ""
    st.caption(f"{measure.by_expiry}, in millions of USD.{mean} A click on a bar chooses its expiry.")
    days = [each.smile.expiry for each in options.smiles]
    one_listed(
        f"Expiry, {options_text.until(its)}",
        {options_text.in_address(each): options_text.expiry(each) for each in days},
        options_text.in_address(expiry),
        choose_expiry,
        f"expiry {underlying}",
        width=240,
    )


def numbers(its: SmileAt, underlying: str) -> None:
    """Draw what the options of an expiry say together."""
    smile = its.smile
    with st.grid(min_column_width=150):
        st.metric("Forward", options_text.amount(smile.forward), help="USD")
        st.metric("IV at the money", options_text.percent(smile.atm_iv))
        st.metric("Risk reversal, 25 delta", options_text.points(smile.rr25), help="Points of IV")
        st.metric("Butterfly, 25 delta", options_text.points(smile.bf25), help="Points of IV")
        st.metric("Max pain", options_text.amount(smile.max_pain), help="USD")
        st.metric(
            "Put / call",
            options_text.ratio(put_call_ratio(smile.put_oi, smile.call_oi)),
            help=f"Open interest of puts by that of calls: {options_text.amount(smile.put_oi)} and "
            f"{options_text.amount(smile.call_oi)} {underlying}",
        )
        st.metric(
            "Put / call, volume",
            options_text.ratio(put_call_ratio(smile.put_volume, smile.call_volume)),
            help=f"Volume of 24 h of puts by that of calls: {options_text.amount(smile.put_volume)} and "
            f"{options_text.amount(smile.call_volume)} {underlying}",
        )
    explained("numbers", formula_text.listed(dict.fromkeys([*SMILE, *INTEREST])))


def smile(options: Options, compared: Options | None, its: SmileAt, axis: str) -> None:
    expiry = its.smile.expiry
    before = None if compared is None else next((each for each in compared.smiles if each.smile.expiry == expiry), None)
    st.header("Smile", anchor=False)
    figure, alt = drawn_once(
        "smile",
        options,
        (expiry, axis, when(compared)),
        lambda: (smiles.smile(its, axis, before, when(compared)), smiles.describe_smile(its)),
    )
    view = f"{options.chain.feed} {expiry} {axis}"
    live_chart(figure, key="smile", view=view, alt=alt, height=CHART_HEIGHT)
    not_listed = f" This expiry was not listed at {when(compared)}." if compared and before is None else ""
    st.caption(f"Bars reach from the IV of the bid to that of the ask, of the option out of the money.{not_listed}")


def by_strike(options: Options, compared: Options | None, its: SmileAt, measure: interest.Measure) -> None:
    """Draw the bars of an expiry by strike."""
    underlying, expiry = OPTIONS.end(options.chain.feed), its.smile.expiry
    now = next(each for each in options.interest if each.expiry == expiry)
    before = next((each for each in compared.interest if each.expiry == expiry), None) if compared else None
    index_name = "Mean index" if is_settling(options.chain.ts) else "Index"
    lines = {"Max pain": its.smile.max_pain, index_name: options.chain.index_price}
    st.header(f"{measure.by_strike} by strike", anchor=False)
    figure, alt = drawn_once(
        "by-strike",
        options,
        (expiry, measure, when(compared)),
        lambda: (
            interest.by_strike(now, before, measure, lines, underlying),
            interest.describe_by_strike(now, before, measure, lines, underlying),
        ),
    )
    view = f"{options.chain.feed} {expiry} {measure.by_strike}"
    live_chart(figure, key="by-strike", view=view, alt=alt, height=CHART_HEIGHT)
    st.caption(options_text.about_bars(underlying, measure.by_strike, when(compared) if before else ""))


def term_structure(options: Options, compared: Options | None) -> None:
    before = compared.smiles if compared else []
    st.header("Term structure", anchor=False)
    figure, alt = drawn_once(
        "terms",
        options,
        when(compared),
        lambda: (
            smiles.term_structure(options.smiles, before, when(compared)),
            smiles.describe_terms(options.smiles),
        ),
    )
    view = options.chain.feed
    live_chart(figure, key="terms", view=view, alt=alt, height=CHART_HEIGHT, on_choose=choose_expiry)
    st.caption("IV at the money of each expiry, by the time to it. A click on a point chooses its expiry.")
    frame = drawn_once("moves", options, None, lambda: chain_table.of_expiries(terms_of(options.smiles)))
    st.dataframe(
        frame,
        column_config=chain_table.EXPIRY_FORMATS,
        hide_index=True,
        height="content",
        placeholder=options_text.NOT_KNOWN,
        alt="The expiries with forward IV and expected moves.",
    )
    explained("terms", formula_text.listed(each for each in TERMS if each.number != "by_delta"))


def surface_squares(options: Options) -> None:
    """Draw the IV of each expiry and delta."""
    st.header("Surface", anchor=False)
    figure, alt = drawn_once(
        "surface", options, None, lambda: (surface.surface(options.smiles), surface.describe(options.smiles))
    )
    live_chart(
        figure,
        key="surface",
        view=options.chain.feed,
        alt=alt,
        height=surface.height(options.smiles),
        least_width=surface.LEAST_WIDTH,
        on_choose=choose_expiry,
    )
    st.caption("IV by expiry and delta, in percent a year. A click on a square chooses its expiry.")
    explained("surface", formula_text.listed(each for each in TERMS if each.number == "by_delta"))


def when(compared: Options | None) -> str:
    """The moment to compare with, in words; empty without one."""
    return text.moment(compared.chain.ts, text.zone(), seconds=True) if compared else ""


def table(options: Options, its: SmileAt, at: datetime | None) -> None:
    """Draw the options of an expiry by strike, and links to the life of those of one strike."""
    st.header("Chain", anchor=False)
    with st.container(horizontal=True):
        sides = SIDES[one_of("Sides", list(SIDES), "Both", key="sides")]
        strikes = one_of("Strikes", list(STRIKES), "Around the money", key="strikes")
    frame = drawn_once(
        "table",
        options,
        (its.smile.expiry, sides, strikes),
        lambda: chain_table.tabulated(its, options.chain.rows, options.greeks, sides, STRIKES[strikes]),
    )
    picked = st.dataframe(
        frame,
        column_config=chain_table.formats(frame),
        hide_index=True,
        height=TABLE_HEIGHT,
        placeholder=options_text.NOT_KNOWN,
        alt=f"The options of {options_text.expiry(its.smile.expiry)} by strike.",
        # With the strikes in its key, a cell stays chosen while the table has the same rows.
        key=f"chain {options.chain.feed} {its.smile.expiry} {frame['Strike'].tolist()}",
        on_select="rerun",
        selection_mode="single-cell",
    )
    lives(OPTIONS.end(options.chain.feed), its.smile.expiry, chain_table.strike_of(frame, picked), sides, at)
    st.caption(
        f"Prices in coin, IV in percent a year, volume of 24 h. {options_text.NOT_KNOWN} is no quote or nothing known. "
        "ATM marks the strike nearest to the forward. A click on a cell leads to the contracts of its strike."
    )
    explained("delta", formula_text.listed(each for each in GREEKS if each.number in OF_DELTA))


def lives(underlying: str, expiry: datetime, strike: float, sides: Sequence[OptionType], at: datetime | None) -> None:
    """Link to the life of each option of a strike."""
    with st.container(horizontal=True, key="lives"):
        for side in sides:
            name = option_name(Option(underlying, expiry, strike, side))
            asked = {"name": name} if at is None else {"name": name, "at": to_url(at)}
            st.page_link(CONTRACT, label=f"The life of {name}", icon=":material/timeline:", query_params=asked)


show(toolbar, shown, lambda *_: access.SELDOM)
