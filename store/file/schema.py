"""The tables. Numbered steps make them: each step is applied once, in a transaction of its own, and recorded."""

import re
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from store.errors import NewerSchemaError, NoDatabaseError, OlderSchemaError, StoreError
from store.models import to_column, utc_now

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

_TABLES = """
SELECT table_name
FROM duckdb_tables()
WHERE database_name = current_database()
  AND schema_name = 'main'
  AND NOT internal
ORDER BY table_name
"""

_ELSEWHERE = """
SELECT 'view ' || view_name
FROM duckdb_views()
WHERE database_name = current_database()
  AND schema_name = 'main'
  AND NOT internal
  AND NOT list_contains($ours, view_name)
UNION ALL
SELECT 'schema ' || schema_name
FROM duckdb_schemas()
WHERE database_name = current_database()
  AND schema_name <> 'main'
  AND NOT internal
ORDER BY ALL
"""

_MADE = re.compile(r"(?:CREATE (?:OR REPLACE )?(?:TABLE|VIEW) (?:IF NOT EXISTS )?|RENAME TO )(\w+)")

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
    except duckdb.CatalogException:  # asking the catalogue first would cost 8 ms at each lease
        return 0
    if applied > newest():
        raise NewerSchemaError(
            f"the database has schema {applied}, and this version knows schemas up to {newest()}: update Tickwell; "
            "the file was left as it is"
        )
    return int(applied)


def require_tables(connection: DuckDBPyConnection) -> None:
    """Check that the tables exist and have this version.

    Raises:
        NoDatabaseError: there are no tables yet.
        OlderSchemaError, NewerSchemaError: they have another version.
    """
    found = version(connection)
    if not found:
        raise NoDatabaseError("nothing is recorded yet")
    if found < newest():
        raise OlderSchemaError(
            f"the database has schema {found}, and this version needs {newest()}: start a recorder, which updates it"
        )


def ours() -> frozenset[str]:
    """The names of all tables and views that any step creates."""
    return frozenset(name for text in (_CREATE, *(step.read_text() for step in STEPS)) for name in _MADE.findall(text))


def quoted(name: str) -> str:
    """The name of a table or a column as SQL."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def tables(connection: DuckDBPyConnection) -> list[str]:
    """The names of all tables in the schema main, including those that are not ours."""
    return [name for (name,) in connection.execute(_TABLES).fetchall()]


def elsewhere(connection: DuckDBPyConnection) -> list[str]:
    """The views and schemas that are not ours, in words: they hold things that `tables` doesn't name."""
    return [words for (words,) in connection.execute(_ELSEWHERE, {"ours": sorted(ours())}).fetchall()]


def columns(connection: DuckDBPyConnection, table: str) -> list[tuple[str, str]]:
    """The columns of a table and their types, in their order."""
    described = connection.execute(f"DESCRIBE main.{quoted(table)}").fetchall()
    return [(name, type_) for name, type_, *_ in described]


def migrate(connection: DuckDBPyConnection, up_to: int | None = None) -> None:
    """Apply the missing steps, each in a transaction of its own. Each is in the file itself before the next one starts.

    A database without our tables gets all steps in one transaction: nobody reads it before it has all of them.
    With `up_to`, the number of a step, the tables become those of an older version.

    Raises:
        StoreError: a table that is not ours has a name that a step needs; the file is left as it is.
    """
    applied = version(connection)
    missing = [step for step in STEPS if applied < number(step) <= (up_to or newest())]
    for together in [[step] for step in missing] if applied else [missing]:
        connection.execute("BEGIN TRANSACTION")
        connection.execute(_CREATE)
        for step in together:
            _apply(connection, step)
        connection.execute("COMMIT")
        connection.execute("CHECKPOINT")


def _apply(connection: DuckDBPyConnection, step: Path) -> None:
    try:
        connection.execute(step.read_text())
    except duckdb.CatalogException as error:
        connection.execute("ROLLBACK")
        words = " ".join(str(error).split())
        raise StoreError(f"this version needs the name of a table of your own: rename that. {words}") from error
    connection.execute(_RECORD, {"number": number(step), "name": step.stem, "applied_at": to_column(utc_now())})
