"""Damage to the database file and to the files beside it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb

from store.file.aside import list_aside, log_of
from store.file.database import Database
from store.file.locks import beside
from store.prices import ticks
from tests.conftest import tick, wait_until
from tests.faults.parts import recording, told
from tests.faults.stage import Stage
from tests.store.files import checkpoint
from tests.store.processes import line, start


def damaged(spoil: Callable[[Path], object], stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            before = len(list_aside(stage.file))
            with stage.injected_once():
                stage.kill()
                stage.damage(spoil)
                stage.start()
            assert len(list_aside(stage.file)) > before


def log_of_another_file(stage: Stage, times: int) -> None:
    other = Database(stage.folder / "other.duckdb")
    other.migrate()
    with other.write() as cursor:
        ticks.append(cursor, [tick()])
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                stage.stop()
                checkpoint(stage.database)
                log_of(stage.file).write_bytes(log_of(other.path).read_bytes())
                stage.start()
    assert len(list_aside(stage.file)) == times


def log_of_an_older_state(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                stage.kill()
                old = log_of(stage.file).read_bytes()
                checkpoint(stage.database)
                log_of(stage.file).write_bytes(old)
                stage.start()
    assert len(list_aside(stage.file)) == times


def log_without_its_file(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                stage.kill()
                stage.file.unlink()
                stage.forget()
                stage.start()
    assert len(list_aside(stage.file)) == times


def torn_log(stage: Stage, times: int) -> None:
    """The end of an unacknowledged commit is missing, as after a power cut."""
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                stage.kill()
                with log_of(stage.file).open("ab") as log:
                    log.write(log_of(stage.file).read_bytes()[-60:-7])
                stage.start()
    assert list_aside(stage.file) == []


def missing(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once(), stage.stopped():
                stage.file.unlink()
                log_of(stage.file).unlink(missing_ok=True)
                stage.forget()


def deleted_meanwhile(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                stage.file.unlink()
                wait_until(stage.file.exists)
                stage.forget()


def replaced_meanwhile(stage: Stage, times: int) -> None:
    other = Database(stage.folder / "other.duckdb")
    other.migrate()
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                _copy(other.path, stage.folder / "copy.duckdb")
                (stage.folder / "copy.duckdb").rename(stage.file)
                stage.forget()


def newer_version(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                stage.stop()
                with duckdb.connect(stage.file) as connection:
                    connection.execute("INSERT INTO migrations VALUES (99, '0099_newer', now()::TIMESTAMP)")
                before = stage.file.read_bytes()
                stage.start()
                said = stage.end()
                assert said.count("\n") == 1, said
                assert "update Tickwell; the file was left as it is" in said
                assert stage.file.read_bytes() == before
                with duckdb.connect(stage.file) as connection:
                    connection.execute("DELETE FROM migrations WHERE number = 99")
                stage.start()


def lock_files_deleted(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                for kind in ("gate", "lease", "recorder"):
                    beside(stage.file, kind).unlink()
            wait_until(beside(stage.file, "recorder").exists)


def lock_files_left_behind(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                stage.kill()
                beside(stage.file, "recorder").write_text('{"pid": 1, "torn')
                stage.start()


def foreign_program(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once(), start("hold_like_a_foreign_tool_once_it_can", stage.file) as tool:
                assert line(tool) == "held"
                told(stage, "store unavailable")


def folder_moved_away(stage: Stage, times: int) -> None:
    away = stage.folder.with_name(f"{stage.folder.name}.away")
    with recording(stage):
        for _ in range(times):
            with stage.injected_once(), stage.stopped():
                stage.folder.rename(away)
            with stage.injected_once():
                wait_until(stage.file.exists)
            stage.stop()
            for path in away.iterdir():
                path.replace(stage.folder / path.name)
            away.rmdir()
            stage.start()
            stage.wait_for(1)
            stage.forget()


def _copy(file: Path, target: Path) -> None:
    """Copy a database file with its log."""
    for source, its in ((file, target), (log_of(file), log_of(target))):
        its.unlink(missing_ok=True)
        if source.exists():
            shutil.copy(source, its)
