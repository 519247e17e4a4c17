"""Logs: feeds whose exact past the exchange keeps. A row says up to when a log is recorded, and why no further.

A log has no slots and no misses. The next request brings the entries after `complete_to`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from duckdb import DuckDBPyConnection

from store.models import from_column, to_column

_LOGS = """
SELECT feed, complete_to, late, period_s
FROM logs
ORDER BY feed
"""

_FORGET = """
DELETE FROM logs
WHERE feed = ?
"""

_NOTE = """
INSERT INTO logs (feed, complete_to, late, period_s)
VALUES (?, ?, ?, ?)
"""


_ASK_AGAIN = """
UPDATE logs
SET complete_to = least(complete_to, $start)
WHERE feed = $feed
"""

_ENDS: Mapping[int, str] = {3600: "-1h", 86_400: "-1d"}


@dataclass(frozen=True, slots=True)
class Log:
    """How far a log is recorded.

    Attributes:
        feed: its name, such as "dvol/BTC".
        complete_to: all entries before this time are stored.
        late: why the last request failed; empty when it succeeded.
        period_s: the seconds between two entries, or between two requests if that is longer. None: not known, because
            an older version wrote the row.
    """

    feed: str
    complete_to: datetime
    late: str = ""
    period_s: int | None = None


def logs(cursor: DuckDBPyConnection) -> dict[str, Log]:
    """How far each log is recorded, by the name of its feed."""
    return {
        feed: Log(feed, from_column(complete_to), *rest)
        for feed, complete_to, *rest in cursor.execute(_LOGS).fetchall()
    }


def note(cursor: DuckDBPyConnection, log: Log) -> None:
    """Note how far a log is recorded, and replace the note before. Call it inside `Database.write`."""
    cursor.execute(_FORGET, [log.feed])
    cursor.execute(_NOTE, [log.feed, to_column(log.complete_to), log.late, log.period_s])


def ask_again(cursor: DuckDBPyConnection, feed: str, start: datetime) -> None:
    """Let the next request of a log bring the entries from `start` on again. Call it inside `Database.write`."""
    cursor.execute(_ASK_AGAIN, {"feed": feed, "start": to_column(start)})


def log_of(feed: str, resolution_s: int) -> str:
    """The log that has a feed's candles of a length: "dvol/BTC" has those of a minute, "dvol/BTC-1h" of an hour."""
    return feed + _ENDS.get(resolution_s, "")
