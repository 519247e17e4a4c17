"""Smiles of an option chain, and its term structure."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from pages.common.figures.charts import Trace
from pages.common.figures.traces import TERMS_AXIS
from pages.common.words import options_text as words
from pages.common.words.text import hover
from store.market.reads.smiles import Point, SmileAt

from .axes import LINE, POINTS, figure_of_numbers, floats, percent_axis, title

AXES: Mapping[str, str] = {"strike": "Strike, USD", "delta": "Delta of the call", "moneyness": "ln(K/F)"}
"""The axes of a smile, with their titles."""


def smile(its: SmileAt, axis: str, compared: SmileAt | None, when: str) -> go.Figure:
    """IV by strike, with a whisker from the IV of the bid to that of the ask.

    Args:
        its: the smile.
        axis: of `AXES`.
        compared: the smile of the same expiry at another moment, which is dashed.
        when: that moment, in words.
    """
    points = _on_axis(its.points, axis)
    quoted = [(x, each.bid_iv, each.ask_iv) for x, each in points if each.bid_iv and each.ask_iv]
    drawn: list[Trace] = [
        {
            **LINE,
            "x": floats(at for x, _, _ in quoted for at in (x, x, None)),
            "y": floats(iv for _, bid, ask in quoted for iv in (bid, ask, None)),
            "name": "Bid to ask",
            "hoverinfo": "skip",
            "meta": {"series": 0, "part": "whiskers"},
        }
    ]
    if compared is not None:
        drawn.append(_ivs(_on_axis(compared.points, axis), f"IV {when}", "before"))
    drawn.append({**_ivs(points, "IV of the marks", "points"), **POINTS})
    x_axis: dict[str, Any] = {"title": title(AXES[axis])}
    if axis == "delta":
        x_axis["range"] = [1.02, -0.02]  # low strikes are on the left, as on the other axes
    ivs = [each.iv for each in [*its.points, *(compared.points if compared else ())]]
    return figure_of_numbers(drawn, x_axis, percent_axis(ivs), {"hovermode": "x"})


def describe_smile(its: SmileAt) -> str:
    points = _on_axis(its.points, "strike")
    if not points:
        return f"No IV of {words.expiry(its.smile.expiry)} is known."
    low, high = points[0][1], points[-1][1]
    return (
        f"Smile of {words.expiry(its.smile.expiry)}: IV {words.percent(its.smile.atm_iv)} at the money, "
        f"{words.percent(low.iv)} at {words.strike(low.strike)}, "
        f"{words.percent(high.iv)} at {words.strike(high.strike)}."
    )


def term_structure(smiles: Sequence[SmileAt], compared: Sequence[SmileAt], when: str) -> go.Figure:
    """IV at the money by the time to expiry; what it was at another moment is dashed."""
    drawn = [_terms(compared, f"IV {when}", "before")] if compared else []
    drawn.append({**_terms(smiles, "IV at the money", "points"), **POINTS})
    ivs = [each.smile.atm_iv for each in [*smiles, *compared]]
    return figure_of_numbers(drawn, TERMS_AXIS, percent_axis(ivs), {"hovermode": "x"})


def describe_terms(smiles: Sequence[SmileAt]) -> str:
    known = [each for each in smiles if each.smile.atm_iv is not None]
    if not known:
        return "No IV at the money is known."
    first, last = known[0], known[-1]
    return (
        f"IV at the money from {words.percent(first.smile.atm_iv)} on {words.expiry(first.smile.expiry)} "
        f"to {words.percent(last.smile.atm_iv)} on {words.expiry(last.smile.expiry)}."
    )


def _on_axis(points: Sequence[Point], axis: str) -> list[tuple[float, Point]]:
    """The points with an IV, with their places on an axis."""
    return [(getattr(each, axis), each) for each in points if each.iv is not None]


def _ivs(points: Sequence[tuple[float, Point]], name: str, part: str) -> Trace:
    return {
        **LINE,
        "x": floats(x for x, _ in points),
        "y": floats(each.iv for _, each in points),
        "name": name,
        "hovertext": [_point(each, name) for _, each in points],
        "meta": {"series": 0, "part": part},
    }


def _point(its: Point, name: str) -> str:
    return hover(
        f"Strike {words.strike(its.strike)}",
        f"{name} {words.percent(its.iv)}",
        f"Bid {words.percent(its.bid_iv)}, ask {words.percent(its.ask_iv)}",
        f"Delta {its.delta:.3f}, ln(K/F) {its.moneyness:+.3f}",
    )


def _terms(smiles: Sequence[SmileAt], name: str, part: str) -> Trace:
    known = [each for each in smiles if each.smile.atm_iv is not None and each.years > 0]
    return {
        **LINE,
        "x": floats(365 * each.years for each in known),
        "y": floats(each.smile.atm_iv for each in known),
        "name": name,
        "customdata": [words.in_address(each.smile.expiry) for each in known],
        "hovertext": [
            hover(
                f"{words.expiry(each.smile.expiry)}, {words.until(each)}", f"{name} {words.percent(each.smile.atm_iv)}"
            )
            for each in known
        ],
        "meta": {"series": 0, "part": part},
    }
