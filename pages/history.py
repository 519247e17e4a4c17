"""History: one index or several over any range, as a line or candles, down to single ticks."""

import math
from dataclasses import replace
from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

from pages.common import access, moments, ranges
from pages.common.chart.component import Zoomed, live_chart
from pages.common.export_links import FORMATS, RENEWED_EVERY, offer
from pages.common.figures import charts
from pages.common.figures.alert_marks import add_alerts
from pages.common.figures.gap_marks import add_marks
from pages.common.figures.measures import Measures, measured
from pages.common.reads.history import History, read_history
from pages.common.reads.recorded import known_indexes
from pages.common.views import EXACT, SPANS, View, from_wall, intervals_for
from pages.common.words import alert_text, gap_text, text
from store.errors import StoreError
from store.export.query import ExportQuery
from store.prices.bars import INTERVAL_NAMES, bucket

CHART_HEIGHT = 460
AUTO, LINE, CANDLES = "Auto", "Line", "Candles"


def zoom(to: Zoomed) -> None:
    """Go to the range that the reader dragged over, or back to the range before the last zoom."""
    st.session_state["zoomed"] = True
    st.session_state["zooms"] = st.session_state.get("zooms", 0) + 1
    back = st.session_state.setdefault("back", [])
    start, end = st.session_state["shown"]
    if back[-1:] == [(EXACT, start, end)]:  # the browser's Back led there already
        back.pop()
    if to != "out":
        back.append((st.session_state["range"], start, end))
        ranges.look_at(*(from_wall(at, text.zone()) for at in to))
    elif back:
        st.session_state["range"], start, end = back.pop()
        if st.session_state["range"] == EXACT:
            ranges.look_at(start, end)
    else:
        ranges.look_at(start - (end - start) / 2, end + (end - start) / 2)


def toolbar() -> tuple[list[str], View]:
    """Draw the choices, and return the indexes and what to draw of them."""
    known = known_indexes()
    with st.container(horizontal=True):
        names = st.multiselect("Index", known, default=known[:1], key="index", bind="query-params", width=320)
        drawn = st.segmented_control(
            "Chart",
            [LINE, CANDLES],
            default=LINE,
            required=True,
            key="chart",
            bind="query-params",
        )
        bars = st.empty()
    span = ranges.choose_span([*SPANS], "1d")
    start, end = exact_range() if span == EXACT else (None, None)
    length = end - start if start and end else SPANS[span] or timedelta(days=3650)
    choices = {AUTO: None, **{INTERVAL_NAMES[each]: each for each in intervals_for(length)}}
    chosen = bars.selectbox(
        "Bars",
        list(choices),
        key="bars",
        bind="query-params",
        width=140,
    )
    return names, View(span, start, end, choices[chosen], candles=drawn == CANDLES and len(names) == 1)


def exact_range() -> tuple[datetime, datetime]:
    """The two times of an exact range, with inputs to change them."""
    start, end = ranges.exact_range(st.session_state.get("shown"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        ranges.edit(start, end)
        st.button("Zoom out", icon=":material/zoom_out:", on_click=zoom, args=("out",))
    return start, end


def shown(names: list[str], view: View) -> None:
    """The chart, its measures and its table."""
    if st.session_state.pop("zoomed", False):
        st.rerun()
    if not names:
        st.info("Choose an index.", icon=":material/candlestick_chart:")
        return
    try:
        with st.skeleton(height=CHART_HEIGHT):
            history = read_history(moments.this_second(), tuple(names), view)
    except StoreError:
        return  # the header shows the error
    st.session_state["shown"] = history.start, history.end
    if not any(len(frame) for frame in history.bars.values()):
        nothing_here(names, history)
        return
    chart(history, view)
    download(history)
    measures(history)
    table(history)


def nothing_here(names: list[str], history: History) -> None:
    zone = text.zone()
    pairs = ", ".join(map(text.pair, names))
    words = [f"No ticks of {pairs} from {text.moment(history.start, zone)} to {text.moment(history.end, zone)}."]
    for name, (first, last) in history.recorded.items():
        words.append(f"{text.pair(name)} is recorded from {text.moment(first, zone)} to {text.moment(last, zone)}.")
    if history.gaps:
        words.append(f"{gap_text.fates(history.gaps)}.")
    st.info(" ".join(words), icon=":material/hourglass_empty:")


def download(history: History) -> None:
    """Offer the drawn bars as a file; the last bar is included once it is over."""
    start = bucket(history.start, history.interval)  # the first bar is drawn as a whole
    query = ExportQuery(tuple(history.bars), start, history.end, history.interval)
    with st.popover("Download what I see", icon=":material/download:"):
        for name, form in FORMATS.items():
            offer(name, replace(query, format=form))


def measures(history: History) -> None:
    found = {name: measured(frame) for name, frame in history.inside().items()}
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
        st.metric("Realised volatility", volatility(numbers), help=VOLATILITY)


VOLATILITY = "Annualised, from the returns between the drawn bars. No return is counted across a gap."


def volatility(numbers: Measures) -> str:
    return "—" if math.isnan(numbers.volatility) else f"{100 * numbers.volatility:.1f} %"


def several(found: dict[str, Measures]) -> None:
    st.dataframe(
        {
            "Index": list(map(text.pair, found)),
            **{
                part.capitalize(): [text.price(getattr(each, part)) for each in found.values()]
                for part in ("open", "high", "low", "close")
            },
            "Change": [text.change(each.change) for each in found.values()],
            "Realised volatility": [volatility(each) for each in found.values()],
        },
        hide_index=True,
    )


def chart(history: History, view: View) -> None:
    zone = text.zone()
    if view.candles:
        ((name, frame),) = history.bars.items()
        figure = charts.candles(frame, name, history.interval, zone)
    else:
        figure = charts.lines(history.bars, history.interval, zone)
    charts.set_range(figure, history.start, history.end, zone)
    add_alerts(figure, history.alerts, history.bars, zone)
    add_marks(figure, history.gaps, history.start, history.end, zone)
    live_chart(
        figure,
        key="history",
        # Each zoom gets a new view: else Back, pressed before the zoomed chart is drawn, would show the zoom again.
        view=f"{list(history.bars)} {view} {zone.key} {st.session_state.get('zooms', 0)}",
        alt=charts.describe(history.inside(), zone),
        height=CHART_HEIGHT,
        on_zoom=zoom,
    )
    st.caption(" ".join(about(history, view)))


def about(history: History, view: View) -> list[str]:
    """What the chart can't say by itself, in sentences."""
    zone = text.zone()
    short = history.end - history.start < timedelta(hours=1)
    start, end = (text.moment(at, zone, seconds=short) for at in (history.start, history.end))
    words = [f"{start} to {end}, {f'bars of {text.span(history.interval)}' if history.interval else 'single ticks'}."]
    drawn = [frame for frame in history.bars.values() if len(frame)]
    longest = max(int(frame["resolution_s"].where(frame["averaged"], 0).max()) for frame in drawn)
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


def table(history: History) -> None:
    """Draw the drawn bars as a table, row by row."""
    rows = st.expander("Table of what is drawn", on_change="rerun", key="table")
    if rows.open:
        with rows:
            st.dataframe(
                pd.concat([tabulated(name, frame) for name, frame in history.bars.items()]), hide_index=True, height=320
            )


def tabulated(index_name: str, frame: pd.DataFrame) -> pd.DataFrame:
    zone = text.zone()
    return pd.DataFrame(
        {
            "Index": text.pair(index_name),
            f"Time, {zone.key}": frame["open_time"].dt.tz_convert(zone).dt.strftime("%Y-%m-%d %H:%M:%S"),
            **{part.capitalize(): frame[part] for part in ("open", "high", "low", "close")},
            "Ticks": frame["tick_count"],
            "Average over, s": frame["resolution_s"].where(frame["averaged"]),
        }
    )


def page() -> None:
    try:
        names, view = toolbar()
    except StoreError:
        return  # the header shows the error
    refresh = access.refresh_every() if view.lives(moments.now()) else RENEWED_EVERY
    st.fragment(shown, run_every=refresh)(names, view)


page()
