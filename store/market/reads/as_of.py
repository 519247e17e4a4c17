"""Option chains as of an instant, and contracts and surfaces over a time: what pages and HTTP read.

Nothing that was recorded later than the instant, or at the end of the time, has a part in an answer.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, NamedTuple

from duckdb import DuckDBPyConnection

from store.file.rows import execute
from store.instants import EPOCH
from store.kinds import OPTIONS, SURFACES
from store.ledger.due import at_slot, heard_at, slot_number
from store.market.instruments import Option, OptionType
from store.models import from_column, to_column

_USUAL_S = 300
"""The seconds between two chains if no run tells them, as for imported chains: the default of OPTIONS_SECONDS."""

# Chains are asked for up to 2.2 s after their slot, and a reply may take seconds.
_COMES_WITHIN = timedelta(seconds=10)

# Without ORDER BY and LIMIT, which take longer than to read the few rows.
_NEWEST = """
SELECT ts, received_at, source, index_price, rejected
FROM snapshots
WHERE feed = $feed
  AND ts BETWEEN $since AND $at
"""

_PERIOD = """
SELECT arg_max(feeds[$feed], started_at)
FROM runs
WHERE started_at <= $at
"""

_NEIGHBOURS = """
SELECT max(ts) FILTER (WHERE ts <= $at), min(ts) FILTER (WHERE ts > $at)
FROM snapshots
WHERE feed = $feed
"""

# Without ORDER BY, which takes 0.4 ms for the 1,150 rows of a chain. Python's sort takes 0.1 ms where they lie in
# order, as in packed days, and 0.4 ms where they don't.
_CHAIN = f"""
SELECT {", ".join(column.name for column in OPTIONS.brought)}
FROM options
WHERE underlying = $underlying
  AND ts = $ts
"""  # noqa: S608 the names are constants

_SMILE = f"{_CHAIN}  AND expiry = $expiry"

_BY_CONTRACT = itemgetter(0, 1, 2)

_OF_CONTRACT = f"""
SELECT ts, {", ".join(column.name for column in OPTIONS.brought[3:])}
FROM options
WHERE underlying = $underlying
  AND expiry = $expiry
  AND strike = $strike
  AND option_type = $option_type
  AND ts >= $start
  AND ts < $end
"""  # noqa: S608 the names are constants

_SURFACES = f"""
SELECT {", ".join(SURFACES.column_names[1:])}
FROM surfaces
WHERE underlying = $underlying
  AND ts >= $start
  AND ts < $end
"""  # noqa: S608 the names are constants


class Row(NamedTuple):
    """An option in a chain. None: no quote, or no trade.

    Attributes:
        expiry: aware, in UTC.
        strike: in USD.
        option_type: "call" or "put".
        mark_price: in coin.
        mark_iv: percent a year.
        underlying_price: the forward of the expiry, in USD.
        bid_price, ask_price, last: in coin.
        open_interest: in coin.
        volume: of the last 24 h, in coin.
        volume_usd: of the last 24 h, in USD.
    """

    expiry: datetime
    strike: float
    option_type: OptionType
    mark_price: float | None
    mark_iv: float | None
    underlying_price: float | None
    bid_price: float | None
    ask_price: float | None
    last: float | None
    open_interest: float | None
    volume: float | None
    volume_usd: float | None


@dataclass(frozen=True, slots=True)
class Chain:
    """A snapshot of a chain, or of one expiry of it, as it was known at an instant.

    Attributes:
        underlying: such as "BTC".
        at: the instant that was asked for.
        slot: the slot that the snapshot was recorded for.
        ts: exchange time of all rows.
        received_at: local clock at receipt.
        source: "live" or "simulator", as for a tick.
        index_price: the price of the index at `ts`, in USD; None if the reply had none.
        rejected: how many rows of the reply could not be read.
        rows: by expiry, strike and type.
    """

    underlying: str
    at: datetime
    slot: datetime
    ts: datetime
    received_at: datetime
    source: str
    index_price: float | None
    rejected: int
    rows: tuple[Row, ...]

    @property
    def age(self) -> timedelta:
        """How old the rows were at the instant that was asked for."""
        return self.at - self.ts


class Neighbours(NamedTuple):
    """The exchange times of the snapshots on both sides of an instant; None where there is none.

    Attributes:
        before: of the newest one at the instant or before.
        after: of the first one after it.
    """

    before: datetime | None
    after: datetime | None


class _Newest(NamedTuple):
    """A row of `_NEWEST`."""

    ts: datetime
    received_at: datetime
    source: str
    index_price: float | None
    rejected: int | None


def chain_at(cursor: DuckDBPyConnection, underlying: str, at: datetime, expiry: datetime | None = None) -> Chain | None:
    """The chain of an underlying as of an instant: its newest snapshot of that time.

    Args:
        cursor: of a lease.
        underlying: such as "BTC".
        at: the instant; no later row is used.
        expiry: only the rows of this expiry, which make its smile; None for all rows.

    Returns:
        None if the newest snapshot is older than a period and the seconds that a chain takes to come. `neighbours`
        tells where the nearest snapshots are.
    """
    feed = OPTIONS.feed(underlying)
    period_s = _period_s(cursor, feed, at)
    newest = _newest(cursor, feed, at, since=at - timedelta(seconds=period_s) - _COMES_WITHIN)
    if newest is None:
        return None
    ts, received_at = from_column(newest.ts), from_column(newest.received_at)
    return Chain(
        underlying=underlying,
        at=at,
        slot=at_slot(slot_number(heard_at(ts, received_at), period_s), period_s),
        ts=ts,
        received_at=received_at,
        source=newest.source,
        index_price=newest.index_price,
        rejected=newest.rejected or 0,
        rows=_rows(cursor, underlying, newest.ts, expiry),
    )


def neighbours(cursor: DuckDBPyConnection, underlying: str, at: datetime) -> Neighbours:
    """Where the nearest snapshots of a chain are, to step to them. This alone looks later than the instant."""
    asked = {"feed": OPTIONS.feed(underlying), "at": to_column(at)}
    ((before, after),) = execute(cursor, _NEIGHBOURS, asked).fetchall()
    return Neighbours(before and from_column(before), after and from_column(after))


def contract(cursor: DuckDBPyConnection, option: Option, start: datetime, end: datetime) -> list[tuple[Any, ...]]:
    """What was recorded of an option in [start, end), ascending by time.

    Returns:
        For each snapshot its exchange time, aware, and the numbers of `Row` from `mark_price` to `volume_usd`.
    """
    asked = {
        "underlying": option.underlying,
        "expiry": to_column(option.expiry),
        "strike": option.strike,
        "option_type": option.option_type,
        "start": to_column(start),
        "end": to_column(end),
    }
    return _by_time(execute(cursor, _OF_CONTRACT, asked))


def surfaces(cursor: DuckDBPyConnection, underlying: str, start: datetime, end: datetime) -> list[tuple[Any, ...]]:
    """The surfaces that were made of the chains of an underlying in [start, end), ascending by time.

    Returns:
        For each chain its exchange time, aware, and the values of the columns of `SURFACES` from `iv_7d` to `method`.
    """
    asked = {"underlying": underlying, "start": to_column(start), "end": to_column(end)}
    return _by_time(execute(cursor, _SURFACES, asked))


def _by_time(found: DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """The rows of a result, ascending by `ts`, which is made aware.

    In 8,640 rows of a contract, this takes 4 ms with NumPy. ORDER BY, `fetchall` and `from_column` take 8 ms.
    """
    columns = found.fetchnumpy()  # a NULL is masked, and None in a list
    order = columns["ts"].argsort(kind="stable")
    since_epoch = columns.pop("ts")[order].view("timedelta64[us]")
    others = (column[order].tolist() for column in columns.values())
    return list(zip(map(EPOCH.__add__, since_epoch.tolist()), *others, strict=True))


def _period_s(cursor: DuckDBPyConnection, feed: str, at: datetime) -> int:
    """The seconds between the slots of a feed at an instant."""
    ((found,),) = execute(cursor, _PERIOD, {"feed": feed, "at": to_column(at)}).fetchall()
    return _USUAL_S if found is None else int(found)


def _newest(cursor: DuckDBPyConnection, feed: str, at: datetime, since: datetime) -> _Newest | None:
    asked = {"feed": feed, "at": to_column(at), "since": to_column(since)}
    found = map(_Newest._make, execute(cursor, _NEWEST, asked).fetchall())
    return max(found, default=None, key=lambda each: each.ts)


def _rows(cursor: DuckDBPyConnection, underlying: str, ts: datetime, expiry: datetime | None) -> tuple[Row, ...]:
    asked = {"underlying": underlying, "ts": ts}
    if expiry is None:
        found = execute(cursor, _CHAIN, asked).fetchall()
    else:
        found = execute(cursor, _SMILE, asked | {"expiry": to_column(expiry)}).fetchall()
    expiries = {column: from_column(column) for column in {row[0] for row in found}}
    return tuple([Row._make((expiries[row[0]], *row[1:])) for row in sorted(found, key=_BY_CONTRACT)])
