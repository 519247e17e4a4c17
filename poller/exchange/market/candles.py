"""The candles of a future or a perpetual (get_tradingview_chart_data)."""

from datetime import datetime, timedelta
from typing import Any

from poller.exchange.client import DeribitClient
from poller.exchange.wire import instant, items, mapping, number, price, reject

from .entries import Entries, floor, ms, ms_before, read_each

_METHOD = "get_tradingview_chart_data"
_DAY = timedelta(days=1)

RESOLUTIONS = {
    **{timedelta(minutes=minutes): str(minutes) for minutes in (1, 3, 5, 10, 15, 30, 60, 120, 180, 360, 720)},
    _DAY: "1D",
}
"""The lengths of candles."""

MOST_CANDLES = 1000
"""The most candles of one answer. The exchange cuts off longer ones and does not say where."""

DAYS_OPEN = timedelta(hours=8)
"""A candle of a day opens at 08:00 UTC, as recorded."""

_COLUMNS = ("ticks", "open", "high", "low", "close", "volume", "cost")

Candle = tuple[datetime, float, float, float, float, float, float]
"""Open time, open, high, low and close in USD, the volume in coin and in USD."""


async def candles(
    client: DeribitClient, instrument: str, start: datetime, end: datetime, resolution: timedelta
) -> Entries:
    """The closed candles that open in [start, end), ascending, or the first 1,000 of them.

    They are bars of trades. A candle without a trade repeats the close before it, with volume 0.

    Args:
        client: asks once.
        instrument: such as "BTC-PERPETUAL".
        start: aware.
        end: aware.
        resolution: one of `RESOLUTIONS`.

    Raises:
        ExchangeError: no usable answer came.
    """
    end = min(end, start + MOST_CANDLES * resolution)
    asked = f"{_METHOD} {instrument}"
    reply = await client.ask_history(
        _METHOD,
        instrument,
        instrument_name=instrument,
        start_timestamp=str(ms(start)),
        end_timestamp=str(ms_before(end)),
        resolution=RESOLUTIONS[resolution],
    )

    def read(row: tuple[Any, ...]) -> Candle:
        opened, high, low, closed = (price(value, asked, "price") for value in row[1:5])
        volume, cost = (number(value, asked, "volume") for value in row[5:])
        return instant(row[0], 1e3, asked, "ticks"), opened, high, low, closed, volume, cost

    found = {row[0]: row for row in read_each(_in_rows(reply.result, asked), read)}
    closed_to = min(end, floor(reply.sent_at, resolution, DAYS_OPEN if resolution == _DAY else timedelta(0)))
    return Entries(tuple(found[at] for at in sorted(found) if start <= at < closed_to), closed_to)


def _in_rows(result: object, asked: str) -> list[tuple[Any, ...]]:
    """The candles of a reply, which has a list for each column."""
    chart = mapping(result, asked, "result")
    if (status := chart.get("status")) == "no_data":
        return []
    if status != "ok":
        reject(asked, "status", status, "ok or no_data")
    columns = [items(chart.get(name), asked, name) for name in _COLUMNS]
    if len(lengths := {len(column) for column in columns}) > 1:
        reject(asked, "chart", sorted(lengths), "columns of one length")
    return list(zip(*columns, strict=True))
