"""Axes of strikes, of percent and of amounts, and what else the charts of a chain share.

Each point has its words, since its axis is not of times. A strike or an expiry that is one of a list has its place in
the list as x, so that neighbours have the same distance.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from pages.common.figures.charts import Floats, Trace
from pages.common.words import options_text as words

_LABELS = 8
"""A phone has room for this many strikes below a chart."""

MARGIN = {"l": 8, "r": 8, "t": 32, "b": 8}
LINE: Trace = {"type": "scatter", "mode": "lines", "hoverinfo": "text"}
POINTS: Trace = {**LINE, "mode": "lines+markers"}
BARS: Trace = {"type": "bar", "hoverinfo": "text"}
_MARK: Trace = {"type": "line", "yref": "y domain", "y0": 0, "y1": 1, "line": {"width": 1, "dash": "dot"}}


def title(words: str) -> dict[str, Any]:
    """The title of an axis."""
    return {"text": words, "font": {"size": 13}, "standoff": 8}


def places(strikes: Sequence[float]) -> dict[str, Any]:
    """The labels of an axis that has strikes by their places in the list."""
    step = math.ceil(len(strikes) / _LABELS) or 1
    return {
        "tickvals": list(range(0, len(strikes), step)),
        "ticktext": [words.strike(each) for each in strikes[::step]],
    }


def marked(strikes: Sequence[float], lines: Mapping[str, float | None]) -> dict[str, Any]:
    """A line with its name at each price that lies between two strikes."""
    inside = {name: at for name, at in lines.items() if at is not None and strikes and strikes[0] <= at <= strikes[-1]}
    shapes: list[Trace] = []
    names: list[Trace] = []
    for name, price in sorted(inside.items(), key=lambda line: line[1]):
        x = float(np.interp(price, strikes, range(len(strikes))))
        shapes.append({**_MARK, "x0": x, "x1": x})
        # The name of the lowest price is to its left: names don't meet if prices are near.
        to_the = "left" if names else "right"
        names.append(
            {"x": x, "y": 1, "yref": "y domain", "text": f"{name} {usd(price)}", "showarrow": False}
            | {"xanchor": to_the, "yanchor": "top"}
        )
    return {"shapes": shapes, "annotations": names}


def floats(values: Iterable[float | None]) -> Floats:
    """Numbers as an array; NaN for what is unknown."""
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def usd(value: float | None) -> str:
    """A price in whole USD."""
    return words.NOT_KNOWN if value is None else f"{value:,.0f}"


def both_ways(heights: Sequence[Floats]) -> dict[str, Any]:
    """An axis for bars up and down, whose labels have no sign."""
    known = np.abs(np.concatenate(heights))
    most = float(np.nanmax(known)) if np.isfinite(known).any() else 0.0
    step = _nice(most / 5)
    ticks = [step * number for number in range(-5, 6)]
    return {
        "tickvals": ticks,
        "ticktext": [f"{abs(tick):,.10g}" for tick in ticks],
        "range": [-1.15 * most, 1.15 * most],
    }


def any_way(heights: Sequence[Floats]) -> dict[str, Any]:
    """An axis for bars with a sign, as long in both directions."""
    return {**both_ways(heights), "tickvals": None, "ticktext": None}


def _nice(length: float) -> float:
    """The next of 1, 2, 5, 10, 20 … or 0.1, 0.2, 0.5 … above a length; 1 for none."""
    if length <= 0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(length))
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= length)


def percent_axis(ivs: Sequence[float | None]) -> dict[str, Any]:
    """An axis that has all IVs; a whisker that is longer is cut."""
    known = [iv for iv in ivs if iv is not None]
    if not known:
        return {"ticksuffix": " %"}
    room = max(0.1 * (max(known) - min(known)), 1.0)
    return {"ticksuffix": " %", "range": [max(min(known) - room, 0.0), max(known) + room]}


def figure_of_numbers(
    drawn: Sequence[Trace], x_axis: Mapping[str, Any], y_axis: Mapping[str, Any], layout: Mapping[str, Any]
) -> go.Figure:
    """A figure whose x-axis is not of times."""
    return go.Figure(
        drawn,
        {
            "margin": MARGIN,
            "showlegend": True,
            "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
            "yaxis": {"fixedrange": True, "side": "right", "automargin": True, **y_axis},
            "xaxis": {"type": "linear", "automargin": True, **x_axis},
            **layout,
        },
    )
