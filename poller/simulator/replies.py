"""The exchange's answer to each method of indexes, and what the answers to all methods share.

Results are functions of the parameters, the instant and the seed.

The exchange's own documentation of these methods: docs.deribit.com/api-reference/market-data, read 2026-09.
"""

import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from settings import VERSION

from .truth.deliveries import running_delivery_price
from .truth.listing import second_of
from .truth.prices import average, price

Json = Any

# The documented enum of index_name; the exchange has some 190 names by now.
_AGAINST_USDC = (
    "ada algo avax bch bnb btc btcdvol buidl doge dot eurr eth ethdvol link ltc near paxg shib sol steth ton trump "
    "trx uni usde usyc xrp drbfix-btc drbfix-eth"
)
_AGAINST_USDT = "btc eth eurr sol steth usdc usde"
_OTHERS = "btc_eurr btc_usde btc_usyc eth_btc eth_eurr eth_usde eth_usyc steth_eth paxg_btc"
DERIVATIVES = ("btc_usd", "eth_usd", *(f"{coin}_usdc" for coin in _AGAINST_USDC.split()))
SPOT = (*(f"{coin}_usdt" for coin in _AGAINST_USDT.split()), *_OTHERS.split())
INDEX_NAMES = tuple(sorted(DERIVATIVES + SPOT))
_WITH_COMBOS = ("btc_usd", "eth_usd")
_BY_TYPE = {"all": INDEX_NAMES, "spot": SPOT, "derivative": DERIVATIVES}


@dataclass(frozen=True)
class Window:
    """The range of a chart: a length up to now (or from a fixed first instant), and the distance of its points."""

    step_s: int
    length: timedelta | None = None
    first: datetime = datetime(2019, 1, 1, tzinfo=UTC)


WINDOWS = {
    "1h": Window(6, timedelta(hours=1)),
    "1d": Window(60, timedelta(days=1)),
    "2d": Window(60, timedelta(days=2)),
    "1m": Window(3600, timedelta(days=30)),
    "1y": Window(86400, timedelta(days=365)),
    "all": Window(86400),
}

_EXPIRY = timedelta(hours=8)
_SETTLEMENT = timedelta(seconds=10)


# A chart of "all" takes half a second to compute. A computing thread gives way only every 5 ms: polls came 0.1 s late.
_BREATH_S = 0.001


PAGE = 1000
"""The most candles of the volatility index in one reply. The exchange does not document its number."""


class RpcError(Exception):
    """A call that the exchange refuses. The server answers it with HTTP 400 and this code, message and data."""

    def __init__(self, code: int, message: str, data: Json = None) -> None:
        super().__init__(f"{code} {message}")
        self.code, self.message, self.data = code, message, data


@dataclass(frozen=True)
class Call:
    """One call of a method.

    params: texts, as in a query; unknown ones are ignored.
    now: the instant of the reply, aware.
    seed: of the prices.
    windows: of the chart, by `range`.
    delisted: indexes that are no longer published.
    late: how old summaries are beyond the usual.
    page: the most candles of the volatility index.
    """

    params: Mapping[str, str]
    now: datetime
    seed: int = 1
    windows: Mapping[str, Window] = field(default_factory=lambda: WINDOWS)
    delisted: frozenset[str] = frozenset()
    late: timedelta = timedelta(0)
    page: int = PAGE


def chart(index_name: str, window: Window, now: datetime, seed: int) -> list[list[float]]:
    """The complete steps, as [start in ms, average price], ascending; starts are multiples of the step."""
    step_ms = window.step_s * 1000
    end = _ms(now) // step_ms * step_ms
    start = _ms(window.first) if window.length is None else end - window.length // timedelta(milliseconds=1)
    first = -(-start // step_ms) * step_ms
    return [
        [ts, average(index_name, datetime.fromtimestamp(ts / 1000, UTC), window.step_s, seed)]
        for ts in in_breaths(range(first, end, step_ms))
    ]


def in_breaths(instants: Iterable[int]) -> Iterator[int]:
    """The same instants, with pauses that let other threads run: the demo polls in the same process."""
    began = time.monotonic()
    for instant in instants:
        yield instant
        if time.monotonic() - began > _BREATH_S:
            time.sleep(_BREATH_S)
            began = time.monotonic()


def settling(now: datetime, lasts: timedelta = _SETTLEMENT) -> bool:
    """Is it the daily settlement, usually the first 10 s after 08:00 UTC?"""
    return timedelta() <= _since_midnight(now) - _EXPIRY < lasts


def _index_price(call: Call) -> Json:
    name = _index_name(call)
    delivery = running_delivery_price(name, second_of(call.now), call.seed)
    return {"index_price": price(name, call.now, call.seed), "estimated_delivery_price": delivery}


def _index_chart_data(call: Call) -> Json:
    name, window = _index_name(call), one_of(call.params, "range", call.windows)
    return chart(name, call.windows[window], call.now, call.seed)


def _index_price_names(call: Call) -> Json:
    return _listed(INDEX_NAMES, call)


def _supported_index_names(call: Call) -> Json:
    return _listed(_BY_TYPE[one_of({"type": "all", **call.params}, "type", _BY_TYPE)], call)


def _listed(names: Sequence[str], call: Call) -> Json:
    names = [name for name in names if name not in call.delisted]
    if call.params.get("extended") != "true":
        return names
    return [
        {"name": name, "future_combo_creation_enabled": tradable, "option_combo_creation_enabled": tradable}
        for name, tradable in ((name, name in _WITH_COMBOS) for name in names)
    ]


def _time(call: Call) -> Json:
    return _ms(call.now)


def _status(_call: Call) -> Json:
    return {"locked": "false"}


def _test(call: Call) -> Json:
    if call.params.get("expected_result") == "exception":
        raise RpcError(10001, "error")
    return {"version": VERSION}


METHODS: dict[str, Callable[[Call], Json]] = {
    "get_index_price": _index_price,
    "get_index_chart_data": _index_chart_data,
    "get_index_price_names": _index_price_names,
    "get_supported_index_names": _supported_index_names,
    "get_time": _time,
    "status": _status,
    "test": _test,
}


OF_ONE_INDEX = ("get_index_price", "get_index_chart_data", "get_delivery_prices")
"""The methods whose calls name an index."""


def _index_name(call: Call) -> str:
    return one_of(call.params, "index_name", {*INDEX_NAMES} - call.delisted)


def one_of(params: Mapping[str, str], name: str, allowed: Container[str]) -> str:
    """The text of a parameter; it is refused if it is missing or not allowed."""
    if name not in params:
        raise invalid(name, "value is required")
    if params[name] not in allowed:
        raise invalid(name, f"invalid {name}")
    return params[name]


def invalid(param: str, reason: str) -> RpcError:
    """The refusal of a parameter."""
    return RpcError(-32602, "Invalid params", {"reason": reason, "param": param})


def _ms(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _since_midnight(at: datetime) -> timedelta:
    at = at.astimezone(UTC)
    return at - at.replace(hour=0, minute=0, second=0, microsecond=0)
