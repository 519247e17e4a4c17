"""What a card shows of an index: its newest tick, its change, and bars for a sparkline."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

from . import ticks
from .models import Tick, from_column, to_column
from .status import known_indexes

SPAN = timedelta(hours=24)
_MOST_BARS = 60

_INDEX_NAMES = """
SELECT DISTINCT index_name
FROM ticks
"""

_REFERENCE = """
SELECT ts, price
FROM ticks
WHERE index_name = $index_name
  AND ts >= $start
ORDER BY ts
LIMIT 1
"""

_CLOSES = """
SELECT datediff('microsecond', $start::TIMESTAMP, ts) // $width_us AS bar, arg_max(price, ts)
FROM ticks
WHERE index_name = $index_name
  AND ts >= $start
  AND ts <= $end
GROUP BY bar
ORDER BY bar
"""


@dataclass(frozen=True, slots=True)
class Card:
    """One index at a glance.

    Attributes:
        index_name: as the exchange spells it.
        latest: its newest tick; None while nothing is recorded.
        reference: the price that the change is counted from: of the first tick within 24 h before the newest one.
        since: when that was.
        closes: the last price of each of 2 to 60 equal bars from `since` to the newest tick; NaN where one saw no tick.
    """

    index_name: str
    latest: Tick | None = None
    reference: float = math.nan
    since: datetime | None = None
    closes: tuple[float, ...] = ()

    @property
    def change(self) -> float:
        """The change since `since`, as a fraction of the reference."""
        return math.nan if self.latest is None else self.latest.price / self.reference - 1


def cards(cursor: DuckDBPyConnection, configured: Sequence[str], shortest_bar: timedelta = timedelta(0)) -> list[Card]:
    """A card for each configured index, in that order, and then for each that only has history, by name.

    No bar is shorter than `shortest_bar`, so that one without a tick means a gap and not just a short bar.
    """
    stored = [name for (name,) in cursor.execute(_INDEX_NAMES).fetchall()]
    return [_card(cursor, name, shortest_bar) for name in known_indexes(configured, stored)]


def _card(cursor: DuckDBPyConnection, index_name: str, shortest_bar: timedelta) -> Card:
    latest = ticks.latest(cursor, index_name)
    if latest is None:
        return Card(index_name)
    start = to_column(latest.ts - SPAN)
    since, reference = cursor.execute(_REFERENCE, {"index_name": index_name, "start": start}).fetchall()[0]
    first = from_column(since)
    bars = _MOST_BARS if not shortest_bar else min(_MOST_BARS, max(2, (latest.ts - first) // shortest_bar))
    return Card(index_name, latest, reference, first, _closes(cursor, index_name, first, latest.ts, bars))


def _closes(
    cursor: DuckDBPyConnection, index_name: str, start: datetime, end: datetime, bars: int
) -> tuple[float, ...]:
    width_us = (end - start) // timedelta(microseconds=1) // bars + 1
    values = {"index_name": index_name, "start": to_column(start), "end": to_column(end), "width_us": width_us}
    closes = dict(cursor.execute(_CLOSES, values).fetchall())
    return tuple(closes.get(bar, math.nan) for bar in range(bars))
