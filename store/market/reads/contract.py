"""The life of one option: what was recorded of it, how it was settled, and which options there were.

Nothing that was recorded later than the instant that is asked for has a part in an answer.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from duckdb import DuckDBPyConnection

from store.file.rows import execute
from store.kinds import OPTIONS
from store.market.black76 import mark_price, value
from store.market.instruments import Option, is_linear, usd_index
from store.models import from_column, to_column

from .as_of import Row

# Smiles are made of each chain and have a row an expiry: they know the expiries without a look at a thousand options.
_EXPIRIES = """
SELECT expiry, min(ts), max(ts)
FROM smiles
WHERE underlying = $underlying
  AND ts <= $at
GROUP BY expiry
ORDER BY expiry
"""

_OPTIONS = """
SELECT strike, option_type
FROM options
WHERE underlying = $underlying
  AND expiry = $expiry
  AND ts = $ts
ORDER BY strike, option_type
"""

_LARGEST = """
SELECT expiry, forward
FROM smiles
WHERE underlying = $underlying
  AND ts = (SELECT max(ts) FROM smiles WHERE underlying = $underlying AND ts <= $at)
ORDER BY coalesce(call_oi, 0) + coalesce(put_oi, 0) DESC, expiry
LIMIT 1
"""

# A row is taken whole: `arg_max` of a column would bring the value of an earlier row in the place of a NULL.
_LIFE = f"""
SELECT unnest(max_by({{
    ts: ts, {", ".join(f"{column.name}: {column.name}" for column in OPTIONS.brought[3:])}
}}, ts))
FROM options
WHERE underlying = $underlying
  AND expiry = $expiry
  AND strike = $strike
  AND option_type = $option_type
  AND ts >= $start
  AND ts <= $at
GROUP BY time_bucket($step, ts)
ORDER BY max(ts)
"""  # noqa: S608 the names are constants

_DELIVERY = """
SELECT price
FROM deliveries
WHERE index_name = $index_name
  AND ts = $expiry
  AND ts <= $at
"""


class Listed(NamedTuple):
    """An expiry that was in a chain.

    Attributes:
        expiry: aware, in UTC.
        first, last: exchange times of the first chain that has it, and of the last one up to the instant asked for.
    """

    expiry: datetime
    first: datetime
    last: datetime


class Moment(NamedTuple):
    """An option in one snapshot, at its exchange time, which is aware."""

    ts: datetime
    row: Row


class Settlement(NamedTuple):
    """What an option paid at its expiry.

    Attributes:
        delivery_price: the mean of the index from 07:30 to 08:00 UTC of the day, in USD.
        payoff_usd: the intrinsic value at that price, in USD.
        payoff: the same as the option is quoted: in coin, or in USD for a linear option.
    """

    delivery_price: float
    payoff_usd: float
    payoff: float


def listed_expiries(cursor: DuckDBPyConnection, underlying: str, at: datetime) -> list[Listed]:
    """The expiries that the chains of an underlying had up to an instant, ascending."""
    found = execute(cursor, _EXPIRIES, {"underlying": underlying, "at": to_column(at)}).fetchall()
    return [Listed(*map(from_column, row)) for row in found]


def options_of(cursor: DuckDBPyConnection, underlying: str, listed: Listed) -> list[Option]:
    """The options of an expiry in the last chain that has it, by strike and type."""
    asked = {"underlying": underlying, "expiry": to_column(listed.expiry), "ts": to_column(listed.last)}
    return [Option(underlying, listed.expiry, *row) for row in execute(cursor, _OPTIONS, asked).fetchall()]


def usual_option(cursor: DuckDBPyConnection, underlying: str, at: datetime) -> Option | None:
    """The call nearest to the forward, of the expiry with the largest open interest in the newest chain at an instant.

    None without a chain, and without a call or a forward.
    """
    found = execute(cursor, _LARGEST, {"underlying": underlying, "at": to_column(at)}).fetchall()
    if not found or not found[0][1]:
        return None
    expiry, forward = from_column(found[0][0]), found[0][1]
    listed = next(each for each in listed_expiries(cursor, underlying, at) if each.expiry == expiry)
    calls = [each for each in options_of(cursor, underlying, listed) if each.option_type == "call"]
    return min(calls, key=lambda each: abs(each.strike - forward), default=None)


def life(cursor: DuckDBPyConnection, option: Option, start: datetime, at: datetime, step: timedelta) -> list[Moment]:
    """What was recorded of an option in [start, at], ascending: the last snapshot of each step of time.

    Args:
        cursor: of a lease.
        option: also one that has expired.
        start: aware.
        at: aware; no later row is used.
        step: aligned as bars are; `EACH` for every snapshot.
    """
    asked: dict[str, Any] = {
        **option._asdict(),
        "expiry": to_column(option.expiry),
        "start": to_column(start),
        "at": to_column(at),
        "step": step,
    }
    found = execute(cursor, _LIFE, asked).fetchall()
    contract = option.expiry, option.strike, option.option_type
    return [Moment(from_column(ts), Row(*contract, *numbers)) for ts, *numbers in found]


def settlement(cursor: DuckDBPyConnection, option: Option, at: datetime) -> Settlement | None:
    """How an option was settled, as known at an instant; None before its expiry, and without a delivery price."""
    index_name = option.underlying.lower() if is_linear(option.underlying) else usd_index(option.underlying)
    asked = {"index_name": index_name, "expiry": to_column(option.expiry), "at": to_column(at)}
    found = execute(cursor, _DELIVERY, asked).fetchall()
    return settled(option, found[0][0]) if found else None


def settled(option: Option, delivery_price: float) -> Settlement:
    """What an option pays at a delivery price: Black-76 with nothing left to happen is the intrinsic value."""
    return Settlement(
        delivery_price,
        value(option.option_type, delivery_price, option.strike, 0.0, 0.0),
        mark_price(option, delivery_price, 0.0, 0.0),
    )
