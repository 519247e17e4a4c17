"""Numbers for tables: readers sort by them, and get them as a file."""

import math
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from . import text
from .clock import Clock

COUNT = st.column_config.NumberColumn(format="%,d")
PERCENT = st.column_config.NumberColumn(format="%.2f %%")

_ONE_SIZE = 1000
"""Prices that differ by less than this factor have equally many digits."""


def heading(feeds: Iterable[str]) -> str:
    """The heading of a column that names feeds."""
    return "Feed" if any("/" in feed for feed in feeds) else "Index"


def prices(columns: Iterable[str], values: Any) -> dict[str, ColumnConfig]:
    """Columns of prices, which are `values`: with the digits of the smallest; where sizes differ, each has its own."""
    known = np.abs(np.asarray(values, dtype=float))
    known = known[np.isfinite(known)]
    one_size = len(known) and known.max() < _ONE_SIZE * known.min()
    shown = f"%,.{text.decimals(known.min())}f" if one_size else "plain"
    return dict.fromkeys(columns, st.column_config.NumberColumn(format=shown))


def percent_of(fraction: float) -> float:
    """A share in percent like `text.share`: 100 only for a whole, and 0 only for nothing."""
    if fraction in {0, 1}:
        return 100.0 * fraction
    return max(math.floor(10_000 * fraction) / 100, 0.01)


def change(fraction: float) -> float:
    """A change in percent like `text.change`."""
    return round(100 * fraction, 2) or 0.0


def stamps(times: pd.Series, zone: ZoneInfo) -> pd.Series:
    """Ascending times as `text.stamp` has them. While clocks don't change, pandas is ten times as fast."""
    if len(times) and Clock.over(times.iloc[0], times.iloc[-1], zone).changes:
        return pd.Series([text.stamp(at, zone) for at in times], times.index)
    shown: pd.Series = times.dt.tz_convert(zone).dt.strftime("%Y-%m-%d %H:%M:%S")
    return shown
