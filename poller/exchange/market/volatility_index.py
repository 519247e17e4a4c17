"""The volatility index, DVOL (get_volatility_index_data)."""

from datetime import datetime, timedelta

from poller.exchange.client import DeribitClient
from poller.exchange.wire import Reply, instant, items, mapping, price, reject, whole

from .entries import Entries, floor, ms, ms_before, read_each

_METHOD = "get_volatility_index_data"

RESOLUTIONS = {
    timedelta(seconds=1): "1",
    timedelta(minutes=1): "60",
    timedelta(hours=1): "3600",
    timedelta(hours=12): "43200",
    timedelta(days=1): "1D",
}
"""The lengths of candles. They begin at multiples of their length since 1970."""

MOST_CANDLES = 1000
"""The most candles of one answer. The exchange does not document the length of its pages."""

Candle = tuple[datetime, float, float, float, float]
"""Open time, and open, high, low and close in percent a year."""


async def volatility_index(
    client: DeribitClient, currency: str, start: datetime, end: datetime, resolution: timedelta
) -> Entries:
    """The closed candles of a currency that open in [start, end), ascending, or the first 1,000 of them.

    One request brings them, unless the exchange's pages are shorter: these go backward, newest first.

    Args:
        client: asks.
        currency: such as "BTC".
        start: aware.
        end: aware.
        resolution: one of `RESOLUTIONS`.

    Raises:
        ExchangeError: no usable answer came.
    """
    end = min(end, start + MOST_CANDLES * resolution)
    found: dict[datetime, Candle] = {}
    until: int | None = ms_before(end)
    closed_to = end
    while until is not None:
        reply = await client.ask_history(
            _METHOD,
            currency,
            currency=currency,
            start_timestamp=str(ms(start)),
            end_timestamp=str(until),
            resolution=RESOLUTIONS[resolution],
        )
        candles, older = _page(reply, f"{_METHOD} {currency}")
        until = (
            older if older is not None and ms(start) <= older < until and not candles.keys() <= found.keys() else None
        )
        found.update(candles)
        closed_to = min(closed_to, floor(reply.sent_at, resolution))
    rows = tuple(found[open_time] for open_time in sorted(found) if start <= open_time < closed_to)
    return Entries(rows, closed_to)


def _page(reply: Reply, asked: str) -> tuple[dict[datetime, Candle], int | None]:
    """The candles of a page by their open time, and where older ones end; None if there are none."""
    result = mapping(reply.result, asked, "result")
    older = result.get("continuation")
    if older is not None:
        older = whole(older, asked, "continuation")

    def read(item: object) -> Candle:
        row = items(item, asked, "candle")
        if len(row) != 5:
            reject(asked, "candle", item, "[milliseconds, open, high, low, close]")
        opened, high, low, closed = (price(value, asked, "candle") for value in row[1:])
        return instant(row[0], 1e3, asked, "candle"), opened, high, low, closed

    return {candle[0]: candle for candle in read_each(items(result.get("data"), asked, "data"), read)}, older
