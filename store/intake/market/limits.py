"""What the values of an exported file may be, column by column: what a recorder could have stored."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from settings import is_index_name, is_market
from store.export.selection import columns_of
from store.kinds import DELIVERIES, FUNDING, FUTURES, OPTIONS, VOLATILITY_INDEX, Column, Kind
from store.market import days, trades
from store.market.instruments import future_of


@dataclass(frozen=True, slots=True)
class Check:
    """A check of the values of a column.

    Attributes:
        column: its name.
        refused: the SQL condition for a value that is refused.
        allowed: in words, what a value must be.
    """

    column: str
    refused: str
    allowed: str


@dataclass(frozen=True, slots=True)
class Names:
    """A check of the names in a column: whether each is spelled as the exchange does, and in words, how that is."""

    fits: Callable[[str], bool]
    allowed: str


def _is_future(name: str) -> bool:
    try:
        return is_market(future_of(name).underlying)
    except ValueError:
        return False


def _is_perpetual(name: str) -> bool:
    return _is_future(name) and future_of(name).expiry is None


_MARKET = Names(is_market, "a currency as Deribit spells it, such as BTC")

NAMES: Mapping[Kind, Mapping[str, Names]] = {
    OPTIONS: {"underlying": _MARKET},
    FUTURES: {
        "currency": _MARKET,
        "instrument_name": Names(_is_future, "a future as Deribit spells it, such as BTC-25DEC26 or BTC-PERPETUAL"),
    },
    VOLATILITY_INDEX: {"currency": _MARKET},
    FUNDING: {"instrument_name": Names(_is_perpetual, "a perpetual as Deribit spells it, such as BTC-PERPETUAL")},
    DELIVERIES: {"index_name": Names(is_index_name, "an index name as Deribit spells it, such as btc_usd")},
}
"""The columns with names of each kind."""

_TYPES = {
    "TIMESTAMP": "a time such as 2026-11-01T12:00:00Z",
    "DOUBLE": "a number",
    "INTEGER": "a whole number",
    "VARCHAR": "a text",
}

_THERE = "there"
_NO_ODD_TIME = "a time from 1970 to 2199"
_ABOVE_0 = "a number above 0"
_FRACTION = "a fraction from -1 to 1"

_NEVER_NEGATIVE = (
    *("mark_price", "mark_iv", "underlying_price", "bid_price", "ask_price", "last", "open_interest"),
    *("volume", "volume_usd", "rejected"),
)

_OF_ALL = (
    *(Check(name, f"{name} < 0", "0 or more") for name in _NEVER_NEGATIVE),
    *(Check(name, f"{name} <= 0", _ABOVE_0) for name in ("strike", "price", "index_price", "low")),
    *(
        Check(name, f"{name} NOT BETWEEN -1 AND 1", _FRACTION)
        for name in ("current_funding", "funding_8h", "interest_1h", "interest_8h")
    ),
    Check("option_type", "option_type NOT IN ('call', 'put')", "call or put"),
    Check("source", "source NOT IN ('live', 'chart', 'import', 'simulator')", "live, chart, import or simulator"),
    Check("rows", "rows NOT BETWEEN 1 AND 100_000", "a whole number from 1 to 100,000"),
    Check("expiry", "expiry <> date_trunc('day', expiry) + INTERVAL 8 HOURS", "08:00 UTC of a day"),
)
"""For each kind that has the column."""

_DAY_OF_EXPIRY = "upper(strftime(expiry, '%-d%b%y'))"

_OF_KINDS: Mapping[Kind, tuple[Check, ...]] = {
    OPTIONS: (),
    FUTURES: (
        Check("resolution_s", f"resolution_s NOT IN (0, {trades.RESOLUTION_S}, {days.RESOLUTION_S})", "0, 60 or 86400"),
        Check("instrument_name", "NOT starts_with(instrument_name, currency || '-')", "a future of its currency"),
        Check("expiry", "(expiry IS NULL) <> ends_with(instrument_name, '-PERPETUAL')", "empty for a perpetual alone"),
        Check(
            "expiry", f"{_DAY_OF_EXPIRY} <> split_part(instrument_name, '-', 2)", "the day in the name of its future"
        ),
        Check("mark_price", "resolution_s = 0 AND coalesce(mark_price, 0) <= 0", _ABOVE_0),
        Check("last", "resolution_s = 60 AND coalesce(last, 0) <= 0", _ABOVE_0),
        Check("ts", "resolution_s = 60 AND ts <> date_trunc('minute', ts)", "the begin of a minute"),
    ),
    VOLATILITY_INDEX: (
        Check("resolution_s", "resolution_s NOT IN (60, 3600, 86400)", "60, 3600 or 86400"),
        Check("open_time", "epoch(open_time) % resolution_s <> 0", "a multiple of resolution_s"),
        Check("low", "low > least(open, close)", "at most open and close"),
        Check("high", "high < greatest(open, close)", "at least open and close"),
    ),
    FUNDING: (),
    DELIVERIES: (Check("ts", "ts <> date_trunc('day', ts) + INTERVAL 8 HOURS", "08:00 UTC of a day"),),
}

_NEVER_EMPTY: Mapping[Kind, tuple[str, ...]] = {
    OPTIONS: ("mark_price",),
    FUTURES: (),
    VOLATILITY_INDEX: ("open", "high", "low", "close"),
    FUNDING: ("index_price", "interest_1h", "interest_8h"),
    DELIVERIES: ("price",),
}
"""Columns that always have a value, besides the key, the time and what a snapshot has for all its rows."""


def checks_of(kind: Kind) -> Iterator[Check]:
    """The checks of a kind's rows. A statement with them needs $latest, and the sound names as `sound_names` says."""
    columns = columns_of(kind)
    own = {column.name for column in columns}
    for column in columns:
        yield from _read(kind, column)
    for name, names in NAMES[kind].items():
        yield Check(name, f"NOT list_contains({sound_names(name)}, {name})", names.allowed)
    yield Check(
        kind.time, f"{kind.time} < TIMESTAMP '2000-01-01' OR {kind.time} > $latest", "a time from the year 2000 to now"
    )
    yield from (check for check in _OF_ALL if check.column in own)
    yield from _OF_KINDS[kind]


def sound_names(column: str) -> str:
    """The parameter of a statement that has the sound names of a column."""
    return f"${column}_names"


def as_it_was(column: str) -> str:
    """The name that a statement gives to what stands in the file, before it is read as the column's type."""
    return f"{column}_as_it_was"


def _read(kind: Kind, column: Column) -> Iterator[Check]:
    """Can the value be read, and is it there if it must be?"""
    name = column.name
    yield Check(name, f"{as_it_was(name)} IS NOT NULL AND {name} IS NULL", _TYPES[column.type])
    if column.type == "DOUBLE":
        yield Check(name, f"NOT isfinite({name})", _TYPES[column.type])
        yield Check(name, f"abs({name}) >= 1e15", "a number below 1e15")  # a sum over a chain stays finite
    if column.type == "TIMESTAMP" and name != kind.time:
        yield Check(name, f"{name} < TIMESTAMP '1970-01-01' OR {name} >= TIMESTAMP '2200-01-01'", _NO_ODD_TIME)
    if name in {*kind.key, kind.time, "source", "resolution_s", *_NEVER_EMPTY[kind]}:
        yield Check(name, f"{name} IS NULL", _THERE)
    if name in {"received_at", "rows", "rejected"}:
        observed = "resolution_s = 0 AND " if kind.has_source else ""
        yield Check(name, f"{observed}{name} IS NULL", _THERE)
