"""The hours of funding of a perpetual over a time."""

from datetime import datetime
from typing import NamedTuple

from duckdb import DuckDBPyConnection

from store.file.rows import execute
from store.instants import HOUR
from store.models import from_column, to_column

_HOURS = """
SELECT ts, index_price, interest_1h, interest_8h
FROM funding
WHERE instrument_name = $instrument_name
  AND ts - $hour >= $start
  AND ts <= $end
ORDER BY ts
"""


class FundingHour(NamedTuple):
    """What the holders of a perpetual paid each other in an hour. Rates are fractions; longs pay if they are above 0.

    Attributes:
        ts: the end of the hour; aware.
        index_price: at that time, in USD; None if it is unknown.
        interest_1h: the rate of the hour.
        interest_8h: the rate of the 8 hours that end then; None if it is unknown.
    """

    ts: datetime
    index_price: float | None
    interest_1h: float
    interest_8h: float | None


def funding_hours(
    cursor: DuckDBPyConnection, instrument_name: str, start: datetime, end: datetime
) -> list[FundingHour]:
    """The hours that begin at `start` or later and are over at `end`, ascending, as `funding_over` takes them.

    An hour that was not recorded is absent, not filled.
    """
    asked = {
        "instrument_name": instrument_name,
        "hour": HOUR,
        "start": to_column(start),
        "end": to_column(end),
    }
    return [FundingHour(from_column(ts), *rates) for ts, *rates in execute(cursor, _HOURS, asked).fetchall()]
