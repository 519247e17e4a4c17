"""Numbers over time, a value for each step: prices of indexes, and of the market DVOL, basis, IV and funding.

Nothing later than the end of the time has a part in a value. Steps without a value are absent, not filled.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Self

from duckdb import DuckDBPyConnection

from store.file.rows import execute
from store.instants import DAY, HOUR
from store.kinds import FUTURES, OPTIONS, SURFACES, TENORS_D
from store.market.instruments import Future, future_name
from store.models import Gap, from_column, to_column
from store.prices.bars import bars, bucket

from .as_of import surfaces
from .futures import basis_over

if TYPE_CHECKING:
    import pandas as pd

BASIS_D = (30, 90, 180)
"""The constant maturities of a basis, in days."""

_NAME = re.compile(r"([A-Z0-9]+) (DVOL|basis|IV|funding)(?: (\d+) d)?")
_DAYS = {"DVOL": (0,), "basis": BASIS_D, "IV": TENORS_D, "funding": (0,)}

# Candles that end together close alike. Where steps are long, the many minutes before the last hours tell nothing more.
_DVOL = """
SELECT
    time_bucket($step, ends - INTERVAL 1 MICROSECOND) AS opened,
    arg_max(close, ends) AS value,
    min(resolution_s) AS apart_s
FROM (
    SELECT open_time + to_seconds(resolution_s) AS ends, close, resolution_s
    FROM volatility_index
    WHERE currency = $currency
      AND open_time >= $start - INTERVAL 1 DAY
      AND open_time < $end
      AND (resolution_s >= $coarse_s OR open_time >= $tail)
)
WHERE ends > $start
  AND ends <= $end
GROUP BY opened
ORDER BY opened
"""

_FUNDING = """
SELECT
    time_bucket($step, ts - INTERVAL 1 MICROSECOND) AS opened,
    100 * 8760 * avg(interest_1h) AS value,
    3600 AS apart_s
FROM funding
WHERE instrument_name = $instrument_name
  AND ts > $start
  AND ts <= $end
GROUP BY opened
ORDER BY opened
"""

_FIRST = {
    "DVOL": "SELECT min(open_time) FROM volatility_index WHERE currency = $end",
    "basis": "SELECT min(ts) FROM snapshots WHERE feed = $feed",
    "IV": "SELECT min(ts) FROM surfaces WHERE underlying = $end",
    "funding": "SELECT min(ts) FROM funding WHERE instrument_name = $end",
}


@dataclass(frozen=True, slots=True)
class Series:
    """A number of the market, in percent a year.

    Attributes:
        kind: "basis" is annual and at a constant maturity, "IV" at the money at one, "funding" that of the perpetual.
        currency: such as "BTC".
        days: of the constant maturity; 0 without one.
    """

    kind: Literal["DVOL", "basis", "IV", "funding"]
    currency: str
    days: int = 0

    @classmethod
    def of(cls, name: str) -> Self | None:
        """The series of a name such as "BTC DVOL" or "BTC IV 30 d"; None for any other name."""
        found = _NAME.fullmatch(name)
        kind: Any = found and found[2]
        days = int(found[3] or 0) if found else 0
        return cls(kind, found[1], days) if found and days in _DAYS[kind] else None

    @property
    def name(self) -> str:
        """The name on screen and in an address, such as "BTC IV 30 d"."""
        return f"{self.currency} {self.kind} {self.days} d" if self.days else f"{self.currency} {self.kind}"

    @property
    def feed(self) -> str | None:
        """The feed whose snapshots it is made of, and whose gaps are its own; None for a log."""
        kinds = {"basis": FUTURES, "IV": OPTIONS}
        return kinds[self.kind].feed(self.currency) if self.kind in kinds else None


def all_series(currencies: Iterable[str]) -> list[Series]:
    """What there is of some currencies."""
    return [
        each
        for currency in currencies
        for each in (
            Series("DVOL", currency),
            *(Series("basis", currency, days) for days in BASIS_D),
            *(Series("IV", currency, days) for days in TENORS_D),
            Series("funding", currency),
        )
    ]


def first_known(cursor: DuckDBPyConnection, series: Series) -> datetime | None:
    """When the record of a series begins; None if there is none."""
    end = _perpetual(series) if series.kind == "funding" else series.currency
    asked = {"feed": series.feed} if series.kind == "basis" else {"end": end}
    ((ts,),) = execute(cursor, _FIRST[series.kind], asked).fetchall()
    return ts and from_column(ts)


def values_by(
    cursor: DuckDBPyConnection,
    series: Series,
    start: datetime,
    end: datetime,
    step: timedelta,
    gaps: Sequence[Gap] = (),
) -> "pd.DataFrame":
    """A series in steps of time.

    Args:
        cursor: of a read lease.
        series: DVOL has the last value of each step, which a candle has at its end; basis and IV have that of the last
            snapshot, of the basis that of the last one outside the half hour of settlement; funding has the mean of
            the hours that end in the step.
        start: aware; the first step is whole, so it may open before.
        end: aware.
        step: whole minutes, aligned as bars are.
        gaps: of `series.feed`.

    Returns:
        A row per step with a value, ascending: open_time (datetime64[us, UTC]), value in percent a year, `averaged`,
        which is false, and `gap_before`: what is between this row and the one before is missing or unknown.
    """
    opens = bucket(start, step)
    if series.feed is not None:
        return _of_snapshots(_snapshots(cursor, series, opens, end, step), step, gaps)
    found = _log(cursor, series, opens, end, step)
    apart = [max(step, timedelta(seconds=int(each))) for each in found["apart_s"]]
    times = [from_column(each) for each in found["opened"].astype("datetime64[us]").tolist()]
    broken = [at - before > most for before, at, most in zip(times, times[1:], apart[1:], strict=False)]
    return _frame(times, found["value"].tolist(), [False, *broken])


def closes_by(
    cursor: DuckDBPyConnection, index_name: str, start: datetime, end: datetime, step: timedelta
) -> "pd.DataFrame":
    """The last price of an index in each step of time, as `values_by` has a series.

    `averaged` is as `bars` has it. An average over a time that goes on after the end has no row.
    """
    import pandas as pd

    found = bars(cursor, index_name, start, end, step)
    covered_to = found["open_time"] + pd.to_timedelta(found["resolution_s"].where(found["averaged"], 0), unit="s")
    inside = (found["open_time"] >= bucket(start, step)) & (found["open_time"] < end) & (covered_to <= end)
    named = found.rename(columns={"close": "value"})
    return named.loc[inside, ["open_time", "value", "averaged", "gap_before"]].reset_index(drop=True)


def _log(cursor: DuckDBPyConnection, series: Series, opens: datetime, end: datetime, step: timedelta) -> dict[str, Any]:
    asked: dict[str, Any] = {"start": to_column(opens), "end": to_column(end), "step": step}
    if series.kind == "funding":
        return execute(cursor, _FUNDING, asked | {"instrument_name": _perpetual(series)}).fetchnumpy()
    coarse_s = 3600 if step >= HOUR else 60
    asked |= {"currency": series.currency, "coarse_s": coarse_s, "tail": to_column(end - 3 * HOUR)}
    return execute(cursor, _DVOL, asked).fetchnumpy()


def _perpetual(series: Series) -> str:
    return future_name(Future(series.currency, None))


def _snapshots(
    cursor: DuckDBPyConnection, series: Series, opens: datetime, end: datetime, step: timedelta
) -> list[tuple[datetime, float | None]]:
    """The last snapshot of each step, and its value."""
    if series.kind == "basis":
        found = basis_over(cursor, series.currency, opens, end, series.days * DAY, step)
        return [(each.ts, None if each.annual_basis is None else 100 * each.annual_basis) for each in found]
    place = SURFACES.column_names.index(f"iv_{series.days}d") - 1
    return [(row[0], row[place]) for row in surfaces(cursor, series.currency, opens, end, step)]


def _of_snapshots(
    found: Sequence[tuple[datetime, float | None]], step: timedelta, gaps: Sequence[Gap]
) -> "pd.DataFrame":
    """A gap breaks a line where it leaves a step without a snapshot, and so does a snapshot without the value."""
    times = [bucket(ts, step) for ts, _ in found]
    broken = [False] * len(times)
    for gap in gaps:
        place = bisect_right(times, gap.start)
        if 0 < place < len(times) and gap.end > times[place - 1] + step < times[place]:
            broken[place] = True
    known = [(at, value) for at, (_, value) in zip(times, found, strict=True) if value is not None]
    unknown = {place for place, (_, value) in enumerate(found) if value is None}
    return _frame([at for at, _ in known], [value for _, value in known], _carried(broken, unknown))


def _carried(broken: Sequence[bool], unknown: set[int]) -> list[bool]:
    """For each known row: is it broken off the known row before it?"""
    kept, since = [], False
    for place, is_broken in enumerate(broken):
        since = since or is_broken or place in unknown
        if place not in unknown:
            kept.append(since)
            since = False
    return kept


def _frame(times: Sequence[datetime], values: Sequence[float], broken: Sequence[bool]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(
        {
            "open_time": pd.DatetimeIndex(list(times), tz="UTC").astype("datetime64[us, UTC]"),
            "value": pd.Series(values, dtype="float64"),
            "averaged": pd.Series([False] * len(times), dtype="bool"),
            "gap_before": pd.Series(broken[: len(times)], dtype="bool"),
        }
    )
