"""Charts of what futures cost to carry: the basis at a constant maturity, and cumulated funding."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import timedelta, timezone

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.common.words.text import hover
from store.instants import HOUR
from store.market.reads.funding import FundingHour
from store.market.reads.futures import Basis
from store.models import Gap

from .charts import Floats, Times, Trace, figure_of, wall_times
from .traces import PERCENT, TERMS_AXIS, axis, line, wall

_BASIS_DIGITS, _FUNDING_DIGITS = 2, 4


def basis(points: Sequence[Basis], gaps: Sequence[Gap], name: str, zone: timezone) -> go.Figure:
    """The annual basis in percent. The line breaks in each gap: trades that heal one have no marks."""
    times = [point.ts for point in points]
    after = {bisect_left(times, gap.start) for gap in gaps} - {0, len(times)}
    values = 100 * np.array([point.annual_basis for point in points], dtype=float)
    return _figure(wall(times, zone), values, sorted(after), name, _BASIS_DIGITS)


def funding(hours: Sequence[FundingHour], step: timedelta, name: str, zone: timezone) -> go.Figure:
    """The running sum of funding in percent, at the end of each step; it breaks where an hour is not known.

    Args:
        hours: ascending.
        step: whole hours.
        name: of the line.
        zone: of the times.
    """
    frame = pd.DataFrame({"ts": [each.ts for each in hours]}, dtype="datetime64[us, UTC]")
    frame["percent"] = 100 * np.cumsum([each.interest_1h for each in hours])
    frame["stretch"] = (frame["ts"].diff() > HOUR).cumsum()
    kept = frame.groupby(["stretch", frame["ts"].dt.ceil(step)], as_index=False).last()
    breaks = np.flatnonzero(kept["stretch"].diff() > 0).tolist()
    return _figure(wall_times(kept["ts"], zone), kept["percent"].to_numpy(), breaks, name, _FUNDING_DIGITS)


def term_structure(curves: Mapping[str, Sequence[tuple[str, float, float]]]) -> go.Figure:
    """The annual basis in percent by the time to expiry.

    Args:
        curves: by its name, for each future its name, the days to expiry, and the annual basis.
    """
    drawn: list[Trace] = [
        {
            "type": "scatter",
            "mode": "lines" if series else "lines+markers",
            "x": np.array([days for _, days, _ in terms]),
            "y": np.array([100 * annual for *_, annual in terms]),
            "name": name,
            "hoverinfo": "text",
            "hovertext": [
                hover(f"{each}, {days:.1f} d", f"{name} {100 * annual:.2f} %") for each, days, annual in terms
            ],
            "meta": {"series": series, "part": "line" if series else "points"},
        }
        for series, (name, terms) in enumerate(curves.items())
    ]
    return figure_of(drawn, timedelta(days=1), None, {"hovermode": "x", "xaxis": TERMS_AXIS, "yaxis": axis(PERCENT)})


def _figure(x: Times, y: Floats, breaks: Sequence[int], name: str, digits: int) -> go.Figure:
    """A line that does not lead to the points at `breaks`."""
    broken = np.insert(x, breaks, x[list(breaks)]), np.insert(y, breaks, np.nan)
    drawn = line(*broken, name, 0, digits, PERCENT)
    return figure_of(drawn, timedelta(minutes=1), None, {"yaxis": axis(PERCENT)})
