"""What a card shows of an index: its newest tick, its change, and bars for a sparkline."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

from store.models import Tick, from_column, to_column

from . import ticks

SPAN = timedelta(hours=24)
_MOST_BARS = 60

_REFERENCE = """
SELECT ts, price
FROM ticks
WHERE index_name = $index_name
  AND ts >= $start
ORDER BY ts
LIMIT 1
"""

_BARS = """
SELECT
    datediff('microsecond', $start::TIMESTAMP, ts) // $width_us AS bar,
    arg_max(price, ts),
    min(price),
    max(price),
    max(resolution_s)
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
        low, high: of the ticks from `since` to the newest one.
        averages_s: the longest time in seconds that one of these is an average over; 0 when all were observed.
        closes: the last price of each of 2 to 60 equal bars from `since` to the newest tick; NaN where one saw no tick.
    """

    index_name: str
    latest: Tick | None = None
    reference: float = math.nan
    since: datetime | None = None
    low: float = math.nan
    high: float = math.nan
    averages_s: int = 0
    closes: tuple[float, ...] = ()

    @property
    def change(self) -> float:
        """The change since `since`, as a fraction of the reference."""
        return math.nan if self.latest is None else self.latest.price / self.reference - 1

    def followed_by(self, tick: Tick) -> "Card":
        """The card after another tick, if that is newer than what it knows; the day still begins where it began."""
        if self.latest is None or tick.ts <= self.latest.ts:
            return self
        return replace(
            self,
            latest=tick,
            low=min(self.low, tick.price),
            high=max(self.high, tick.price),
            averages_s=max(self.averages_s, tick.resolution_s),
            closes=(*self.closes[:-1], tick.price),
        )


def cards(cursor: DuckDBPyConnection, names: Sequence[str], shortest_bar: timedelta = timedelta(0)) -> list[Card]:
    """A card for each of these indexes, in their order.

    No bar is shorter than `shortest_bar`, so that one without a tick means a gap and not just a short bar.
    """
    return [_card(cursor, name, shortest_bar) for name in names]


def _card(cursor: DuckDBPyConnection, index_name: str, shortest_bar: timedelta) -> Card:
    latest = ticks.latest(cursor, index_name)
    if latest is None:
        return Card(index_name)
    start = to_column(latest.ts - SPAN)
    since, reference = cursor.execute(_REFERENCE, {"index_name": index_name, "start": start}).fetchall()[0]
    first = from_column(since)
    count = _MOST_BARS if not shortest_bar else min(_MOST_BARS, max(2, (latest.ts - first) // shortest_bar))
    width_us = (latest.ts - first) // timedelta(microseconds=1) // count + 1
    values = {"index_name": index_name, "start": since, "end": to_column(latest.ts), "width_us": width_us}
    bars = cursor.execute(_BARS, values).fetchall()
    closes = {bar: close for bar, close, *_ in bars}
    return Card(
        index_name,
        latest,
        reference,
        first,
        low=min(low for _, _, low, _, _ in bars),
        high=max(high for *_, high, _ in bars),
        averages_s=max(averages_s for *_, averages_s in bars),
        closes=tuple(closes.get(bar, math.nan) for bar in range(count)),
    )
