"""Charts of the life of one option: its IV, its price, the forward, and its open interest."""

from collections.abc import Mapping, Sequence
from datetime import timedelta, timezone
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go

from pages.common.figures.charts import Floats, Times, Trace, figure_of
from pages.common.figures.traces import PERCENT, axis, breaks, line, wall
from store.market.reads.contract import Moment
from store.models import Gap

_MINUTE = timedelta(minutes=1)
_QUOTES = {"Mark": "mark_price", "Bid": "bid_price", "Ask": "ask_price"}
_PRICE_DIGITS, _PERCENT_DIGITS, _USD_DIGITS, _INTEREST_DIGITS = 4, 2, 2, 1


def iv(moments: Sequence[Moment], gaps: Sequence[Gap], step: timedelta, zone: timezone) -> go.Figure:
    """The IV of the mark. A line breaks where a gap leaves a step without a snapshot."""
    return _lines(moments, gaps, step, zone, {"IV of the mark": "mark_iv"}, _PERCENT_DIGITS, PERCENT, {})


def price(
    moments: Sequence[Moment], gaps: Sequence[Gap], step: timedelta, zone: timezone, unit: str, payoff: float | None
) -> go.Figure:
    """The mark with bid and ask, as the exchange quotes them, and a line at the payoff if it is known."""
    return _lines(moments, gaps, step, zone, _QUOTES, _PRICE_DIGITS, unit, {"Payoff": payoff})


def forward(
    moments: Sequence[Moment],
    gaps: Sequence[Gap],
    step: timedelta,
    zone: timezone,
    strike: float,
    delivery_price: float | None,
) -> go.Figure:
    """The forward in USD, and lines at the strike and at the delivery price if it is known."""
    levels = {"Delivery price": delivery_price, "Strike": strike}
    return _lines(moments, gaps, step, zone, {"Forward": "underlying_price"}, _USD_DIGITS, "USD", levels)


def open_interest(
    moments: Sequence[Moment], gaps: Sequence[Gap], step: timedelta, zone: timezone, unit: str
) -> go.Figure:
    """Open interest as a bar from each snapshot to the next one; before a gap, and at the end, a step long."""
    times = [each.ts for each in moments]
    lengths = [after - before for before, after in pairwise(times)]
    for place in breaks(times, gaps, step):
        lengths[place - 1] = step
    bars: Trace = {
        "type": "bar",
        "x": wall(times, zone),
        "y": _column(moments, "open_interest"),
        "offset": 0,
        "width": np.array([each / timedelta(milliseconds=1) for each in [*lengths, step]][: len(times)]),
        "name": "Open interest",
        "hovertemplate": f"%{{y:,.{_INTEREST_DIGITS}f}} {unit}<extra>%{{fullData.name}}</extra>",
        "meta": {"series": 0, "part": "bars", "digits": _INTEREST_DIGITS, "unit": unit},
    }
    return figure_of([bars], _MINUTE, None, {"yaxis": {**axis(unit), "rangemode": "tozero"}})


def describe(name: str, what: str, moments: Sequence[Moment], column: str, digits: int, unit: str) -> str:
    """What a chart shows, for readers who can't see it: where a number begins and ends."""
    known = [value for each in moments if (value := getattr(each.row, column)) is not None]
    if not known:
        return f"{what} of {name}: nothing is known in this range."
    return f"{what} of {name} from {known[0]:,.{digits}f} to {known[-1]:,.{digits}f} {unit}."


def _lines(
    moments: Sequence[Moment],
    gaps: Sequence[Gap],
    step: timedelta,
    zone: timezone,
    columns: Mapping[str, str],
    digits: int,
    unit: str,
    levels: Mapping[str, float | None],
) -> go.Figure:
    times = [each.ts for each in moments]
    broken = breaks(times, gaps, step)
    walls = wall(times, zone)
    x = np.insert(walls, broken, walls[broken])
    drawn: list[Trace] = []
    for series, (name, column) in enumerate(columns.items()):
        drawn += line(x, np.insert(_column(moments, column), broken, np.nan), name, series, digits, unit)
    known = {name: level for name, level in levels.items() if level is not None and drawn}
    for series, (name, level) in enumerate(known.items(), start=len(columns)):
        drawn.append(_level(walls, level, name, series, digits, unit))
    return figure_of(drawn, _MINUTE, None, {"yaxis": axis(unit)})


def _column(moments: Sequence[Moment], name: str) -> Floats:
    return np.array([getattr(each.row, name) for each in moments], dtype=float)


def _level(times: Times, level: float, name: str, series: int, digits: int, unit: str) -> Trace:
    """A line at one value, from the first time to the last; that of a strike is dashed."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": times[[0, -1]],
        "y": np.array([level, level]),
        "name": f"{name} {level:,.{digits}f}",
        "hoverinfo": "skip",
        "meta": {"series": series, "part": "before" if name == "Strike" else "line", "digits": digits, "unit": unit},
    }
