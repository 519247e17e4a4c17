"""A recorder sets a file aside that can't be opened, under a name that says so; nothing in it is lost."""

import logging
import os
import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

import store.health.status
from store.errors import NoDatabaseError, StoreError, UnreadableError
from store.file.aside import list_aside, log_of, set_aside
from store.file.database import Database
from store.models import utc_now
from store.prices import ticks
from tests.conftest import START, tick
from tests.store.files import DAMAGES, checkpoint, empty
from tests.support.stored import append

ASIDE = r"ticks\.duckdb\.unreadable-\d{8}T\d{6}Z"


@pytest.fixture
def filled(database: Database) -> Database:
    """A tick in the file, another one in its write-ahead log."""
    append(database, tick(0))
    checkpoint(database)
    append(database, tick(1))
    assert log_of(database.path).stat().st_size > 0
    return database


def seconds(database: Database) -> list[int]:
    with database.read() as cursor:
        return sorted(int((each.ts - START).total_seconds()) for each in ticks.newest_first(cursor, "btc_usd", limit=9))


def contents(folder: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in folder.iterdir() if path.suffix not in (".gate", ".lease"))


@pytest.mark.parametrize("damage", DAMAGES)
def test_readers_and_writers_report_a_damaged_file_and_leave_it_as_it_is(
    filled: Database, damage: Callable[[Path], None]
):
    damage(filled.path)
    before = contents(filled.path.parent)

    for access in (filled.read, filled.write, Database(filled.path).read):
        with pytest.raises(UnreadableError, match=r"^ticks\.duckdb: [^\n]+$") as caught, access():
            pass
        assert not caught.value.log_alone

    assert contents(filled.path.parent) == before


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_set_aside_with_its_log_and_another_one_made(
    filled: Database, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture, *, held: bool
):
    damage(filled.path)
    before = contents(filled.path.parent)
    database = Database(filled.path)

    if held:
        with database.hold():
            database.migrate()
            append(database, tick(2))
    else:
        database.migrate()
        append(database, tick(2))

    assert seconds(database) == [2]
    aside = list_aside(filled.path)
    assert [bool(re.fullmatch(ASIDE, aside[0])), aside[1]] == [True, f"{aside[0]}.wal"]
    assert sorted((filled.path.parent / name).read_bytes() for name in aside) == before
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert re.fullmatch(rf"set aside as {ASIDE}, {ASIDE}\.wal: ticks\.duckdb: [^\n]+", warning.getMessage())


def of_another_file(database: Database) -> None:
    other = Database(database.path.with_name("other.duckdb"))
    other.migrate()
    append(other, tick(5))
    shutil.copy(log_of(other.path), log_of(database.path))


def of_the_file_before_it_was_checkpointed(database: Database) -> None:
    old = log_of(database.path).read_bytes()
    checkpoint(database)
    log_of(database.path).write_bytes(old)


@pytest.mark.parametrize(
    ("leave_a_log", "kept"), [(of_another_file, [0]), (of_the_file_before_it_was_checkpointed, [0, 1])]
)
def test_a_foreign_log_is_set_aside_and_its_file_is_kept(
    filled: Database, leave_a_log: Callable[[Database], None], kept: list[int]
):
    leave_a_log(filled)
    log = log_of(filled.path).read_bytes()
    with pytest.raises(UnreadableError) as caught:
        seconds(filled)
    assert caught.value.log_alone

    filled.migrate()

    assert seconds(filled) == kept
    (aside,) = list_aside(filled.path)
    assert re.fullmatch(rf"{ASIDE}\.wal", aside)
    assert (filled.path.parent / aside).read_bytes() == log


def test_a_log_without_its_file_is_set_aside_before_another_file_is_made(
    filled: Database, caplog: pytest.LogCaptureFixture
):
    log = log_of(filled.path).read_bytes()
    filled.path.unlink()
    with pytest.raises(NoDatabaseError):
        seconds(filled)

    filled.migrate()

    assert seconds(filled) == []
    (aside,) = list_aside(filled.path)
    assert (filled.path.parent / aside).read_bytes() == log
    assert f"set aside as {aside}: its database file is gone" in caplog.messages


@pytest.mark.parametrize("torn", [1, 50, -1, -7])
def test_a_log_torn_by_a_kill_is_not_damaged(filled: Database, torn: int):
    log = log_of(filled.path)
    os.truncate(log, torn if torn > 0 else log.stat().st_size + torn)

    filled.migrate()
    append(filled, tick(2))
    append(filled, tick(3))

    assert seconds(filled) == [0, 2, 3]
    assert list_aside(filled.path) == []


def test_a_name_that_exists_is_not_used_again(database_file: Path):
    for content in ("first", "second", "third"):
        database_file.write_text(content)
        set_aside(database_file, START)

    stamps = [f"{START + timedelta(seconds=second):%Y%m%dT%H%M%SZ}" for second in range(3)]
    assert list_aside(database_file) == [f"ticks.duckdb.unreadable-{stamp}" for stamp in stamps]
    aside = [(database_file.parent / name).read_text() for name in list_aside(database_file)]
    assert aside == ["first", "second", "third"]


def test_an_unreadable_folder_lists_no_files(tmp_path: Path):
    assert list_aside(tmp_path / "missing/ticks.duckdb") == []


def test_a_new_file_appears_only_when_it_is_whole(database_file: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(_: object) -> None:
        raise OSError(28, "No space left on device")

    database = Database(database_file)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", fail)  # of a schema step
        with pytest.raises(StoreError, match=r"^ticks\.duckdb: .*No space left on device"):
            database.migrate()

    with pytest.raises(NoDatabaseError), database.read():
        pass
    left = [path.name for path in database_file.parent.iterdir() if path.suffix not in (".gate", ".lease")]
    assert left == []


def test_the_remains_of_an_unfinished_file_are_removed(database_file: Path):
    half = database_file.with_name("ticks.duckdb.new")
    half.write_bytes(b"half")
    log_of(half).write_bytes(b"half")

    Database(database_file).migrate()

    assert not half.exists()
    assert not log_of(half).exists()
    assert list_aside(database_file) == []


def test_a_link_leads_to_where_the_file_is_made(tmp_path: Path):
    (tmp_path / "disk").mkdir()
    link = tmp_path / "ticks.duckdb"
    link.symlink_to(tmp_path / "disk/ticks.duckdb")

    Database(link).migrate()

    assert link.is_symlink()
    assert (tmp_path / "disk/ticks.duckdb").stat().st_size > 0
    assert seconds(Database(link)) == []


@pytest.mark.parametrize("again", ["deleted", "replaced"])
def test_a_held_file_that_was_deleted_or_replaced_takes_no_more_ticks(filled: Database, again: str):
    other = Database(filled.path.with_name("other.duckdb"))
    other.migrate()
    append(other, tick(7))
    checkpoint(other)
    with filled.hold():
        append(filled, tick(2))

        filled.path.unlink()
        if again == "replaced":
            other.path.rename(filled.path)
            log_of(other.path).unlink(missing_ok=True)
        with pytest.raises(StoreError):
            append(filled, tick(3))
        filled.migrate()
        append(filled, tick(3))

        assert seconds(filled) == ([3, 7] if again == "replaced" else [3])

    assert seconds(Database(filled.path)) == ([3, 7] if again == "replaced" else [3])
    assert len(list_aside(filled.path)) == 1


def test_the_status_names_the_files_that_were_set_aside(filled: Database, make_settings):
    empty(filled.path)
    filled.migrate()

    report = store.health.status.health(filled, make_settings(), utc_now())

    assert report["database"]["set_aside"] == list_aside(filled.path)
    assert store.health.status.aside_in_words(["a", "b"]) == (
        "set aside because they can't be opened; move them away once you have checked them: a, b"
    )
