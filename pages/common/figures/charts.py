"""Chart builders: pure functions from bars to a figure. The browser adds the colours of the theme.

Each trace has `meta`: its `series` (the place in the palette) and its `part` of the series.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from pages.common.figures.measures import measured
from pages.common.words import text

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.datetime64]
Trace = dict[str, Any]

# A legend or a common hover box can't tell more lines than this apart: then only the line at the pointer is named.
_MOST_NAMED = 10
_LINE = {"mode": "lines"}
_DOTS = {"mode": "markers", "hoverinfo": "skip", "showlegend": False}
_AT_100 = {
    "type": "line",
    "xref": "x domain",
    "x0": 0,
    "x1": 1,
    "y0": 100,
    "y1": 100,
    "line": {"width": 1, "dash": "dot"},
    "opacity": 0.5,
}
_MARGIN = {"l": 8, "r": 8, "t": 32, "b": 8}


def price_line(bars: pd.DataFrame, index_name: str, interval: timedelta, zone: ZoneInfo) -> go.Figure:
    """The price of one index: a line of closes in a band of lows and highs. Averages are a line of their own."""
    digits = text.decimals(_typical(bars["close"]))
    lines = _lines(bars, bars["close"], text.pair(index_name), zone, 0, f"%{{y:,.{digits}f}}")
    return _figure([*_band(bars, zone), *lines], interval, f",.{digits}~f")


def candles(bars: pd.DataFrame, index_name: str, interval: timedelta, zone: ZoneInfo) -> go.Figure:
    """Candles of one index. A bar of averages has no true high and low, so such bars are a line."""
    observed = bars[~bars["averaged"]]
    digits = text.decimals(_typical(bars["close"]))
    drawn: Trace = {
        "type": "candlestick",
        "x": _wall(observed["open_time"], zone),
        **{part: observed[part].to_numpy() for part in ("open", "high", "low", "close")},
        "name": text.pair(index_name),
        "yhoverformat": f",.{digits}f",
        "showlegend": False,
        "meta": _meta(0, "candles"),
    }
    shown = f"%{{y:,.{digits}f}}"
    averages = _lines(bars, bars["close"], text.pair(index_name), zone, 0, shown, observed=False)
    layout = {"hovermode": "x", "xaxis": {"rangeslider": {"visible": False}}}
    return _figure([drawn, *averages], interval, f",.{digits}~f", layout)


def rebased(bars: Mapping[str, pd.DataFrame], interval: timedelta, zone: ZoneInfo) -> go.Figure:
    """Several indexes on one scale: each is 100 at its first bar."""
    shown = {name: frame for name, frame in bars.items() if len(frame)}
    drawn: list[Trace] = []
    for series, (name, frame) in enumerate(shown.items()):
        index = 100 * frame["close"] / frame["close"].iloc[0]
        drawn += _lines(frame, index, text.pair(name), zone, series, "%{y:.2f}")
    few = len(shown) <= _MOST_NAMED
    layout = {"shapes": [_AT_100], "showlegend": few, "hovermode": "x unified" if few else "closest"}
    return _figure(drawn, interval, None, layout)


def lines(bars: Mapping[str, pd.DataFrame], interval: timedelta, zone: ZoneInfo) -> go.Figure:
    """The price of one index, or several indexes on one scale."""
    if len(bars) > 1:
        return rebased(bars, interval, zone)
    ((index_name, frame),) = bars.items()
    return price_line(frame, index_name, interval, zone)


def set_range(figure: go.Figure, start: datetime, end: datetime, zone: ZoneInfo) -> None:
    """Show exactly this range, even where little of it is recorded."""
    wall = [at.astimezone(zone).replace(tzinfo=None).isoformat(sep=" ") for at in (start, end)]
    figure.update_layout(xaxis_range=wall)


def describe(bars: Mapping[str, pd.DataFrame], zone: ZoneInfo) -> str:
    """What a chart shows, in words, for readers who can't see it: where the price of each index begins and ends."""
    found = [_described(name, frame, zone) for name, frame in bars.items() if len(frame)]
    return " ".join(found) or "No prices in this range."


def _described(index_name: str, frame: pd.DataFrame, zone: ZoneInfo) -> str:
    measures = measured(frame)
    first, last = (text.moment(frame["open_time"].iloc[row], zone) for row in (0, -1))
    gaps = int(frame["gap_before"].sum())
    return (
        f"{text.pair(index_name)} from {first} to {last}: {text.change_in_words(measures.change)} "
        f"from {text.price(measures.open)} to {text.price(measures.close)}, low {text.price(measures.low)}, "
        f"high {text.price(measures.high)}{', averages in part' if measures.averages_s else ''}"
        f"{f', {gaps} gaps' if gaps > 1 else ', 1 gap' if gaps else ''}."
    )


def _band(bars: pd.DataFrame, zone: ZoneInfo) -> list[Trace]:
    """The area between lows and highs, a closed shape for each stretch of observed bars; none if it has no height."""
    begins = (bars["gap_before"] | bars["averaged"]).cumsum()[~bars["averaged"]]
    x: list[Times] = []
    y: list[Floats] = []
    for _, stretch in bars.loc[begins.index].groupby(begins):
        times = _wall(stretch["open_time"], zone)
        x += [times, times[::-1], times[:1]]
        y += [stretch["high"].to_numpy(), stretch["low"].to_numpy()[::-1], np.array([np.nan])]
    if not (x and (bars["high"] > bars["low"]).any()):
        return []
    # The band has half the digits: hovering shows no numbers for it.
    shape = {"x": np.concatenate(x), "y": np.concatenate(y).astype("float32"), "fill": "toself", "mode": "lines"}
    return [{"type": "scatter", **shape, "hoverinfo": "skip", "showlegend": False, "meta": _meta(0, "band")}]


def _lines(
    bars: pd.DataFrame,
    values: pd.Series,
    name: str,
    zone: ZoneInfo,
    series: int,
    shown: str,
    *,
    observed: bool = True,
) -> list[Trace]:
    """The observed part of a series if `observed`, its averages, and dots where a bar stands alone."""
    averaged = bars["averaged"].to_numpy()
    begins = bars["gap_before"].to_numpy(copy=True)
    begins[:1] = True
    alone = begins & np.roll(begins, -1) & (averaged | observed)
    line = values.where(~averaged & observed)
    x, parts = _broken(bars, zone, line, _joined(values, averaged, begins), values.where(alone))
    drawn: list[Trace] = []
    for part, y, named in zip(("line", "averages", "alone"), parts, (name, f"{name}, averages", name), strict=True):
        there = np.flatnonzero(~np.isnan(y))
        if not len(there):
            continue
        rows = slice(there[0], there[-1] + 1)
        how = _DOTS if part == "alone" else _LINE | {"hovertemplate": f"{shown}<extra>%{{fullData.name}}</extra>"}
        about = {"name": named, "legendgroup": name, "meta": _meta(series, part)}
        drawn.append({"type": "scatter", "x": x[rows], "y": y[rows], **about, **how})
    return drawn


def _joined(values: pd.Series, averaged: npt.NDArray[np.bool_], gap_before: npt.NDArray[np.bool_]) -> pd.Series:
    """The averages, with the observed neighbours that their line connects to."""
    shown = averaged.copy()
    connected = ~gap_before[1:]
    shown[1:] |= averaged[:-1] & connected
    shown[:-1] |= averaged[1:] & connected
    return values.where(shown)


def _broken(bars: pd.DataFrame, zone: ZoneInfo, *columns: pd.Series) -> tuple[Times, list[Floats]]:
    """Wall-clock times and columns, with an empty row in each gap to break the line."""
    x = _wall(bars["open_time"], zone)
    at = np.flatnonzero(bars["gap_before"].to_numpy()[1:]) + 1
    middles = x[at - 1] + (x[at] - x[at - 1]) / 2
    return np.insert(x, at, middles), [np.insert(column.to_numpy(dtype=float), at, np.nan) for column in columns]


def _wall(times: pd.Series, zone: ZoneInfo) -> Times:
    """Times as a wall clock of that zone shows them: Plotly knows no time zones, and takes numbers for local times."""
    wall: Times = times.dt.tz_convert(zone).dt.tz_localize(None).to_numpy(dtype="datetime64[ms]")
    return wall


def _typical(prices: pd.Series) -> float:
    return float(prices.median()) if len(prices) else 100.0


def _meta(series: int, part: str) -> dict[str, int | str]:
    return {"series": series, "part": part}


def _figure(
    drawn: list[Trace], interval: timedelta, y_format: str | None, layout: Mapping[str, Any] = MappingProxyType({})
) -> go.Figure:
    """A figure of some traces, built at once: Plotly checks a figure again after each later change."""
    clock = "%H:%M" if interval >= timedelta(minutes=1) else "%H:%M:%S"
    x_axis = {"type": "date", "hoverformat": f"%-d %b %Y, {clock}", "automargin": True, **layout.get("xaxis", {})}
    common = {
        "margin": _MARGIN,
        "hovermode": "x unified",
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        "yaxis": {"fixedrange": True, "side": "right", "tickformat": y_format, "automargin": True},
    }
    return go.Figure(drawn, {**common, **layout, "xaxis": x_axis})
