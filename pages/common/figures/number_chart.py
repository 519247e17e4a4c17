"""The chart of a number that rules of a market watch."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

import numpy as np
import plotly.graph_objects as go

from .charts import figure_of
from .traces import axis, line, wall

_DIGITS = 2


def number(
    times: Sequence[datetime], values: Sequence[float], apart: timedelta, name: str, unit: str, zone: timezone
) -> go.Figure:
    """The values of a number over time. The line breaks between two that are further than `apart` from each other."""
    x, y = wall(times, zone), np.array(values)
    breaks = [place for place in range(1, len(times)) if times[place] - times[place - 1] > apart]
    drawn = line(np.insert(x, breaks, x[breaks]), np.insert(y, breaks, np.nan), name, 0, _DIGITS, unit)
    return figure_of(drawn, timedelta(0), None, {"hovermode": "x", "yaxis": axis(unit)})
