"""A recorder's database is backed up each day without a command."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from poller.recorder import daily_backup as daily
from poller.recorder.daily_backup import DailyBackup
from store.backup.backup import backup
from store.backup.manifest import read_manifest
from store.file.database import Database
from store.models import utc_now
from store.prices import ticks
from tests.conftest import tick, wait_until
from tests.poller.conftest import Clock
from tests.support.stored import append

HOUR_S = 3600


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backup"


@pytest.fixture
def now() -> Clock:
    return Clock(utc_now())


@pytest.fixture
def backups(database: Database, folder: Path, now: Clock) -> Iterator[DailyBackup]:
    """Daily backups of a database with a tick; the clock is checked all the time."""
    with database.write() as cursor:
        ticks.append(cursor, [tick()])
    stop = threading.Event()
    yield DailyBackup(database, folder, stop, clock=now, look_again_s=0.01)
    stop.set()


def made(folder: Path) -> int:
    """The number of ticks in the backup."""
    manifest = read_manifest(folder)
    return sum(file.rows for file in manifest.tables["ticks"]) if manifest else 0


def test_the_first_backup_is_made_at_once_and_the_next_when_the_day_is_over(
    backups: DailyBackup, database: Database, folder: Path, now: Clock, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, logger="tickwell")
    backups.start()
    wait_until(lambda: made(folder) == 1)
    with database.write() as cursor:
        ticks.append(cursor, [tick(5)])
    first = read_manifest(folder)

    backups.back_up_if_due()
    same_day = read_manifest(folder)
    now.move(24 * HOUR_S)

    wait_until(lambda: made(folder) == 2)
    assert same_day == first
    assert caplog.messages[0] == f"backed up into {folder}: ticks 1, days 1, of which written 1"


def test_no_backup_is_made_on_a_day_that_has_one_made_by_hand(backups: DailyBackup, database: Database, folder: Path):
    backup(database, folder)
    before = read_manifest(folder)

    backups.back_up_if_due()

    assert read_manifest(folder) == before


def test_a_failed_backup_logs_one_line_and_is_tried_again_in_an_hour(
    backups: DailyBackup, folder: Path, now: Clock, caplog: pytest.LogCaptureFixture
):
    folder.write_text("in the way")
    backups.back_up_if_due()
    folder.unlink()

    now.move(HOUR_S - 1)
    backups.back_up_if_due()
    before = made(folder)
    now.move(1)
    backups.back_up_if_due()

    assert caplog.messages == [f"no backup, trying again in an hour: {folder}/ticks can't be written: Not a directory"]
    assert (before, made(folder)) == (0, 1)


def test_a_stop_ends_a_backup_that_is_under_way_and_keeps_the_one_before(
    database: Database, folder: Path, now: Clock, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, logger="tickwell")
    append(database, tick())
    backup(database, folder)
    append(database, tick(5))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    now.move(24 * HOUR_S)
    stop = threading.Event()
    stop.set()

    DailyBackup(database, folder, stop, clock=now).back_up_if_due()

    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert caplog.messages == ["the backup under way ends with the recorder; the next start begins it anew"]


def test_an_unexpected_error_does_not_end_daily_backups(
    backups: DailyBackup, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(daily, "backup", fail)
    backups.start()
    wait_until(lambda: "the job backup failed" in caplog.messages)
    monkeypatch.setattr(daily, "backup", backup)

    wait_until(lambda: made(folder) == 1)


def test_a_missing_database_does_not_end_daily_backups(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    backups = DailyBackup(Database(tmp_path / "none.duckdb"), tmp_path / "backup", threading.Event())

    backups.back_up_if_due()

    assert caplog.messages == [
        f"no backup, trying again in an hour: nothing is recorded yet in {tmp_path / 'none.duckdb'}"
    ]
