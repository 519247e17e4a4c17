"""Made-up DVOL and prices by minute for tests, and realised volatility by pandas."""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from store.file.database import Database
from store.file.rows import insert
from store.instants import DAY, EPOCH, HOUR, MINUTE
from store.kinds import VOLATILITY_INDEX
from store.market.entries import append_new
from store.models import to_column
from store.prices.candles import floor

CANDLE = ["index_name", "open_time", "open", "high", "low", "close", "tick_count", "observed_count", "resolution_s"]


def dvol(at: datetime) -> float:
    """A made-up DVOL, which differs from minute to minute."""
    minutes = (at - EPOCH) / MINUTE
    return round(50 + 10 * math.sin(minutes / 90_000) + math.sin(minutes / 7), 4)


def record_dvol(database: Database, first: datetime, until: datetime, length: timedelta, currency: str = "BTC") -> None:
    """Candles that are over by `until`; each has the made-up values of its minutes."""
    length_s = length // timedelta(seconds=1)
    rows = [
        (currency, to_column(opens), *_values(dvol(opens), dvol(opens + length - MINUTE)), "simulator", length_s)
        for opens in _steps(first, until, length)
    ]
    with database.write() as cursor:
        append_new(cursor, VOLATILITY_INDEX, rows)


def _values(opened: float, closed: float) -> tuple[float, float, float, float]:
    """Open, high, low and close; the extremes lie half a point beyond the ends."""
    return opened, max(opened, closed) + 0.5, min(opened, closed) - 0.5, closed


def _steps(first: datetime, until: datetime, length: timedelta) -> Iterator[datetime]:
    return (first + number * length for number in range((until - first) // length))


def record_all_lengths(database: Database, until: datetime) -> None:
    """Candles that are over by an instant: a minute for two days, an hour for forty, a day for four hundred."""
    midnight = floor(until, DAY)
    for length, days in ((DAY, 400), (HOUR, 40), (MINUTE, 2)):
        record_dvol(database, midnight - days * DAY, until, length)


def record_minutes(database: Database, closes: pd.Series) -> None:
    """Candles of btc_usd with the closes of a series by minute."""
    opened = pd.DatetimeIndex(closes.index).tz_localize(None).to_pydatetime()
    rows = [("btc_usd", at, *4 * [close], 12, 12, 0) for at, close in zip(opened, closes.tolist(), strict=True)]
    with database.write() as cursor:
        insert(cursor, "candles_1m", CANDLE, rows)
        cursor.execute("UPDATE candles_closed SET closed_to = ?", [opened[-1] + MINUTE])


def walk(first: datetime, until: datetime, known: float = 1.0) -> pd.Series:
    """A random walk by minute, of which a share is known."""
    index = pd.date_range(first, until, freq="min", inclusive="left")
    noise = np.random.default_rng(1)
    closes = pd.Series(80_000 * np.exp(np.cumsum(noise.normal(0, 6e-4, len(index)))), index)
    return closes[noise.random(len(index)) < known]


def realised_by_hand(closes: pd.Series, start: datetime, end: datetime) -> float:
    """Realised volatility of [start, end) by pandas, over minutes next to each other."""
    returns = np.log(closes[closes.index < end]).diff()
    adjacent = closes[closes.index < end].index.to_series().diff() == MINUTE
    inside = returns[adjacent & (returns.index >= start)]
    return float(100 * np.sqrt((inside**2).mean() * 525_600))
