"""What a perpetual paid each hour (get_funding_rate_history)."""

from datetime import datetime, timedelta

from poller.exchange.client import DeribitClient
from poller.exchange.wire import instant, items, mapping, number, price

from .entries import Entries, floor, ms, ms_before, read_each

_METHOD = "get_funding_rate_history"
_HOUR = timedelta(hours=1)

LONGEST = timedelta(days=30)
"""The longest time of one answer. The exchange gives at most 744 hours and does not say which."""

Funding = tuple[datetime, float, float, float]
"""The end of the hour, the index in USD at it, and the rates of that hour and of the 8 hours to it, as fractions."""


async def funding_rates(client: DeribitClient, instrument: str, start: datetime, end: datetime) -> Entries:
    """The funding of the hours that end in [start, end), ascending, or those of the first 30 days.

    An hour that ended just now may be missing, and then the entries are complete to its end.

    Args:
        client: asks once.
        instrument: such as "BTC-PERPETUAL".
        start: aware.
        end: aware.

    Raises:
        ExchangeError: no usable answer came.
    """
    end = min(end, start + LONGEST)
    asked = f"{_METHOD} {instrument}"
    reply = await client.ask_history(
        _METHOD,
        instrument,
        instrument_name=instrument,
        start_timestamp=str(ms(start) - 1),  # the exchange leaves the start out
        end_timestamp=str(ms_before(end)),
    )

    def read(item: object) -> Funding:
        row = mapping(item, asked, "row")
        return (
            instant(row.get("timestamp"), 1e3, asked, "timestamp"),
            price(row.get("index_price"), asked, "index_price"),
            number(row.get("interest_1h"), asked, "interest_1h"),
            number(row.get("interest_8h"), asked, "interest_8h"),
        )

    found = {row[0]: row for row in read_each(items(reply.result, asked, "result"), read)}
    rows = tuple(found[ts] for ts in sorted(found) if start <= ts < end)
    newest = rows[-1][0] + _HOUR if rows else start
    return Entries(rows, min(end, max(newest, floor(reply.sent_at, _HOUR))))
