"""An undo that a kill -9 meets leaves each snapshot whole or gone, and the ledger says which."""

import pytest

from store.backup.verify import faults_of_database
from store.file.database import Database
from store.instants import EPOCH
from store.intake.import_log import imports
from store.intake.undo import undo
from store.ledger import gaps
from tests.store.processes import line, start
from tests.support import market
from tests.support.foreign_files import nobody_listens

from .recorded import END, HOUR, TABLES, digests, export, imported, record, rows
from .test_gaps_and_undo import all_told, covered

EVERY = sorted({table for tables in TABLES.values() for table in tables})
MISSING = {0, 1, 2, 6, 7, 9, 10, 11, 15, 18}

# What of an import is listed and not taken back, against what of it is stored.
_LEFT_OF_LIST = "SELECT count(DISTINCT ts) FROM imported WHERE NOT undone"
_TAKEN_BUT_THERE = """
SELECT count(*)
FROM imported
JOIN snapshots ON snapshots.feed = imported.index_name AND snapshots.ts = imported.ts
WHERE imported.undone
"""
_LISTED_BUT_GONE = """
SELECT count(*)
FROM imported
ANTI JOIN snapshots ON snapshots.feed = imported.index_name AND snapshots.ts = imported.ts
WHERE NOT imported.undone
  AND imported.index_name NOT LIKE 'dvol/%'
"""
_WITHOUT_SNAPSHOT = """
SELECT count(*)
FROM {table}
ANTI JOIN snapshots ON snapshots.feed = '{feed}' AND snapshots.ts = {table}.ts
"""
_ARRIVED = "SELECT feed, count(DISTINCT date_trunc('minute', ts))::INTEGER FROM snapshots GROUP BY feed"


@pytest.fixture
def holed(database: Database) -> Database:
    record(database, MISSING)
    return database


def forget_gaps(database: Database) -> None:
    """Make the ledger one that did not look at any time yet."""
    with database.write() as cursor:
        for table in ("gap_events", "gaps", "watermark"):
            cursor.execute(f"DELETE FROM {table}")


def kill_an_undo(database: Database, steps: int, *, waits: bool = True) -> None:
    """Kill an undo of import 1 when it has told so many steps: it waits for that, or is at work."""
    with start("undo_in_stretches", database.path, 1, steps if waits else 0) as program:
        for _ in range(steps):
            assert line(program) != ""
        program.process.kill()
        program.finish()


def expect_whole_snapshots_and_a_true_ledger(database: Database) -> None:
    with database.read() as cursor:
        assert market.cut_in_half(cursor, EPOCH) == []
    tables = (("options", "options/BTC"), ("smiles", "options/BTC"), ("surfaces", "options/BTC"))
    for table, feed in (*tables, ("futures", "futures/BTC")):
        assert rows(database, _WITHOUT_SNAPSHOT.format(table=table, feed=feed)) == [(0,)]
    assert rows(database, _TAKEN_BUT_THERE) == rows(database, _LISTED_BUT_GONE) == [(0,)]
    arrived = dict(rows(database, _ARRIVED))
    assert {feed: live + healed for feed, (_, live, healed) in covered(database).items()} == arrived
    assert list(faults_of_database(database)) == []


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("hidden", [False, True], ids=["healed gaps", "gaps that nobody noted"])
@pytest.mark.parametrize("feed", ["options/BTC", "futures/BTC"])
def test_an_undo_that_was_killed_has_no_half_of_a_snapshot_and_hides_no_gap(
    source: Database, holed: Database, feed: str, steps: int, *, hidden: bool
):
    before, gaps_before = digests(holed, *EVERY), all_told(holed)
    if hidden:
        forget_gaps(holed)
    imported(holed, export(source, feed))
    if hidden:
        gaps.advance(holed, END, END, 5, 0 * HOUR)

    kill_an_undo(holed, steps)

    with holed.read() as cursor:
        assert imports(cursor)[0].undone_at is None
    assert 0 < rows(holed, _LEFT_OF_LIST)[0][0] < len(MISSING)
    expect_whole_snapshots_and_a_true_ledger(holed)
    undone = undo(holed, 1, nobody_listens)
    assert undone.taken > 0
    assert digests(holed, *EVERY) == before
    assert all_told(holed) == gaps_before
    expect_whole_snapshots_and_a_true_ledger(holed)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_an_undo_that_was_killed_at_work_hides_no_gap(source: Database, holed: Database, steps: int):
    before, gaps_before = digests(holed, *EVERY), all_told(holed)
    imported(holed, export(source, "futures/BTC"))

    kill_an_undo(holed, steps, waits=False)

    expect_whole_snapshots_and_a_true_ledger(holed)
    with holed.read() as cursor:
        (killed,) = imports(cursor)
    if killed.undone_at is None:
        undo(holed, 1, nobody_listens)
    assert digests(holed, *EVERY) == before
    assert all_told(holed) == gaps_before


def test_an_undo_of_entries_that_was_killed_takes_an_entry_back_or_leaves_it(source: Database, holed: Database):
    before = digests(holed, "volatility_index")
    imported(holed, export(source, "dvol/BTC"))

    kill_an_undo(holed, 2)

    left = rows(holed, "SELECT ts FROM imported WHERE NOT undone")
    stored = rows(holed, "SELECT open_time FROM volatility_index")
    gone = rows(holed, "SELECT ts FROM imported WHERE undone")
    assert 0 < len(left) < len(MISSING)
    assert set(left) <= set(stored)
    assert not set(gone) & set(stored)
    undo(holed, 1, nobody_listens)
    assert digests(holed, "volatility_index") == before
