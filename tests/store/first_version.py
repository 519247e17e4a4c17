"""The database of the first version; fixtures/README.md says what was recorded into it."""

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from store.errors import OlderSchemaError
from store.file.database import Database

SCHEMA = 3
START = datetime(2026, 11, 25, 8, 50, 48, tzinfo=UTC)
END = datetime(2026, 11, 25, 8, 54, 43, tzinfo=UTC)

_FIXTURES = Path(__file__).parent / "fixtures"

_TICKS = """
SELECT *
FROM ticks
WHERE ts < $end
  AND resolution_s = 0
ORDER BY index_name, ts
"""

_UNEQUAL = """
WITH folded AS (
    SELECT
        index_name,
        time_bucket($length::INTERVAL, ts),
        arg_min(price, ts),
        max(price),
        min(price),
        arg_max(price, ts),
        count(*),
        count(*) FILTER (WHERE resolution_s = 0),
        max(resolution_s)
    FROM ticks
    WHERE time_bucket($length::INTERVAL, ts) < $end
    GROUP BY ALL
),
stored AS (FROM {table} WHERE open_time < $end)
(FROM folded EXCEPT ALL FROM stored)
UNION ALL
(FROM stored EXCEPT ALL FROM folded)
"""


def unpack(database_file: Path) -> None:
    """Put the file and its write-ahead log to a path."""
    for packed in _FIXTURES.glob("first-version.*.gz"):
        kind = packed.name.removeprefix("first-version.duckdb").removesuffix(".gz")
        Path(f"{database_file}{kind}").write_bytes(gzip.decompress(packed.read_bytes()))


def is_up_to_date(database: Database) -> bool:
    """Has a recorder updated it?"""
    try:
        with database.read():
            return True
    except OlderSchemaError:
        return False


def ticks_in(database_file: Path) -> list[Any]:
    """All observations up to END, read without our own code."""
    with duckdb.connect(database_file) as connection:
        return connection.execute(_TICKS, {"end": END.replace(tzinfo=None)}).fetchall()


def unequal_candles(database_file: Path) -> list[Any]:
    """Candles up to END that differ from their ticks, read without our own code."""
    with duckdb.connect(database_file) as connection:
        return [
            row
            for table, length in (("candles_1m", "1 minute"), ("candles_1h", "1 hour"))
            for row in connection.execute(
                _UNEQUAL.format(table=table), {"length": length, "end": END.replace(tzinfo=None)}
            ).fetchall()
        ]
