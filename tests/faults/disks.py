"""Refusals of the disk."""

import contextlib

from store.backup.backup import backup
from store.errors import StoreError
from store.file.aside import list_aside
from store.file.locks import beside
from store.prices import ticks
from tests.faults.parts import fill, read_only, recording, remove, small_disk, sound, told, with_outage
from tests.faults.stage import Stage
from tests.store.files import checkpoint


def disk_full(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                fill(stage.folder, leaving=0)
                told(stage, "store unavailable", "No space left on device")
                (stage.folder / "filling").unlink()


def disk_full_at_a_checkpoint(stage: Stage, times: int) -> None:
    for _ in range(times):
        with recording(stage):
            stage.wait_for(1)
        fill(stage.folder, leaving=4096)
        with contextlib.suppress(StoreError):
            checkpoint(stage.database)
        (stage.folder / "filling").unlink()
        with stage.injected_once():
            stage.start()
        stage.stop()


def disk_full_at_the_first_start(stage: Stage, times: int) -> None:
    for _ in range(times):
        remove(stage)
        with stage.injected_once():
            fill(stage.folder, leaving=65_536)
            stage.start()
            told(stage, "store unavailable", "No space left on device")
            (stage.folder / "filling").unlink()
        stage.stop()
        assert list_aside(stage.file) == []


def disk_full_at_a_backup(stage: Stage, times: int) -> None:
    folder = stage.folder.with_name(f"{stage.folder.name}.backup")
    folder.mkdir()
    with_outage(stage)
    with small_disk(folder), recording(stage):
        backup(stage.database, folder)
        for _ in range(times):
            with stage.injected_once():
                fill(folder, leaving=0)
                with contextlib.suppress(StoreError):
                    backup(stage.database, folder)
                    raise AssertionError("a full disk was not noticed")
                (folder / "filling").unlink()
            sound(folder)
        backup(stage.database, folder)
        sound(folder)


def read_only_at_the_start(stage: Stage, times: int) -> None:
    with recording(stage):
        stage.wait_for(1)
    for _ in range(times):
        with stage.injected_once():
            with read_only(stage.folder):
                stage.start()
                said = stage.end()
                assert said == f"Error: {beside(stage.file, 'recorder')} can't be opened: Read-only file system\n"
                with stage.database.read() as cursor:
                    assert ticks.summary(cursor)
            stage.start()
        stage.stop()


def read_only_meanwhile(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once(), read_only(stage.folder):
                told(stage, "store unavailable")
