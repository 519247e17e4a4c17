"""History: indexes over any range, as lines or candles, down to single ticks, and series of the market below them."""

import math
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.common import access, moments, ranges
from pages.common.chart.component import live_chart
from pages.common.choices import one_of, some_indexes
from pages.common.drawn import drawn_once
from pages.common.export_links import FORMATS, offer
from pages.common.failed import empty, failed, part
from pages.common.figures import charts, scales
from pages.common.figures.alert_marks import add_alerts
from pages.common.figures.gap_marks import add_marks
from pages.common.figures.measures import Measures, measured
from pages.common.figures.panels import HEIGHT as HEIGHT_OF_PANEL
from pages.common.figures.panels import Panel, add_panels
from pages.common.live import show
from pages.common.market import lines, moves
from pages.common.market.cards import explained
from pages.common.market.pairs import MOVES, Pair, choose_pair, choose_series
from pages.common.reads.history import History, read_history
from pages.common.reads.recorded import known_indexes, offered, recorded
from pages.common.reads.series import firsts, read_together
from pages.common.views import SPANS, View, intervals_for
from pages.common.words import alert_text, gap_text, series_text, tables, text
from pages.common.words.clock import Clock
from store.errors import StoreError
from store.export.query import ExportQuery
from store.instants import MINUTE
from store.prices.bars import INTERVAL_NAMES, bucket
from store.prices.candles import floor

CHART_HEIGHT, ALONE_HEIGHT = 460, 80
PRICES = ["Open", "High", "Low", "Close"]
AUTO, LINE, CANDLES = "Auto", "Line", "Candles"
DEFAULT = "1d"


def toolbar() -> tuple[list[str], View, list[str], Pair | None]:
    """Draw the choices, and return the indexes, what to draw of them, the series of the market, and what to compare."""
    known = offered(known_indexes)
    with st.container(horizontal=True):
        names = some_indexes(known)
        drawn = one_of("Chart", [LINE, CANDLES], LINE, key="chart")
        bars = st.empty()
    with st.container(horizontal=True):
        market = choose_series()
        pairs = st.container(horizontal=True, width="content")
    view = replace(
        ranges.choose_view(list(SPANS), DEFAULT, zooms=bool(names or market)),
        candles=drawn == CANDLES and len(names) == 1,
    )
    its_length = length(names, market, view)
    with pairs:
        pair = choose_pair([*names, *market], its_length)
    choices = {AUTO: None, **{INTERVAL_NAMES[each]: each for each in intervals_for(its_length)}}
    if st.session_state.get("bars", AUTO) not in choices:  # of another range; Streamlit would leave it in the address
        st.session_state["bars"] = AUTO
    chosen = bars.selectbox(
        "Bars",
        list(choices),
        key="bars",
        bind="query-params",
        width=140,
    )
    return names, replace(view, interval=choices[chosen]), market, pair


def length(names: list[str], market: list[str], view: View) -> timedelta:
    """The length of a range; "All" begins with what is known first, and is ten years while that can't be read."""
    now = moments.now()
    try:
        known = [recorded()[name][0] for name in names if name in recorded()]
        first = min([*known, *(firsts(market) if market else {}).values()], default=now)
    except StoreError:
        first = now - timedelta(days=3650)
    start, end = view.bounds(now, first)
    return end - start


def shown(names: list[str], view: View, market: list[str], pair: Pair | None) -> None:
    if not names and not market:
        st.info("Choose an index.", icon=":material/candlestick_chart:")
        return
    below = list(dict.fromkeys([*market, *([pair.a, pair.b] if pair and pair.how != MOVES else [])]))
    history = part(
        "The chart",
        lambda: read_history(moments.this_second(), names, view, below),
        partial(drawn, names=names, view=view, market=market, pair=pair),
        about=(names, view, market, pair),
        height=CHART_HEIGHT,
    )
    if pair and pair.how == MOVES and history:
        start, end = history.start, floor(history.end, MINUTE)
        part(
            "Correlation and beta",
            lambda: read_together(pair.a, pair.b, pair.window, start, end),
            partial(
                moves.draw,
                pair=pair,
                view=viewed(history, view, market, pair),
                on_zoom=ranges.zooms_from(view.span, history.start, history.end, DEFAULT),
            ),
            about=(pair, view),
            height=moves.CHART_HEIGHT,
        )


def drawn(history: History, names: list[str], view: View, market: list[str], pair: Pair | None) -> None:
    """The chart, its measures and its table."""
    ranges.note_shown(history.start, history.end)
    panels = drawn_once("panels", history, (*market, pair), lambda: lines.panels_of(history.lines, market, pair))
    has_bars = any(len(frame) for frame in history.bars.values())
    if not has_bars and not panels:
        nothing_here([*names, *market], history)
        return
    chart(history, view, market, pair, panels)
    if has_bars:
        download(history)
        measures(history)
    if panels:
        lines.measures(panels)
        explained("series", series_text.how(market, pair.name if pair and pair.how != MOVES else ""))
    table(history, panels)


def nothing_here(names: list[str], history: History) -> None:
    zone = text.zone()
    pairs = ", ".join(map(text.pair, names))
    words = [f"No ticks of {pairs} from {text.moment(history.start, zone)} to {text.moment(history.end, zone)}."]
    for name, (first, last) in history.recorded.items():
        words.append(f"{text.pair(name)} is recorded from {text.moment(first, zone)} to {text.moment(last, zone)}.")
    if history.gaps:
        words.append(f"{gap_text.fates(history.gaps)}.")
    empty(" ".join(words))


def download(history: History) -> None:
    """Offer the drawn bars as a file; the last bar is included once it is over."""
    start = bucket(history.start, history.interval)  # the first bar is drawn as a whole
    query = ExportQuery(tuple(history.bars), start, history.end, history.interval)
    with st.popover("Download what I see", icon=":material/download:"):
        for name, form in FORMATS.items():
            offer(name, replace(query, format=form))


def measures(history: History) -> None:
    found = drawn_once(
        "measures", history, None, lambda: {name: measured(frame) for name, frame in history.inside().items()}
    )
    if len(history.bars) > 1:
        several(found)
    else:
        single(*found.values())
    longest = max(each.averages_s for each in found.values())
    if longest:
        over = text.span(timedelta(seconds=longest))
        st.caption(f"Some bars are averages over up to {over}: the true high, low and volatility are more extreme.")


def single(numbers: Measures) -> None:
    with st.grid(min_column_width=130):
        st.metric("Open", text.price(numbers.open))
        st.metric("High", text.price(numbers.high))
        st.metric("Low", text.price(numbers.low))
        st.metric("Close", text.price(numbers.close))
        st.metric(
            f"Change, {text.direction(numbers.change)}" if round(numbers.change, 4) else "Change",
            text.change(numbers.change),
        )
        st.metric("Realised volatility", volatility(numbers.volatility), help=VOLATILITY)


VOLATILITY = "Annualised, from the returns between the drawn bars. No return is counted across a gap."


def volatility(fraction: float) -> str:
    return "—" if math.isnan(fraction) else f"{100 * fraction:.1f} %"


def several(found: dict[str, Measures]) -> None:
    prices = {name: [getattr(each, name.lower()) for each in found.values()] for name in PRICES}
    st.dataframe(
        {
            "Index": list(map(text.pair, found)),
            **prices,
            "Change": [tables.change(each.change) for each in found.values()],
            "Realised volatility": [100 * each.volatility for each in found.values()],
        },
        column_config={
            **tables.prices(PRICES, list(prices.values())),
            "Change": tables.PERCENT,
            "Realised volatility": st.column_config.NumberColumn(format="%.1f %%"),
        },
        hide_index=True,
    )


def chart(history: History, view: View, market: list[str], pair: Pair | None, panels: list[Panel]) -> None:
    zone = text.zone()
    clock = Clock.over(history.start, history.end, zone)
    about_it = view, zone, *market, pair
    figure, alt = drawn_once("history", history, about_it, lambda: figured(history, view, clock, panels))
    live_chart(
        figure,
        key="history",
        view=viewed(history, view, market, pair),
        alt=alt,
        height=(CHART_HEIGHT if any(map(len, history.bars.values())) else ALONE_HEIGHT) + len(panels) * HEIGHT_OF_PANEL,
        on_zoom=ranges.zooms_from(view.span, history.start, history.end, DEFAULT),
    )
    for what, why in history.unread.items():
        failed(what, why)
    words = drawn_once("about", history, (view, zone), lambda: about(history, view, clock))
    st.caption(" ".join([*words, *lines.about(history.lines, market, pair, panels, history.start, clock.zone)]))


def viewed(history: History, view: View, market: list[str], pair: Pair | None) -> str:
    """What a chart shows."""
    return f"{list(history.bars)} {market} {pair} {view} {text.zone().key} {ranges.zooms_so_far()}"


def figured(history: History, view: View, clock: Clock, panels: list[Panel]) -> tuple[go.Figure, str]:
    """The chart of a range, and what it shows in words."""
    zone, inside = clock.zone, history.inside()
    its_scales = scales.fitting(inside)
    if not its_scales:
        figure = charts.figure_of([], history.lines.step, None)
    elif view.candles:
        ((name, frame),) = history.bars.items()
        figure = charts.candles(frame, name, history.interval, zone)
    else:
        figure = charts.lines(history.bars, its_scales, history.interval, zone)
    if panels:
        add_panels(figure, panels, CHART_HEIGHT - 60 if its_scales else 0, len(its_scales), zone)
    charts.set_range(figure, history.start, history.end, zone)
    add_alerts(figure, history.alerts, its_scales, zone)
    add_marks(figure, history.gaps, history.start, history.end, zone)
    prices = charts.describe(inside, zone) if its_scales else ""
    return figure, f"{prices} {lines.described(panels)}".strip()


def about(history: History, view: View, clock: Clock) -> list[str]:
    """What the chart can't say by itself, in sentences."""
    zone = clock.zone
    short = history.end - history.start < timedelta(hours=1)
    start, end = (text.moment(at, zone, seconds=short) for at in (history.start, history.end))
    drawn = [frame for frame in history.bars.values() if len(frame)]
    each = f", {f'bars of {text.span(history.interval)}' if history.interval else 'single ticks'}" if drawn else ""
    words = [f"{start} to {end}{each}."]
    if clock.note:
        words.append(clock.note)
    if len(drawn) > 1:
        words.append("Each index is 100 at its first tick.")
    longest = max((int(frame["resolution_s"].where(frame["averaged"], 0).max()) for frame in drawn), default=0)
    if longest:
        words.append(
            f"Dashed: averages over up to {text.span(timedelta(seconds=longest))}, from the exchange's own history"
            f"{'; they have no high and low, so they are not candles' if view.candles else ''}."
        )
    if history.gaps:
        words.append(f"{gap_text.fates(history.gaps)}.")
    if history.alerts:
        words.append(alert_text.how_many(history.alerts))
    for name, (first, _) in history.recorded.items():
        if first > history.start:
            words.append(f"{text.pair(name)} is recorded since {text.moment(first, zone)}.")
    return words


def table(history: History, panels: list[Panel]) -> None:
    """Draw what is drawn as a table, row by row."""
    rows = st.expander("Table of what is drawn", on_change="rerun", key="table")
    if rows.open:
        with rows:
            if history.bars:
                bars_table(history)
            if panels:
                lines.table(panels, text.zone())


def bars_table(history: History) -> None:
    found = pd.concat([tabulated(name, frame) for name, frame in history.bars.items()])
    st.dataframe(
        found,
        column_config={**tables.prices(PRICES, found[PRICES]), "Ticks": tables.COUNT},
        hide_index=True,
        height=320,
    )


def tabulated(index_name: str, frame: pd.DataFrame) -> pd.DataFrame:
    zone = text.zone()
    return pd.DataFrame(
        {
            "Index": text.pair(index_name),
            f"Time, {zone.key}": tables.stamps(frame["open_time"], zone),
            **{part: frame[part.lower()] for part in PRICES},
            "Ticks": frame["tick_count"],
            "Average over, s": frame["resolution_s"].where(frame["averaged"]),
        }
    )


def refresh_every(names: list[str], view: View, market: list[str], pair: Pair | None) -> timedelta:
    del names, market, pair
    return access.refresh_every() if view.lives(moments.now()) else access.SELDOM


show(toolbar, shown, refresh_every)
