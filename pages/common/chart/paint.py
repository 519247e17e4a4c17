"""Colours, dashes and symbols of charts, from the table in styles.json.

chart.js paints by the same table, with the theme as the browser has it. Here it is painted for hosts that don't serve
our script, where Streamlit draws the figure.
"""

import json
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

STYLES: dict[str, Any] = json.loads((Path(__file__).parent / "styles.json").read_text())
"""What a trace of each part looks like, or a mark of each severity, and the layout of all charts.

"$up" is the colour `up` of the theme, "$up59" the same colour with that opacity. "$series" and "$dash" are those of the
trace's series.
"""

Theme = dict[str, Any]

_FONT = '"Source Sans", sans-serif'


def theme() -> Theme:
    """The colours of config.toml for the reader's choice of light or dark."""
    kind = st.context.theme.type or "light"

    def option(name: str) -> Any:
        return st.get_option(f"theme.{kind}.{name}")

    return {
        "text": option("textColor"),
        "muted": option("grayTextColor"),
        "background": option("backgroundColor"),
        "grid": f"{option('borderColor')}73",
        "border": option("borderColor"),
        "up": option("greenColor"),
        "down": option("redColor"),
        "orange": option("orangeColor"),
        "font": _FONT,
        "palette": option("chartCategoricalColors"),
    }


def painted(figure: go.Figure, theme: Theme) -> go.Figure:
    """A copy of a figure, with the looks that its captions speak of."""
    palette, dashes = theme["palette"], STYLES["dashes"]
    its = {**theme, "first": palette[0], "second": palette[1]}
    copy = go.Figure(figure)
    for trace in copy.data:
        lap, place = divmod(trace.meta.get("series", 0), len(palette))
        colors = {**its, "series": palette[place], "dash": dashes[lap % len(dashes)]}
        trace.update(_filled(STYLES["parts"][trace.meta.get("severity", trace.meta["part"])], colors))
    copy.update_layout(template={"layout": _filled(STYLES["layout"], its)})
    return copy


def _filled(style: Any, theme: Theme) -> Any:
    """A style with the theme's values in the places of their names."""
    if isinstance(style, dict):
        return {name: _filled(part, theme) for name, part in style.items()}
    if not (isinstance(style, str) and style.startswith("$")):
        return style
    name = style[1:].rstrip("0123456789")
    return f"{theme[name]}{opacity}" if (opacity := style[1 + len(name) :]) else theme[name]
