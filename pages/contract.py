"""Contract: the life of one option as of an instant, until it was settled."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import plotly.graph_objects as go
import streamlit as st

from pages.common import access, address, moments, ranges
from pages.common.busy import waiting_once
from pages.common.chart.component import live_chart
from pages.common.choices import one_listed
from pages.common.drawn import drawn_once
from pages.common.failed import empty, part
from pages.common.figures import charts
from pages.common.figures.gap_marks import add_marks
from pages.common.figures.options import contract as contract_charts
from pages.common.live import show
from pages.common.market import as_of, missing
from pages.common.market.cards import explained, is_stale
from pages.common.market.currency import no_market, tell_if_left_out
from pages.common.reads.contract import Life, LifeAt, read_expiries, read_life, read_options_of, read_usual
from pages.common.reads.options import known_underlyings
from pages.common.reads.recorded import offered_currencies
from pages.common.words import contract_text, gap_text, options_text, text
from pages.common.words.clock import Clock
from store.errors import StoreError
from store.health.status import age_in_words
from store.kinds import OPTIONS
from store.market.instruments import Option, option_name, option_of

SPANS = ["1d", "1w", "1M", "All"]
CHART_HEIGHT = 320


def toolbar() -> tuple[str, Option | None, datetime | None, str]:
    """Draw the choices: the option, the instant and the range. Empty without a market; no option without a chain."""
    choices = st.container(horizontal=True)
    its = named()
    underlyings = offered_currencies(known_underlyings)
    underlying = its.underlying if its else next(iter(underlyings), "")
    if not underlying:
        return "", None, None, ""
    at = as_of.choose(OPTIONS.feed(underlying))
    its = its or usual(underlying, at)
    with choices:
        choose_underlying(underlying, underlyings, at)
        if its is not None:
            choose_option(its, at)
        return underlying, its, at, ranges.choose_live_span(SPANS, "All")


def named() -> Option | None:
    """The option that the address names; None without one."""
    name = address.named("name")
    if not name:
        return None
    try:
        return option_of(name)
    except ValueError as error:
        st.warning(f"{text.escaped(str(error))}. Another one is shown.", icon=":material/warning:")
        return None


def usual(underlying: str, at: datetime | None) -> Option | None:
    """The option that is shown where none is named, which the address then names; None if it can't be read."""
    try:
        its = waiting_once(lambda: read_usual(underlying, at))
    except StoreError:
        return None
    if its is not None:
        name_it(its)
    return its


def choose_underlying(underlying: str, underlyings: list[str], at: datetime | None) -> None:
    names = {name: name for name in dict.fromkeys([*underlyings, underlying])}
    one_listed(
        "Underlying", names, underlying, lambda name: go_to(lambda: read_usual(name, at)), "underlying", width=120
    )


def choose_option(its: Option, at: datetime | None) -> None:
    """Draw the expiry, the strike and the type as lists."""
    try:
        expiries = waiting_once(lambda: read_expiries(its.underlying, at))
        options = waiting_once(lambda: read_options_of(its.underlying, its.expiry, at))
    except StoreError:
        expiries, options = [], []
    days = {options_text.in_address(each): each for each in sorted({*expiries, its.expiry}, reverse=True)}
    one_listed(
        "Expiry",
        {name: options_text.expiry(each) for name, each in days.items()},
        options_text.in_address(its.expiry),
        lambda name: go_to(lambda: nearest(read_options_of(its.underlying, days[name], at), its)),
        f"expiry of {option_name(its)}",
        width=160,
    )
    strikes = {options_text.strike(each): each for each in sorted({its.strike, *(each.strike for each in options)})}
    one_listed(
        "Strike",
        {name: name for name in strikes},
        options_text.strike(its.strike),
        lambda name: name_it(its._replace(strike=strikes[name])),
        f"strike of {option_name(its)}",
        width=140,
    )
    one_listed(
        "Type",
        {"call": "Call", "put": "Put"},
        its.option_type,
        lambda name: name_it(its._replace(option_type="call" if name == "call" else "put")),
        f"type of {option_name(its)}",
        width=100,
    )


def nearest(options: list[Option], its: Option) -> Option | None:
    """The option of the same type with the nearest strike."""
    same = [each for each in options if each.option_type == its.option_type]
    return min(same, key=lambda each: abs(each.strike - its.strike), default=None)


def go_to(find: Callable[[], Option | None]) -> None:
    """Show the option that is found."""
    try:
        its = waiting_once(find)
    except StoreError as error:
        st.toast(f"The options can't be read. {text.escaped(str(error))}", icon=":material/error:")
        return
    if its is None:
        st.toast("No such option was recorded.", icon=":material/event_busy:")
    else:
        name_it(its)


def name_it(its: Option) -> None:
    address.keep(name=option_name(its))


def shown(underlying: str, its: Option | None, at: datetime | None, span: str) -> None:
    if not underlying:
        part("The list of markets", known_underlyings, no_market)
        return
    if its is None:
        part("The contract", lambda: read_usual(underlying, at), partial(nothing, underlying=underlying, at=at))
        return
    part(
        "The contract",
        lambda: read_life(its, at, span),
        partial(drawn, its=its, at=at),
        about=(its, at, span),
        height=2 * CHART_HEIGHT,
    )


def nothing(found: Option | None, underlying: str, at: datetime | None) -> None:
    """Say why there is no option to show; draw the choices anew if there is one by now."""
    if found is not None:
        st.rerun()
    if at is not None:
        empty(f"No option chain of {underlying} was recorded up to {text.moment(at, text.zone(), seconds=True)}.")
    elif access.settings().options_seconds:
        empty(f"No option chain of {underlying} yet.")
    else:
        empty("Option chains aren't recorded: TICKWELL_OPTIONS_SECONDS=0.", ":material/block:")


def drawn(found: LifeAt, its: Option, at: datetime | None) -> None:
    life = found.life
    if life is None or not life.moments:
        empty(contract_text.absent(its, life.upto if life else None, text.zone()), ":material/event_busy:")
        return
    headline(life, found.standing.period, at)
    if at is not None and found.standing.ts is None and at < its.expiry:
        missing.draw(found.standing, "option chain")
    else:
        numbers(life)
    graphs(life, found.standing.period)


def headline(life: Life, period: timedelta, at: datetime | None) -> None:
    """Which option is shown, as of when, and how old its newest numbers are."""
    last = life.moments[-1]
    when = text.moment(last.ts, text.zone(), seconds=True)
    words = when
    if life.upto < life.option.expiry:
        age = max((at or moments.now()) - last.ts, timedelta())
        old = f"{age_in_words(age.total_seconds())}{' then' if at else ''}"
        words = f"{when} ({f':orange[:material/schedule: stale, {old}]' if is_stale(age, period) else old})"
    st.markdown(
        f"**{option_name(life.option)}** · {contract_text.standing(life.option, life.upto, text.zone())} · "
        f"last recorded {words}"
    )
    if at is None:
        tell_if_left_out(life.option.underlying)


def numbers(life: Life) -> None:
    """Draw the numbers of the newest snapshot, and what the option paid."""
    with st.grid(min_column_width=150):
        for label, value, unit in contract_text.numbers(life.option, life.moments[-1], life.settlement):
            st.metric(label, value, help=unit)
    if life.settlement is None and life.upto >= life.option.expiry:
        st.caption("Its delivery price is not recorded yet.")
    explained("contract", contract_text.how())


def graphs(life: Life, period: timedelta) -> None:
    zone = text.zone()
    clock = Clock.over(life.start, life.end, zone)
    places = [*st.columns(2), *st.columns(2)]
    for place, (key, (title, build)) in zip(places, graphs_of(life, clock, period).items(), strict=True):
        with place:
            st.header(title, anchor=False)
            figure, alt = drawn_once(key, life, zone, build)
            view = f"{option_name(life.option)} {life.start:%Y-%m-%d} {zone.key}"
            live_chart(figure, key=key, view=view, alt=alt, height=CHART_HEIGHT)
    st.caption(" ".join(about(life, clock)))


def graphs_of(
    life: Life, clock: Clock, period: timedelta
) -> dict[str, tuple[str, Callable[[], tuple[go.Figure, str]]]]:
    """By its key, the title of each chart, and what builds it with its description.

    The charts end a period after the newest snapshot, which has its room then, too.
    """
    end = max(life.end, life.moments[-1].ts + max(period, life.step))
    given = life.moments, life.gaps, life.step, clock.zone
    coin = contract_text.coin(life.option)
    paid = life.settlement

    def with_marks(figure: go.Figure, what: str, column: str, digits: int, unit: str) -> tuple[go.Figure, str]:
        charts.set_range(figure, life.start, end, clock.zone)
        add_marks(figure, life.gaps, life.start, life.end, clock.zone)
        return figure, contract_charts.describe(option_name(life.option), what, life.moments, column, digits, unit)

    return {
        "iv": (
            "Implied volatility",
            lambda: with_marks(contract_charts.iv(*given), "IV of the mark", "mark_iv", 2, "%"),
        ),
        "price": (
            f"Price, {coin}",
            lambda: with_marks(
                contract_charts.price(*given, coin, paid and paid.payoff), "Mark", "mark_price", 4, coin
            ),
        ),
        "forward": (
            "Forward, USD",
            lambda: with_marks(
                contract_charts.forward(*given, life.option.strike, paid and paid.delivery_price),
                "Forward",
                "underlying_price",
                2,
                "USD",
            ),
        ),
        "interest": (
            f"Open interest, {life.option.underlying}",
            lambda: with_marks(
                contract_charts.open_interest(*given, life.option.underlying),
                "Open interest",
                "open_interest",
                1,
                life.option.underlying,
            ),
        ),
    }


def about(life: Life, clock: Clock) -> list[str]:
    words = []
    if life.since is not None and life.start <= life.moments[0].ts:
        words.append(f"Recorded since {text.moment(life.moments[0].ts, clock.zone)}.")
    if life.step > timedelta(minutes=1):
        words.append(f"The last snapshot of each {text.span(life.step)}.")
    if life.gaps:
        words.append(f"{gap_text.fates(life.gaps)}.")
    return [*words, clock.note]


show(toolbar, shown, lambda *_: access.SELDOM)
