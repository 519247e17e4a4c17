"""Candles of DVOL, the exchange's volatility index, over a time."""

from datetime import datetime, timedelta
from typing import NamedTuple

from duckdb import DuckDBPyConnection

from store.file.rows import execute
from store.instants import DAY, HOUR, MINUTE
from store.models import from_column, to_column

DVOL_INTERVALS = (MINUTE, HOUR, DAY)
"""The lengths of the candles that are recorded. Those of a minute begin 30 days before the recording."""

_CANDLES = """
SELECT open_time, open, high, low, close
FROM volatility_index
WHERE currency = $currency
  AND resolution_s = $length_s
  AND open_time >= $start
  AND open_time < $end
  AND open_time + to_seconds($length_s) <= $end
ORDER BY open_time
"""


class DvolCandle(NamedTuple):
    """DVOL in one interval, in percent a year.

    Attributes:
        open_time: aware, in UTC; a day begins at 00:00 UTC.
        open, high, low, close: the first, highest, lowest and last value.
    """

    open_time: datetime
    open: float
    high: float
    low: float
    close: float


def dvol_candles(
    cursor: DuckDBPyConnection, currency: str, start: datetime, end: datetime, interval: timedelta
) -> list[DvolCandle]:
    """The candles of a currency that open at `start` or later and are over at `end`, ascending.

    A candle that was not recorded is absent, not filled.

    Args:
        cursor: of a lease.
        currency: such as "BTC".
        start: aware.
        end: aware; nothing that happened later has a part in a candle.
        interval: one of `DVOL_INTERVALS`.
    """
    asked = {
        "currency": currency,
        "length_s": interval // timedelta(seconds=1),
        "start": to_column(start),
        "end": to_column(end),
    }
    found = execute(cursor, _CANDLES, asked).fetchall()
    return [DvolCandle(from_column(open_time), *values) for open_time, *values in found]
