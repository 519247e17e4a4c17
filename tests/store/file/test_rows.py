"""Rows are bound as one list per column, also with missing values. A statement is parsed once for all cursors."""

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from store.file.database import Database
from store.file.rows import execute, insert

COLUMNS = ("name", "ts", "price", "code", "targets")
SUM = "SELECT sum(rows) FROM snapshots WHERE feed = $feed AND rows >= $least"
NOON = datetime(2026, 11, 1, 12)  # noqa: DTZ001 as columns have it


@pytest.fixture
def cursor():
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE things (name VARCHAR, ts TIMESTAMP, price DOUBLE, code INTEGER, targets VARCHAR[])"
        )
        yield connection


def stored(cursor: Any) -> list[Any]:
    return list(cursor.execute("FROM things").fetchall())


def test_rows_come_back_as_they_were_in_their_order(cursor):
    rows = [("b", NOON, 1.5, 7, ["x", "y"]), ("a", None, 2.0, None, []), (None, NOON, None, 9, None)]

    insert(cursor, "things", COLUMNS, iter(rows))

    assert stored(cursor) == rows


def test_a_column_may_have_no_value_at_all(cursor):
    rows = [(None, None, None, None, None)] * 2

    insert(cursor, "things", COLUMNS, rows)

    assert stored(cursor) == rows


def test_columns_that_are_not_named_stay_empty(cursor):
    insert(cursor, "things", ("price", "name"), [(1.0, "a")])

    assert stored(cursor) == [("a", None, 1.0, None, None)]


def test_no_rows_need_no_statement(cursor):
    insert(cursor, "no_such_table", COLUMNS, [])

    assert stored(cursor) == []


def test_a_parsed_statement_serves_other_values_and_other_files(database: Database, tmp_path: Path):
    with database.write() as cursor:
        cursor.execute("INSERT INTO snapshots (feed, rows) VALUES ('a', 1), ('a', 20), ('b', 300)")
    with database.read() as cursor:
        first = [execute(cursor, SUM, {"feed": feed, "least": 1}).fetchall() for feed in "ab"]
    with database.read() as cursor:  # the file was closed and opened again
        later = execute(cursor, SUM, {"feed": "a", "least": 2}).fetchall()
    other = Database(tmp_path / "other.duckdb")
    other.migrate()
    with other.read() as cursor:
        elsewhere = execute(cursor, SUM, {"feed": "a", "least": 1}).fetchall()

    assert (first, later, elsewhere) == ([[(21,)], [(300,)]], [(20,)], [(None,)])


def test_a_statement_that_failed_runs_once_its_table_is_there():
    with duckdb.connect() as connection:
        with pytest.raises(duckdb.CatalogException):
            execute(connection, "SELECT $value + a FROM later", {"value": 1})
        connection.execute("CREATE TABLE later AS SELECT 1 AS a")

        found = execute(connection, "SELECT $value + a FROM later", {"value": 1}).fetchall()

    assert found == [(2,)]
