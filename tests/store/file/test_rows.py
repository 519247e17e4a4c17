"""Rows are bound as one list per column, also with missing values."""

from datetime import datetime
from typing import Any

import duckdb
import pytest

from store.file.rows import insert

COLUMNS = ("name", "ts", "price", "code", "targets")
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
