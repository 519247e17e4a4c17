"""Chart builders: pure functions from bars to a figure. The colours of the theme are added when it is drawn.

Each trace has `meta`: its `series` (the place in the palette), its `part` of the series, and the `digits` of its values
after the point. All times of a chart have one offset, see `words.clock`.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from pages.common.figures.measures import measured
from pages.common.figures.scales import Scales
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
_DIGITS_AT_100 = 2
_MARGIN = {"l": 8, "r": 8, "t": 32, "b": 8}


def price_line(bars: pd.DataFrame, index_name: str, interval: timedelta, zone: timezone) -> go.Figure:
    """The price of one index: a line of closes in a band of lows and highs. Averages are a line of their own."""
    digits = _digits(bars)
    lines = line_of(bars, bars["close"], text.pair(index_name), zone, 0, digits)
    return figure_of([*_band(bars, zone), *lines], interval, f",.{digits}~f")


def candles(bars: pd.DataFrame, index_name: str, interval: timedelta, zone: timezone) -> go.Figure:
    """Candles of one index. A bar of averages has no true high and low, so such bars are a line."""
    observed = bars[~bars["averaged"]]
    digits = _digits(bars)
    drawn: Trace = {
        "type": "candlestick",
        "x": wall_times(observed["open_time"], zone),
        **{part: observed[part].to_numpy() for part in ("open", "high", "low", "close")},
        "name": text.pair(index_name),
        "yhoverformat": f",.{digits}f",
        "showlegend": False,
        "meta": _meta(0, "candles", digits),
    }
    averages = line_of(bars, bars["close"], text.pair(index_name), zone, 0, digits, observed=False)
    layout = {"hovermode": "x", "xaxis": {"rangeslider": {"visible": False}}}
    return figure_of([drawn, *averages], interval, f",.{digits}~f", layout)


def rebased(bars: Mapping[str, pd.DataFrame], scales: Scales, interval: timedelta, zone: timezone) -> go.Figure:
    """Several indexes on one scale: each is 100 at its first tick."""
    drawn: list[Trace] = []
    for series, (name, scale) in enumerate(scales.items()):
        drawn += line_of(bars[name], scale * bars[name]["close"], text.pair(name), zone, series, _DIGITS_AT_100)
    few = len(scales) <= _MOST_NAMED
    layout = {"shapes": [_AT_100], "showlegend": few, "hovermode": "x unified" if few else "closest"}
    return figure_of(drawn, interval, None, layout)


def lines(bars: Mapping[str, pd.DataFrame], scales: Scales, interval: timedelta, zone: timezone) -> go.Figure:
    """The price of one index, or several indexes on one scale. `scales` has the factor of each index."""
    if len(scales) > 1:
        return rebased(bars, scales, interval, zone)
    (index_name,) = scales
    return price_line(bars[index_name], index_name, interval, zone)


def set_range(figure: go.Figure, start: datetime, end: datetime, zone: tzinfo) -> None:
    """Show the whole range. Stretches without a record stay empty. The figure also gets the offset of its times.

    A zone with clocks that change is right for bars of whole days alone.
    """
    first, last = (at.astimezone(zone) for at in (start, end))
    wall = [at.replace(tzinfo=None).isoformat(sep=" ") for at in (first, last)]
    figure.update_layout(xaxis_range=wall, meta={"offset": f"{last:%z}"})


def describe(bars: Mapping[str, pd.DataFrame], zone: timezone) -> str:
    """What a chart shows, in words, for readers who can't see it: where the price of each index begins and ends."""
    found = [_described(name, frame, zone) for name, frame in bars.items() if len(frame)]
    return " ".join(found) or "No prices in this range."


def _described(index_name: str, frame: pd.DataFrame, zone: timezone) -> str:
    measures = measured(frame)
    first, last = (text.moment(frame["open_time"].iloc[row], zone) for row in (0, -1))
    gaps = int(frame["gap_before"].sum())
    return (
        f"{text.pair(index_name)} from {first} to {last}: {text.change_in_words(measures.change)} "
        f"from {text.price(measures.open)} to {text.price(measures.close)}, low {text.price(measures.low)}, "
        f"high {text.price(measures.high)}{', averages in part' if measures.averages_s else ''}"
        f"{f', {gaps} gaps' if gaps > 1 else ', 1 gap' if gaps else ''}."
    )


def _band(bars: pd.DataFrame, zone: timezone) -> list[Trace]:
    """The area between lows and highs, a closed shape for each stretch of observed bars; none if it has no height."""
    begins = (bars["gap_before"] | bars["averaged"]).cumsum()[~bars["averaged"]]
    x: list[Times] = []
    y: list[Floats] = []
    for _, stretch in bars.loc[begins.index].groupby(begins):
        times = wall_times(stretch["open_time"], zone)
        x += [times, times[::-1], times[:1]]
        y += [stretch["high"].to_numpy(), stretch["low"].to_numpy()[::-1], np.array([np.nan])]
    if not (x and (bars["high"] > bars["low"]).any()):
        return []
    # The band has half the digits: hovering shows no numbers for it.
    shape = {"x": np.concatenate(x), "y": np.concatenate(y).astype("float32"), "fill": "toself", "mode": "lines"}
    return [{"type": "scatter", **shape, "hoverinfo": "skip", "showlegend": False, "meta": _meta(0, "band")}]


def line_of(
    bars: pd.DataFrame,
    values: pd.Series,
    name: str,
    zone: timezone,
    series: int,
    digits: int,
    *,
    observed: bool = True,
    unit: str = "",
    axis: str = "y",
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
        shown = {"hovertemplate": f"%{{y:,.{digits}f}}{unit and f' {unit}'}<extra>%{{fullData.name}}</extra>"}
        how = _DOTS if part == "alone" else _LINE | shown
        meta = _meta(series, part, digits) | ({"unit": unit} if unit else {})
        about = {"name": named, "legendgroup": name, "yaxis": axis, "meta": meta}
        drawn.append({"type": "scatter", "x": x[rows], "y": y[rows], **about, **how})
    return drawn


def _joined(values: pd.Series, averaged: npt.NDArray[np.bool_], gap_before: npt.NDArray[np.bool_]) -> pd.Series:
    """The averages, with the observed neighbours that their line connects to."""
    shown = averaged.copy()
    connected = ~gap_before[1:]
    shown[1:] |= averaged[:-1] & connected
    shown[:-1] |= averaged[1:] & connected
    return values.where(shown)


def _broken(bars: pd.DataFrame, zone: timezone, *columns: pd.Series) -> tuple[Times, list[Floats]]:
    """Wall-clock times and columns, with an empty row in each gap to break the line."""
    x = wall_times(bars["open_time"], zone)
    at = np.flatnonzero(bars["gap_before"].to_numpy()[1:]) + 1
    middles = x[at - 1] + (x[at] - x[at - 1]) / 2
    return np.insert(x, at, middles), [np.insert(column.to_numpy(dtype=float), at, np.nan) for column in columns]


def wall_times(times: pd.Series, zone: timezone) -> Times:
    """Times as a wall clock of that zone shows them: Plotly knows no time zones, and takes numbers for local times."""
    wall: Times = times.dt.tz_convert(zone).dt.tz_localize(None).to_numpy(dtype="datetime64[ms]")
    return wall


def _digits(bars: pd.DataFrame) -> int:
    """The digits after the point that suit a typical price."""
    return text.decimals(float(bars["close"].median())) if len(bars) else 2


def _meta(series: int, part: str, digits: int = 0) -> dict[str, int | str]:
    return {"series": series, "part": part, "digits": digits}


def figure_of(
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
