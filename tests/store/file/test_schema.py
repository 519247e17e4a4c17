"""Numbered steps make the tables, each step once; the tables have nothing that plain appends don't need."""

from datetime import UTC, timedelta
from typing import Any

import duckdb
import pytest

from store.errors import OlderSchemaError, StoreError
from store.file import schema
from store.file.database import Database
from store.kinds import KINDS, TICKS
from store.models import utc_now
from store.prices import ticks
from tests.conftest import tick
from tests.store.files import make_older

CANDLES = [
    ("index_name", "VARCHAR"),
    ("open_time", "TIMESTAMP"),
    ("open", "DOUBLE"),
    ("high", "DOUBLE"),
    ("low", "DOUBLE"),
    ("close", "DOUBLE"),
    ("tick_count", "BIGINT"),
    ("observed_count", "BIGINT"),
    ("resolution_s", "INTEGER"),
]

DESIGN = {
    "ticks": [
        ("index_name", "VARCHAR"),
        ("ts", "TIMESTAMP"),
        ("received_at", "TIMESTAMP"),
        ("price", "DOUBLE"),
        ("source", "VARCHAR"),
        ("resolution_s", "INTEGER"),
    ],
    "runs": [
        ("started_at", "TIMESTAMP"),
        ("ended_at", "TIMESTAMP"),
        ("version", "VARCHAR"),
        ("feeds", "MAP(VARCHAR, INTEGER)"),
        ("recorder", "VARCHAR"),
    ],
    "snapshots": [
        ("feed", "VARCHAR"),
        ("ts", "TIMESTAMP"),
        ("received_at", "TIMESTAMP"),
        ("source", "VARCHAR"),
        ("rows", "INTEGER"),
        ("index_price", "DOUBLE"),
        ("rejected", "INTEGER"),
    ],
    "arrivals": [
        ("feed", "VARCHAR"),
        ("ts", "TIMESTAMP"),
        ("received_at", "TIMESTAMP"),
        ("source", "VARCHAR"),
        ("resolution_s", "INTEGER"),
    ],
    "misses": [
        ("slot", "TIMESTAMP"),
        ("feed", "VARCHAR"),
        ("cause", "VARCHAR"),
        ("detail", "VARCHAR"),
        ("code", "INTEGER"),
        ("recorder", "VARCHAR"),
    ],
    "gap_events": [
        ("feed", "VARCHAR"),
        ("gap", "TIMESTAMP"),
        ("round", "INTEGER"),
        ("event", "VARCHAR"),
        ("started_at", "TIMESTAMP"),
        ("ended_at", "TIMESTAMP"),
        ("slots", "INTEGER"),
        ("poll_seconds", "INTEGER"),
        ("cause", "VARCHAR"),
        ("detail", "VARCHAR"),
        ("source", "VARCHAR"),
        ("resolution_s", "INTEGER"),
        ("noted_at", "TIMESTAMP"),
    ],
    "gaps": [
        ("feed", "VARCHAR"),
        ("started_at", "TIMESTAMP"),
        ("ended_at", "TIMESTAMP"),
        ("slots", "INTEGER"),
        ("poll_seconds", "INTEGER"),
        ("cause", "VARCHAR"),
        ("detail", "VARCHAR"),
        ("state", "VARCHAR"),
        ("source", "VARCHAR"),
        ("resolution_s", "INTEGER"),
        ("gap", "TIMESTAMP"),
        ("round", "INTEGER"),
    ],
    "exchange": [("name", "VARCHAR"), ("noted_at", "TIMESTAMP")],
    "watermark": [("complete_to", "TIMESTAMP")],
    "logs": [("feed", "VARCHAR"), ("complete_to", "TIMESTAMP"), ("late", "VARCHAR"), ("period_s", "INTEGER")],
    "futures_asked": [("instrument_name", "VARCHAR"), ("asked_to", "TIMESTAMP")],
    "checks": [
        ("check_name", "VARCHAR"),
        ("feed", "VARCHAR"),
        ("since", "TIMESTAMP"),
        ("ts", "TIMESTAMP"),
        ("value", "DOUBLE"),
        ("worst", "DOUBLE"),
        ("warn_above", "DOUBLE"),
        ("state", "VARCHAR"),
        ("detail", "VARCHAR"),
    ],
    **{
        table: [(column.name, column.type) for column in kind.columns]
        for kind in KINDS
        if kind is not TICKS
        for table in {kind.table, *kind.tables}
    },
    "vitals": [
        ("noted_at", "TIMESTAMP"),
        ("ticks", "INTEGER"),
        ("delay_median_s", "DOUBLE"),
        ("delay_p99_s", "DOUBLE"),
        ("skew_s", "DOUBLE"),
        ("database_bytes", "BIGINT"),
        ("free_bytes", "BIGINT"),
        ("recorder", "VARCHAR"),
    ],
    "candles_1m": CANDLES,
    "candles_1h": CANDLES,
    "candles_closed": [("closed_to", "TIMESTAMP"), ("averaged_to", "TIMESTAMP")],
    "overruled": [
        ("index_name", "VARCHAR"),
        ("ts", "TIMESTAMP"),
        ("received_at", "TIMESTAMP"),
        ("price", "DOUBLE"),
        ("source", "VARCHAR"),
        ("resolution_s", "INTEGER"),
        ("import_id", "INTEGER"),
    ],
    "imports": [
        ("id", "INTEGER"),
        ("path", "VARCHAR"),
        ("imported_at", "TIMESTAMP"),
        ("finished_at", "TIMESTAMP"),
        ("undone_at", "TIMESTAMP"),
        ("stored", "BIGINT"),
        ("left_out", "BIGINT"),
        ("overruled", "BIGINT"),
    ],
    "import_spans": [
        ("import_id", "INTEGER"),
        ("index_name", "VARCHAR"),
        ("resolution_s", "INTEGER"),
        ("first", "TIMESTAMP"),
        ("last", "TIMESTAMP"),
        ("undone", "BOOLEAN"),
    ],
    "imported": [
        ("import_id", "INTEGER"),
        ("index_name", "VARCHAR"),
        ("resolution_s", "INTEGER"),
        ("ts", "TIMESTAMP"),
        ("undone", "BOOLEAN"),
        ("instrument_name", "VARCHAR"),
    ],
    "alert_events": [
        ("id", "VARCHAR"),
        ("rule", "VARCHAR"),
        ("condition", "VARCHAR"),
        ("index_name", "VARCHAR"),
        ("event", "VARCHAR"),
        ("severity", "VARCHAR"),
        ("happened_at", "TIMESTAMP"),
        ("noted_at", "TIMESTAMP"),
        ("price", "DOUBLE"),
        ("value", "DOUBLE"),
        ("threshold", "DOUBLE"),
        ("text", "VARCHAR"),
        ("targets", "VARCHAR[]"),
        ("send_after", "TIMESTAMP"),
    ],
    "alert_deliveries": [
        ("id", "VARCHAR"),
        ("target", "VARCHAR"),
        ("outcome", "VARCHAR"),
        ("tried_at", "TIMESTAMP"),
        ("detail", "VARCHAR"),
    ],
    "alert_acknowledgements": [("id", "VARCHAR"), ("acknowledged_at", "TIMESTAMP"), ("reader", "VARCHAR")],
    "alert_rules": [("noted_at", "TIMESTAMP"), ("rules", "VARCHAR"), ("fault", "VARCHAR")],
    "migrations": [("number", "INTEGER"), ("name", "VARCHAR"), ("applied_at", "TIMESTAMP")],
}


def ask(database: Database, question: str) -> list[Any]:
    with database.read() as cursor:
        return cursor.execute(question).fetchall()


def recorded(database: Database) -> list[Any]:
    return ask(database, "SELECT number, name, applied_at FROM migrations ORDER BY number")


def test_the_tables_have_exactly_the_columns_of_the_design(database):
    columns = ask(
        database,
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY column_index",
    )

    tables = {table: [(name, kind) for of, name, kind in columns if of == table] for table, *_ in columns}
    assert tables == DESIGN


@pytest.mark.parametrize(
    "kind",
    [
        "duckdb_constraints()",
        "duckdb_indexes()",
        "duckdb_sequences()",
        "duckdb_views() WHERE NOT internal AND view_name NOT IN ('arrivals', 'options')",
        "duckdb_types() WHERE NOT internal",
    ],
)
def test_only_plain_tables_and_two_views_are_made(database, kind):
    assert ask(database, f"SELECT * FROM {kind}") == []


def test_each_step_is_recorded_with_its_time(database_file):
    before = utc_now()

    Database(database_file).migrate()

    rows = recorded(Database(database_file))
    assert [(number, name) for number, name, _ in rows] == [(schema.number(step), step.stem) for step in schema.STEPS]
    times = [applied_at.replace(tzinfo=UTC) for *_, applied_at in rows]
    assert before <= times[0]
    assert times == sorted(times)
    assert times[-1] <= utc_now() < before + timedelta(minutes=1)


def test_the_steps_are_numbered_without_a_gap_and_each_changes_one_table():
    numbers = [schema.number(step) for step in schema.STEPS]

    assert numbers == list(range(1, schema.newest() + 1))
    assert [step.read_text().count(";") for step in schema.STEPS] == [1] * len(numbers)


def test_migrating_again_changes_nothing(database):
    with database.write() as cursor:
        ticks.append(cursor, [tick(0)])
    before = recorded(database)

    database.migrate()

    assert recorded(database) == before
    assert ask(database, "SELECT count(*) FROM ticks") == [(1,)]


def test_a_database_of_an_older_version_gets_the_missing_steps_and_keeps_its_rows(database_file):
    make_older(database_file, 1, "INSERT INTO ticks VALUES ('btc_usd', '2026-11-01', NULL, 100, 'live', 0)")
    database = Database(database_file)

    database.migrate()

    assert [number for number, *_ in recorded(database)] == [schema.number(step) for step in schema.STEPS]
    assert ask(database, "SELECT count(*) FROM ticks") == [(1,)]


@pytest.mark.parametrize("access", [Database.read, Database.write])
def test_a_database_of_an_older_version_is_not_used_before_it_is_updated(database_file, access):
    make_older(database_file, 3)

    with pytest.raises(OlderSchemaError) as caught, access(Database(database_file)):
        pass

    assert str(caught.value) == (
        f"the database has schema 3, and this version needs {schema.newest()}: start a recorder, which updates it"
    )


def test_each_step_is_in_the_file_itself_when_it_is_done(database):
    assert not database.path.with_name("ticks.duckdb.wal").exists()


def test_a_failed_step_leaves_the_steps_before_it_and_no_trace_of_itself(database_file):
    make_older(database_file, 1, "CREATE TABLE misses AS SELECT 1 AS mine")

    with pytest.raises(StoreError, match="misses"):
        Database(database_file).migrate()

    with duckdb.connect(database_file) as connection:
        assert schema.version(connection) == schema.number(schema.STEPS[1])
        assert schema.tables(connection) == ["migrations", "misses", "runs", "ticks"]
        assert schema.columns(connection, "misses") == [("mine", "INTEGER")]


def test_the_version_of_a_database_is_its_newest_step(database_file):
    with duckdb.connect(database_file) as connection:
        empty = schema.version(connection)
        schema.migrate(connection)
        full = schema.version(connection)

    assert (empty, full) == (0, schema.newest())
