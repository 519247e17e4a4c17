"""What is read over many leases is of one instant, or is noticed not to be: row numbers move when rows are deleted."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from store.backup.backup import backup
from store.backup.restore import restore
from store.backup.verify import faults_of_database
from store.errors import StoreError
from store.export.files import Exports, Limits
from store.export.query import ExportQuery
from store.file.database import Database
from store.file.rows import AsOf
from store.instants import EPOCH
from store.kinds import TICKS
from store.prices import candles, ticks
from tests.conftest import tick
from tests.store.files import checkpoint
from tests.store.histories import at

SECONDS = 400


@pytest.fixture
def filled(database: Database) -> Database:
    append(database, *range(SECONDS))
    return database


def append(database: Database, *seconds: float) -> None:
    with database.write() as cursor:
        ticks.append(cursor, [tick(second) for second in seconds])


def delete(database: Database, first: float, end: float) -> None:
    """What a person does by hand."""
    with database.write() as cursor:
        cursor.execute("DELETE FROM ticks WHERE ts >= ? AND ts < ?", [at(first), at(end)])


def seconds_of(database: Database) -> list[float]:
    with database.read() as cursor:
        found = ticks.history(cursor, "btc_usd", EPOCH, at(9999))
    return [(each.ts - at(0)).total_seconds() for each in found]


def rolled_back(database: Database) -> None:
    with contextlib.suppress(StoreError), database.write() as cursor:
        ticks.append(cursor, [tick(SECONDS + second) for second in range(50)])
        raise duckdb.IOException


CHANGES: dict[str, tuple[Callable[[Database], None], bool]] = {
    "nothing": (lambda _: None, True),
    "more came": (lambda database: append(database, 1000, 1001), True),
    "a checkpoint": (checkpoint, True),
    "a transaction was undone": (rolled_back, True),
    "some went in the middle": (lambda database: delete(database, 50, 60), False),
    "some went at the end": (lambda database: delete(database, SECONDS - 10, SECONDS), False),
    "the last went and came back": (lambda database: moved(database, SECONDS - 1, SECONDS, SECONDS - 1), False),
    "as many came": (lambda database: moved(database, 50, 60, *range(1000, 1010)), False),
    "all went": (lambda database: delete(database, 0, SECONDS), False),
}


def moved(database: Database, first: float, end: float, *new: float) -> None:
    delete(database, first, end)
    checkpoint(database)
    append(database, *new)


@pytest.mark.parametrize("change", CHANGES)
def test_the_rows_of_an_instant_hold_as_long_as_none_of_them_is_deleted(filled: Database, change: str):
    with filled.read() as cursor:
        then = AsOf.take(cursor, TICKS)
        before = cursor.execute("SELECT index_name, ts FROM ticks ORDER BY ts").fetchall()
    act, expected = CHANGES[change]

    act(filled)

    with filled.read() as cursor:
        assert then.holds(cursor) == expected
        now = cursor.execute(f"SELECT index_name, ts FROM {then.rows} ORDER BY ts", then.ends).fetchall()
    if expected:
        assert now == before


def test_no_rows_at_an_instant_hold(database: Database):
    with database.read() as cursor:
        then = AsOf.take(cursor, TICKS)
    append(database, 1)

    with database.read() as cursor:
        assert (then.ends, then.count) == ({"end_of_ticks": 0}, 0)
        assert then.holds(cursor)


DELETED = {"middle": (100, 300), "end": (200, SECONDS), "begin": (0, 200)}


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize("where", DELETED)
def test_after_a_deletion_exports_and_backups_have_each_row_that_is_left(
    filled: Database, tmp_path: Path, where: str, *, checkpointed: bool
):
    delete(filled, *DELETED[where])
    if checkpointed:
        checkpoint(filled)
    append(filled, 1000, 1001)
    candles.rebuild(filled, at(2000))
    rolled_back(filled)
    expected = seconds_of(filled)
    assert len(expected) == 202

    made = Exports(filled, 10**9).make(ExportQuery(("btc_usd",), EPOCH, at(2000)))
    copied = backup(filled, tmp_path / "backup")
    restored = Database(tmp_path / "restored.duckdb")
    restore(tmp_path / "backup", restored)

    assert (made.rows, copied.rows) == (202, {"ticks": 202})
    assert seconds_of(restored) == expected
    assert list(faults_of_database(filled)) == []


def test_after_a_deletion_verify_reads_to_the_last_row(filled: Database):
    with filled.write() as cursor:
        cursor.execute("INSERT INTO ticks VALUES ('btc_usd', '2026-12-02', NULL, 'nan', 'live', 0)")
    delete(filled, 100, 390)

    assert list(faults_of_database(filled)) == ["ticks: 1 rows lack a name, a time, a source or a price above 0"]


def test_an_export_is_begun_anew_when_ticks_are_deleted_meanwhile(filled: Database):
    told: list[int] = []

    def tell(read: int, _: int) -> None:
        told.append(read)
        if len(told) == 2:
            moved(filled, 10, 50, *range(1000, 1040))

    exports = Exports(filled, 10**9, Limits(window=100))
    made = exports.make(ExportQuery(("btc_usd",), EPOCH, at(2000)), tell)

    with duckdb.connect() as reader:
        found = reader.execute("SELECT epoch(ts) FROM read_parquet(?) ORDER BY ts", [str(made.path)]).fetchall()
    assert [second - at(0).timestamp() for (second,) in found] == [*range(10), *range(50, SECONDS), *range(1000, 1040)]


def test_an_export_of_what_is_deleted_again_and_again_is_given_up(filled: Database):
    seconds = iter(range(SECONDS))

    def tell(_: int, __: int) -> None:
        second = next(seconds)
        delete(filled, second, second + 1)

    with pytest.raises(StoreError, match=r"^rows were deleted each time that they were read: try again"):
        Exports(filled, 10**9).make(ExportQuery(("btc_usd",), EPOCH, at(2000)), tell)


def test_a_known_survey_is_made_anew_when_ticks_were_deleted(filled: Database):
    exports, query = Exports(filled, 10**9), ExportQuery(("btc_usd",), EPOCH, at(2000))
    assert exports.make(query).rows == SECONDS

    moved(filled, 10, 50, *range(3000, 3040))

    assert exports.make(query).rows == SECONDS - 40


def test_a_backup_is_begun_anew_when_ticks_are_deleted_meanwhile(filled: Database, tmp_path: Path):
    again: list[int] = []

    def tell(done: int, _: int) -> None:
        if not done:
            return  # the days are still looked at
        if not again:
            moved(filled, 10, 50, *range(1000, 1040))
        again.append(1)

    made = backup(filled, tmp_path / "backup", tell)

    assert (made.rows, len(again)) == ({"ticks": SECONDS}, 2)
    restored = Database(tmp_path / "restored.duckdb")
    restore(tmp_path / "backup", restored)
    assert seconds_of(restored) == seconds_of(filled)


def test_a_backup_of_what_is_deleted_again_and_again_is_given_up(filled: Database, tmp_path: Path):
    seconds = iter(range(SECONDS))

    def tell(_: int, __: int) -> None:
        second = next(seconds)
        delete(filled, second, second + 1)

    with pytest.raises(StoreError, match=r"^rows were deleted each time that they were read: try again"):
        backup(filled, tmp_path / "backup", tell)

    assert not (tmp_path / "backup/manifest.json").exists()
    assert list((tmp_path / "backup/ticks").iterdir()) == []
