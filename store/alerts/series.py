"""Reads numbers of a market over time: the same statements for a recorder, for a replay and for pages.

Each statement has the columns at_us, microseconds since 1970, and value. A value that is not known has no row.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from store.alerts.rules.bounded import Series
from store.file.rows import execute
from store.instants import DAY, EPOCH, MINUTE
from store.kinds import TENORS_D
from store.market.black76 import YEAR
from store.market.carry import LEAST_TO_EXPIRY
from store.market.checks import SETTLED, SETTLES_FROM
from store.models import from_column, to_column

MICROSECOND = timedelta(microseconds=1)

# The exchange has the hours since 2021, and the minutes since shortly before the first recording.
_DVOL = """
SELECT epoch_us(open_time + to_seconds(resolution_s)) AS at_us, close AS value
FROM volatility_index
WHERE currency = $name
  AND open_time >= $start::TIMESTAMP - INTERVAL 1 HOUR
  AND open_time < $end
  AND at_us >= epoch_us($start::TIMESTAMP)
  AND at_us < epoch_us($end::TIMESTAMP)
  AND isfinite(value)
  AND (
    resolution_s = 60
    OR (
      resolution_s = 3600
      AND open_time + INTERVAL 1 HOUR <= (
        SELECT coalesce(min(open_time), 'infinity'::TIMESTAMP)
        FROM volatility_index
        WHERE currency = $name
          AND resolution_s = 60
      )
    )
  )
ORDER BY at_us
"""

_SURFACES = """
SELECT epoch_us(ts) AS at_us, {column} AS value
FROM surfaces
WHERE underlying = $name
  AND ts >= $start
  AND ts < $end
  AND isfinite({column})
ORDER BY ts
"""

# The interest of each hour is added as a whole number of 1e-18, so that no order of additions changes a sum.
_FUNDING = """
SELECT epoch_us(ts) AS at_us, value
FROM (
    SELECT
        ts,
        count(*) OVER its AS known,
        100 * 8760 * (sum(interest_1h::DECIMAL(38, 18)) OVER its)::DOUBLE / known AS value
    FROM funding
    WHERE instrument_name = $name || '-PERPETUAL'
      AND ts >= $start::TIMESTAMP - $length::INTERVAL
      AND ts < $end
      AND abs(interest_1h) < 1_000_000
    WINDOW its AS (ORDER BY ts RANGE BETWEEN $length::INTERVAL - INTERVAL 1 HOUR PRECEDING AND CURRENT ROW)
)
WHERE ts >= $start
  AND 2 * known * 3_600_000_000 >= $length_us
ORDER BY ts
"""

# As `constant_maturity_basis` has it. In Python, a year of minutes would take a minute.
_BASIS = f"""
WITH points AS (
    SELECT
        futures.ts,
        epoch_us(expiry) - epoch_us(futures.ts) AS left_us,
        ln(mark_price / index_price) AS carry
    FROM futures
    JOIN snapshots ON feed = 'futures/' || $name AND snapshots.ts = futures.ts
    WHERE currency = $name
      AND futures.ts >= $start
      AND futures.ts < $end
      AND snapshots.ts >= $start
      AND snapshots.ts < $end
      AND resolution_s = 0
      AND mark_price > 0
      AND index_price > 0
      AND left_us >= {LEAST_TO_EXPIRY // MICROSECOND}
      AND epoch_us(futures.ts) % {DAY // MICROSECOND}
        NOT BETWEEN {SETTLES_FROM // MICROSECOND} AND {SETTLED // MICROSECOND}
),
neighbours AS (
    SELECT
        ts,
        max(left_us) FILTER (left_us <= $length_us) AS before_us,
        arg_max(carry, left_us) FILTER (left_us <= $length_us) AS before,
        min(left_us) FILTER (left_us >= $length_us) AS after_us,
        arg_min(carry, left_us) FILTER (left_us >= $length_us) AS after
    FROM points
    GROUP BY ts
)
SELECT
    epoch_us(ts) AS at_us,
    100 * (exp(before + (after - before) * coalesce(($length_us - before_us) / nullif(after_us - before_us, 0), 0)) - 1)
        * {YEAR // MICROSECOND} / $length_us AS value
FROM neighbours
WHERE isfinite(value)
ORDER BY ts
"""  # noqa: S608 the numbers are constants

# A snapshot with rows that could not be read would show a fall.
_WHOLE = """
  AND ts IN (
    SELECT ts
    FROM snapshots
    WHERE feed = $feed
      AND ts >= $start
      AND ts < $end
      AND coalesce(rejected, 0) = 0
  )
"""

_OF_OPTIONS = f"""
SELECT epoch_us(ts) AS at_us, call_oi + put_oi AS value
FROM surfaces
WHERE underlying = $name
  AND ts >= $start
  AND ts < $end
  AND value > 0
  AND isfinite(value)
{_WHOLE}
ORDER BY ts
"""  # noqa: S608 the part is the constant above

_OF_FUTURES = f"""
SELECT epoch_us(ts) AS at_us, sum(open_interest) AS value
FROM futures
WHERE currency = $name
  AND ts >= $start
  AND ts < $end
  AND resolution_s = 0
  AND {{which}}
{_WHOLE}
GROUP BY ts
HAVING value > 0 AND isfinite(value)
ORDER BY ts
"""  # noqa: S608 the part is the constant above

_STATEMENTS = {
    "dvol": _DVOL,
    "funding": _FUNDING,
    "basis": _BASIS,
    "open interest of options": _OF_OPTIONS,
    "open interest of futures": _OF_FUTURES.format(which="true"),
    "open interest of perpetual": _OF_FUTURES.format(which="instrument_name = $name || '-PERPETUAL'"),
    **{
        f"{number} {days}": _SURFACES.format(column=f"{number}_{days}d")
        for number in ("iv", "rr25")
        for days in TENORS_D
    },
}

_NEWEST_DVOL = """
SELECT max(open_time)
FROM volatility_index
WHERE currency = $name
  AND resolution_s = 60
"""

_NEWEST_FUNDING = """
SELECT max(ts)
FROM funding
WHERE instrument_name = $name || '-PERPETUAL'
"""

_NEWEST_SNAPSHOT = """
SELECT max(ts)
FROM snapshots
WHERE feed = $feed
"""


def execute_series(cursor: DuckDBPyConnection, series: Series, start: datetime, end: datetime) -> DuckDBPyConnection:
    """A statement with the known values of a number in [start, end), ascending: at_us and value."""
    number = f"{series.number} {series.length // DAY}" if series.number in {"iv", "rr25"} else series.number
    text = _STATEMENTS[number]
    values: dict[str, Any] = {
        "feed": series.feed,
        "name": series.currency,
        "start": to_column(start),
        "end": to_column(end),
        "length": series.length,
        "length_us": series.length // MICROSECOND,
    }
    return execute(cursor, text, {name: values[name] for name in re.findall(r"\$(\w+)", text)})


def values(
    cursor: DuckDBPyConnection, series: Series, start: datetime, end: datetime
) -> Iterator[tuple[datetime, float]]:
    """The known values of a number in [start, end), ascending, each with its exchange time."""
    for at_us, value in execute_series(cursor, series, start, end).fetchall():
        yield EPOCH + at_us * MICROSECOND, value


def newest(cursor: DuckDBPyConnection, series: Series) -> datetime | None:
    """The time of the newest stored row of a number, whether its value is known or not; None without one."""
    if series.number == "dvol":
        ((opens,),) = execute(cursor, _NEWEST_DVOL, {"name": series.currency}).fetchall()
        return opens and from_column(opens) + MINUTE
    if series.number == "funding":
        ((ended,),) = execute(cursor, _NEWEST_FUNDING, {"name": series.currency}).fetchall()
        return ended and from_column(ended)
    ((ts,),) = execute(cursor, _NEWEST_SNAPSHOT, {"feed": series.feed}).fetchall()
    return ts and from_column(ts)
