"""A user's own tables are backed up and restored under any name, and one line names each that can't be."""

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
    """Run SQL like DuckDB's own command line."""
    with duckdb.connect(database.path) as connection:
        for statement in statements:
            connection.execute(statement)


def restored_from(folder: Path) -> Database:
    restored = Database(folder.with_name("restored.duckdb"))
    restore(folder, restored)
    return restored


def test_tables_of_any_name_come_back(database: Database, folder: Path):
    for number, name in enumerate(NAMES):
        table = schema.quoted(name)
        do(
            database,
            f'CREATE TABLE {table} ("c""ol ü" INTEGER, "TS" TIMESTAMP)',
            f"INSERT INTO {table} VALUES ({number}, NULL), (-1, now())",
        )

    made = backup(database, folder)

    assert made.left_out == ()
    assert faults(folder) == []
    before, after = rows(database.path), rows(restored_from(folder).path)
    assert {name: after[name] for name in NAMES} == {name: before[name] for name in NAMES}
    assert {path.parent for path in folder.rglob("*.parquet")} == {folder}


def test_columns_come_back_with_their_types(database: Database, folder: Path):
    columns = {f"c{number}": type_ for number, type_ in enumerate(TYPES)}
    defined = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
    do(
        database,
        f"CREATE TABLE mine ({defined})",
        f"INSERT INTO mine VALUES ({', '.join(TYPES.values())}), ({', '.join('NULL' for _ in TYPES)})",
    )
    backup(database, folder)

    restored = restored_from(folder)

    with restored.read() as cursor:
        assert dict(schema.columns(cursor, "mine")) == columns
    values = []
    for each in (restored, database):
        with each.read() as cursor:
            values.append(cursor.execute("SELECT COLUMNS(*)::VARCHAR FROM mine").fetchall())
    assert values[0] == values[1]
    assert len(values[0]) == 2


def test_equal_and_empty_tables_come_back(database: Database, folder: Path):
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


def test_tables_that_parquet_cannot_hold_are_left_out_and_named(database: Database, folder: Path):
    mine = {f"mine_{number}": type_ for number, type_ in enumerate(NOT_IN_PARQUET)}
    do(
        database,
        *(f"CREATE TABLE {table} (x INTEGER, y {type_})" for table, type_ in mine.items()),
        "CREATE TABLE fine AS SELECT 1 AS x",
    )

    made = backup(database, folder)

    assert made.left_out == tuple(
        f"table {table}: Parquet can't hold the type {type_} of its column y" for table, type_ in mine.items()
    )
    assert "fine" in manifest_in(folder).tables
    assert not mine.keys() & manifest_in(folder).tables.keys()
    assert not list(folder.rglob("*unfinished"))


def test_views_and_other_schemas_are_left_out_and_named(database: Database, folder: Path):
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


def test_a_table_that_cannot_be_read_is_left_out_and_named(database: Database, folder: Path):
    torn = "CASE WHEN getvariable('sound') THEN x ELSE error('torn\npage') END"
    do(
        database,
        "SET VARIABLE sound = true",
        f"CREATE TABLE mine (x INTEGER, y INTEGER AS ({torn}))",
        "INSERT INTO mine VALUES (1)",
    )

    made = backup(database, folder)

    assert made.left_out == ("table mine: Invalid Input Error: torn page",)


def test_a_table_whose_name_we_need_comes_back_under_another(database_file: Path):
    assert faults(OF_SCHEMA_2) == []

    restore(OF_SCHEMA_2, Database(database_file))

    found = rows(database_file)

    assert (found["own_own_Imports"], found["own_imports"], found["imports"]) == ([(1,)], [(2,)], [])


def test_a_table_whose_name_we_need_stops_the_migration_in_one_line(database_file: Path):
    make_older(database_file, 2, "CREATE TABLE imports AS SELECT 1 AS x")

    with pytest.raises(
        StoreError, match=r"^this version needs the name of a table of your own: rename that\. .*imports"
    ):
        Database(database_file).migrate()

    assert rows(database_file)["imports"] == [(1,)]
