"""The book summaries of futures and the perpetual of a currency, as the exchange publishes them."""

import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from store.market.instruments import Future, future_name

from .activity import activity
from .deliveries import estimated_delivery_price
from .funding import funding
from .futures import TICKS, funding_rate, mark, traded
from .listing import DAY_S, expiries, listed_since, second_of
from .noise import stream

Row = dict[str, Any]

PERPETUAL_SINCE = int(datetime(2018, 8, 13, tzinfo=UTC).timestamp())
"""The second since 1970 when the perpetuals were listed."""

# The usual open interest in USD, of the perpetual and of a dated future.
_SIZE = {"BTC": (8e8, 5e7), "ETH": (3e8, 2e7)}

_CONTRACT_USD = {"BTC": 10, "ETH": 1}


def future_summaries(currency: str, at: datetime, seed: int = 1) -> tuple[Row, ...]:
    """The summaries of all futures of a currency and its perpetual at an instant, in no order."""
    return _summaries(currency, second_of(at), seed)


def held_since(expiry: datetime | None) -> int:
    """The second since 1970 when a future, or the perpetual, was listed."""
    return PERPETUAL_SINCE if expiry is None else listed_since(expiry)


@lru_cache(maxsize=2)
def _summaries(currency: str, second: int, seed: int) -> tuple[Row, ...]:
    rows = [_row(Future(currency, expiry), second, seed) for expiry in (None, *expiries(second))]
    return tuple(sorted(rows, key=lambda row: stream(row["instrument_name"])))


def _row(future: Future, second: int, seed: int) -> Row:
    currency, expiry = future
    name = future_name(future)
    its = activity(stream(f"{seed} {name}"), held_since(expiry), second, rank=1)
    of_mark, last = (priced(currency, expiry, second, seed) for priced in (mark, traded))
    tick, contract = TICKS[currency][expiry is not None], _CONTRACT_USD[currency]
    size = _SIZE[currency][expiry is not None]
    bid = round(math.floor(round(of_mark / tick, 6)) * tick, 2)
    usd = float(round(size * its.traded / contract) * contract)
    row = {
        "high": last if usd else None,
        "low": last if usd else None,
        "last": last if its.last else None,
        "instrument_name": name,
        "bid_price": bid,
        "ask_price": round(bid + tick, 2),
        "open_interest": round(size * its.held / contract) * contract,
        "mark_price": of_mark,
        "creation_timestamp": second * 1000,
        "estimated_delivery_price": estimated_delivery_price(currency, second, seed),
        "price_change": round(100 * (last / traded(currency, expiry, second - DAY_S, seed) - 1), 4) if usd else None,
        "volume": round(usd / of_mark, 8),
        "base_currency": currency,
        "quote_currency": "USD",
        "volume_usd": usd,
        "volume_notional": usd,
        "mid_price": round(bid + tick / 2, 3),
    }
    if expiry is None:
        row["current_funding"] = round(funding_rate(currency, second, seed), 8)
        row["funding_8h"] = round(funding(currency, second, 8, seed), 8)
    return row
