"""A backup keeps ticks that the database lost, and drops ticks that were replaced or whose import was undone."""

import shutil
from pathlib import Path

import pytest

from store.backup.backup import backup
from store.backup.restore import restore
from store.errors import StoreError
from store.file.database import Database
from store.intake.undo import undo
from store.prices import averages, ticks
from tests.conftest import tick
from tests.store.histories import at
from tests.support.backups import faults, rows
from tests.support.foreign_files import import_rows, nobody_listens

DAY_S = 86_400


def observations(*seconds: float, price: float = 9.0) -> list[tuple[str, object, float, int]]:
    return [("btc_usd", at(second), price, 0) for second in seconds]


@pytest.fixture(scope="module")
def backed_up_before(made_before: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `backed_up`, to be copied."""
    at_work = tmp_path_factory.mktemp("backed_up")
    shutil.copytree(made_before, at_work, dirs_exist_ok=True)
    database = Database(at_work / "ticks.duckdb")
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(at(0), 50.0), (at(3600), 50.0), (at(-DAY_S), 50.0)], 3600)
        ticks.append(cursor, [tick(DAY_S + second) for second in range(3)])
    import_rows(database, at_work, observations(3 * DAY_S, 3 * DAY_S + 60, 4 * DAY_S))
    import_rows(database, at_work, observations(3 * DAY_S + 30, 4 * DAY_S - 30))
    backup(database, at_work / "backup")
    return at_work


@pytest.fixture
def backed_up(backed_up_before: Path, database_file: Path, folder: Path) -> Database:
    """A backup of two days with averages, ticks of a recorder on the second, and two imports, the newer in between."""
    shutil.copytree(backed_up_before, database_file.parent, dirs_exist_ok=True)
    assert folder.is_dir()
    return Database(database_file)


def restored_rows(folder: Path) -> object:
    restored = Database(folder.with_name("restored.duckdb"))
    restore(folder, restored)
    return rows(restored.path)["ticks"]


def delete(database: Database, second: float) -> None:
    with database.write() as cursor:
        cursor.execute("DELETE FROM ticks WHERE ts = ?", [at(second)])


def test_replaced_averages_are_no_losses(backed_up: Database, folder: Path, tmp_path: Path):
    with backed_up.write() as cursor:
        ticks.append(cursor, [tick(-DAY_S + 5)])
    import_rows(backed_up, tmp_path, observations(100, 3700))

    backup(backed_up, folder)

    assert faults(folder) == []
    assert restored_rows(folder) == rows(backed_up.path)["ticks"]


@pytest.mark.parametrize("undone", [[1], [2], [1, 2], [2, 1]])
def test_ticks_of_undone_imports_are_no_losses(backed_up: Database, folder: Path, undone: list[int]):
    for import_id in undone:
        undo(backed_up, import_id, nobody_listens)

    made = backup(backed_up, folder)

    assert made.rows["ticks"] == 6 + {1: 2, 2: 3}.get(sum(undone), 0)
    assert faults(folder) == []
    assert restored_rows(folder) == rows(backed_up.path)["ticks"]


@pytest.mark.parametrize(
    "second",
    [0, DAY_S + 1, 3 * DAY_S, 4 * DAY_S, 3 * DAY_S + 30],
    ids=["an average", "a tick", "of the first import", "all of a day", "of the second import"],
)
def test_ticks_deleted_by_hand_are_a_loss(backed_up: Database, folder: Path, second: float):
    delete(backed_up, second)

    with pytest.raises(StoreError, match=r"has ticks that the database doesn't have, 1 of 2026-11-0\d for one: "):
        backup(backed_up, folder)


def test_lost_ticks_of_an_import_are_a_loss_in_the_time_of_an_undone_one_too(backed_up: Database, folder: Path):
    undo(backed_up, 1, nobody_listens)
    delete(backed_up, 3 * DAY_S + 30)

    with pytest.raises(StoreError, match=r"has ticks that the database doesn't have, 1 of 2026-11-04 for one: "):
        backup(backed_up, folder)


def test_an_import_repeated_after_an_undo_is_kept(backed_up: Database, folder: Path, tmp_path: Path):
    undo(backed_up, 1, nobody_listens)
    import_rows(backed_up, tmp_path, observations(3 * DAY_S, 3 * DAY_S + 60, 4 * DAY_S))
    backup(backed_up, folder)
    delete(backed_up, 3 * DAY_S)

    with pytest.raises(StoreError, match=r"has ticks that the database doesn't have, 1 of 2026-11-04 for one: "):
        backup(backed_up, folder)


def test_ticks_that_came_back_with_a_later_span_are_kept(backed_up: Database, folder: Path, tmp_path: Path):
    undo(backed_up, 2, nobody_listens)
    undo(backed_up, 1, nobody_listens)
    import_rows(backed_up, tmp_path, observations(3 * DAY_S, 3 * DAY_S + 30, 4 * DAY_S))
    backup(backed_up, folder)
    delete(backed_up, 3 * DAY_S + 30)

    with pytest.raises(StoreError, match=r"has ticks that the database doesn't have, 1 of 2026-11-04 for one: "):
        backup(backed_up, folder)
