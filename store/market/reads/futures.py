"""Futures as of an instant, and their basis over a time.

Only snapshots have a part: the rows of minutes and days, which heal a gap or come before the recording, have no marks.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from duckdb import DuckDBPyConnection

from store.file.rows import execute
from store.kinds import FUTURES
from store.market.carry import annual_basis, annual_spread, basis, constant_maturity_basis
from store.market.checks import SETTLED, SETTLES_FROM, is_settling
from store.models import from_column, to_column

from .snapshots import EACH, SnapshotAt, snapshot_at

_FUTURES = f"""
SELECT {", ".join(column.name for column in FUTURES.brought)}
FROM futures
WHERE currency = $currency
  AND ts = $ts
  AND resolution_s = 0
ORDER BY expiry NULLS FIRST, instrument_name
"""  # noqa: S608 the names are constants

# Of an interval that ends in the half hour of settlement, the last snapshot before that half hour has a basis.
_LAST_OF_EACH = """
WITH last_of_each AS (
    SELECT
        coalesce(
            max(ts) FILTER (WHERE ts - date_trunc('day', ts) NOT BETWEEN $settles_from AND $settled), max(ts)
        ) AS ts
    FROM snapshots
    WHERE feed = $feed
      AND ts >= $start
      AND ts < $end
    GROUP BY time_bucket($interval, ts)
)
SELECT ts, index_price
FROM snapshots
SEMI JOIN last_of_each USING (ts)
WHERE feed = $feed
  AND ts >= $start
  AND ts < $end
ORDER BY ts
"""

_MARKS = """
SELECT ts, expiry, mark_price
FROM futures
WHERE currency = $currency
  AND ts >= $start
  AND ts < $end
  AND resolution_s = 0
  AND mark_price > 0
  AND expiry > ts
  AND ts IN (SELECT unnest($snapshots))
"""


class Quoted(NamedTuple):
    """A future, or the perpetual, in a snapshot. None: no quote, or no trade.

    Attributes:
        instrument_name: as the exchange spells it.
        expiry: aware, in UTC; None for the perpetual.
        mark_price, bid_price, ask_price, last: in USD.
        open_interest: in USD.
        volume: of the last 24 h, in coin.
        volume_usd: of the last 24 h, in USD.
        current_funding, funding_8h: of the perpetual, a fraction in 8 h.
    """

    instrument_name: str
    expiry: datetime | None
    mark_price: float | None
    bid_price: float | None
    ask_price: float | None
    last: float | None
    open_interest: float | None
    volume: float | None
    volume_usd: float | None
    current_funding: float | None
    funding_8h: float | None


class Carry(NamedTuple):
    """What a future costs to carry at its mark; fractions, and None where that is unknown, as while `is_settling`.

    Attributes:
        basis: above the index of the snapshot.
        annual_basis: by the years to expiry, simple; None for the perpetual, and below one day to expiry.
    """

    basis: float | None
    annual_basis: float | None


class Spread(NamedTuple):
    """What a future costs above the one that expires before it, both at their marks.

    Attributes:
        near, far: their names; `far` is the later one.
        between: from the one expiry to the other.
        spread: the mark of `far` less that of `near`, in USD; None if one of both is unknown.
        annual_spread: a fraction of the mark of `near`, by the years between, simple; None below one day between.
    """

    near: str
    far: str
    between: timedelta
    spread: float | None
    annual_spread: float | None


class Basis(NamedTuple):
    """The basis of a snapshot at a constant maturity.

    Attributes:
        ts: exchange time of the snapshot; aware.
        index_price: in USD; None if the snapshot has none.
        annual_basis: a fraction a year, simple; None if the maturity is not between two futures, and while
            `is_settling`.
    """

    ts: datetime
    index_price: float | None
    annual_basis: float | None


def futures_at(cursor: DuckDBPyConnection, currency: str, at: datetime) -> SnapshotAt[Quoted] | None:
    """The futures of a currency as of an instant: the perpetual, then the others by expiry.

    Returns:
        None where `snapshot_at` has none.
    """
    return snapshot_at(cursor, FUTURES.feed(currency), at, lambda ts: _quoted(cursor, currency, ts))


def carry_of(future: Quoted, ts: datetime, index_price: float | None) -> Carry:
    """The basis of a future in the snapshot of a time."""
    if not future.mark_price or not index_price or is_settling(ts):
        return Carry(None, None)
    annual = None
    if future.expiry is not None:
        annual = annual_basis(future.mark_price, index_price, future.expiry - ts)
    return Carry(basis(future.mark_price, index_price), annual)


def spreads_of(snapshot: SnapshotAt[Quoted]) -> tuple[Spread, ...]:
    """The spread of each pair of neighbouring expiries, ascending. The perpetual has none, and what has expired."""
    listed = [(row.expiry, row) for row in snapshot.rows if row.expiry is not None and row.expiry > snapshot.ts]
    listed.sort(key=lambda each: each[0])
    return tuple(_spread(near, far, later - sooner) for (sooner, near), (later, far) in pairwise(listed))


def basis_over(
    cursor: DuckDBPyConnection,
    currency: str,
    start: datetime,
    end: datetime,
    maturity: timedelta,
    interval: timedelta = EACH,
) -> list[Basis]:
    """The annual basis at a constant maturity in each snapshot of [start, end), ascending.

    Args:
        cursor: of a lease.
        currency: such as "BTC".
        start: aware.
        end: aware.
        maturity: a day or more.
        interval: the last snapshot of each is taken; the last one not `is_settling`, if it has one.
    """
    time = {"start": to_column(start), "end": to_column(end)}
    settles = {"settles_from": SETTLES_FROM, "settled": SETTLED}
    asked = {"feed": FUTURES.feed(currency), "interval": interval, **time, **settles}
    found = execute(cursor, _LAST_OF_EACH, asked).fetchall()
    of_these = {"currency": currency, "snapshots": [ts for ts, _ in found], **time}
    marks: defaultdict[datetime, list[tuple[timedelta, float]]] = defaultdict(list)
    for ts, expiry, mark_price in execute(cursor, _MARKS, of_these).fetchall():
        marks[ts].append((expiry - ts, mark_price))
    known = [(from_column(ts), index_price, marks[ts]) for ts, index_price in found]
    return [Basis(ts, index_price, _at_maturity(ts, its, index_price, maturity)) for ts, index_price, its in known]


def _spread(near: Quoted, far: Quoted, between: timedelta) -> Spread:
    names = near.instrument_name, far.instrument_name
    if not near.mark_price or not far.mark_price:
        return Spread(*names, between, None, None)
    annual = annual_spread(near.mark_price, far.mark_price, between)
    return Spread(*names, between, far.mark_price - near.mark_price, annual)


def _at_maturity(
    ts: datetime, marks: Sequence[tuple[timedelta, float]], index_price: float | None, maturity: timedelta
) -> float | None:
    if not index_price or is_settling(ts):
        return None
    return constant_maturity_basis(marks, index_price, maturity)


def _quoted(cursor: DuckDBPyConnection, currency: str, ts: datetime) -> tuple[Quoted, ...]:
    found = execute(cursor, _FUTURES, {"currency": currency, "ts": ts}).fetchall()
    return tuple(Quoted(name, expiry and from_column(expiry), *numbers) for name, expiry, *numbers in found)
