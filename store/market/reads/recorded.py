"""Of which currencies futures were recorded, and since when."""

from datetime import datetime

from duckdb import DuckDBPyConnection

from store.file.rows import execute
from store.kinds import FUTURES
from store.models import from_column

_FIRST = """
SELECT min(ts)
FROM snapshots
WHERE feed = $feed
"""

_CURRENCIES = """
SELECT DISTINCT feed
FROM snapshots
WHERE starts_with(feed, $kind)
ORDER BY feed
"""


def first_futures(cursor: DuckDBPyConnection, currency: str) -> datetime | None:
    """The exchange time of the first snapshot of a currency's futures; None without one."""
    ((ts,),) = execute(cursor, _FIRST, {"feed": FUTURES.feed(currency)}).fetchall()
    return ts and from_column(ts)


def currencies_of_futures(cursor: DuckDBPyConnection) -> list[str]:
    """The currencies that have a snapshot of futures, by name."""
    found = execute(cursor, _CURRENCIES, {"kind": FUTURES.feed("")}).fetchall()
    return [FUTURES.end(feed) for (feed,) in found]
