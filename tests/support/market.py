"""The market that the simulator publishes, as a recorder keeps it, and the stored rows that differ from it."""

import math
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from poller.simulator.truth import volatility
from poller.simulator.truth.deliveries import delivery_price, estimated_delivery_price
from poller.simulator.truth.funding import funding
from poller.simulator.truth.future_summaries import future_summaries
from poller.simulator.truth.futures import index
from poller.simulator.truth.listing import DAY_S, second_of
from poller.simulator.truth.options import option_summaries
from store.file.database import Cursor
from store.instants import EPOCH
from store.kinds import FUTURES, OPTIONS, SMILES, SURFACES, Kind
from store.market.instruments import future_of, option_of
from store.market.smile import Quote
from store.market.surface import METHOD, derived
from store.models import Snapshot, from_column, to_column

Row = tuple[Any, ...]

_SNAPSHOTS = """
SELECT feed, ts, rows, index_price
FROM snapshots
WHERE ts >= ?
ORDER BY ts, feed
"""

_ARRIVED = """
SELECT feed, epoch_us(ts), epoch_us(received_at), rows
FROM snapshots
"""

_ROWS = """
SELECT {columns}
FROM {table}
WHERE {key} = ?
  AND ts = ?
"""

_DOUBLES = """
SELECT coalesce(sum(times - 1), 0)
FROM (SELECT count(*) AS times FROM {table} GROUP BY {key})
"""

# The sum counts each row as often as it is there, and the order of the rows changes nothing.
_DIGEST = "SELECT count(*), sum(hash(its)::HUGEINT) FROM {table} AS its"


def chain(currency: str, ts: datetime) -> Snapshot:
    """The options of a currency at an instant, a multiple of 2 s, as a recorder gets them half a second later."""
    price = estimated_delivery_price(currency, second_of(ts))
    rows = tuple(_options(currency, ts))
    return Snapshot(f"options/{currency}", ts, ts + timedelta(seconds=0.5), rows, "simulator", price)


def futures(currency: str, ts: datetime) -> Snapshot:
    """The futures of a currency at an instant, as `chain` has the options."""
    rows = tuple(_futures(currency, ts))
    price = estimated_delivery_price(currency, second_of(ts))
    return Snapshot(f"futures/{currency}", ts, ts + timedelta(seconds=0.5), rows, "simulator", price)


def interpolated_basis(snapshot: Snapshot, maturity: timedelta) -> float:
    """The annual basis of a snapshot of futures at a constant maturity, by numpy."""
    assert snapshot.index_price is not None
    left = [(row[1] - snapshot.ts).total_seconds() if row[1] else 0.0 for row in snapshot.rows]
    logs = [math.log(row[2] / snapshot.index_price) for row in snapshot.rows]
    listed = sorted((seconds, log) for seconds, log in zip(left, logs, strict=True) if seconds >= 86_400)
    seconds, logs = map(list, zip(*listed, strict=True))
    years = maturity / timedelta(days=365)
    return float(math.expm1(np.interp(maturity.total_seconds(), seconds, logs)) / years)


def cut_in_half(cursor: Cursor, since: datetime) -> list[tuple[str, datetime]]:
    """The snapshots that have more or fewer rows than they say, or other smiles or another surface than these rows."""
    found = []
    for feed, at, rows, index_price in cursor.execute(_SNAPSHOTS, [to_column(since)]).fetchall():
        kind = OPTIONS if feed.startswith("options/") else FUTURES
        stored = _stored(cursor, kind, kind.end(feed), at)
        if len(stored) != rows or (kind is OPTIONS and not _follow(cursor, kind.end(feed), at, stored, index_price)):
            found.append((feed, from_column(at)))
    return found


def untrue(cursor: Cursor, since: datetime, *, whole: bool = False) -> list[Row]:
    """The rows of snapshots that the simulator did not publish at their time.

    whole: so are the rows that it published and that are not stored.
    """
    found: list[Row] = []
    for feed, at, *_ in cursor.execute(_SNAPSHOTS, [to_column(since)]).fetchall():
        kind, of = (OPTIONS, _options) if feed.startswith("options/") else (FUTURES, _futures)
        stored, published = set(_stored(cursor, kind, kind.end(feed), at)), set(of(kind.end(feed), from_column(at)))
        odd = stored ^ published if whole else stored - published
        found.extend((feed, at, *row) for row in odd)
    return found


def untrue_entries(cursor: Cursor) -> list[Row]:
    """The entries of logs that the simulator does not have."""
    return [
        row
        for table, expected in _ENTRIES.items()
        for row in cursor.execute(f"FROM {table}").fetchall()
        if not expected(row)
    ]


def doubles(cursor: Cursor) -> int:
    """How many rows of snapshots are there once more."""
    keys = {each.table: (*each.key, each.time) for each in (OPTIONS, FUTURES, SMILES, SURFACES)}
    keys["snapshots"] = ("feed", "ts")
    found = [
        cursor.execute(_DOUBLES.format(table=table, key=", ".join(key))).fetchall()[0][0] for table, key in keys.items()
    ]
    return int(sum(found))


def digest(cursor: Cursor, table: str) -> tuple[int, int]:
    """The number of rows of a table, and the sum of their hashes."""
    ((count, total),) = cursor.execute(_DIGEST.format(table=table)).fetchall()
    return int(count), int(total or 0)


def losses(cursor: Cursor, arrived: set[tuple[str, int, int, int]]) -> tuple[int, int]:
    """How many snapshots are lost or not whole, and how many rows of the market nobody published or are double.

    Args:
        cursor: of a lease.
        arrived: the acknowledged snapshots: feed, time and time of receipt in microseconds, and rows.
    """
    stored = set(cursor.execute(_ARRIVED).fetchall())
    if not stored:
        return len(arrived), 0
    return len(arrived - stored) + len(cut_in_half(cursor, EPOCH)), doubles(cursor) + len(untrue(cursor, EPOCH))


def _options(currency: str, ts: datetime) -> Iterator[Row]:
    for each in option_summaries(currency, ts):
        option = option_of(each["instrument_name"])
        yield option.expiry, option.strike, option.option_type, *_numbers(OPTIONS, each)


def _futures(currency: str, ts: datetime) -> Iterator[Row]:
    for each in future_summaries(currency, ts):
        name = each["instrument_name"]
        yield name, future_of(name).expiry, *_numbers(FUTURES, each)


def _numbers(kind: Kind, summary: dict[str, Any]) -> Iterator[float | None]:
    """The numbers of a summary, in the order of the columns."""
    for column in kind.brought:
        if column.type == "DOUBLE" and column.name != "strike":
            number = summary.get(column.name)
            yield None if number is None else float(number)


def _stored(cursor: Cursor, kind: Kind, end: str, at: datetime) -> list[Row]:
    """The rows of a snapshot, with aware expiries."""
    names = [column.name for column in kind.brought]
    statement = _ROWS.format(columns=", ".join(names), table=kind.table, key=kind.key[0])
    return [_aware(row) for row in cursor.execute(statement, [end, at]).fetchall()]


def _aware(row: Iterable[Any]) -> Row:
    return tuple(from_column(value) if isinstance(value, datetime) else value for value in row)


def _follow(cursor: Cursor, underlying: str, at: datetime, rows: list[Row], index_price: float | None) -> bool:
    """Are the stored smiles and the stored surface those of these rows?"""
    names = [column.name for column in OPTIONS.brought]
    quotes = [Quote(*(row[names.index(name)] for name in Quote._fields)) for row in rows]
    smiles, surface = derived(from_column(at), quotes, index_price)
    expected = {(underlying, from_column(at), *each, METHOD) for each in smiles}
    stored = [
        {
            _aware(row)
            for row in cursor.execute(
                _ROWS.format(columns="*", table=table, key="underlying"), [underlying, at]
            ).fetchall()
        }
        for table in ("smiles", "surfaces")
    ]
    return stored == [expected, {(underlying, from_column(at), *surface.columns, METHOD)}]


def _is_candle(row: Row) -> bool:
    currency, at, *prices, _, step_s = row
    return prices == volatility.candle(currency, second_of(from_column(at)), step_s)


def _is_hour(row: Row) -> bool:
    instrument, at, price, one, eight, _ = row
    currency, second = future_of(instrument).underlying, second_of(from_column(at))
    expected = (index(currency, second, 1), funding(currency, second, 1), funding(currency, second, 8))
    return (price, one, eight) == expected


def _is_delivery(row: Row) -> bool:
    name, at, price, _ = row
    return bool(price == delivery_price(name, second_of(from_column(at)) // DAY_S))


_ENTRIES: dict[str, Callable[[Row], bool]] = {
    "volatility_index": _is_candle,
    "funding": _is_hour,
    "deliveries": _is_delivery,
}
