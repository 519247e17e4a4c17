"""Stores the portions of a file as ticks, a lease each: at once, or in parts where much is stored already."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from store.file.database import Database
from store.models import from_column, to_column
from store.prices import averages, candles, overruled

from . import import_log
from .rows.work import STAYS_S
from .staging import Ready
from .survey import Portion

_READ = """
CREATE OR REPLACE TEMP TABLE portion AS
SELECT index_name, ts, price, received_at, source
FROM ({rows})
WHERE row >= $first
  AND row < $end
  AND resolution_s = $over_s
"""

_SPAN = """
SELECT
    count(*),
    min(ts),
    max(ts)
FROM portion
"""

_STORED = """
SELECT
    count(*),
    count(*) FILTER (WHERE resolution_s = 0)
FROM ticks
WHERE ts BETWEEN $first AND $last
"""

# The first of several rows at one time counts. They are neighbours, since rows come in the order of time.
_DOUBLES = """
CREATE OR REPLACE TEMP TABLE known AS
WITH shared AS (
    SELECT DISTINCT ts
    FROM (SELECT ts, lag(ts) OVER () AS before FROM portion)
    WHERE ts = before
)
SELECT
    rowid AS number,
    price != first_value(price) OVER alike AS another_price
FROM portion
SEMI JOIN shared USING (ts)
WINDOW alike AS (PARTITION BY index_name, ts ORDER BY rowid)
QUALIFY row_number() OVER alike > 1
"""

# Rows of one time may stand on both sides of where a portion begins.
_BEFORE = """
CREATE OR REPLACE TEMP TABLE known AS
SELECT
    portion.rowid AS number,
    portion.price != earlier.price AS another_price
FROM portion
JOIN (
    SELECT
        index_name,
        arg_min(price, row) AS price
    FROM ({rows})
    WHERE row < $first
      AND ts = $start
      AND resolution_s = $over_s
    GROUP BY index_name
) AS earlier USING (index_name)
WHERE portion.ts = $start
"""

_THERE = """
CREATE OR REPLACE TEMP TABLE known AS
SELECT
    portion.rowid AS number,
    portion.price != ticks.price AS another_price
FROM portion
JOIN ticks ON ticks.index_name = portion.index_name AND ticks.ts = portion.ts
WHERE ticks.ts BETWEEN $first AND $last
  AND ticks.resolution_s = 0
"""

_INSERT = """
INSERT INTO ticks (index_name, ts, received_at, price, source, resolution_s)
SELECT index_name, ts, received_at, price, source, {over_s}
FROM {rows}
"""
_OF_FILE = "({rows}) WHERE row >= $first AND row < $end"


@dataclass(slots=True)
class Count:
    """The counts of rows, as in `Imported`."""

    stored: int = 0
    left_out: int = 0
    another_price: int = 0
    shared: int = 0
    shared_another: int = 0
    overruled: int = 0


def store_portion(
    database: Database, file: Ready, import_id: int, portion: Portion, over_s: int, count: Count, most_stored: int
) -> None:
    """Store the rows of a portion that are averages over `over_s` seconds, 0 for observations.

    One lease compares at most `most_stored` stored ticks.
    """
    with database.write(STAYS_S) as cursor:
        _, observed = _stored(cursor, portion.start, portion.last)
        if not observed and not portion.doubled and file.resolutions == (0,):
            _store_at_once(cursor, file, import_id, portion, count)
            return
    first, size = portion.first, portion.end - portion.first
    while first < portion.end:
        end = min(portion.end, first + size)
        with database.write(STAYS_S) as cursor:
            which = {"first": first, "end": end, "over_s": over_s}
            fits = _store(cursor, file, import_id, which, count, most_stored)
        if fits:
            first, size = end, 2 * size
        else:
            size = (end - first) // 2


def _store_at_once(cursor: DuckDBPyConnection, file: Ready, import_id: int, portion: Portion, count: Count) -> None:
    """Store a file's observations where none is stored."""
    rows = _OF_FILE.format(rows=file.reading.rows)
    which = {"first": portion.first, "end": portion.end}
    insert = _INSERT.format(rows=rows, over_s=0)
    ((new,),) = cursor.execute(insert, file.reading.values | which).fetchall()
    import_log.claim_between(cursor, import_id, portion.start, portion.last)
    _account(cursor, import_id, portion.start, portion.last, Count(stored=new), count)


def _store(
    cursor: DuckDBPyConnection, file: Ready, import_id: int, which: dict[str, int], count: Count, most_stored: int
) -> bool:
    """Store the new rows; False if their time has too many stored ticks, so that fewer rows must be taken."""
    cursor.execute(_READ.format(rows=file.reading.rows), file.reading.values | which)
    ((rows, first, last),) = cursor.execute(_SPAN).fetchall()
    if not rows:
        return True
    start, end, over_s = from_column(first), from_column(last), which["over_s"]
    stored, observed = _stored(cursor, start, end)
    if stored > most_stored and rows > 1:
        return False
    shared, shared_another = _leave_out_doubles(cursor, file, which | {"start": first})
    another_price = 0
    if over_s:
        averages.leave_out_covered(cursor, start, end, over_s)
        overruled.reach(cursor, end + timedelta(seconds=over_s))
    elif observed:
        _, another_price = _leave_out(cursor, _THERE, {"first": first, "last": last})
    import_log.claim_portion(cursor, import_id, start, end, over_s)
    ((new,),) = cursor.execute(_INSERT.format(rows="portion", over_s=over_s)).fetchall()
    _account(
        cursor, import_id, start, end, Count(new, rows - new - shared, another_price, shared, shared_another), count
    )
    return True


def _leave_out_doubles(cursor: DuckDBPyConnection, file: Ready, which: dict[str, Any]) -> tuple[int, int]:
    """Remove the rows with a time that an earlier row of the file has; return as `_leave_out`."""
    within = _leave_out(cursor, _DOUBLES, {})
    if not which["first"]:
        return within
    bound = {name: which[name] for name in ("first", "start", "over_s")}
    before = _leave_out(cursor, _BEFORE.format(rows=file.reading.rows), file.reading.values | bound)
    return within[0] + before[0], within[1] + before[1]


def _account(
    cursor: DuckDBPyConnection, import_id: int, first: datetime, last: datetime, found: Count, count: Count
) -> None:
    """Let the stored ticks from `first` to `last` replace averages, fold their candles, and add to the counts."""
    gave_way = overruled.overrule(cursor, first, last, import_id)
    if found.stored or gave_way:
        candles.refold_between(cursor, first, last)
    if gave_way:
        candles.refold(cursor, overruled.gave_way(cursor, before=first), candles.closed_to(cursor))
    import_log.count(cursor, import_id, found.stored, found.left_out + found.shared, gave_way)
    count.stored += found.stored
    count.left_out += found.left_out
    count.another_price += found.another_price
    count.shared += found.shared
    count.shared_another += found.shared_another
    count.overruled += gave_way


def _stored(cursor: DuckDBPyConnection, start: datetime, last: datetime) -> tuple[int, int]:
    """How many ticks are stored from `start` to `last`, and how many of them are observations."""
    ((stored, observed),) = cursor.execute(_STORED, {"first": to_column(start), "last": to_column(last)}).fetchall()
    return stored, observed


def _leave_out(cursor: DuckDBPyConnection, find: str, values: dict[str, Any]) -> tuple[int, int]:
    """Remove the rows of the portion that are known; return how many, and how many of them have another price."""
    cursor.execute(find, values)
    cursor.execute("DELETE FROM portion WHERE rowid IN (SELECT number FROM known)")
    return cursor.execute("SELECT count(*), count(*) FILTER (WHERE another_price) FROM known").fetchall()[0]
