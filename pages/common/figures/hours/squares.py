"""Squares: one for each hour of each day, coloured by its class.

The browser's bundle has no heatmap. So each square is a bar of its own: a day wide, from one hour to the next.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Protocol

import numpy as np
import plotly.graph_objects as go

_DAY_MS = 86_400_000
_SQUARE = 0.88
"""The share of its place that a square fills, so that neighbours don't touch."""


class Square(Protocol):
    """An hour by the clocks of a zone, and in `words` what is known of it."""

    @property
    def day(self) -> date: ...
    @property
    def hour(self) -> int: ...
    @property
    def minute(self) -> int: ...
    @property
    def words(self) -> str: ...


def when(its: Square) -> str:
    """When an hour was, such as "Sun 1 Nov 2026, 23:00 to 00:00"."""
    hours = f"{its.hour:02}:{its.minute:02} to {(its.hour + 1) % 24:02}:{its.minute:02}"
    return f"{its.day:%a} {its.day.day} {its.day:%b %Y}, {hours}"


def calendar(
    classes: Mapping[str, tuple[str, Sequence[Square]]], first: date, last: date, *, narrow_days: int = 0
) -> go.Figure:
    """The squares of all hours of these days, the earliest hour on top.

    Args:
        classes: by the part of the style that colours them: their name in the legend, and the squares.
        first: the day on the left.
        last: the day on the right.
        narrow_days: so many of the last days are shown on a narrow screen; 0 for all.
    """
    figure = go.Figure()
    for part, (name, squares) in classes.items():
        _add_squares(figure, squares, part, name)
    figure.update_layout(
        barmode="overlay",
        barcornerradius=2,
        hovermode="closest",
        margin={"l": 8, "r": 8, "t": 32, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        showlegend=True,
        xaxis={
            "type": "date",
            "range": _edges(first, last),
            "tickformat": "%-d %b",
            "showspikes": False,
            "automargin": True,
        },
        yaxis={
            "range": [24, 0],
            "fixedrange": True,
            "tickvals": [0, 6, 12, 18, 24],
            "ticktext": ["00:00", "06:00", "12:00", "18:00", "24:00"],
            "showgrid": False,
            "automargin": True,
        },
    )
    if narrow_days:
        figure.update_layout(meta={"narrow": _edges(max(first, last - timedelta(days=narrow_days - 1)), last)})
    return figure


def _edges(first: date, last: date) -> list[str]:
    half_a_day = timedelta(hours=12)
    ends = datetime.combine(first, time()) - half_a_day, datetime.combine(last, time()) + half_a_day
    return [each.isoformat(" ") for each in ends]


def _add_squares(figure: go.Figure, squares: Sequence[Square], part: str, name: str) -> None:
    figure.add_bar(
        x=np.array([each.day for each in squares], dtype="datetime64[ms]"),
        base=np.array([each.hour + each.minute / 60 for each in squares]) + (1 - _SQUARE) / 2,
        y=np.full(len(squares), _SQUARE),
        width=_SQUARE * _DAY_MS,
        hovertext=np.array([each.words for each in squares], dtype=object),
        hovertemplate="%{hovertext}<extra></extra>",
        name=name,
        meta={"part": part},
    )
