"""The exchange's answer to each method of the market: futures, options, the volatility index, funding, deliveries.

The exchange's own documentation of these methods: docs.deribit.com/api-reference/market-data, read 2026-09.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from store.market.instruments import Future, future_name, future_of

from .replies import INDEX_NAMES, Call, Json, RpcError, in_breaths, invalid, one_of, settling
from .truth import candles, volatility
from .truth.deliveries import FIRST_DAY, delivery_price
from .truth.funding import FIRST_S, HOUR_S, funding
from .truth.future_summaries import future_summaries, held_since
from .truth.futures import index
from .truth.listing import CURRENCIES, DAY_S, EXPIRY_S, expiries, instant_of, second_of
from .truth.options import option_summaries

SUMMARY = "get_book_summary_by_currency"
DVOL = "get_volatility_index_data"

SETTLEMENT_IN_PROGRESS = (10041, "settlement_in_progress")

REBUILT_EACH_S = 2
"""The summaries of all currencies are rebuilt at multiples of these seconds."""

# As recorded: a summary is about 1.4 s old on arrival, so it leaves 0.4 s after it was made.
_MADE_IN = timedelta(seconds=0.4)

# No summary comes while expired options are settled.
_SETTLES = timedelta(seconds=4)

_WITHOUT_MARKET = ("USDC", "USDT", "EURR")
_BOOKS = ("option", "future", "spot", "future_combo", "option_combo")

_MOST_HOURS, _MOST_CANDLES, _MOST_DELIVERIES = 744, 5000, 1000

_DVOL_STEPS = {"1": 1, "60": 60, "3600": 3600, "43200": 43_200, "1D": DAY_S}
_CHART_MINUTES = (1, 3, 5, 10, 15, 30, 60, 120, 180, 360, 720)
_CHART_STEPS = {**{str(minutes): 60 * minutes for minutes in _CHART_MINUTES}, "1D": DAY_S}


def made_at(now: datetime) -> datetime:
    """The `creation_timestamp` of a summary that leaves now."""
    made = now - _MADE_IN
    return made - timedelta(seconds=second_of(made) % REBUILT_EACH_S, microseconds=made.microsecond)


def _book_summary(call: Call) -> Json:
    if call.params.get("currency") in _WITHOUT_MARKET:
        return []
    currency = one_of(call.params, "currency", CURRENCIES)
    book = one_of({"kind": "", **call.params}, "kind", ("", *_BOOKS))
    if settling(call.now, _SETTLES):
        raise RpcError(*SETTLEMENT_IN_PROGRESS)
    made = made_at(call.now - call.late)
    options = option_summaries(currency, made, call.seed) if book in ("", "option") else ()
    futures = future_summaries(currency, made, call.seed) if book in ("", "future") else ()
    return [*futures, *options]


def _volatility_index(call: Call) -> Json:
    """The newest page of the candles, ascending. `continuation` is the time of the next older candle."""
    currency = one_of(call.params, "currency", (*CURRENCIES, *_WITHOUT_MARKET))
    step_s = _DVOL_STEPS[one_of(call.params, "resolution", _DVOL_STEPS)]
    now = second_of(call.now)
    opens = _opens(call, step_s, 0, volatility.FIRST_S, now) if currency in CURRENCIES else range(0)
    page = opens[-call.page :]
    rows = [
        [1000 * open_time, *volatility.candle(currency, open_time, _past(open_time, step_s, now), call.seed)]
        for open_time in in_breaths(page)
    ]
    return {"data": rows, "continuation": 1000 * (page[0] - step_s) if len(opens) > len(page) else None}


def _chart(call: Call) -> Json:
    future = _future(call)
    step_s = _CHART_STEPS[one_of(call.params, "resolution", _CHART_STEPS)]
    now, offset = second_of(call.now), EXPIRY_S if step_s == DAY_S else 0
    opens = _opens(call, step_s, offset, held_since(future.expiry), now)[-_MOST_CANDLES:]
    bars = [(1000 * at, *candles.candle(future, at, _past(at, step_s, now), call.seed)) for at in in_breaths(opens)]
    names = ("ticks", "open", "high", "low", "close", "volume", "cost")
    columns = zip(*bars, strict=True) if bars else [()] * len(names)
    return {
        "status": "ok" if bars else "no_data",
        **{name: [*column] for name, column in zip(names, columns, strict=True)},
    }


def _funding_rates(call: Call) -> Json:
    """Of each hour that ends after the start and not after the end; the newest 744 of them."""
    future = _future(call)
    if future.expiry is not None:
        raise invalid("instrument_name", "instrument not found")
    start, end = _whole(call, "start_timestamp") // 1000 + 1, _whole(call, "end_timestamp") // 1000
    first, last = max(start, FIRST_S), min(end, second_of(call.now))
    hours = range(-(-first // HOUR_S) * HOUR_S, last + 1, HOUR_S)
    return [_funding(future.underlying, hour, call.seed) for hour in hours[-_MOST_HOURS:]]


def _funding(currency: str, hour: int, seed: int) -> Json:
    return {
        "timestamp": 1000 * hour,
        "index_price": index(currency, hour, seed),
        "interest_8h": funding(currency, hour, 8, seed),
        "interest_1h": funding(currency, hour, 1, seed),
        "prev_index_price": index(currency, hour - HOUR_S, seed),
    }


def _delivery_prices(call: Call) -> Json:
    name = one_of(call.params, "index_name", {*INDEX_NAMES} - call.delisted)
    offset, count = _whole(call, "offset", 0), _whole(call, "count", 10)
    if count > _MOST_DELIVERIES:
        raise invalid("count", "value is too high")
    last = (second_of(call.now) - EXPIRY_S) // DAY_S
    days = range(last, FIRST_DAY - 1, -1)
    prices = [
        {
            "date": f"{instant_of(day * DAY_S):%Y-%m-%d}",
            "delivery_price": delivery_price(name, day, call.seed),
        }
        for day in in_breaths(days[offset : offset + count])
    ]
    return {"data": prices, "records_total": len(days)}


OF_ONE_CURRENCY = (SUMMARY, DVOL)
"""The methods whose calls name a currency."""

METHODS: dict[str, Callable[[Call], Json]] = {
    SUMMARY: _book_summary,
    DVOL: _volatility_index,
    "get_tradingview_chart_data": _chart,
    "get_funding_rate_history": _funding_rates,
    "get_delivery_prices": _delivery_prices,
}


def _opens(call: Call, step_s: int, offset: int, first: int, now: int) -> range:
    """When the candles open that begin from `start_timestamp` to `end_timestamp`; the last one may not be over yet."""
    start = max(-(-_whole(call, "start_timestamp") // 1000), first)
    end = min(_whole(call, "end_timestamp") // 1000, now)
    return range(start + (offset - start) % step_s, end + 1, step_s)


def _past(open_time: int, step_s: int, now: int) -> int:
    """How many seconds of a candle have begun."""
    return min(step_s, now - open_time + 1)


def _future(call: Call) -> Future:
    """The future or the perpetual that a call names. It must be listed now."""
    if "instrument_name" not in call.params:
        raise invalid("instrument_name", "value is required")
    listed = {
        future_name(Future(currency, expiry))
        for currency in CURRENCIES
        for expiry in (None, *expiries(second_of(call.now)))
    }
    if call.params["instrument_name"] not in listed:
        raise invalid("instrument_name", "instrument not found")
    return future_of(call.params["instrument_name"])


def _whole(call: Call, name: str, otherwise: int | None = None) -> int:
    text = call.params.get(name)
    if text is None and otherwise is not None:
        return otherwise
    if text is None:
        raise invalid(name, "value is required")
    if not text.isdecimal():
        raise invalid(name, "wrong format")
    return int(text)
