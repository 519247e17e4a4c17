"""Lines with a unit, as the charts of the market have them."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd

from store.models import Gap

from .charts import Floats, Times, Trace, wall_times

PERCENT = "%"
"""The unit that an axis repeats at each of its marks."""

TERMS_AXIS: Trace = {
    "type": "log",
    "tickvals": [1, 3, 7, 30, 90, 365],
    "ticktext": ["1 d", "3 d", "7 d", "30 d", "90 d", "1 y"],
}
"""An axis of days to expiry."""


def line(x: Times, y: Floats, name: str, series: int, digits: int, unit: str) -> list[Trace]:
    """A line that breaks at NaN, and dots where a point has no neighbour; nothing if nothing is known."""
    known = ~np.isnan(y)
    if not known.any():
        return []
    about = {"type": "scatter", "x": x, "name": name, "legendgroup": name}
    meta = {"series": series, "digits": digits, "unit": unit}
    shown = f"%{{y:.{digits}f}} {unit}<extra>%{{fullData.name}}</extra>"
    drawn = {**about, "y": y, "mode": "lines", "hovertemplate": shown, "meta": {**meta, "part": "line"}}
    padded = np.pad(known, 1)
    alone = known & ~padded[:-2] & ~padded[2:]
    if not alone.any():
        return [drawn]
    dots = {"mode": "markers", "hoverinfo": "skip", "showlegend": False, "meta": {**meta, "part": "alone"}}
    return [drawn, {**about, **dots, "y": np.where(alone, y, np.nan)}]


def axis(unit: str) -> dict[str, Any]:
    """An axis of values with a unit."""
    return {"fixedrange": True, "side": "right", "ticksuffix": " %" if unit == PERCENT else None, "automargin": True}


def wall(times: Sequence[datetime], zone: timezone) -> Times:
    """Times as `wall_times` makes them."""
    return wall_times(pd.Series(list(times), dtype="datetime64[us, UTC]"), zone)


def breaks(times: Sequence[datetime], gaps: Sequence[Gap], step: timedelta) -> list[int]:
    """The places of the times that a line does not lead to: a gap leaves a step before them without a point."""
    missing = [gap.start for gap in gaps if gap.state != "healed"]
    after = {bisect_right(times, start) for start in missing}
    return sorted(place for place in after - {0, len(times)} if times[place] - times[place - 1] >= 2 * step)
