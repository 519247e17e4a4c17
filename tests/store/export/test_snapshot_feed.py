"""The rows of a snapshot feed are exported like ticks: sorted by time, with units, coverage and gaps."""

import json
from datetime import UTC, timedelta
from typing import Any

import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest

from store.errors import StoreError
from store.export.files import Exports, Limits
from store.export.query import FORMATS, ExportQuery, Format
from store.export.selection import other_feeds
from store.export.survey import estimate
from store.export.verify import faults_of_export
from store.file.database import Database
from store.ledger import arrivals, runs
from store.models import Cause, Miss, Run, Snapshot
from tests.store.histories import at, observed

JUPITER, SATURN = "moons/JUPITER", "moons/SATURN"
HOUR = 3600


def store(database: Database, second: float, feed: str = JUPITER, **more: Any) -> None:
    """Store a snapshot with two moons; the first moon is the last by name."""
    rows = (("Io", second / HOUR, at(HOUR)), ("Europa", 1.0, None))
    with database.write() as cursor:
        arrivals.append(cursor, [Snapshot(feed, at(second), at(second + 0.25), rows, **more)])


@pytest.fixture
def recorded(moons: Database) -> Database:
    """A file with an hour of an index, an hour of a feed with one failed slot, and a snapshot of another feed."""
    with moons.write() as cursor:
        runs.note(cursor, Run(at(0), {"btc_usd": 60, JUPITER: 300}, "1", at(HOUR)))
        observed(cursor, range(0, HOUR, 60))
        runs.append_misses(cursor, [Miss(at(900), JUPITER, Cause.EXCHANGE_ERROR, "busy", 10041)])
    for second in range(0, HOUR, 300):
        if second != 900:
            store(moons, second, source="simulator" if second == 600 else "live")
    store(moons, 300, SATURN)
    return moons


def asked(*feeds: str, form: Format = "parquet", **more: Any) -> ExportQuery:
    return ExportQuery(feeds or (JUPITER,), at(0), at(HOUR), format=form, **more)


def exports(database: Database, window: int = 500_000) -> Exports:
    return Exports(database, 10**9, Limits(window=window))


def test_rows_have_their_time_and_source_and_are_sorted_by_time_and_key(recorded: Database):
    made = exports(recorded).make(asked())

    found = pq.read_table(made.path)
    assert found.column_names == [
        *("planet", "moon_name", "ts", "phase", "rises_at"),
        *("received_at", "source", "rows", "index_price", "rejected"),
    ]
    rows = found.to_pylist()
    assert (made.rows, len(rows)) == (22, 22)
    assert list(rows[1].values()) == ["JUPITER", "Io", at(0), 0.0, at(HOUR), at(0.25), "live", 2, None, 0]
    assert [(row["ts"], row["moon_name"]) for row in rows] == sorted((row["ts"], row["moon_name"]) for row in rows)
    assert {row["ts"] for row in rows if row["source"] == "simulator"} == {at(600)}
    assert made.query.file_name == "JUPITER-moons-20261101T120000Z-20261101T130000Z.parquet"


def test_the_file_states_units_sources_coverage_and_gaps(recorded: Database):
    made = exports(recorded).make(asked())

    metadata = pq.read_schema(made.path).metadata
    said = {name.decode().removeprefix("tickwell."): json.loads(fact) for name, fact in metadata.items()}
    assert said["units"] == {
        "planet": "as astronomers spell it",
        "moon_name": "as astronomers spell it",
        "ts": "UTC",
        "phase": "0 to 1, the lit part of the disc",
        "rises_at": "UTC",
        "received_at": "UTC",
        "rows": "rows of the snapshot",
        "index_price": "USD",
        "rejected": "rows of the reply that could not be read",
    }
    assert (said["rows_are"], said["feeds"]) == ("moons", [JUPITER])
    assert said["sources"] == {JUPITER: {"live": 20, "simulator": 2}}
    assert said["coverage"] == {
        JUPITER: {"due": 12, "live": 11, "healed": 0, "missing": 1, "causes": {"exchange error 10041": 1}}
    }
    assert said["snapshots"] == {JUPITER: 11}
    assert [(gap["feed"], gap["cause"], gap["state"]) for gap in said["gaps"]] == [
        (JUPITER, "exchange error 10041", "unfillable")
    ]
    assert (said["first"], said["last"]) == (at(0).isoformat(), at(3300).isoformat())
    assert {name: made.manifest[name] for name in said} == said


@pytest.mark.parametrize("form", FORMATS)
def test_equal_exports_are_sound_and_have_equal_bytes_for_any_size_of_windows(recorded: Database, form: Format):
    made = exports(recorded).make(asked(form=form))
    before = made.path.read_bytes()
    made.path.unlink()

    again = exports(recorded, window=3).make(asked(form=form))

    assert (again.path, again.path.read_bytes()) == (made.path, before)
    assert list(faults_of_export(again.path, "256MB")) == []


def test_csv_and_excel_have_the_same_rows(recorded: Database):
    paths = {form: exports(recorded).make(asked(form=form)).path for form in FORMATS}

    columns = pd.read_parquet(paths["parquet"])
    times = ["ts", "rises_at", "received_at"]
    pd.testing.assert_frame_equal(pd.read_csv(paths["csv"], parse_dates=times), columns, check_dtype=False)
    heads, *rows = openpyxl.load_workbook(paths["xlsx"])["moons"].iter_rows(values_only=True)
    assert heads == (
        *("planet", "moon_name", "ts (UTC)", "phase", "rises_at (UTC)"),
        *("received_at (UTC)", "source", "rows", "index_price", "rejected"),
    )
    assert [pd.Timestamp(str(row[2]), tz=UTC) for row in rows] == columns["ts"].to_list()


def test_a_new_snapshot_of_the_feed_alone_makes_another_file(recorded: Database):
    exported = exports(recorded)
    made = exported.make(asked())

    store(recorded, 301, SATURN)
    same = exported.make(asked())
    store(recorded, 301)
    other = exported.make(asked())

    assert same.path == made.path
    assert other.rows == made.rows + 2


def test_all_feeds_of_a_kind_go_into_one_file(recorded: Database):
    with recorded.read() as cursor:
        feeds = other_feeds(cursor)
    made = exports(recorded).make(asked(*feeds))

    assert feeds == [JUPITER, SATURN]
    assert set(pq.read_table(made.path)["planet"].to_pylist()) == {"JUPITER", "SATURN"}
    assert made.query.file_name.startswith("JUPITER-SATURN-moons-")


def test_the_size_of_an_export_is_estimated_before_it_is_made(recorded: Database):
    with recorded.read() as cursor:
        about = estimate(cursor, asked())

    assert about.rows == 22
    assert about.size > 22


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (asked("btc_usd", JUPITER), "btc_usd and moons/JUPITER are of two kinds: export each by itself"),
        (
            asked(JUPITER, interval=timedelta(minutes=1)),
            "candles are made of prices, and moons/JUPITER has none: export its rows",
        ),
    ],
)
def test_a_query_that_can_not_be_exported_is_refused_in_one_line(recorded: Database, query: ExportQuery, says: str):
    with pytest.raises(StoreError) as caught:
        exports(recorded).make(query)

    assert str(caught.value) == says
