"""Tables of the user's own are backed up and restored, whatever they are called; what can't be is said in a line."""

from pathlib import Path

import duckdb
import pytest

from poller.recorder.daily_backup import backup_in_words
from store.backup.backup import backup
from store.backup.restore import restore
from store.errors import StoreError
from store.file import schema
from store.file.database import Database
from tests.store.files import OF_SCHEMA_2, make_older
from tests.support.backups import faults, manifest_in, rows

NAMES = [
    "my_notes",
    "Notes",
    'a"b',
    "with blank",
    "Überschüsse ☎",
    "a/b",
    "../up",
    "/up",
    "*",
    "a'; DROP TABLE ticks; --",
]

TYPES = {
    "INTEGER": "1",
    "VARCHAR": "'text'",
    "TIMESTAMP": "TIMESTAMP '2026-11-01 12:00'",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ '2026-11-01 12:00:00+02'",
    "DECIMAL(10,3)": "1.125",
    "STRUCT(a INTEGER, b VARCHAR[])": "{'a': 1, 'b': ['x']}",
    'STRUCT("INTERVAL" INTEGER)': "{'INTERVAL': 1}",
    "TIME": "'10:00:00.123456'",
    "UUID": "'00000000-0000-0000-0000-000000000001'",
}

NOT_IN_PARQUET = [
    "HUGEINT",
    "BIT",
    "ENUM('a', 'b')",
    "INTEGER[3]",
    "UNION(a INTEGER, b VARCHAR)",
    "TIME WITH TIME ZONE",
    "INTERVAL",
    "INTERVAL[]",
    "STRUCT(a INTERVAL, b TIME WITH TIME ZONE)",
]


def do(database: Database, *statements: str) -> None:
    """As with DuckDB's own command line."""
    with duckdb.connect(database.path) as connection:
        for statement in statements:
            connection.execute(statement)


def restored_from(folder: Path) -> Database:
    restored = Database(folder.with_name("restored.duckdb"))
    restore(folder, restored)
    return restored


@pytest.mark.parametrize("name", NAMES)
def test_a_table_of_any_name_comes_back(database: Database, folder: Path, name: str):
    table = schema.quoted(name)
    do(
        database,
        f'CREATE TABLE {table} ("c""ol ü" INTEGER, "TS" TIMESTAMP)',
        f"INSERT INTO {table} VALUES (7, NULL), (8, now())",
    )

    made = backup(database, folder)

    assert made.left_out == ()
    assert faults(folder) == []
    assert rows(restored_from(folder).path)[name] == rows(database.path)[name]
    assert {path.parent for path in folder.rglob("*.parquet")} == {folder}


@pytest.mark.parametrize("type_", TYPES)
def test_a_column_comes_back_with_its_type(database: Database, folder: Path, type_: str):
    do(database, f"CREATE TABLE mine (x {type_})", f"INSERT INTO mine VALUES ({TYPES[type_]}), (NULL)")
    backup(database, folder)

    restored = restored_from(folder)

    with restored.read() as cursor:
        assert schema.columns(cursor, "mine") == [("x", type_)]
    values = []
    for each in (restored, database):
        with each.read() as cursor:
            values.append(cursor.execute("SELECT x::VARCHAR FROM mine").fetchall())
    assert values[0] == values[1]
    assert len(values[0]) == 2


def test_equal_and_empty_tables_come_back_too(database: Database, folder: Path):
    do(database, "CREATE TABLE one (x INTEGER)", "CREATE TABLE other (x INTEGER)")
    for _ in range(2):
        backup(database, folder)

    assert rows(restored_from(folder).path).keys() >= {"one", "other"}


def test_a_table_that_is_gone_is_gone_from_the_next_backup(database: Database, folder: Path):
    do(database, "CREATE TABLE mine AS SELECT 1 AS x")
    backup(database, folder)
    do(database, "DROP TABLE mine")

    backup(database, folder)

    assert not list(folder.glob("own-table*"))


@pytest.mark.parametrize("type_", NOT_IN_PARQUET)
def test_what_parquet_cannot_hold_is_left_out_and_said(database: Database, folder: Path, type_: str):
    do(database, f"CREATE TABLE mine (x INTEGER, y {type_})", "CREATE TABLE fine AS SELECT 1 AS x")

    made = backup(database, folder)

    assert made.left_out == (f"table mine: Parquet can't hold the type {type_} of its column y",)
    assert "fine" in manifest_in(folder).tables
    assert "mine" not in manifest_in(folder).tables
    assert not list(folder.rglob("*unfinished"))


def test_views_and_other_schemas_are_left_out_and_said(database: Database, folder: Path):
    do(
        database,
        "CREATE SCHEMA own",
        "CREATE TABLE own.notes AS SELECT 1 AS x",
        "CREATE TABLE own.ticks AS SELECT 1 AS x",
        "CREATE VIEW mine AS FROM ticks",
    )

    made = backup(database, folder)

    assert backup_in_words(made, folder) == (
        f"backed up into {folder}: ticks 0, days 0, of which written 0; left out: schema own; view mine"
    )
    assert faults(folder) == []
    restored_from(folder)


def test_a_table_that_cannot_be_read_is_left_out_and_said(database: Database, folder: Path):
    torn = "CASE WHEN getvariable('sound') THEN x ELSE error('torn\npage') END"
    do(
        database,
        "SET VARIABLE sound = true",
        f"CREATE TABLE mine (x INTEGER, y INTEGER AS ({torn}))",
        "INSERT INTO mine VALUES (1)",
    )

    made = backup(database, folder)

    assert made.left_out == ("table mine: Invalid Input Error: torn page",)


def test_a_table_whose_name_we_need_now_comes_back_under_another(database_file: Path):
    assert faults(OF_SCHEMA_2) == []

    restore(OF_SCHEMA_2, Database(database_file))

    found = rows(database_file)

    assert (found["own_own_Imports"], found["own_imports"], found["imports"]) == ([(1,)], [(2,)], [])


def test_a_table_whose_name_we_need_now_stops_the_update_in_one_line(database_file: Path):
    make_older(database_file, 2, "CREATE TABLE imports AS SELECT 1 AS x")

    with pytest.raises(
        StoreError, match=r"^this version needs the name of a table of your own: rename that\. .*imports"
    ):
        Database(database_file).migrate()

    assert rows(database_file)["imports"] == [(1,)]
