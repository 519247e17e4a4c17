"""An import heals the gaps that it fills, and an undo leaves all as if it had never been."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from store.backup.backup import backup
from store.backup.verify import faults_of_database
from store.errors import ForeignExchangeError, StoreError
from store.file.database import Database
from store.file.exchange import admit
from store.instants import DAY
from store.intake.import_log import imports
from store.intake.rows.work import Limits
from store.intake.undo import undo
from store.ledger.coverage import coverage
from store.ledger.gaps import ledger
from store.ledger.heal import heal
from store.ledger.logs import Log, logs, note
from store.market import packing, trades
from store.market.trades import Trade
from store.models import Exchange, to_column
from tests.conftest import START
from tests.store.processes import line, start
from tests.support.foreign_files import nobody_listens

from .recorded import (
    END,
    FEEDS,
    HOUR,
    MINUTE,
    TABLES,
    as_csv,
    digests,
    export,
    futures,
    heal_by_trades,
    imported,
    record,
    rows,
)

SECOND = timedelta(seconds=1)

EVERY = sorted({table for tables in TABLES.values() for table in tables})


def covered(database: Database) -> dict[str, tuple[int, int, int]]:
    """The due, live and healed slots of each feed."""
    with database.read() as cursor:
        found = coverage(cursor, ledger(cursor, START, END, END), START, END)
    return {each.feed: (each.due, each.live, each.healed) for each in found}


def all_told(database: Database) -> list[tuple[int, int, str, str | None]]:
    return [gap for feed in FEEDS for gap in told(database, feed)]


def told(database: Database, feed: str) -> list[tuple[int, int, str, str | None]]:
    """Each gap of a feed: its first and last minute, its state, and what healed it."""
    with database.read() as cursor:
        known = ledger(cursor, START, END, END, {feed})
    return [((gap.start - START) // MINUTE, (gap.end - START) // MINUTE, gap.state, gap.healed_by) for gap in known]


@pytest.fixture
def holed(database: Database) -> Database:
    """A file that lacks what the source has, and the other way round; trades healed the minutes 7 and 8."""
    record(database, {0, 1, 2, 5, 6, 7, 8, 10}, healed=[7, 8])
    return database


def test_a_gap_of_chains_that_nobody_could_fill_is_healed_by_an_import(source: Database, holed: Database):
    assert told(holed, "options/BTC") == [(0, 15, "unfillable", None)]
    before = covered(holed)

    (made,) = imported(holed, export(source, "options/BTC"))

    gaps = told(holed, "options/BTC")
    assert [gap[:3] for gap in gaps] == [(0, 5, "healed"), (5, 10, "unfillable"), (10, 15, "healed")]
    assert made.healed == 2
    assert before == {"options/BTC": (4, 1, 0), "futures/BTC": (20, 12, 0)}
    assert covered(holed)["options/BTC"] == (4, 1, 2)


def test_snapshots_take_the_place_of_trades_that_healed_a_gap(source: Database, holed: Database):
    with holed.write() as cursor:
        heal(cursor, "futures/BTC", END)
    assert told(holed, "futures/BTC") == [
        (0, 3, "open", None),
        (5, 6, "open", None),
        (6, 9, "healed", "trades of the simulator, 60 s"),
        (10, 11, "open", None),
    ]

    imported(holed, export(source, "futures/BTC"))

    assert rows(holed, "SELECT DISTINCT ts FROM futures WHERE resolution_s > 0") == []
    assert [gap[:3] for gap in told(holed, "futures/BTC")] == [
        (0, 3, "healed"),
        (5, 6, "open"),
        (6, 9, "healed"),
        (10, 11, "healed"),
    ]
    assert {gap[3] for gap in told(holed, "futures/BTC")} == {None, "simulator"}


@pytest.mark.parametrize("feed", FEEDS)
def test_an_undo_removes_what_the_import_stored_and_nothing_else(source: Database, holed: Database, feed: str):
    with holed.write() as cursor:
        cursor.execute("DELETE FROM futures WHERE resolution_s > 0")
    before, gaps = digests(holed, *EVERY), all_told(holed)
    (made,) = imported(holed, export(source, feed), limits=Limits(market=50))
    assert digests(holed, *EVERY) != before
    with holed.write() as cursor:
        packed = packing.next_chains(cursor, START + DAY)
        assert packed is not None
        packing.pack(cursor, packed)

    undone = undo(holed, None, nobody_listens)

    assert digests(holed, *EVERY) == before
    assert all_told(holed) == gaps
    assert undone.taken == made.done.stored
    assert (undone.reopened > 0) == (made.healed > 0) == (feed in {"options/BTC", "futures/BTC"})
    assert list(faults_of_database(holed)) == []


def test_a_gap_is_open_again_though_the_exchange_s_clock_was_behind(database: Database, empty: Database):
    """The snapshot was received in the slot of minute 2, and sent before the slot began."""
    early = replace(futures(2), ts=START + 2 * MINUTE - SECOND / 2, received_at=START + 2 * MINUTE + SECOND / 2)
    with database.write() as cursor:
        admit(cursor, Exchange.SIMULATOR, START)
        trades.append_observed(cursor, [early])
    record(empty, {2}, feeds=("futures/BTC",))
    (made,) = imported(empty, export(database, "futures/BTC"))
    assert made.healed == 1

    undone = undo(empty, None, nobody_listens)

    assert undone.reopened == 1
    assert told(empty, "futures/BTC") == [(2, 3, "open", None)]


def test_an_undo_leaves_what_took_the_place_of_its_rows(source: Database, database: Database, empty: Database):
    """A trade of the first import gave way to a snapshot of the second one, and other trades came after that."""
    record(database, feeds=("futures/BTC",))
    imported(empty, *(export(each, "futures/BTC") for each in (source, database)))
    undo(empty, 2, nobody_listens)
    imported(empty, export(source, "futures/BTC"))
    its_own = rows(empty, "FROM futures WHERE resolution_s = 60")

    undo(empty, 1, nobody_listens)

    assert len(its_own) == 1
    assert rows(empty, "FROM futures") == its_own
    undo(empty, 3, nobody_listens)
    assert rows(empty, "FROM futures") == []


def test_an_undo_leaves_the_trades_that_a_recorder_stored_for_its_own(
    source: Database, database: Database, empty: Database
):
    record(database, feeds=("futures/BTC",))
    imported(empty, *(export(each, "futures/BTC") for each in (source, database)))
    undo(empty, 2, nobody_listens)
    heal_by_trades(empty, [3])

    undo(empty, 1, nobody_listens)

    assert rows(empty, "SELECT last FROM futures") == [(90_003.0,)]


def test_a_log_asks_again_for_what_an_undo_removed(source: Database, empty: Database):
    """What the recorder heard meanwhile was left out, because the import had it."""
    imported(empty, export(source, "dvol/BTC"))
    begun, late = START - 24 * HOUR, START + 90 * MINUTE
    before = [Log("dvol/BTC", late, "busy", 60), Log("dvol/BTC-1d", late), Log("dvol/BTC-1h", begun)]
    others = [Log("dvol/ETH", late), Log("funding/BTC-PERPETUAL", late)]
    with empty.write() as cursor:
        for each in (*before, *others):
            note(cursor, each)

    undo(empty, None, nobody_listens)

    with empty.read() as cursor:
        assert [*logs(cursor).values()] == [replace(before[0], complete_to=START), *before[1:], *others]


def test_of_two_imports_an_undo_takes_its_own_rows(source: Database, database: Database, empty: Database):
    record(database, healed=[])
    with database.write() as cursor:
        cursor.execute("DELETE FROM futures WHERE ts >= ?", [to_column(START + 10 * MINUTE)])
        cursor.execute("DELETE FROM snapshots WHERE feed LIKE 'fut%' AND ts >= ?", [to_column(START + 10 * MINUTE)])
        found = [Trade("BTC-25DEC26", datetime(2026, 12, 25, 8, tzinfo=UTC), START + 3 * MINUTE, 91_000.0)]
        cursor.execute("DELETE FROM futures WHERE ts = ?", [to_column(START + 3 * MINUTE)])
        cursor.execute("DELETE FROM snapshots WHERE feed LIKE 'fut%' AND ts = ?", [to_column(START + 3 * MINUTE)])
        trades.append(cursor, "BTC", found, "simulator")
    imported(empty, export(database, "futures/BTC"))
    alone = digests(empty, "futures", "snapshots")
    imported(empty, export(source, "futures/BTC"))

    undo(empty, 2, nobody_listens)

    assert digests(empty, "futures", "snapshots") == alone
    undo(empty, 1, nobody_listens)
    assert digests(empty, "futures", "snapshots") == {"futures": (0, 0), "snapshots": (0, 0)}


@pytest.mark.parametrize("feed", ["options/BTC", "futures/BTC", "dvol/BTC"])
def test_an_import_that_was_killed_is_finished_by_another_one_or_undone(
    source: Database, holed: Database, tmp_path: Path, feed: str
):
    path, before = export(source, feed), digests(holed, *EVERY)
    with start("import_in_portions", holed.path, path, 1) as program:
        assert line(program) != ""
        program.process.kill()
    with holed.read() as cursor:
        (interrupted,) = imports(cursor)
    whole = Database(tmp_path / "whole.duckdb")
    shutil.copy(holed.path, whole.path)

    imported(whole, path)
    undo(holed, 1, nobody_listens)

    assert interrupted.finished_at is None
    assert list(faults_of_database(whole)) == []
    assert imported(whole, path)[0].done.stored == 0
    if feed != "futures/BTC":
        assert digests(holed, *EVERY) == before


def test_a_backup_takes_what_an_undo_removed_and_what_gave_way_for_no_loss(
    source: Database, holed: Database, tmp_path: Path
):
    backup(holed, tmp_path / "backup")
    imported(holed, *(export(source, feed) for feed in FEEDS))
    backup(holed, tmp_path / "backup")
    for number in range(5, 0, -1):
        undo(holed, number, nobody_listens)
    backup(holed, tmp_path / "backup")

    with holed.write() as cursor:
        cursor.execute("DELETE FROM volatility_index WHERE open_time = ?", [to_column(START + 3 * MINUTE)])
    with pytest.raises(StoreError, match=r"has volatility_index that the database doesn't have, 1 of 2026-11-01"):
        backup(holed, tmp_path / "backup")


def test_rows_that_are_imported_again_after_an_undo_may_not_be_lost(source: Database, holed: Database, tmp_path: Path):
    path = export(source, "dvol/BTC")
    imported(holed, path)
    backup(holed, tmp_path / "backup")
    undo(holed, 1, nobody_listens)
    imported(holed, path)
    with holed.write() as cursor:
        cursor.execute("DELETE FROM volatility_index WHERE open_time = ?", [to_column(START)])

    with pytest.raises(StoreError, match=r"has volatility_index that the database doesn't have"):
        backup(holed, tmp_path / "backup")


def test_a_simulator_does_not_record_into_a_file_with_an_imported_market(source: Database, empty: Database):
    query = "SELECT * REPLACE ('live' AS source) FROM its"
    imported(empty, as_csv(export(source, "funding/BTC-PERPETUAL"), query))

    with pytest.raises(ForeignExchangeError, match="has prices that are not the simulator's"), empty.write() as cursor:
        admit(cursor, Exchange.SIMULATOR, END)
