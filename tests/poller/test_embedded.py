import atexit
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from poller.embedded import start_embedded
from poller.recorder import Recorder
from poller.simulator import Simulator
from settings import ROOT, Settings
from store import Database, runs
from store.locks import FileLock, beside
from store.recorder import Notice, RecorderLock, read_notice
from tests.conftest import START

AS_A_SCRIPT = """
import settings
from poller.embedded import start_embedded
from store.recorder import read_notice
asked = settings.load()
assert start_embedded(asked) is not None
while read_notice(asked.database).state != "recording":
    pass
"""

Embed = Callable[[Settings], Recorder | None]


@pytest.fixture
def settings(make_settings: Callable[..., Settings], simulator: Simulator) -> Settings:
    return make_settings(deribit_url=simulator.url, poll_seconds=3600)


@pytest.fixture
def embed() -> Iterator[Embed]:
    """As `start_embedded`; what it starts ends with the test."""
    started = []

    def start(settings: Settings) -> Recorder | None:
        if (recorder := start_embedded(settings)) is not None:
            started.append(recorder)
        return recorder

    yield start
    for recorder in started:
        recorder.stop()
        atexit.unregister(recorder.stop)


def test_it_records_from_this_process(embed: Embed, settings: Settings):
    assert isinstance(embed(settings), Recorder)

    notice = read_notice(settings.database)
    assert notice is not None
    assert (notice.pid, notice.mode, notice.alive) == (os.getpid(), "embedded", True)


def test_it_leaves_recording_to_another_process_when_told_to(embed: Embed, make_settings: Callable[..., Settings]):
    settings = make_settings(poller="external")

    assert embed(settings) is None
    assert read_notice(settings.database) is None


def test_it_leaves_recording_to_whoever_does_it(embed: Embed, settings: Settings):
    lock = RecorderLock(settings.database)
    lock.acquire(Notice(4711, "external", START, 5, ("btc_usd",), "1.2.3", "recording", START))

    assert embed(settings) is None
    lock.release()
    assert embed(settings) is not None


def test_it_starts_no_second_recorder(embed: Embed, settings: Settings):
    assert [embed(settings) is not None for _ in range(3)] == [True, False, False]


def test_of_many_that_start_at_once_one_records(embed: Embed, settings: Settings):
    together = threading.Barrier(4)
    found = []

    def start() -> None:
        together.wait(5)
        found.append(embed(settings) is not None)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == [False, False, False, True]


def test_a_lock_without_a_word_is_respected(embed: Embed, settings: Settings, caplog: pytest.LogCaptureFixture):
    lock = FileLock(beside(settings.database, "recorder"))
    assert lock.try_acquire()

    assert embed(settings) is None
    lock.release()

    (record,) = [record for record in caplog.records if record.name == "tickwell.recorder"]
    assert record.levelno == logging.WARNING
    assert "is already being recorded by another process" in record.getMessage()


def test_a_recorder_that_nobody_stops_ends_with_its_process(database_file: Path, simulator: Simulator):
    environment = {
        **os.environ,
        "TICKWELL_DATABASE": str(database_file),
        "TICKWELL_DERIBIT_URL": simulator.url,
        "TICKWELL_POLL_SECONDS": "1",
    }

    ended = subprocess.run(
        [sys.executable, "-c", AS_A_SCRIPT],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=20,
    )

    assert (ended.returncode, ended.stdout) == (0, "")
    assert "Traceback" not in ended.stderr
    with Database(database_file).read() as cursor:
        assert [run.ended_at is not None for run in runs.runs(cursor)] == [True]
    notice = read_notice(database_file)
    assert notice is not None
    assert notice.state == "stopped"
