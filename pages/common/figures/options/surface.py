"""The surface of an option chain: a square for each expiry and delta, coloured by its IV.

The browser's bundle has no heatmap. So each square is a bar of its own.
"""

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from pages.common.figures.charts import Trace
from pages.common.words import options_text as words
from pages.common.words.text import hover
from store.market.reads.smiles import SmileAt
from store.market.reads.terms import DELTAS, ivs_by_delta

from .axes import MARGIN, figure_of_numbers, floats

_SQUARE = 0.9
"""The share of its place that a square fills, so that neighbours don't touch."""

_STEPS = 6
"""The number of colours. Each stands for an equal part of the range of IVs."""

LEAST_WIDTH = 620
"""In pixels, so that each square has room for its number."""

_ROW_HEIGHT, _REST_HEIGHT = 30, 90


class _Square(NamedTuple):
    column: int
    row: int
    iv: float
    its: SmileAt


def height(smiles: Sequence[SmileAt]) -> int:
    """The height of the chart in pixels."""
    return _ROW_HEIGHT * len(smiles) + _REST_HEIGHT


def surface(smiles: Sequence[SmileAt]) -> go.Figure:
    """The squares, the first expiry on top, low strikes on the left. What is not known has none."""
    squares = _squares(smiles)
    low, step = _scale(squares)
    drawn: list[Trace] = []
    for number in range(_STEPS if squares else 0):
        of_step = [each for each in squares if _step(each.iv, low, step) == number]
        name = f"{low + number * step:.1f} to {low + (number + 1) * step:.1f} %"
        drawn.append(_bars(of_step, name, f"step{number}"))
    labels = [f"{each.smile.expiry.day} {each.smile.expiry:%b %y}" for each in smiles]
    x_axis = {
        "tickvals": list(range(len(DELTAS))),
        "ticktext": [named(delta) for delta in DELTAS],
        "range": [-0.5, len(DELTAS) - 0.5],
        "side": "bottom",
        "showspikes": False,
    }
    y_axis = {
        "range": [len(smiles), 0],
        "tickvals": [row + 0.5 for row in range(len(smiles))],
        "ticktext": labels,
        "side": "left",
        "showgrid": False,
    }
    layout = {"barmode": "overlay", "barcornerradius": 2, "hovermode": "closest", "margin": MARGIN}
    return figure_of_numbers(drawn, x_axis, y_axis, layout)


def describe(smiles: Sequence[SmileAt]) -> str:
    """What the squares show, for readers who can't see them."""
    squares = _squares(smiles)
    if not squares:
        return "Surface: no IV is known."
    low, high = min(squares, key=lambda each: each.iv), max(squares, key=lambda each: each.iv)
    return f"Surface of {len(smiles)} expiries: lowest {_told(low)}; highest {_told(high)}."


def named(delta: float) -> str:
    """A delta as traders name it: that of the put below the forward, of the call above, such as "25 put"."""
    if delta == 0.5:
        return "50"
    return f"{100 * (1 - delta):.0f} put" if delta > 0.5 else f"{100 * delta:.0f} call"


def _squares(smiles: Sequence[SmileAt]) -> list[_Square]:
    return [
        _Square(column, row, iv, its)
        for row, its in enumerate(smiles)
        for column, iv in enumerate(ivs_by_delta(its))
        if iv is not None
    ]


def _scale(squares: Sequence[_Square]) -> tuple[float, float]:
    """The lowest IV, and the length of a step of colour."""
    ivs = [each.iv for each in squares]
    return (min(ivs), (max(ivs) - min(ivs)) / _STEPS) if ivs else (0.0, 0.0)


def _step(iv: float, low: float, step: float) -> int:
    return min(int((iv - low) / step), _STEPS - 1) if step else 0


def _bars(squares: Sequence[_Square], name: str, part: str) -> Trace:
    return {
        "type": "bar",
        "x": floats(each.column for each in squares),
        "base": floats(each.row + (1 - _SQUARE) / 2 for each in squares),
        "y": floats(_SQUARE for _ in squares),
        "width": _SQUARE,
        "text": [f"{each.iv:.1f}" for each in squares],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "constraintext": "none",
        "hoverinfo": "text",
        "hovertext": [hover(_told(each)) for each in squares],
        "customdata": [words.in_address(each.its.smile.expiry) for each in squares],
        "name": name,
        "meta": {"series": 0, "part": part},
    }


def _told(square: _Square) -> str:
    return f"{words.expiry(square.its.smile.expiry)}, {named(DELTAS[square.column])}: {words.percent(square.iv)}"
