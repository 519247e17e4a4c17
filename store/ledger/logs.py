"""Logs: feeds whose past the exchange keeps exactly. A row says up to when each is recorded, and why no further.

A log has no slots and no misses. What is not recorded yet lies behind `complete_to`, and the next request brings it.
"""

from dataclasses import dataclass
from datetime import datetime

from duckdb import DuckDBPyConnection

from store.models import from_column, to_column

_LOGS = """
SELECT feed, complete_to, late
FROM logs
ORDER BY feed
"""

_FORGET = """
DELETE FROM logs
WHERE feed = ?
"""

_NOTE = """
INSERT INTO logs (feed, complete_to, late)
VALUES (?, ?, ?)
"""


@dataclass(frozen=True, slots=True)
class Log:
    """How far the record of a log is.

    Attributes:
        feed: such as "dvol/BTC".
        complete_to: all entries before it are stored.
        late: why the last request brought nothing; empty when it succeeded.
    """

    feed: str
    complete_to: datetime
    late: str = ""


def logs(cursor: DuckDBPyConnection) -> dict[str, Log]:
    """All logs by the names of their feeds."""
    return {
        feed: Log(feed, from_column(complete_to), late) for feed, complete_to, late in cursor.execute(_LOGS).fetchall()
    }


def note(cursor: DuckDBPyConnection, log: Log) -> None:
    """Note how far a log is, in place of what was noted before. Call it inside `Database.write`."""
    cursor.execute(_FORGET, [log.feed])
    cursor.execute(_NOTE, [log.feed, to_column(log.complete_to), log.late])
