"""Candles of a lake: publishers fold its ticks, so that readers draw a long range quickly.

They are closed by the hour, which makes fewer and larger files than by the minute. Readers fold the open hours.
"""

from datetime import datetime

from duckdb import DuckDBPyConnection

from store.instants import DAY, HOUR, MINUTE
from store.models import from_column
from store.prices import candles, overruled

_COLUMNS = """
    index_name VARCHAR,
    open_time TIMESTAMP,
    open DOUBLE,
    high DOUBLE,
    low DOUBLE,
    close DOUBLE,
    tick_count BIGINT,
    observed_count BIGINT,
    resolution_s INTEGER
"""

TABLES = f"""
CREATE TABLE candles_1m ({_COLUMNS});
CREATE TABLE candles_1h ({_COLUMNS});
CREATE TABLE candles_closed (closed_to TIMESTAMP, averaged_to TIMESTAMP);
INSERT INTO candles_closed VALUES (NULL, NULL);
"""  # noqa: S608 the columns are a constant
"""The statements that make the tables of a new lake."""

# The ticks of an hour come from all recorders within some minutes. What comes later is folded in at once.
_OVER_AFTER = 5 * MINUTE

_FEW = 3 * DAY
"""Late ticks of more time are folded as new ones are, in portions: folding all at once might take too much memory."""

_NEW = """
SELECT min(ts), max(ts), max(ts + to_seconds(resolution_s)) FILTER (WHERE resolution_s > 0)
FROM new_ticks
"""


def follow(cursor: DuckDBPyConnection) -> None:
    """Bring the lake up to date with the ticks that were just stored. Call it in their transaction.

    Averages give way to finer ticks, and candles that are closed get the late ones.
    """
    ((first, last, averaged_to),) = cursor.execute(_NEW).fetchall()
    first, reach = from_column(first), from_column(averaged_to or last)
    moved = overruled.overrule(cursor, first, max(from_column(last), reach))
    begin = min([first, *(ts for _, ts in overruled.gave_way(cursor))]) if moved else first
    mark, known_to = candles.marks(cursor)
    if averaged_to is not None and (known_to is None or known_to < reach):
        overruled.reach(cursor, reach)
    if mark is None or begin >= mark:
        return
    if from_column(last) - begin > _FEW:
        candles.reopen(cursor, begin)
    else:
        candles.refold_between(cursor, begin, from_column(last))


def close(cursor: DuckDBPyConnection, now: datetime) -> bool:
    """Store the candles of the hours that are over, as many as a transaction may fold. Call it in one.

    Returns:
        Is there more to do?
    """
    return candles.close(cursor, _until(now))


def is_due(cursor: DuckDBPyConnection, now: datetime) -> bool:
    """Is an hour over whose candles are not stored?"""
    mark = candles.closed_to(cursor)
    return mark is None or mark < _until(now)


def _until(now: datetime) -> datetime:
    return candles.floor(now - _OVER_AFTER, HOUR)
