"""The book summaries of options: the whole chain of a currency, as the exchange publishes it."""

import math
from datetime import datetime
from functools import lru_cache
from typing import Any

from store.market.black76 import mark_price, years_between
from store.market.instruments import Future, Option, future_name

from .activity import activity
from .deliveries import estimated_delivery_price
from .futures import forward, index
from .listing import Contract, chain, instant_of, second_of
from .noise import normal
from .surface import slice_of

Row = dict[str, Any]

# The tick of an option is finer below this price: docs.deribit.com, contract specifications.
_FINE_BELOW, _FINE_TICK, _TICK = 0.005, 0.0001, 0.0005

# Half of what a maker takes, as a share of the mark.
_HALF_SPREAD = 0.012

# The usual open interest of an option, in coin.
_SIZE = {"BTC": 100.0, "ETH": 1000.0}


def option_summaries(currency: str, at: datetime, seed: int = 1) -> tuple[Row, ...]:
    """The summaries of all options of a currency at an instant, in no order."""
    return _summaries(currency, second_of(at), seed)


# The chains of two currencies, each rebuilt every 2 s.
@lru_cache(maxsize=2)
def _summaries(currency: str, second: int, seed: int) -> tuple[Row, ...]:
    made: list[tuple[int, Row]] = []
    of_index, delivery = index(currency, second, seed), estimated_delivery_price(currency, second, seed)
    for expiry, contracts in chain(currency, second, seed):
        common = {
            "interest_rate": 0.0,
            "underlying_price": forward(currency, expiry, second, seed),
            "underlying_index": future_name(Future(currency, expiry)),
            "estimated_delivery_price": delivery,
            "creation_timestamp": second * 1000,
            "base_currency": currency,
            "quote_currency": currency,
        }
        for contract, (iv, mark) in zip(contracts, _priced(contracts, second, seed), strict=True):
            made.append((contract.key, {**_row(contract, iv, mark, of_index, second, seed), **common}))
    return tuple(row for _, row in sorted(made, key=lambda each: each[0]))


def _priced(contracts: tuple[Contract, ...], second: int, seed: int) -> list[tuple[float, float]]:
    """The IV and the mark price of each option of one expiry; a call and its put have the same IV."""
    currency, expiry, _, _ = contracts[0].option
    of_forward, years = forward(currency, expiry, second, seed), years_between(instant_of(second), expiry)
    smile, found, iv = slice_of(currency, years, second, seed), [], 0.0
    for contract in contracts:
        option = contract.option
        if option.option_type == "call":
            iv = smile.iv(math.log(option.strike / of_forward))
        found.append((iv, round(mark_price(option, of_forward, years, iv), 8)))
    return found


def _row(contract: Contract, iv: float, mark: float, of_index: float, second: int, seed: int) -> Row:
    option, name, listed, key = contract
    its = activity(key, listed, second, (key >> 16) % 1000 / 1000)
    bid, ask = _quotes(mark)
    last = None if its.last is None else _traded(option, its.last, seed)
    volume = round(_SIZE[option.underlying] * its.traded, 1)
    moved = last if volume else None
    return {
        "instrument_name": name,
        "bid_price": bid,
        "ask_price": ask,
        "mid_price": None if bid is None else round((bid + ask) / 2, 5),
        "mark_price": mark,
        "last": last,
        "high": moved,
        "low": moved,
        "price_change": None if moved is None else round(normal(key + 1) * 10, 4),
        "volume": volume,
        "volume_usd": round(volume * (last or 0.0) * of_index, 2),
        "open_interest": round(_SIZE[option.underlying] * its.held, 1),
        "mark_iv": iv,
    }


def _quotes(mark: float) -> tuple[float | None, float]:
    """Bid and ask around a mark, on the ticks; no bid where it would be 0."""
    tick = _tick(mark)
    bid = math.floor(mark * (1 - _HALF_SPREAD) / tick) * tick
    ask = max(1, math.ceil(mark * (1 + _HALF_SPREAD) / tick)) * tick
    return (round(bid, 4) if bid > 0 else None), round(ask, 4)


def _tick(price: float) -> float:
    return _FINE_TICK if price < _FINE_BELOW else _TICK


@lru_cache(maxsize=1 << 12)
def _traded(option: Option, second: int, seed: int) -> float:
    """The price of a trade: the mark, rounded to the tick, at least a tick."""
    of_forward = forward(option.underlying, option.expiry, second, seed)
    years = years_between(instant_of(second), option.expiry)
    smile = slice_of(option.underlying, years, second, seed)
    mark = mark_price(option, of_forward, years, smile.iv(math.log(option.strike / of_forward)))
    tick = _tick(mark)
    return round(max(1, round(mark / tick)) * tick, 4)
