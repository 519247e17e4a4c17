"""Trades of futures: the last traded price of each minute in which no snapshot came, as rows of `futures`."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from duckdb import DuckDBPyConnection

from store.file.rows import insert
from store.instants import MINUTE
from store.kinds import FUTURES
from store.ledger import arrivals
from store.models import Snapshot, Source, to_column

RESOLUTION_S = 60
"""The seconds that each row covers."""

_AROUND = """
SELECT DISTINCT instrument_name
FROM futures
WHERE currency = $currency
  AND resolution_s = 0
  AND ts IN (
    SELECT max(ts) FROM snapshots WHERE feed = $feed AND rows > 0 AND ts < $start
    UNION ALL
    SELECT min(ts) FROM snapshots WHERE feed = $feed AND rows > 0 AND ts >= $end
  )
ORDER BY instrument_name
"""

_OBSERVED = """
SELECT DISTINCT date_trunc('minute', ts)
FROM snapshots
WHERE feed = ?
  AND ts >= ?
  AND ts < ?
"""

_KNOWN = f"""
SELECT instrument_name, ts
FROM futures
WHERE currency = ?
  AND resolution_s = {RESOLUTION_S}
  AND ts >= ?
  AND ts < ?
"""  # noqa: S608 the number is the constant above

_GIVE_WAY = f"""
DELETE FROM futures
WHERE resolution_s = {RESOLUTION_S}
  AND ts BETWEEN ? AND ?
  AND (currency, ts) IN (SELECT (unnest(?), unnest(?)))
"""  # noqa: S608 the number is the constant above

# A trade that gave way is no longer an import's: an undo would remove what took its place.
_STRIKE = f"""
UPDATE imported
SET undone = true
WHERE resolution_s = {RESOLUTION_S}
  AND ts BETWEEN ? AND ?
  AND (index_name, ts) IN (SELECT (unnest(?), unnest(?)))
"""  # noqa: S608 the number is the constant above

_COLUMNS = ("currency", "instrument_name", "expiry", "ts", "last", "source", "resolution_s")


class Trade(NamedTuple):
    """The last trade up to the end of a minute.

    Attributes:
        instrument_name: such as "BTC-PERPETUAL".
        expiry: of the future; None for the perpetual.
        ts: when the minute begins.
        price: in USD.
    """

    instrument_name: str
    expiry: datetime | None
    ts: datetime
    price: float


def append_observed(cursor: DuckDBPyConnection, snapshots: Iterable[Snapshot]) -> None:
    """Store snapshots of futures as `arrivals.append` does; trades of their minutes give way.

    Call it inside `Database.write`.
    """
    new = arrivals.append(cursor, snapshots)
    if new:
        feeds = [each.feed for each in new]
        minutes = [to_column(each.ts).replace(second=0, microsecond=0) for each in new]
        span = min(minutes), max(minutes)
        ((count,),) = cursor.execute(_GIVE_WAY, [*span, [*map(FUTURES.end, feeds)], minutes]).fetchall()
        if count:
            cursor.execute(_STRIKE, [*span, feeds, minutes])


def listed_around(cursor: DuckDBPyConnection, currency: str, start: datetime, end: datetime) -> list[str]:
    """The instruments of a currency in the last snapshot before `start` or in the first one from `end` on, by name."""
    values = {"currency": currency, "feed": FUTURES.feed(currency), "start": to_column(start), "end": to_column(end)}
    return [name for (name,) in cursor.execute(_AROUND, values).fetchall()]


def append(cursor: DuckDBPyConnection, currency: str, trades: Iterable[Trade], source: Source) -> list[Trade]:
    """Store the trades of minutes in which no snapshot of the currency came. Call it inside `Database.write`.

    A trade that is appended twice is stored once.

    Returns:
        Those that were stored.
    """
    new = {(trade.instrument_name, to_column(trade.ts)): trade for trade in trades}
    if not new:
        return []
    instants = [ts for _, ts in new]
    within = min(instants), max(instants) + MINUTE
    observed = {ts for (ts,) in cursor.execute(_OBSERVED, [FUTURES.feed(currency), *within]).fetchall()}
    known = set(cursor.execute(_KNOWN, [currency, *within]).fetchall())
    stored = [trade for key, trade in new.items() if key[1] not in observed and key not in known]
    rows = (
        (
            currency,
            each.instrument_name,
            each.expiry and to_column(each.expiry),
            to_column(each.ts),
            each.price,
            source,
            RESOLUTION_S,
        )
        for each in stored
    )
    insert(cursor, FUTURES.table, _COLUMNS, rows)
    return stored
