"""The delivery prices of an index (get_delivery_prices)."""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from poller.exchange.client import DeribitClient
from poller.exchange.wire import items, mapping, price, reject, text, whole

from .entries import Entries, floor, read_each

_METHOD = "get_delivery_prices"
_DAY = timedelta(days=1)
_EXPIRY = timedelta(hours=8)

MOST_DAYS = 1000
"""The most days of one answer: the exchange refuses more."""

Delivery = tuple[datetime, float]
"""08:00 UTC of the day, and the price in the second currency of the index's name."""


async def delivery_prices(client: DeribitClient, index_name: str, start: datetime, end: datetime) -> Entries:
    """The delivery prices in [start, end), ascending, or the first of them.

    The exchange lists them newest first, one a day. So one request finds the days after the start, unless the index is
    younger: then a second one asks for the oldest. Today's price may be missing just after 08:00 UTC, and then the
    entries are complete to 08:00.

    Args:
        client: asks.
        index_name: such as "btc_usd".
        start: aware.
        end: aware.

    Raises:
        ExchangeError: no usable answer came.
    """
    days = max(1, (client.now() - start) // _DAY + 2)
    offset = max(0, days - MOST_DAYS)
    page = await _page(client, index_name, offset, min(days, MOST_DAYS))
    if offset and not page.length:
        offset = max(0, page.total - MOST_DAYS)
        page = await _page(client, index_name, offset, MOST_DAYS) if page.total else page
    found = page.prices
    if found and offset + page.length < page.total and min(found) > start:
        reject(f"{_METHOD} {index_name}", "data", f"{page.length} rows", f"all days from {start:%Y-%m-%d} on")
    newest = max(found) + _DAY if found else start
    complete_to = newest if offset else max(newest, floor(page.sent_at, _DAY, _EXPIRY))
    return Entries(tuple((ts, found[ts]) for ts in sorted(found) if start <= ts < end), min(end, complete_to))


class _Page(NamedTuple):
    """A part of the list: its prices by time, how many rows it has, how many the list has, and when it was sent."""

    prices: dict[datetime, float]
    length: int
    total: int
    sent_at: datetime


async def _page(client: DeribitClient, index_name: str, offset: int, count: int) -> _Page:
    asked = f"{_METHOD} {index_name}"
    reply = await client.ask_history(_METHOD, index_name, index_name=index_name, offset=str(offset), count=str(count))
    result = mapping(reply.result, asked, "result")

    def read(item: object) -> Delivery:
        row = mapping(item, asked, "row")
        return _expiry(row.get("date"), asked), price(row.get("delivery_price"), asked, "delivery_price")

    rows = items(result.get("data"), asked, "data")
    total = whole(result.get("records_total"), asked, "records_total")
    return _Page(dict(read_each(rows, read)), len(rows), total, reply.sent_at)


def _expiry(day: object, asked: str) -> datetime:
    """08:00 UTC of a day such as "2026-09-20"."""
    try:
        return datetime.combine(date.fromisoformat(text(day)), time(), UTC) + _EXPIRY
    except ValueError:
        reject(asked, "date", day, "a day such as 2026-09-20")
