"""A hot spare: makes a database file from a shared lake, with the rows that the lake has."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from duckdb import DuckDBPyConnection

from store.file import schema
from store.file.database import Database
from store.file.exchange import admit
from store.instants import HOUR
from store.kinds import TICKS, Kind
from store.lake import tables
from store.lake.connection import Lake
from store.lake.spans import portions
from store.lake.tables import ALL
from store.models import Exchange, utc_now
from store.prices import overruled
from store.progress import Tell, unheard

from .restore import fold, having_the_file

if TYPE_CHECKING:
    import pyarrow as pa

_HOURS = """
SELECT date_trunc('hour', {time}) AS hour, count(*)
FROM {table}
WHERE {time} IS NOT NULL
GROUP BY hour
"""

_ROWS = """
SELECT {columns}
FROM {table}
WHERE {time} >= ?
  AND {time} < ?
ORDER BY {time}
"""

_PUT = "INSERT INTO {table} ({columns}) SELECT {columns} FROM incoming"

_AT_ONCE = 200_000
"""The rows that are in memory at once: at most these, or those of a single hour that has more."""

_TABLES = (*ALL, replace(TICKS, table="overruled"))
"""All that a lake has. An average that gave way stays known, so that it does not come back."""


class _Piece(NamedTuple):
    """The rows of a kind between two instants, as the lake keeps times."""

    kind: Kind
    start: datetime
    end: datetime


def restore_from_lake(
    lake: Lake, database: Database, tell: Tell = unheard, at_once: int = _AT_ONCE
) -> Mapping[str, int]:
    """Make a database file with all rows of a lake, as it is at one instant. Recorders publish meanwhile.

    Nobody sees the file before it is whole. `tell` hears how many portions are done.

    Returns:
        The number of rows of each table.

    Raises:
        StoreError: the file exists already, a recorder is at work on it, or the lake can't be read. Nothing was
            written.
    """
    rows: Counter[str] = Counter()
    with having_the_file(database), lake.open(read_only=True) as cursor:
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        whose = tables.origin(cursor).exchange
        pieces = [piece for kind in _TABLES for piece in _pieces(cursor, kind, at_once)]
        database.create(partial(_fill, lake, cursor, whose, pieces, rows, tell))
    return rows


def _pieces(cursor: DuckDBPyConnection, kind: Kind, at_once: int) -> Iterator[_Piece]:
    counted: dict[datetime, int] = dict(cursor.execute(_HOURS.format(time=kind.time, table=kind.table)).fetchall())
    for hours in portions(counted, at_once):
        yield _Piece(kind, hours[0], hours[-1] + HOUR)


def _fill(
    lake: Lake,
    cursor: DuckDBPyConnection,
    whose: Exchange | None,
    pieces: Sequence[_Piece],
    rows: Counter[str],
    tell: Tell,
    connection: DuckDBPyConnection,
) -> None:
    schema.migrate(connection)
    admit(connection, whose, utc_now())
    for done, (kind, start, end) in enumerate(pieces):
        tell(done, len(pieces))
        names = {"columns": ", ".join(kind.column_names), "time": kind.time}
        with lake.in_one_line():
            found = cursor.execute(_ROWS.format(table=kind.table, **names), [start, end])
            incoming: pa.Table = found.to_arrow_table()
        connection.register("incoming", incoming)
        connection.execute(_PUT.format(table=kind.tables[0], **names))
        connection.unregister("incoming")
        rows[kind.table] += incoming.num_rows
    tell(len(pieces), len(pieces))
    overruled.reach_of_all(connection)
    fold(connection)
