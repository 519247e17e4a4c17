"""Days of futures: the last price and the volume of each day before recording began, as rows of `futures`.

The exchange is asked once for the days of each future that was listed then. `futures_asked` says up to when it was.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from duckdb import DuckDBPyConnection

from store.kinds import FUTURES
from store.models import Source, from_column, to_column

from .entries import append_new
from .instruments import future_of

RESOLUTION_S = 86_400
"""The seconds that each row covers."""

# A slot of a run before the first snapshot may be healed by trades of minutes. Imported snapshots may be years older.
_BEGAN = """
SELECT
    min(ts),
    least(min(ts), (SELECT min(started_at) FROM runs WHERE feeds[$feed] IS NOT NULL))
FROM snapshots
WHERE feed = $feed
  AND rows > 0
  AND ts NOT IN (
    SELECT ts
    FROM imported
    WHERE index_name = $feed
      AND resolution_s = 0
      AND NOT undone
  )
"""

_LISTED = """
SELECT DISTINCT instrument_name, expiry, asked_to
FROM futures
LEFT JOIN futures_asked USING (instrument_name)
WHERE currency = $currency
  AND ts = $first
  AND resolution_s = 0
  AND (expiry IS NULL OR expiry > $now)
ORDER BY expiry NULLS FIRST
"""

_FORGET = "DELETE FROM futures_asked WHERE instrument_name = ?"

_NOTE = "INSERT INTO futures_asked (instrument_name, asked_to) VALUES (?, ?)"


class Listed(NamedTuple):
    """A future that was listed when recording began.

    Attributes:
        instrument_name: such as "BTC-PERPETUAL".
        expiry: aware, in UTC; None for the perpetual.
        asked_to: the exchange was asked for the days before this time; None: it was not asked.
    """

    instrument_name: str
    expiry: datetime | None
    asked_to: datetime | None


@dataclass(frozen=True, slots=True)
class Beginning:
    """When the recording of a currency's futures began, and the futures of its first snapshot.

    Attributes:
        at: no snapshot and no slot is earlier.
        listed: the futures that have not expired since; the perpetual comes first.
    """

    at: datetime
    listed: tuple[Listed, ...]


class Day(NamedTuple):
    """The trades of a day.

    Attributes:
        ts: when the day begins.
        last: the last traded price, in USD.
        volume: in coin.
        volume_usd: in USD.
    """

    ts: datetime
    last: float
    volume: float
    volume_usd: float


def beginning(cursor: DuckDBPyConnection, currency: str, now: datetime) -> Beginning | None:
    """The beginning of a currency's futures; None without a snapshot."""
    ((first, began),) = cursor.execute(_BEGAN, {"feed": FUTURES.feed(currency)}).fetchall()
    if first is None:
        return None
    asked = {"currency": currency, "first": first, "now": to_column(now)}
    listed = [
        Listed(name, expiry and from_column(expiry), asked_to and from_column(asked_to))
        for name, expiry, asked_to in cursor.execute(_LISTED, asked).fetchall()
    ]
    return Beginning(from_column(began), tuple(listed))


def append(
    cursor: DuckDBPyConnection, instrument_name: str, days: Iterable[Day], asked_to: datetime, source: Source
) -> None:
    """Store days of a future, and up to when the exchange was asked for them. Call it inside `Database.write`.

    A day that is appended twice is stored once.
    """
    future = future_of(instrument_name)
    whose = {
        "currency": future.underlying,
        "instrument_name": instrument_name,
        "expiry": future.expiry and to_column(future.expiry),
        "source": source,
        "resolution_s": RESOLUTION_S,
    }
    found = [whose | day._asdict() | {"ts": to_column(day.ts)} for day in days]
    append_new(cursor, FUTURES, [tuple(map(row.get, FUTURES.column_names)) for row in found])
    cursor.execute(_FORGET, [instrument_name])
    cursor.execute(_NOTE, [instrument_name, to_column(asked_to)])
