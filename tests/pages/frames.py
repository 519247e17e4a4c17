"""Frames of bars as the store gives them, written by hand."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

TYPES: dict[str, Any] = {
    "open_time": "datetime64[us, UTC]",
    "open": "float64",
    "high": "float64",
    "low": "float64",
    "close": "float64",
    "tick_count": "int64",
    "observed_count": "int64",
    "resolution_s": "int32",
    "averaged": "bool",
    "gap_before": "bool",
}


def frame(
    *closes: float | None,
    averaged: Collection[int] = (),
    spread: float = 0.0,
    start: datetime = START,
    interval: timedelta = MINUTE,
    resolution_s: int = 3600,
) -> pd.DataFrame:
    """Bars that close at these prices, one per interval; None is a gap.

    Args:
        closes: of the bars.
        averaged: the places of the bars that are averages, over `resolution_s`.
        spread: how far high and low are from the close.
        start: when the first one opens.
        interval: between two of them.
        resolution_s: see `averaged`.
    """
    rows = [
        {
            "open_time": start + number * interval,
            "open": close,
            "high": close + spread,
            "low": close - spread,
            "close": close,
            "tick_count": 12,
            "observed_count": 0 if number in averaged else 12,
            "resolution_s": resolution_s if number in averaged else 0,
            "averaged": number in averaged,
            "gap_before": number > 0 and closes[number - 1] is None,
        }
        for number, close in enumerate(closes)
        if close is not None
    ]
    return pd.DataFrame(rows, columns=list(TYPES)).astype(TYPES)
