"""What one file exported, another one imports: the union of both, each row once."""

import gzip
from datetime import timedelta

import pytest

from store.export.files import Exports
from store.export.query import ExportQuery, Format
from store.file.database import Database
from store.intake.rows.work import Limits
from store.market import chains, packing
from store.market.chains import rebuild
from store.models import to_column
from tests.conftest import START
from tests.support import market

from .recorded import END, FEEDS, MINUTE, TABLES, digests, export, imported, record, rows

FORMS: tuple[Format, ...] = ("parquet", "csv")


def tables_of(feed: str) -> tuple[str, ...]:
    return TABLES[feed.partition("/")[0]]


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("form", FORMS)
def test_an_empty_file_gets_the_very_rows_that_were_exported(
    source: Database, database: Database, feed: str, form: Format
):
    record(database, range(20), feeds=[feed])
    (made,) = imported(database, export(source, feed, form))

    (table, *_) = tables_of(feed)
    assert digests(database, *tables_of(feed)[:1]) == digests(source, *tables_of(feed)[:1])
    assert (made.done.stored, made.done.known) == (digests(source, table)[table][0], 0)
    if feed in {"options/BTC", "futures/BTC"}:
        which = f"SELECT * FROM snapshots WHERE feed = '{feed}' ORDER BY ts"
        assert rows(database, which) == rows(source, which)
    if feed == "options/BTC":
        assert digests(database, "smiles", "surfaces") == digests(source, "smiles", "surfaces")


@pytest.mark.parametrize("feed", ["dvol/BTC", "funding/BTC-PERPETUAL", "deliveries/btc_usd"])
def test_an_entry_that_a_file_has_twice_is_stored_once_and_counted_once(source: Database, empty: Database, feed: str):
    head, first, *others = gzip.decompress(export(source, feed, "csv").read_bytes()).decode().splitlines()
    file = empty.path.with_name("twice.csv")
    file.write_text("\n".join([head, first, *others, first, first, ""]))

    (made,) = imported(empty, file)

    (table,) = tables_of(feed)
    assert (made.done.stored, made.done.known) == (1 + len(others), 2)
    assert digests(empty, table) == digests(source, table)


@pytest.mark.parametrize("feed", FEEDS)
def test_files_with_different_holes_come_to_what_both_have(
    source: Database, database: Database, empty: Database, feed: str
):
    record(database, {0, 1, 2, 3, 10, 11, 12})
    record(empty, {3})
    (made,) = imported(database, export(source, feed))

    (table, *others) = tables_of(feed)
    if feed == "futures/BTC":
        assert rows(database, "SELECT ts, last FROM futures WHERE resolution_s > 0") == [
            (to_column(START + 3 * MINUTE), 90_003.0)
        ]
        with database.write() as cursor:
            cursor.execute("DELETE FROM futures WHERE resolution_s > 0")
    assert digests(database, table) == digests(empty, table)
    if feed == "options/BTC":
        assert digests(database, *others[1:]) == digests(empty, *others[1:])
        assert (made.done.snapshots, made.done.known_snapshots) == (2, 1)
    (again,) = imported(database, export(source, feed))
    assert again.done.stored == (0 if feed != "futures/BTC" else 1)


@pytest.mark.parametrize("feed", ["options/BTC", "futures/BTC"])
def test_a_snapshot_is_left_out_where_its_slot_has_another_one(source: Database, database: Database, feed: str):
    record(database, set(range(1, 20)) - {5, 10, 15})
    with database.write() as cursor:
        for table in tables_of(feed):
            its = "options_by_snapshot" if table == "options" else table
            cursor.execute(f"UPDATE {its} SET ts = ts + INTERVAL 2 SECONDS")
        cursor.execute("UPDATE snapshots SET received_at = received_at + INTERVAL 2 SECONDS")
    before = digests(database, *tables_of(feed))
    (made,) = imported(database, export(source, feed))

    expected = {"options/BTC": (0, 3), "futures/BTC": (15, 3)}
    assert (made.done.snapshots, made.done.known_snapshots) == expected[feed]
    if feed == "options/BTC":
        assert digests(database, *tables_of(feed)) == before


def test_without_a_run_the_time_alone_tells_whether_a_snapshot_is_known(source: Database, database: Database):
    record(database, range(20), feeds=["dvol/BTC"])
    (made,) = imported(database, export(source, "options/BTC"), limits=Limits(market=1))

    assert made.done.snapshots == 3
    (made,) = imported(database, export(source, "options/BTC"))
    assert (made.done.snapshots, made.done.known_snapshots) == (0, 3)


def test_imported_smiles_and_surfaces_are_those_of_a_rebuild(source: Database, empty: Database):
    imported(empty, export(source, "options/BTC"))
    before = digests(empty, "smiles", "surfaces")

    rebuild(empty)

    assert digests(empty, "smiles", "surfaces") == before


def test_what_was_seen_live_elsewhere_is_an_import_here(source: Database, database: Database, empty: Database):
    record(database)
    with database.write() as cursor:
        cursor.execute("UPDATE exchange SET name = 'real'")
        for table in ("snapshots", "futures", "volatility_index", "funding", "deliveries"):
            cursor.execute(f"UPDATE {table} SET source = 'live'")
    for feed in FEEDS:
        imported(empty, export(database, feed))

    assert rows(empty, "FROM exchange")[0][0] == "real"
    for table in ("snapshots", "futures", "volatility_index", "funding", "deliveries"):
        assert rows(empty, f"SELECT DISTINCT source FROM {table}") == [("import",)]


def test_imported_chains_of_days_that_are_packed_are_packed_too(source: Database, database: Database):
    record(database, {10})
    later = START + timedelta(days=1)
    with database.write() as cursor:
        known = packing.next_chains(cursor, later)
        assert known is not None
        packing.pack(cursor, known)

    with database.read() as cursor:
        assert packing.next_chains(cursor, later) is None
    imported(database, export(source, "options/BTC"))
    with database.read() as cursor:
        assert packing.next_chains(cursor, later) == known._replace(start=START + 10 * MINUTE)


def test_an_export_of_two_markets_is_imported_at_once(source: Database, database: Database, empty: Database):
    record(database)
    with database.write() as cursor:
        chains.append(cursor, [market.chain("ETH", START + minute * MINUTE) for minute in (0, 5)])
    query = ExportQuery(("options/BTC", "options/ETH"), START, END)

    (made,) = imported(empty, Exports(database, 10**9).make(query).path, limits=Limits(market=1))

    assert made.done.snapshots == 6
    assert digests(empty, "options", "smiles", "surfaces") == digests(database, "options", "smiles", "surfaces")
