"""Charts of volatility: DVOL with what was realised, and constant maturities of the option chains."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

import numpy as np
import plotly.graph_objects as go

from store.market.reads.dvol import DvolCandle
from store.market.reads.volatility import Point
from store.models import Gap

from .charts import Trace, figure_of
from .traces import PERCENT, axis, breaks, line, wall

_POINTS = "points"
_AT_THE_MONEY = {"7 d": "iv_7d", "30 d": "iv_30d", "90 d": "iv_90d", "180 d": "iv_180d"}
_SKEWS = {"Risk reversal": "rr25_30d", "Butterfly": "bf25_30d"}
_DIGITS = 2


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
