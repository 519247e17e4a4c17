"""How the moves of two series, or indexes, go along: rolling correlation and beta."""

from collections.abc import Callable

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.common.chart.component import Zoomed, live_chart
from pages.common.drawn import drawn_once
from pages.common.failed import empty
from pages.common.figures import charts
from pages.common.figures.panels import HEIGHT, Panel, add_panels
from pages.common.reads.series import Together
from pages.common.words import series_text, text
from pages.common.words.clock import Clock

from . import compared
from .cards import explained
from .pairs import Pair

CHART_HEIGHT = 2 * HEIGHT + 100


def draw(found: Together | None, pair: Pair, view: str, on_zoom: Callable[[Zoomed], None]) -> None:
    """The chart of both numbers, what they are at its end, and how they are computed; `view` names what is shown."""
    st.header("Correlation and beta", anchor=False)
    rows = None if found is None else drawn_once("moves", found, pair, lambda: rolled(found, pair))
    if found is None or rows is None or rows.empty:
        empty(nothing(found, pair))
        return
    zone = text.zone()
    clock = Clock.over(found.start, found.end, zone)
    figure, alt = drawn_once("correlation", found, (pair, zone), lambda: figured(found, rows, pair, clock))
    live_chart(figure, key="correlation", view=view, alt=alt, height=CHART_HEIGHT, on_zoom=on_zoom)
    last, due = rows.iloc[-1], found.window // found.step
    with st.grid(3, min_column_width=160):
        st.metric("Correlation", f"{last['correlation']:z.2f}")
        st.metric(f"Beta{_beta_unit(pair)}", f"{last['beta']:z.3f}")
        st.metric("Moves, n", f"{last['known']:,.0f} of {due:,}")
    st.caption(" ".join([*about(found, rows, pair, clock), clock.note]))
    explained("moves", series_text.how_moves(pair.a, pair.b, found.step, due, compared.METHOD))


def rolled(found: Together, pair: Pair) -> pd.DataFrame:
    """Correlation and beta in the range."""
    a, b = compared.moves(found.a, pair.a, found.step), compared.moves(found.b, pair.b, found.step)
    rows = compared.rolling(a, b, found.step, found.window)
    return rows[rows["open_time"] >= found.start].reset_index(drop=True)


def figured(found: Together, rows: pd.DataFrame, pair: Pair, clock: Clock) -> tuple[go.Figure, str]:
    """The chart of both numbers, and what it shows in words."""
    panels = [
        Panel(title, unit, {name: rows.assign(value=rows[column])}, digits, bounds)
        for name, column, title, unit, digits, bounds in (
            ("Correlation", "correlation", f"Correlation, {pair.window}", "", 2, (-1.05, 1.05)),
            ("Beta", "beta", f"Beta{_beta_unit(pair)}, {pair.window}", "", 3, None),
        )
    ]
    figure = charts.figure_of([], found.step, None)
    add_panels(figure, panels, 0, 0, clock.zone)
    figure.update_layout(showlegend=False)
    charts.set_range(figure, found.start, found.end, clock.zone)
    lines = {name: frame for panel in panels for name, frame in panel.lines.items()}
    return figure, series_text.described(lines, dict.fromkeys(lines, ""))


def about(found: Together, rows: pd.DataFrame, pair: Pair, clock: Clock) -> list[str]:
    a, b, due = series_text.title(pair.a), series_text.title(pair.b), found.window // found.step
    known = rows["known"]
    moved = (
        f"Moves of {a} and {b} over {text.span(found.step)} each, in the {text.span(found.window)} before each point"
    )
    least, most = int(known.min()), int(known.max())
    words = [f"{moved}: {f'{least:,}' if least == most else f'{least:,} to {most:,}'} of {due:,} are known."]
    first = rows["open_time"].iloc[0]
    if first >= found.start + found.step:
        words.append(f"Enough of them are known since {text.moment(first, clock.zone)}.")
    if rows["averaged"].any():
        words.append("Dashed: averages take part, which move less than prices do.")
    return words


def nothing(found: Together | None, pair: Pair) -> str:
    """Why there is no correlation."""
    a, b = series_text.title(pair.a), series_text.title(pair.b)
    if found is None:
        return "Nothing is recorded yet."
    least = -(-(found.window // found.step) // compared.LEAST_SHARE)
    return (
        f"No correlation of {a} and {b} is known in this range: it needs {least:,} moves of both in "
        f"{text.span(found.window)}, each from one {text.span(found.step)} to the next."
    )


def _beta_unit(pair: Pair) -> str:
    unit = series_text.beta_unit(pair.a, pair.b)
    return f", {unit}" if unit else ""
