"""The volatility of a currency as of an instant and over a time: DVOL, its index as realised, its option chains.

Nothing that was recorded later than the instant, or than the end of the time, has a part in an answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from duckdb import DuckDBPyConnection

from store.file.rows import execute
from store.instants import DAY, HOUR, MINUTE
from store.market.instruments import usd_index
from store.market.realised import (
    Band,
    Moves,
    Premium,
    Standing,
    band,
    premium,
    realised,
    rolling,
    standing,
    together,
)
from store.models import from_column, to_column
from store.prices.bars import bucket
from store.prices.candles import floor

from .dvol import DVOL_INTERVALS, DvolCandle, dvol_candles
from .moves import moves_by
from .snapshots import EACH

MONTH, YEAR = 30 * DAY, 365 * DAY
"""The time that realised volatility is taken over, as DVOL looks 30 days ahead; and the time of rank and percentile."""

DUE = MONTH // MINUTE
"""The returns of 30 days."""

CONE_D = (7, 30, 90, 180)
"""The days that the bands of a cone look back on, and the maturities that stand beside them."""

# A recorder may ask for DVOL each hour only.
_OF_NOW = 2 * HOUR

# A page shows a chain of up to 2 days ago as the newest one.
_CHAIN_STAYS = 2 * DAY

# DVOL of an instant is the close of a candle that ended up to its length and this time before it.
_LATE = 10 * MINUTE

_SURFACES = """
SELECT ts, iv_7d, iv_30d, iv_90d, iv_180d, rr25_30d, bf25_30d, iv_chain_30d, method
FROM surfaces
WHERE underlying = $underlying
  AND ts >= $start
  AND ts < $end
  AND ts IN (
    SELECT max(ts)
    FROM surfaces
    WHERE underlying = $underlying
      AND ts >= $start
      AND ts < $end
    GROUP BY time_bucket($step, ts)
)
ORDER BY ts
"""

# An underlying of linear options, such as SOL_USDC, is no currency.
_CURRENCIES = """
SELECT currency
FROM volatility_index
UNION
SELECT underlying
FROM surfaces
WHERE NOT contains(underlying, '_')
ORDER BY 1
"""

_FIRST_SURFACE = """
SELECT min(ts)
FROM surfaces
WHERE underlying = $underlying
"""


class Known(NamedTuple):
    """A value of DVOL in percent a year, and since when it is known: the end of its candle."""

    ts: datetime
    value: float


class Point(NamedTuple):
    """What charts show of a surface.

    Attributes:
        ts: exchange time of the chain.
        iv_7d, iv_30d, iv_90d, iv_180d: at the money at constant maturities, in percent a year.
        rr25_30d, bf25_30d: risk reversal and butterfly of 25 delta at 30 days, in points.
        iv_chain_30d: the volatility of the chain for 30 days, between 5 and 95 delta, in percent a year.
        method: the version of the formulas that made it; `store.market.surface.METHOD` is the newest.
    """

    ts: datetime
    iv_7d: float | None
    iv_30d: float | None
    iv_90d: float | None
    iv_180d: float | None
    rr25_30d: float | None
    bf25_30d: float | None
    iv_chain_30d: float | None
    method: int


@dataclass(frozen=True)
class VolatilityAt:
    """The volatility of a currency as it was known at an instant.

    Attributes:
        currency: such as "BTC".
        at: the instant.
        dvol: the newest value of DVOL; None without one in the last year.
        before: DVOL some time before that.
        month_before: DVOL 30 days before the instant.
        standing: of `dvol` among the daily closes of the year before the instant.
        moves: the known returns of the index in the 30 days before the instant.
        moves_since: the start of the day in UTC of the first of them; None without any.
        surface: of the newest chain at the instant, which is at most two days old.
        dvol_of_surface: DVOL when that chain was made.
    """

    currency: str
    at: datetime
    dvol: Known | None
    before: Known | None
    month_before: Known | None
    standing: Standing | None
    moves: Moves
    moves_since: datetime | None
    surface: Point | None
    dvol_of_surface: Known | None

    @property
    def realised(self) -> float | None:
        """Realised volatility of the 30 days before the instant, in percent a year."""
        return realised(self.moves, DUE)

    @property
    def premium_now(self) -> Premium | None:
        """DVOL less what was realised in the 30 days before; None if the newest DVOL is too old to be that of now."""
        now = self.dvol if self.dvol and self.at - self.dvol.ts <= _OF_NOW else None
        return premium(now and now.value, self.realised)

    @property
    def premium_later(self) -> Premium | None:
        """DVOL of 30 days ago less what was realised since."""
        return premium(self.month_before and self.month_before.value, self.realised)


def currencies(cursor: DuckDBPyConnection) -> list[str]:
    """The currencies with a recorded DVOL or recorded chains, by name."""
    return [currency for (currency,) in cursor.execute(_CURRENCIES).fetchall()]


def volatility_at(cursor: DuckDBPyConnection, currency: str, at: datetime, ago: timedelta = DAY) -> VolatilityAt:
    """The volatility of a currency as of an instant.

    Args:
        cursor: of a read lease.
        currency: such as "BTC".
        at: aware.
        ago: how long before the newest DVOL its value `before` is.
    """
    known = _recorded(cursor, currency, at - YEAR, at, DAY)
    closes = [candle.close for length, candle in known if length == DAY]
    dvol = _close(*known[-1]) if known else None
    surface = surface_at(cursor, currency, at)
    minute = floor(at, MINUTE)
    days = moves_by(cursor, usd_index(currency), minute - MONTH, minute, DAY)
    first = next((number for number, each in enumerate(days) if each.known), None)
    return VolatilityAt(
        currency=currency,
        at=at,
        dvol=dvol,
        before=dvol and _as_of(cursor, currency, dvol.ts - ago, MINUTE, HOUR),
        month_before=_as_of(cursor, currency, at - MONTH, HOUR),
        standing=dvol and standing(dvol.value, closes),
        moves=together(days),
        moves_since=None if first is None else bucket(minute - MONTH, DAY) + first * DAY,
        surface=surface,
        dvol_of_surface=surface and _as_of(cursor, currency, surface.ts, MINUTE, HOUR),
    )


def dvol_at(cursor: DuckDBPyConnection, currency: str, at: datetime) -> tuple[Known | None, Known | None]:
    """The newest value of DVOL at an instant, and the one 24 h before that; None without one in the last year.

    Args:
        cursor: of a read lease.
        currency: such as "BTC".
        at: aware.
    """
    known = _recorded(cursor, currency, at - YEAR, at, DAY)
    newest = _close(*known[-1]) if known else None
    return newest, newest and _as_of(cursor, currency, newest.ts - DAY, MINUTE, HOUR)


def surface_at(cursor: DuckDBPyConnection, currency: str, at: datetime) -> Point | None:
    """The surface of the newest chain at an instant; None if that is older than two days."""
    return next(reversed(surfaces_by(cursor, currency, at - _CHAIN_STAYS, at + EACH, _CHAIN_STAYS)), None)


def dvol_bars(
    cursor: DuckDBPyConnection, currency: str, start: datetime, end: datetime, interval: timedelta
) -> list[DvolCandle]:
    """DVOL in bars of any interval of whole minutes, ascending. The last bar may not be over yet.

    Args:
        cursor: of a read lease.
        currency: such as "BTC".
        start: aware; the first bar is whole, so it may open before.
        end: aware.
        interval: of a bar, aligned as the bars of prices are.
    """
    its = (candle for _, candle in _recorded(cursor, currency, bucket(start, interval), end, interval))
    return [_folded(opens, list(bar)) for opens, bar in groupby(its, lambda candle: bucket(candle.open_time, interval))]


def realised_by(
    cursor: DuckDBPyConnection, currency: str, start: datetime, end: datetime, step: timedelta
) -> list[tuple[datetime, float | None]]:
    """Realised volatility of 30 days at the end of each step of time in [start, end], in percent a year.

    Args:
        cursor: of a read lease.
        currency: such as "BTC".
        start: aware.
        end: aware.
        step: whole minutes of which a day has a whole number, aligned as bars are.
    """
    first = bucket(start - MONTH, step)
    values = rolling(moves_by(cursor, usd_index(currency), first, end, step), MONTH // step, DUE)
    points = ((first + number * step, value) for number, value in enumerate(values, start=1))
    return [(at, value) for at, value in points if start <= at <= end]


def cone(cursor: DuckDBPyConnection, currency: str, at: datetime) -> list[Band | None]:
    """How realised volatility over each of `CONE_D` was spread at the ends of the 365 UTC days before an instant.

    None where it is known at no end of a day.

    Args:
        cursor: of a read lease.
        currency: such as "BTC".
        at: aware.
    """
    end = floor(at, DAY)
    days = moves_by(cursor, usd_index(currency), end - YEAR - max(CONE_D) * DAY, end, DAY)
    return [band(rolling(days, window, window * DAY // MINUTE)[-(YEAR // DAY) :]) for window in CONE_D]


def realised_at(cursor: DuckDBPyConnection, currency: str, at: datetime) -> list[float | None]:
    """Realised volatility of each of `CONE_D` before an instant, in percent a year; None where too little is known.

    Args:
        cursor: of a read lease.
        currency: such as "BTC".
        at: aware.
    """
    end, name = floor(at, MINUTE), usd_index(currency)
    lengths = [days * DAY for days in CONE_D]
    return [realised(together(moves_by(cursor, name, end - each, end, DAY)), each // MINUTE) for each in lengths]


def surfaces_by(
    cursor: DuckDBPyConnection, currency: str, start: datetime, end: datetime, step: timedelta
) -> list[Point]:
    """The last surface of each step of time in [start, end), ascending.

    Args:
        cursor: of a read lease.
        currency: such as "BTC".
        start: aware.
        end: aware.
        step: aligned as bars are.
    """
    asked = {"underlying": currency, "start": to_column(start), "end": to_column(end), "step": step}
    return [Point(from_column(ts), *rest) for ts, *rest in execute(cursor, _SURFACES, asked).fetchall()]


def first_surface(cursor: DuckDBPyConnection, currency: str) -> datetime | None:
    """When the first recorded chain of a currency was made; None without one."""
    ((ts,),) = execute(cursor, _FIRST_SURFACE, {"underlying": currency}).fetchall()
    return ts and from_column(ts)


def _recorded(
    cursor: DuckDBPyConnection, currency: str, start: datetime, end: datetime, longest: timedelta
) -> list[tuple[timedelta, DvolCandle]]:
    """Candles of DVOL with their lengths, ascending: the longest ones that are over, and from there on shorter ones.

    An interval of `longest` is a whole number of each of them.
    """
    found: list[tuple[timedelta, DvolCandle]] = []
    for length in (each for each in reversed(DVOL_INTERVALS) if not longest % each):
        since = _close(*found[-1]).ts if found else start
        found += [(length, candle) for candle in dvol_candles(cursor, currency, since, end, length)]
    return found


def _close(length: timedelta, candle: DvolCandle) -> Known:
    return Known(candle.open_time + length, candle.close)


def _as_of(cursor: DuckDBPyConnection, currency: str, at: datetime, *lengths: timedelta) -> Known | None:
    """DVOL at an instant, from candles of the first length that has one; None if the newest of that time is too old."""
    for length in lengths:
        if found := dvol_candles(cursor, currency, at - 2 * length - _LATE, at, length):
            return _close(length, found[-1])
    return None


def _folded(opens: datetime, bar: Sequence[DvolCandle]) -> DvolCandle:
    """One candle of several, ascending."""
    return DvolCandle(opens, bar[0].open, max(each.high for each in bar), min(each.low for each in bar), bar[-1].close)
