"""Panels below a chart of prices, which share its axis of time: each has lines with one unit, on an axis of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timezone
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from pages.common.words import text

from .charts import Trace, line_of
from .traces import PERCENT, axis

HEIGHT = 190
"""Of a panel, in pixels."""

_APART = 46
_PERCENT_DIGITS = 2


@dataclass(frozen=True)
class Panel:
    """Lines with one unit.

    Attributes:
        title: says what they are.
        unit: of their values; empty without one.
        lines: by name, frames with `open_time`, `value`, `averaged` and `gap_before`, with a row at least.
        digits: of the values after the point; None for those that suit them.
        bounds: of the axis; None for those that suit the values.
    """

    title: str
    unit: str
    lines: Mapping[str, pd.DataFrame]
    digits: int | None = None
    bounds: tuple[float, float] | None = None


def add_panels(figure: go.Figure, panels: Sequence[Panel], prices_height: int, series: int, zone: timezone) -> None:
    """Put panels below the prices of a figure.

    Args:
        figure: of prices, or without a trace.
        panels: from the top down.
        prices_height: of the prices, in pixels; 0 without prices.
        series: the place in the palette of the first line.
        zone: of the times.
    """
    heights = [height for height in (prices_height, *(HEIGHT for _ in panels)) if height]
    domains = _domains(heights)
    names = [f"y{number}" for number in range(3, 3 + len(panels))]  # the second is that of the marks of gaps
    if not prices_height:
        names[0] = "y"
    axes = names if not prices_height else ["y", *names]
    layout: dict[str, Any] = {f"yaxis{name[1:]}": {"domain": its} for name, its in zip(axes, domains, strict=True)}
    drawn: list[Trace] = []
    for name, panel in zip(names, panels, strict=True):
        layout[f"yaxis{name[1:]}"] |= axis(panel.unit) | {"range": panel.bounds, "tickformat": ",~f"}
        for label, frame in panel.lines.items():
            drawn += _line(panel, label, frame, zone, series, name)
            series += 1
    titles = [_title(panel.title, domain[1]) for panel, domain in zip(panels, domains[-len(panels) :], strict=True)]
    figure.add_traces(drawn)
    above = 0 if prices_height else _APART / sum(heights) / 2  # the legend leaves room for a title at the top
    figure.update_layout(layout, hoversubplots="axis", annotations=titles, xaxis_anchor=axes[-1], legend_y=1 + above)


def _line(panel: Panel, name: str, frame: pd.DataFrame, zone: timezone, series: int, its_axis: str) -> list[Trace]:
    digits = digits_of(frame, panel.unit) if panel.digits is None else panel.digits
    return line_of(frame, frame["value"], name, zone, series, digits, unit=panel.unit, axis=its_axis)


def digits_of(frame: pd.DataFrame, unit: str) -> int:
    """The digits after the point that suit the values of a line."""
    if unit in {PERCENT, "points"} or frame.empty:
        return _PERCENT_DIGITS
    return text.decimals(float(frame["value"].abs().median()))


def _domains(heights: Sequence[int]) -> list[tuple[float, float]]:
    """The parts of the height that panels take, from the top down, with room for a title above each but the first."""
    whole, top, found = sum(heights) + _APART * (len(heights) - 1), 1.0, []
    for height in heights:
        found.append((max(0.0, top - height / whole), top))
        top -= (height + _APART) / whole
    return found


def _title(words: str, y: float) -> dict[str, object]:
    place = {"xref": "paper", "x": 0, "xanchor": "left", "yref": "paper", "y": y, "yanchor": "bottom"}
    return {"text": text.hover(words), "showarrow": False, **place}
