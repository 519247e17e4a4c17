"""Candles in foreign files, and the layouts of the tools that write them.

The one price of a candle whose time is known is its close, and that was seen at the candle's end. So each close becomes
an observation at the end. At the opening it would be a look into the future.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .numbers import PLAIN
from .table import plain

PRICES = ("open", "high", "low", "close")

_CLOSES = ("close", "price", "last")
_CLOSE_TIMES = ("close_time", "close_timestamp", "closetimestamp", "close time", "timeclose")


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a tool's files.

    Attributes:
        needs: the names of the columns that are read, in lower case.
        time: the first of these that is there has the time.
        price: the column of the price.
        names: of all columns, for files that don't name them.
    """

    needs: tuple[str, ...]
    time: tuple[str, ...]
    price: str = "close"
    names: tuple[str, ...] = ()


_KLINES = (
    *("open_time", *PRICES, "volume", "close_time", "quote_volume", "count"),
    *("taker_buy_volume", "taker_buy_quote_volume", "ignore"),
)

LAYOUTS: Mapping[str, Layout] = {
    "binance": Layout(PRICES, ("open_time", "open time"), names=_KLINES),
    "cryptodatadownload": Layout(PRICES, ("unix", "date")),
    "metatrader": Layout(("date", *PRICES), ("date",), names=("date", "time", *PRICES, "tickvol")),
    "tardis": Layout(("timestamp", "index_price"), ("timestamp",), price="index_price"),
    "tickwell": Layout(("open_time", *PRICES, "resolution_s"), ("open_time",)),
    "tradingview": Layout(("time", *PRICES), ("time",)),
    "yahoo": Layout(("date", *PRICES), ("date",)),
}
"""The tools that a user can name."""

TIMES = (
    *("open_time", "open time", "open_timestamp", "opentimestamp", "timeopen", "unix"),
    *("ts", "timestamp", "time", "datetime", "gmt time", "date", *_CLOSE_TIMES),
)
"""The names of the column that has a candle's time, the best first."""


def close_of(names: Sequence[str]) -> str | None:
    """The column with the close of candles, in lower case; None if these columns have no candles.

    Investing.com calls the close of a day its price.
    """
    plainly = {plain(name) for name in names}
    if not plainly >= {*PRICES[:3]}:
        return None
    return next((name for name in _CLOSES if name in plainly), None)


def unnamed_close(rows: Sequence[Sequence[str]]) -> int | None:
    """The place of the close in rows without names, if four neighbours look like open, high, low and close."""
    width = min((len(row) for row in rows), default=0)
    firsts = range(width - 3)
    return next((first + 3 for first in firsts if _are_candles([row[first : first + 4] for row in rows])), None)


def fits(rows: Sequence[Sequence[str]], first: int) -> bool:
    """Have most rows without names open, high, low and close from this place on?"""
    return 2 * sum(_is_candle(row[first : first + 4]) for row in rows) > len(rows)


def _are_candles(rows: Sequence[Sequence[str]]) -> bool:
    return all(map(_is_candle, rows)) and any(PLAIN.read(low) != PLAIN.read(high) for _, high, low, _ in rows)


def _is_candle(row: Sequence[str]) -> bool:
    numbers = [number for number in map(PLAIN.read, row) if number is not None]
    if len(numbers) < 4:
        return False
    start, high, low, end = numbers
    return low <= min(start, end) and high >= max(start, end)


def is_at_end(name: str) -> bool:
    """Does a column have the time when a candle ends?"""
    return plain(name) in _CLOSE_TIMES
