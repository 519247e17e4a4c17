"""The tables of a lake: those of all kinds, snapshots, and one row that says what the lake is."""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from duckdb import DuckDBPyConnection

from store.errors import ForeignExchangeError, NewerSchemaError, StoreError
from store.kinds import KINDS, TICKS, Column, Kind
from store.models import Exchange, to_column
from store.prices import candles

LAYOUT = 1
"""The tables that this version writes."""

SNAPSHOTS = Kind(
    name="snapshots",
    table="snapshots",
    columns=(
        Column("feed", "VARCHAR", ""),
        Column("ts", "TIMESTAMP", "UTC"),
        Column("received_at", "TIMESTAMP", "UTC"),
        Column("source", "VARCHAR", ""),
        Column("rows", "INTEGER", "rows"),
        Column("index_price", "DOUBLE", "USD"),
        Column("rejected", "INTEGER", "rows"),
    ),
    key=("feed",),
    sound="length(feed) > 0 AND ts IS NOT NULL",
    lacking="a feed or a time",
    heals=False,
)
"""The table of snapshots, described as the tables of kinds are."""

RUNS = Kind(
    name="runs",
    table="runs",
    columns=(
        Column("started_at", "TIMESTAMP", "UTC"),
        Column("ended_at", "TIMESTAMP", "UTC"),
        Column("version", "VARCHAR", ""),
        Column("feeds", "MAP(VARCHAR, INTEGER)", "s"),
        Column("recorder", "VARCHAR", ""),
    ),
    key=("recorder",),
    sound="started_at IS NOT NULL",
    lacking="a time",
    heals=False,
    time="started_at",
)

MISSES = Kind(
    name="misses",
    table="misses",
    columns=(
        Column("slot", "TIMESTAMP", "UTC"),
        Column("feed", "VARCHAR", ""),
        Column("cause", "VARCHAR", ""),
        Column("detail", "VARCHAR", ""),
        Column("code", "INTEGER", ""),
        Column("recorder", "VARCHAR", ""),
    ),
    key=("recorder", "feed"),
    sound="length(feed) > 0 AND slot IS NOT NULL",
    lacking="a feed or a slot",
    heals=False,
    time="slot",
)

VITALS = Kind(
    name="vitals",
    table="vitals",
    columns=(
        Column("noted_at", "TIMESTAMP", "UTC"),
        Column("ticks", "INTEGER", "ticks"),
        *(Column(name, "DOUBLE", "s") for name in ("delay_median_s", "delay_p99_s", "skew_s")),
        *(Column(name, "BIGINT", "bytes") for name in ("database_bytes", "free_bytes")),
        Column("recorder", "VARCHAR", ""),
    ),
    key=("recorder",),
    sound="noted_at IS NOT NULL",
    lacking="a time",
    heals=False,
    time="noted_at",
)

OF_RECORDERS = (RUNS, MISSES, VITALS)
"""The tables that say how recorders fared. They are described as the tables of kinds are."""

ALL = (SNAPSHOTS, *KINDS, *OF_RECORDERS)
"""All that is published. Snapshots come first: they decide which rows of other kinds do."""

_OVERRULED = (*TICKS.columns, Column("import_id", "INTEGER", ""))

PUBLISHED = (*(kind.table for kind in ALL), "overruled", *sorted(candles.TABLES))
"""The tables that publications change."""

# Files of two months are never merged, and a reader of a few days opens few files. Smaller parts would make a file for
# each day of a history that has one row a day.
_BY_MONTH = "ALTER TABLE {table} SET PARTITIONED BY (year({time}), month({time}))"

# Publishers fold the ticks of a lake, so that readers draw a long range quickly.
_OF_CANDLE = """
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

_CANDLES = f"""
CREATE TABLE candles_1m ({_OF_CANDLE});
CREATE TABLE candles_1h ({_OF_CANDLE});
CREATE TABLE candles_closed (closed_to TIMESTAMP, averaged_to TIMESTAMP);
INSERT INTO candles_closed VALUES (NULL, NULL);
"""  # noqa: S608 the columns are a constant

_ORIGIN = "CREATE TABLE lake (id VARCHAR, layout INTEGER, exchange VARCHAR, created_at TIMESTAMP)"
_NOTE = "INSERT INTO lake VALUES (?, ?, NULL, ?)"
_NOTED = "SELECT id, layout, exchange FROM lake"
_OF = "UPDATE lake SET exchange = ?"

_NAMES = """
SELECT table_name
FROM duckdb_tables()
WHERE database_name = current_database()
"""


class Origin(NamedTuple):
    """What a lake is.

    Attributes:
        id: no other lake has it.
        exchange: whose prices it has; None while none of a known exchange are published.
    """

    id: str
    exchange: Exchange | None


def make(cursor: DuckDBPyConnection, now: datetime) -> None:
    """Make the tables of a new lake.

    Raises:
        StoreError: they are there, or the names are taken.
    """
    there = {name for (name,) in cursor.execute(_NAMES).fetchall()}
    if "lake" in there:
        raise StoreError("the lake exists already, and was left as it is")
    cursor.execute("BEGIN TRANSACTION")
    for kind in ALL:
        cursor.execute(_made(kind.table, kind.columns))
        cursor.execute(_BY_MONTH.format(table=kind.table, time=kind.time))
    cursor.execute(_made("overruled", _OVERRULED))
    cursor.execute(_BY_MONTH.format(table="overruled", time=TICKS.time))
    cursor.execute(_CANDLES)
    cursor.execute(_ORIGIN)
    cursor.execute(_NOTE, [str(uuid.uuid4()), LAYOUT, to_column(now)])
    cursor.execute("COMMIT")


def origin(cursor: DuckDBPyConnection) -> Origin:
    """What the lake is.

    Raises:
        StoreError: it has no tables.
        NewerSchemaError: a newer version of Tickwell made its tables.
    """
    if "lake" not in {name for (name,) in cursor.execute(_NAMES).fetchall()}:
        raise StoreError("the lake has no tables yet: repeat python -m poller lake create")
    ((identity, layout, exchange),) = cursor.execute(_NOTED).fetchall()
    if layout > LAYOUT:
        raise NewerSchemaError(
            f"the lake has layout {layout}, and this version knows layouts up to {LAYOUT}: update Tickwell"
        )
    return Origin(identity, None if exchange is None else Exchange[exchange.upper()])


def admit(cursor: DuckDBPyConnection, exchange: Exchange | None) -> None:
    """Check that prices of an exchange may be published, and note the first exchange. Call it in a transaction.

    Raises:
        ForeignExchangeError: the lake has prices of another exchange.
    """
    its = origin(cursor).exchange
    if exchange is None or its is exchange:
        return
    if its is not None:
        raise ForeignExchangeError(f"the lake has prices of {its}, the file those of {exchange}: use another lake")
    cursor.execute(_OF, [exchange.name.lower()])


def _made(table: str, columns: Iterable[Column]) -> str:
    listed = ", ".join(f"{column.name} {column.type}" for column in columns)
    return f"CREATE TABLE {table} ({listed})"
