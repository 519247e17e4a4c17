"""Packing: the option rows of a UTC day that is over are sorted by contract, so that one contract is read quickly.

Recorded rows lie in the order of their snapshots. Sorted rows take a third less space, and the life of a contract is in
a few places instead of in every snapshot. Each expiry is sorted in parts of 6 h, so a chain at an instant is in a few
places too. Rows change their order only. One transaction packs a day of an underlying, or a part of a day that has very
many rows, and notes how far it got: after a kill the next one goes on there.
"""

from datetime import datetime
from typing import NamedTuple

from duckdb import DuckDBPyConnection

from store.instants import DAY
from store.kinds import OPTIONS
from store.models import from_column, to_column

MOST_ROWS = 350_000
"""One transaction sorts at most about this many rows, which takes 0.5 s. A day of BTC at 5 min has 300,000."""

_NEXT = """
SELECT
    substr(feed, length($begin) + 1) AS name,
    min(ts) AS start,
    sum(rows)
FROM snapshots
LEFT JOIN packed ON packed.underlying = substr(feed, length($begin) + 1)
WHERE starts_with(feed, $begin)
  AND ts < $today
  AND ts >= coalesce(packed_to, ts)
  AND rows > 0
GROUP BY name, ts::DATE
ORDER BY start
LIMIT 1
"""

_END = "SELECT coalesce(max(rowid) + 1, 0) FROM options"

_THESE = "underlying = $underlying AND ts >= $start AND ts < $end"

# In 30 days of BTC, parts of 24, 12, 6 and 3 h took 9.0, 7.7, 6.6 and 6.5 ms for a chain, and 18, 19, 21 and 25 ms for
# a contract.
_PART = "INTERVAL 6 HOURS"

_SORTED = f"""
INSERT INTO options
SELECT *
FROM options
WHERE {_THESE}
ORDER BY expiry, time_bucket({_PART}, ts), strike, option_type, ts
"""  # noqa: S608 the names and the condition are constants

_UNSORTED = f"DELETE FROM options WHERE {_THESE} AND rowid < $rows"  # noqa: S608 the condition is a constant

_FORGET = "DELETE FROM packed WHERE underlying = ?"

_FORGET_ALL = "DELETE FROM packed"

_FORGET_FROM = """
UPDATE packed
SET packed_to = least(packed_to, date_trunc('day', CAST($start AS TIMESTAMP)))
WHERE underlying = $underlying
"""

_NOTE = "INSERT INTO packed (underlying, packed_to) VALUES (?, ?)"


class Chains(NamedTuple):
    """The option chains of an underlying in [start, end), within a UTC day."""

    underlying: str
    start: datetime
    end: datetime


def next_chains(cursor: DuckDBPyConnection, now: datetime, most_rows: int = MOST_ROWS) -> Chains | None:
    """The oldest chains that are not packed and whose day was over at `now`; None without any."""
    today = to_column(now).replace(hour=0, minute=0, second=0, microsecond=0)
    found = cursor.execute(_NEXT, {"begin": OPTIONS.feed(""), "today": today}).fetchone()
    if found is None:
        return None
    underlying, start, rows = found
    left = start.replace(hour=0, minute=0, second=0, microsecond=0) + DAY - start
    end = start + left / -(-rows // most_rows)
    return Chains(underlying, from_column(start), from_column(end))


def pack(cursor: DuckDBPyConnection, chains: Chains) -> None:
    """Sort the rows of some chains by contract. Call it inside `Database.write`."""
    which = {"underlying": chains.underlying, "start": to_column(chains.start), "end": to_column(chains.end)}
    ((rows,),) = cursor.execute(_END).fetchall()
    cursor.execute(_SORTED, which)
    cursor.execute(_UNSORTED, which | {"rows": rows})
    cursor.execute(_FORGET, [chains.underlying])
    cursor.execute(_NOTE, [chains.underlying, which["end"]])


def forget(cursor: DuckDBPyConnection) -> None:
    """Pack all days anew, because their rows came in another order."""
    cursor.execute(_FORGET_ALL)


def forget_from(cursor: DuckDBPyConnection, underlying: str, start: datetime) -> None:
    """Pack the day of `start` and later ones of an underlying anew, because rows came late."""
    cursor.execute(_FORGET_FROM, {"underlying": underlying, "start": to_column(start)})
