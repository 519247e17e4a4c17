"""What is kept of a feed is kept of each kind of the market: verify, export, backup and restore go by the kind."""

import csv
import gzip
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest

from store.backup.backup import backup
from store.backup.restore import restore
from store.backup.verify import faults_of_database
from store.errors import StoreError
from store.export.files import Exports, Limits, manifest_of
from store.export.query import FORMATS, ExportQuery
from store.export.selection import other_feeds
from store.export.survey import estimate
from store.export.verify import faults_of_export
from store.file.database import Cursor, Database
from store.file.exchange import admit
from store.kinds import DELIVERIES, FUNDING, FUTURES, KINDS, OPTIONS, TICKS, VOLATILITY_INDEX, Kind, kind_of
from store.ledger import arrivals, runs
from store.market import chains, packing, trades
from store.market.days import Day
from store.market.days import append as append_days
from store.market.entries import EntriesOf
from store.market.trades import Trade
from store.models import Cause, Exchange, Miss, Run, Snapshot, to_column
from tests.conftest import START
from tests.store.market.snapshots import EXPIRIES, chain

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
END = START + 2 * HOUR

FEEDS = [
    "deliveries/btc_usd",
    "dvol/BTC",
    "funding/BTC-PERPETUAL",
    "futures/BTC",
    "options/BTC",
    "smiles/BTC",
    "surfaces/BTC",
]

OF_SNAPSHOT = ["rows", "index_price", "rejected"]
OF_MARKETS = [kind for kind in KINDS if kind is not TICKS]


def futures(minute: int) -> Snapshot:
    ts = START + minute * MINUTE
    rows = (
        ("BTC-PERPETUAL", None, 100_000.0, 99_999.5, 100_000.0, 99_999.0, 1e8, 5e3, 5e8, 0.0, 0.0001),
        ("BTC-25DEC26", EXPIRIES[1], 100_400.0, None, 100_401.0, None, 1e6, 0.0, 0.0, None, None),
    )
    return Snapshot("futures/BTC", ts, ts + timedelta(seconds=0.2), rows, index_price=100_001.0)


def fill(cursor: Cursor) -> None:
    """An hour of a market: chains each 5 min with one missing, futures each minute, and logs."""
    admit(cursor, Exchange.REAL, START)
    runs.note(cursor, Run(START, {"btc_usd": 60, "options/BTC": 300, "futures/BTC": 60}, "1", START + HOUR))
    chains.append(cursor, [chain(START + minute * MINUTE) for minute in range(0, 60, 5) if minute != 10])
    runs.append_misses(cursor, [Miss(START + 10 * MINUTE, "options/BTC", Cause.UNREACHABLE, "no route to host")])
    arrivals.append(cursor, [futures(minute) for minute in range(60)])
    dvol = [(START + minute * MINUTE, 40.0, 42.0, 39.0, 41.5) for minute in range(60)]
    EntriesOf(VOLATILITY_INDEX, "BTC", 60).append(cursor, dvol)
    EntriesOf(VOLATILITY_INDEX, "BTC", 3600).append(cursor, [(START, 40.0, 42.0, 39.0, 41.5)])
    EntriesOf(FUNDING, "BTC-PERPETUAL").append(cursor, [(START + HOUR, 100_000.0, 0.00001, 0.0001)])
    EntriesOf(DELIVERIES, "btc_usd").append(cursor, [(START - 4 * HOUR, 99_000.0), (START + HOUR, 99_500.0)])


@pytest.fixture
def recorded(database: Database) -> Database:
    with database.write() as cursor:
        fill(cursor)
    return database


def stored(database: Database, table: str) -> list[Any]:
    with database.read() as cursor:
        return cursor.execute(f"FROM {table} ORDER BY ALL").fetchall()


def exported(database: Database, feed: str, end: datetime = END, **more: Any) -> Path:
    return Exports(database, 10**9).make(ExportQuery((feed,), START, end, **more)).path


def kind_named(feed: str) -> Kind:
    kind = kind_of(feed)
    assert kind is not None
    return kind


def test_all_feeds_with_rows_can_be_exported(recorded: Database):
    with recorded.read() as cursor:
        assert other_feeds(cursor) == FEEDS


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("form", FORMATS)
def test_the_rows_of_a_feed_are_exported_in_each_format(recorded: Database, feed: str, form: Any):
    kind = kind_named(feed)
    path = exported(recorded, feed, format=form)

    with recorded.read() as cursor:
        received = ["received_at", *([] if kind.has_source else ["source"])] if kind.snapshots else []
        columns = [*kind.column_names, *received, *(OF_SNAPSHOT if kind.snapshots == kind.name else [])]
        ((rows,),) = cursor.execute(
            f"SELECT count(*) FROM {kind.table} WHERE {kind.time} >= ? AND {kind.time} < ?",
            [START.replace(tzinfo=None), END.replace(tzinfo=None)],
        ).fetchall()
        about = estimate(cursor, ExportQuery((feed,), START, END, format=form))
    found = read(path, form)
    assert [name.removesuffix(" (UTC)") for name in found[0]] == columns
    assert len(found) - 1 == rows == about.rows
    assert rows > 0
    manifest = json.loads(manifest_of(path).read_text())
    assert manifest["sources"] == {feed: {"live": rows}}
    assert manifest["units"].keys() <= set(columns)
    assert list(faults_of_export(path, recorded.memory_limit)) == []


def read(path: Path, form: str) -> list[list[Any]]:
    """The names of the columns, and the rows."""
    if form == "parquet":
        table = pq.read_table(path)
        return [table.column_names, *(list(row.values()) for row in table.to_pylist())]
    if form == "csv":
        with gzip.open(path, "rt") as file:
            return list(csv.reader(file))
    sheet = openpyxl.load_workbook(path)[openpyxl.load_workbook(path).sheetnames[0]]
    return [list(row) for row in sheet.iter_rows(values_only=True)]


def test_the_manifest_of_chains_and_of_what_follows_from_them_has_their_coverage_and_gaps(recorded: Database):
    coverage = {"due": 12, "live": 11, "healed": 0, "missing": 1, "causes": {"unreachable": 1}}
    for feed in ("options/BTC", "surfaces/BTC", "smiles/BTC"):
        manifest = json.loads(manifest_of(exported(recorded, feed, START + HOUR)).read_text())

        assert manifest["coverage"] == {"options/BTC": coverage}
        assert [(gap["feed"], gap["cause"], gap["state"]) for gap in manifest["gaps"]] == [
            ("options/BTC", "unreachable", "unfillable")
        ]


def test_a_quote_that_does_not_exist_stays_empty(recorded: Database):
    table = pq.read_table(exported(recorded, "futures/BTC")).to_pylist()

    assert {(row["instrument_name"], row["expiry"], row["bid_price"]) for row in table} == {
        ("BTC-PERPETUAL", None, 99_999.5),
        ("BTC-25DEC26", EXPIRIES[1], None),
    }


def test_a_row_says_what_its_snapshot_has_once_and_a_trade_has_no_snapshot(recorded: Database):
    at = START + HOUR
    with recorded.write() as cursor:
        trades.append(cursor, "BTC", [Trade("BTC-PERPETUAL", None, at, 100_002.0)], "chart")
    chains_of, futures_of = (
        {
            (row["received_at"], row["source"], row["rows"], row["index_price"], row["rejected"])
            for row in pq.read_table(exported(recorded, feed)).to_pylist()
            if row["ts"] in (START, at)
        }
        for feed in ("options/BTC", "futures/BTC")
    )

    assert chains_of == {(START + timedelta(seconds=0.5), "live", 42, 100_000.0, 1)}
    assert futures_of == {
        (START + timedelta(seconds=0.2), "live", 2, 100_001.0, 0),
        (None, "chart", None, None, None),
    }


def test_candles_of_dvol_are_no_averages_that_healed_something(recorded: Database):
    without = pq.read_table(exported(recorded, "dvol/BTC", healed=False))

    assert without.num_rows == 61
    assert without["open_time"].to_pylist() == sorted(without["open_time"].to_pylist())


UNSOUND = {
    "options": "strike = 0",
    "futures": "source = NULL",
    "volatility_index": "high = 10",
    "funding": "interest_1h = NULL",
    "deliveries": "price = 0",
    "smiles": "method = NULL",
    "surfaces": "method = 0",
}


@pytest.mark.parametrize("kind", OF_MARKETS, ids=lambda kind: kind.table)
def test_verify_names_double_and_unsound_rows(recorded: Database, kind: Kind):
    sound = list(faults_of_database(recorded))
    first = f"SELECT * FROM {kind.table} ORDER BY {kind.time} LIMIT 1"
    with recorded.write() as cursor:
        cursor.execute(f"INSERT INTO {kind.tables[0]} {first}")
    doubled = list(faults_of_database(recorded))
    with recorded.write() as cursor:
        cursor.execute(f"UPDATE {kind.tables[0]} SET {UNSOUND[kind.table]}")
        ((rows,),) = cursor.execute(f"SELECT count(*) FROM {kind.table}").fetchall()

    assert sound == []
    assert doubled[0] == f"{kind.table}: 1 rows of 2026-11-01 are duplicates"
    assert next(iter(faults_of_database(recorded))) == f"{kind.table}: {rows:,} rows lack {kind.lacking}"


@pytest.mark.parametrize("kind", [OPTIONS, FUTURES], ids=lambda kind: kind.table)
def test_verify_names_half_snapshots_and_no_snapshot_that_is_removed_as_a_whole(recorded: Database, kind: Kind):
    first, second = (START + minutes * MINUTE for minutes in (0, 5))
    with recorded.write() as cursor:
        cursor.execute(f"DELETE FROM {kind.tables[0]} WHERE ts = ?", [to_column(first)])
        removed = f"SELECT rowid FROM {kind.tables[0]} WHERE ts = ? LIMIT 1"
        cursor.execute(f"DELETE FROM {kind.tables[0]} WHERE rowid IN ({removed})", [to_column(second)])

    assert list(faults_of_database(recorded)) == [
        f"{kind.table}: 1 snapshots of 2026-11-01 have more or fewer rows than they brought"
    ]


@pytest.mark.parametrize("days", [1, 2])
def test_a_backup_has_all_tables_of_the_market_and_gives_them_back(recorded: Database, tmp_path: Path, days: int):
    with recorded.write() as cursor:
        for day in range(1, days):
            chains.append(cursor, [chain(START + day * DAY)])
        append_days(cursor, "BTC-PERPETUAL", [Day(START - DAY, 98_000.0, 10.0, 980_000.0)], START, "chart")
    folder, again = tmp_path / "backup", Database(tmp_path / "again.duckdb")

    made = backup(recorded, folder)
    restore(folder, again)

    assert set(made.rows) == {"ticks", *(kind.table for kind in OF_MARKETS)}
    for table in ("snapshots", "logs", "futures_asked", *(kind.table for kind in OF_MARKETS)):
        assert stored(again, table) == stored(recorded, table), table
    assert list(faults_of_database(again)) == []
    assert backup(again, folder).written == 0


def pack(database: Database) -> packing.Chains | None:
    """Pack the chains of the day, if they are not packed."""
    with database.write() as cursor:
        if (found := packing.next_chains(cursor, START + DAY)) is not None:
            packing.pack(cursor, found)
    return found


@pytest.mark.parametrize("packed", [False, True])
def test_a_day_of_which_rows_are_packed_or_are_packed_meanwhile_is_copied_and_exported_whole(
    recorded: Database, tmp_path: Path, *, packed: bool
):
    folder, again = tmp_path / "backup", Database(tmp_path / "again.duckdb")
    if packed:
        assert pack(recorded)
        with recorded.write() as cursor:
            chains.append(cursor, [chain(START + 10 * MINUTE)])
    moved: list[packing.Chains | None] = []

    def tell(*_: int) -> None:
        moved.append(pack(recorded))

    made = backup(recorded, folder, tell)
    restore(folder, again)
    query = ExportQuery(("options/BTC",), START, END)
    exports = Exports(again, 10**9, Limits(window=100))
    of_export = exports.make(query, lambda *_: pack(again) and None)

    expected = stored(recorded, "options")
    assert moved[0] is not None
    assert stored(recorded, "options_by_contract") == expected == stored(again, "options_by_contract")
    assert made.rows["options"] == of_export.rows == len(expected) == 42 * (11 + packed)
    assert [row[1:5] for row in stored(again, "options")] == [row[1:5] for row in expected]
    assert list(faults_of_database(again)) == []


def test_restored_days_are_packed_again(recorded: Database, tmp_path: Path):
    folder, again = tmp_path / "backup", Database(tmp_path / "again.duckdb")
    found = pack(recorded)
    assert found is not None
    backup(recorded, folder)

    restore(folder, again)

    with again.read() as cursor:
        assert packing.next_chains(cursor, START + DAY) == found
    assert stored(again, "options") == stored(recorded, "options")


def test_a_backup_takes_other_smiles_and_surfaces_for_no_loss_but_keeps_chains(recorded: Database, tmp_path: Path):
    folder = tmp_path / "backup"
    backup(recorded, folder)
    with recorded.write() as cursor:
        cursor.execute("UPDATE surfaces SET iv_30d = 1, method = 2")
        cursor.execute("DELETE FROM smiles")

    assert backup(recorded, folder).rows["smiles"] == 0
    with recorded.write() as cursor:
        cursor.execute("DELETE FROM options_by_snapshot WHERE option_type = 'put'")
    with pytest.raises(StoreError, match=r"has options that the database doesn't have, 231 of 2026-11-01"):
        backup(recorded, folder)
