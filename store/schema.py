"""The tables: made by numbered steps, each applied once, in a transaction of its own, and recorded."""

from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from .errors import NewerSchemaError
from .models import to_column, utc_now

STEPS = sorted((Path(__file__).parent / "migrations").glob("*.sql"))

_CREATE = """
CREATE TABLE IF NOT EXISTS migrations (
    number INTEGER,
    name VARCHAR,
    applied_at TIMESTAMP
)
"""

_VERSION = """
SELECT coalesce(max(number), 0)
FROM migrations
"""

_RECORD = """
INSERT INTO migrations (number, name, applied_at)
VALUES ($number, $name, $applied_at)
"""


def number(step: Path) -> int:
    """The number that a step's file name starts with."""
    return int(step.name.partition("_")[0])


def newest() -> int:
    """The schema that this version writes."""
    return number(STEPS[-1])


def version(connection: DuckDBPyConnection) -> int:
    """The newest step that was applied to a database; 0 for one without our tables.

    Raises:
        NewerSchemaError: it is newer than this version of Tickwell.
    """
    try:
        (applied,) = connection.execute(_VERSION).fetchall()[0]
    except duckdb.CatalogException:  # asking the catalogue first costs 8 ms, at each lease
        return 0
    if applied > newest():
        raise NewerSchemaError(
            f"the database has schema {applied}, this version knows schemas up to {newest()}: update Tickwell; "
            "the file was left as it is"
        )
    return int(applied)


def migrate(connection: DuckDBPyConnection) -> None:
    """Apply the steps that are missing. Each is on disk, in the file itself, before the next one starts."""
    applied = version(connection)
    for step in STEPS:
        if number(step) <= applied:
            continue
        connection.execute("BEGIN TRANSACTION")
        connection.execute(_CREATE)
        connection.execute(step.read_text())
        connection.execute(_RECORD, {"number": number(step), "name": step.stem, "applied_at": to_column(utc_now())})
        connection.execute("COMMIT")
        connection.execute("CHECKPOINT")
