"""Charts of an option chain: expiries, smiles, open interest and the term structure.

Each point has its words, since its axis is not of times. A strike or an expiry that is one of a list has its place in
the list as x, so that neighbours have the same distance.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import plotly.graph_objects as go

from pages.common.words import options_text as words
from pages.common.words.text import hover
from store.market.reads.as_of import Row
from store.market.reads.smiles import Point, SmileAt

from .charts import Floats, Trace
from .traces import TERMS_AXIS

AXES: Mapping[str, str] = {"strike": "Strike, USD", "delta": "Delta of the call", "moneyness": "ln(K/F)"}
"""The axes of a smile, with their titles."""

_LABELS = 8
"""A phone has room for this many strikes below a chart."""

_MARGIN = {"l": 8, "r": 8, "t": 32, "b": 8}
_LINE: Trace = {"type": "scatter", "mode": "lines", "hoverinfo": "text"}
_POINTS: Trace = {**_LINE, "mode": "lines+markers"}
_BARS: Trace = {"type": "bar", "hoverinfo": "text"}
_MARK: Trace = {"type": "line", "yref": "y domain", "y0": 0, "y1": 1, "line": {"width": 1, "dash": "dot"}}


def calendar(smiles: Sequence[SmileAt], index_price: float | None, underlying: str, chosen: datetime) -> go.Figure:
    """The notional of each expiry: its open interest at the index. `chosen` stands out."""
    drawn = []
    for part, name in (("chosen", "Chosen"), ("others", "Others")):
        its = [(at, each) for at, each in enumerate(smiles) if (each.smile.expiry == chosen) == (part == "chosen")]
        drawn.append(
            {
                **_BARS,
                "x": _floats(at for at, _ in its),
                "y": _floats((notional(each, index_price) or 0.0) / 1e6 for _, each in its),
                "name": name,
                "customdata": [words.in_address(each.smile.expiry) for _, each in its],
                "hovertext": [_expiring(each, index_price, underlying) for _, each in its],
                "meta": {"series": 0, "part": part},
            }
        )
    labels = [f"{each.smile.expiry.day} {each.smile.expiry:%b %y}" for each in smiles]
    x_axis = {"tickvals": list(range(len(labels))), "ticktext": labels, "showspikes": False}
    layout = {"barmode": "overlay", "showlegend": False, "margin": {**_MARGIN, "t": 8}}
    return _figure(drawn, x_axis, {"ticksuffix": " M", "tickformat": ",d"}, layout)


def notional(its: SmileAt, index_price: float | None) -> float | None:
    """The open interest of an expiry at the index, in USD; None if one is unknown."""
    known = [part for part in (its.smile.call_oi, its.smile.put_oi) if part is not None]
    return sum(known) * index_price if known and index_price else None


def describe_calendar(smiles: Sequence[SmileAt], index_price: float | None) -> str:
    known = [(value, each) for each in smiles if (value := notional(each, index_price)) is not None]
    if not known:
        return "The open interest of no expiry is known."
    most, largest = max(known, key=lambda pair: pair[0])
    return (
        f"Notional of {len(smiles)} expiries, {words.millions(sum(value for value, _ in known))} in all; "
        f"most on {words.expiry(largest.smile.expiry)}, {words.millions(most)}."
    )


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
            **_LINE,
            "x": _floats(at for x, _, _ in quoted for at in (x, x, None)),
            "y": _floats(iv for _, bid, ask in quoted for iv in (bid, ask, None)),
            "name": "Bid to ask",
            "hoverinfo": "skip",
            "meta": {"series": 0, "part": "whiskers"},
        }
    ]
    if compared is not None:
        drawn.append(_ivs(_on_axis(compared.points, axis), f"IV {when}", "before"))
    drawn.append({**_ivs(points, "IV of the marks", "points"), **_POINTS})
    x_axis: dict[str, Any] = {"title": _title(axis)}
    if axis == "delta":
        x_axis["range"] = [1.02, -0.02]  # low strikes are on the left, as on the other axes
    ivs = [each.iv for each in [*its.points, *(compared.points if compared else ())]]
    return _figure(drawn, x_axis, _percent_axis(ivs), {"hovermode": "x"})


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


def open_interest(
    rows: Sequence[Row], compared: Sequence[Row], lines: Mapping[str, float | None], underlying: str
) -> go.Figure:
    """Open interest by strike: calls up, puts down; what it was at another moment is outlined.

    Args:
        rows: of one expiry.
        compared: the rows of the same expiry at another moment; empty without a comparison.
        lines: by its name a price that a line marks, such as the index.
        underlying: the coin that open interest is counted in.
    """
    strikes = sorted({row.strike for row in [*rows, *compared]})
    drawn: list[Trace] = []
    for series, (kind, name, sign) in enumerate((("call", "Calls", 1), ("put", "Puts", -1))):
        its, before = (
            {row.strike: row.open_interest for row in each if row.option_type == kind} for each in (rows, compared)
        )
        shown = {"type": "bar", "x": np.arange(len(strikes), dtype=float), "meta": {"series": series, "part": "bars"}}
        told = [_interest(strike, name, its.get(strike), before.get(strike), underlying) for strike in strikes]
        height = _floats(its.get(strike) for strike in strikes)
        drawn.append({**_BARS, **shown, "y": sign * height, "name": name, "hovertext": told})
        if compared:
            outline = _floats(before.get(strike) for strike in strikes)
            more = {"name": f"{name} before", "hoverinfo": "skip", "showlegend": False}
            drawn.append({**_BARS, **shown, **more, "y": sign * outline, "meta": {"series": series, "part": "outline"}})
    x_axis = {**_places(strikes), "title": _title("strike"), "showspikes": False}
    layout = {"barmode": "overlay", "hovermode": "x", **_marked(strikes, lines)}
    return _figure(drawn, x_axis, _both_ways([trace["y"] for trace in drawn]), layout)


def describe_interest(its: SmileAt, index_price: float | None, underlying: str) -> str:
    return (
        f"Open interest of {words.expiry(its.smile.expiry)} by strike: {words.amount(its.smile.call_oi)} {underlying} "
        f"of calls, {words.amount(its.smile.put_oi)} {underlying} of puts, max pain {_price(its.smile.max_pain)}, "
        f"index {_price(index_price)}."
    )


def term_structure(smiles: Sequence[SmileAt], compared: Sequence[SmileAt], when: str) -> go.Figure:
    """IV at the money by the time to expiry; what it was at another moment is dashed."""
    drawn = [_terms(compared, f"IV {when}", "before")] if compared else []
    drawn.append({**_terms(smiles, "IV at the money", "points"), **_POINTS})
    ivs = [each.smile.atm_iv for each in [*smiles, *compared]]
    return _figure(drawn, TERMS_AXIS, _percent_axis(ivs), {"hovermode": "x"})


def describe_terms(smiles: Sequence[SmileAt]) -> str:
    known = [each for each in smiles if each.smile.atm_iv is not None]
    if not known:
        return "No IV at the money is known."
    first, last = known[0], known[-1]
    return (
        f"IV at the money from {words.percent(first.smile.atm_iv)} on {words.expiry(first.smile.expiry)} "
        f"to {words.percent(last.smile.atm_iv)} on {words.expiry(last.smile.expiry)}."
    )


def _expiring(its: SmileAt, index_price: float | None, underlying: str) -> str:
    value = notional(its, index_price)
    return hover(
        f"{words.expiry(its.smile.expiry)}, {words.until(its)}",
        f"Notional {words.NOT_KNOWN if value is None else words.millions(value)}",
        f"Calls {words.amount(its.smile.call_oi)} {underlying}, puts {words.amount(its.smile.put_oi)} {underlying}",
    )


def _on_axis(points: Sequence[Point], axis: str) -> list[tuple[float, Point]]:
    """The points with an IV, with their places on an axis."""
    return [(getattr(each, axis), each) for each in points if each.iv is not None]


def _ivs(points: Sequence[tuple[float, Point]], name: str, part: str) -> Trace:
    return {
        **_LINE,
        "x": _floats(x for x, _ in points),
        "y": _floats(each.iv for _, each in points),
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


def _interest(strike: float, name: str, now: float | None, before: float | None, underlying: str) -> str:
    change = f", {now - before:+,.1f} since" if now is not None and before is not None else ""
    amount = words.NOT_KNOWN if now is None else f"{now:,.1f} {underlying}"
    return hover(f"{name} of {words.strike(strike)}: {amount}{change}")


def _terms(smiles: Sequence[SmileAt], name: str, part: str) -> Trace:
    known = [each for each in smiles if each.smile.atm_iv is not None and each.years > 0]
    return {
        **_LINE,
        "x": _floats(365 * each.years for each in known),
        "y": _floats(each.smile.atm_iv for each in known),
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


def _title(axis: str) -> dict[str, Any]:
    return {"text": AXES[axis], "font": {"size": 13}, "standoff": 8}


def _places(strikes: Sequence[float]) -> dict[str, Any]:
    """The labels of an axis that has strikes by their places in the list."""
    step = math.ceil(len(strikes) / _LABELS) or 1
    return {
        "tickvals": list(range(0, len(strikes), step)),
        "ticktext": [words.strike(each) for each in strikes[::step]],
    }


def _marked(strikes: Sequence[float], lines: Mapping[str, float | None]) -> dict[str, Any]:
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
            {"x": x, "y": 1, "yref": "y domain", "text": f"{name} {_price(price)}", "showarrow": False}
            | {"xanchor": to_the, "yanchor": "top"}
        )
    return {"shapes": shapes, "annotations": names}


def _floats(values: Iterable[float | None]) -> Floats:
    """Numbers as an array; NaN for what is unknown."""
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def _price(value: float | None) -> str:
    return words.NOT_KNOWN if value is None else f"{value:,.0f}"


def _both_ways(heights: Sequence[Floats]) -> dict[str, Any]:
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


def _nice(length: float) -> float:
    """The next of 1, 2, 5, 10, 20 … or 0.1, 0.2, 0.5 … above a length; 1 for none."""
    if length <= 0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(length))
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= length)


def _percent_axis(ivs: Sequence[float | None]) -> dict[str, Any]:
    """An axis that has all IVs; a whisker that is longer is cut."""
    known = [iv for iv in ivs if iv is not None]
    if not known:
        return {"ticksuffix": " %"}
    room = max(0.1 * (max(known) - min(known)), 1.0)
    return {"ticksuffix": " %", "range": [max(min(known) - room, 0.0), max(known) + room]}


def _figure(
    drawn: Sequence[Trace], x_axis: Mapping[str, Any], y_axis: Mapping[str, Any], layout: Mapping[str, Any]
) -> go.Figure:
    return go.Figure(
        drawn,
        {
            "margin": _MARGIN,
            "showlegend": True,
            "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
            "yaxis": {"fixedrange": True, "side": "right", "automargin": True, **y_axis},
            "xaxis": {"type": "linear", "automargin": True, **x_axis},
            **layout,
        },
    )
