"""Charts of volatility: DVOL with what was realised, and constant maturities of the option chains."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from pages.common.words import text, volatility_text
from store.market.reads.dvol import DvolCandle
from store.market.reads.volatility import Point
from store.market.realised import Band
from store.models import Gap

from .charts import Trace, figure_of
from .traces import PERCENT, axis, breaks, line, wall

_POINTS = "points"
_AT_THE_MONEY = {"7 d": "iv_7d", "30 d": "iv_30d", "90 d": "iv_90d", "180 d": "iv_180d"}
_SKEWS = {"Risk reversal": "rr25_30d", "Butterfly": "bf25_30d"}
_DIGITS = 2


_NAMES = {
    (True, False): "Lowest to highest",
    (False, False): "25 to 75 %",
    (True, True): "Few windows",
    (False, True): "Few windows, 25 to 75 %",
}
"""The names of the boxes of a cone: whether they reach from end to end, and whether they rest on few windows."""


class OfWindow(NamedTuple):
    """A window of a cone, in percent a year.

    Attributes:
        days: its length.
        band: how realised volatility over it was spread.
        now: realised over it now; None if that is unknown.
        implied: IV at the money for as long; None if that is unknown.
        implied_before: the same at the moment to compare with; None without one.
    """

    days: int
    band: Band
    now: float | None = None
    implied: float | None = None
    implied_before: float | None = None

    @property
    def few(self) -> bool:
        return volatility_text.few(self.days, self.band)

    @property
    def words(self) -> str:
        """All its numbers, as the hover box has them."""
        its = self.band
        lines = [
            f"Over {self.days} d: median {its.median:.2f} %",
            f"lowest {its.low:.2f}, highest {its.high:.2f}",
            f"25 to 75 %: {its.quarter:.2f} to {its.three_quarters:.2f}",
            f"{text.count(its.days, 'day')} known{', few' if self.few else ''}",
        ]
        for name, value in (
            ("Realised now", self.now),
            ("IV at the money", self.implied),
            ("IV before", self.implied_before),
        ):
            if value is not None:
                lines.append(f"{name} {value:.2f} %")
        return "<br>".join(lines)


def dvol(
    bars: Sequence[DvolCandle],
    realised: Sequence[tuple[datetime, float | None]],
    interval: timedelta,
    zone: timezone,
) -> go.Figure:
    """Candles of DVOL, and a line of realised volatility that breaks where too little is known."""
    candles: Trace = {
        "type": "candlestick",
        "x": wall([bar.open_time for bar in bars], zone),
        **{part: np.array([getattr(bar, part) for bar in bars]) for part in ("open", "high", "low", "close")},
        "name": "DVOL",
        "yhoverformat": f".{_DIGITS}f",
        "meta": {"series": 0, "part": "candles", "digits": _DIGITS, "unit": PERCENT},
    }
    times, values = [at for at, _ in realised], np.array([value for _, value in realised], dtype=float)
    drawn = line(wall(times, zone), values, "Realised, 30 d", 1, _DIGITS, PERCENT)
    layout = {
        "hovermode": "x",
        "xaxis": {"rangeslider": {"visible": False}},
        "yaxis": axis(PERCENT),
    }
    return figure_of([candles, *drawn], interval, None, layout)


def at_the_money(points: Sequence[Point], gaps: Sequence[Gap], step: timedelta, zone: timezone) -> go.Figure:
    """IV at the money at constant maturities. A line breaks where a gap leaves a step without a point."""
    return _lines(points, breaks([point.ts for point in points], gaps, step), zone, _AT_THE_MONEY, PERCENT)


def skews(points: Sequence[Point], gaps: Sequence[Gap], step: timedelta, zone: timezone) -> go.Figure:
    """Risk reversal and butterfly of 25 delta at 30 days; a line breaks as those of `at_the_money` do."""
    return _lines(points, breaks([point.ts for point in points], gaps, step), zone, _SKEWS, _POINTS)


def cone(its: Sequence[OfWindow]) -> go.Figure:
    """For each window a box of what was realised over it, and dots of what it is now and of what options imply.

    A box that rests on few windows is hollow.
    """
    places = np.arange(len(its), dtype=float)
    boxes = [(True, "reach", "few", "low", "high", 0.5), (False, "middle", "few", "quarter", "three_quarters", 0.3)]
    drawn: list[Trace] = []
    for outer, solid, hollow, low, high, width in boxes:
        for part, few in ((solid, False), (hollow, True)):
            some = [at for at, each in enumerate(its) if each.few == few]
            if some:
                bands = [its[at].band for at in some]
                bottom = np.array([getattr(band, low) for band in bands])
                drawn.append(
                    {
                        "type": "bar",
                        "x": places[some],
                        "base": bottom,
                        "y": np.array([getattr(band, high) for band in bands]) - bottom,
                        "width": width,
                        "name": _NAMES[outer, few],
                        "showlegend": not few or outer,
                        "hoverinfo": "skip",
                        "meta": {"series": 0, "part": part},
                    }
                )
    words = [each.words for each in its]
    dots = {
        "Median": ("median", 0, [each.band.median for each in its]),
        "Realised now": ("now", 1, [each.now for each in its]),
        "IV at the money": ("implied", 2, [each.implied for each in its]),
        "IV before": ("implied-before", 2, [each.implied_before for each in its]),
    }
    for name, (part, series, values) in dots.items():
        y = np.array(values, dtype=float)
        if not np.isnan(y).all():
            meta = {"series": series, "part": part}
            shown = {"x": places, "y": y, "name": name, "hoverinfo": "text", "hovertext": words, "meta": meta}
            drawn.append({"type": "scatter", "mode": "markers", **shown})
    x_axis = {
        "type": "linear",
        "range": [-0.6, len(its) - 0.4],
        "tickvals": places.tolist(),
        "ticktext": [f"{each.days} d" for each in its],
        "showspikes": False,
    }
    layout = {"barmode": "overlay", "hovermode": "closest", "xaxis": x_axis, "yaxis": axis(PERCENT)}
    return figure_of(drawn, timedelta(days=1), None, layout)


def describe_cone(its: Sequence[OfWindow]) -> str:
    """What the cone shows, for readers who can't see it."""
    return f"Cone of realised volatility. {' '.join(each.words.replace('<br>', ', ') + '.' for each in its)}"


def describe_dvol(bars: Sequence[DvolCandle], realised: Sequence[tuple[datetime, float | None]]) -> str:
    """What the chart of DVOL shows, for readers who can't see it."""
    if not bars:
        return "No DVOL in this range."
    known = [value for _, value in realised if value is not None]
    low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
    words = f"DVOL from {bars[0].open:.2f} % to {bars[-1].close:.2f} %, low {low:.2f} %, high {high:.2f} %."
    return f"{words} Realised volatility of 30 days ends at {known[-1]:.2f} %." if known else words


def describe_at_the_money(points: Sequence[Point]) -> str:
    """What the chart of constant maturities shows, for readers who can't see it."""
    return _described("IV at the money", points, _AT_THE_MONEY, PERCENT)


def describe_skews(points: Sequence[Point]) -> str:
    """What the chart of skews shows, for readers who can't see it."""
    return _described("25 delta at 30 d", points, _SKEWS, _POINTS)


def _described(what: str, points: Sequence[Point], columns: dict[str, str], unit: str) -> str:
    parts = []
    for name, column in columns.items():
        known = [value for point in points if (value := getattr(point, column)) is not None]
        if known:
            parts.append(f"{name} from {known[0]:z.2f} to {known[-1]:z.2f} {unit}")
    return f"{what}: {', '.join(parts)}." if parts else f"{what}: nothing is known in this range."


def _lines(
    points: Sequence[Point], broken: Sequence[int], zone: timezone, columns: dict[str, str], unit: str
) -> go.Figure:
    times = wall([point.ts for point in points], zone)
    x = np.insert(times, broken, [times[place] for place in broken])
    drawn: list[Trace] = []
    for series, (name, column) in enumerate(columns.items()):
        values = np.array([getattr(point, column) for point in points], dtype=float)
        drawn += line(x, np.insert(values, broken, np.nan), name, series, _DIGITS, unit)
    return figure_of(drawn, timedelta(minutes=1), None, {"yaxis": axis(unit)})
