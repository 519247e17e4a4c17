import atexit
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from poller.recorder.embedded import Embedded, start_embedded, too_soon
from poller.recorder.recorder import Recorder
from poller.simulator.server import Simulator
from poller.timing.pauses import Pauses
from settings import ROOT, Settings
from store.errors import StoreError
from store.file.database import Database
from store.file.locks import FileLock, beside
from store.file.recorder import Notice, RecorderLock, failed_start, read_notice
from store.health.status import in_words
from store.ledger import runs
from store.models import utc_now
from tests.conftest import START, wait_until
from tests.poller.conftest import price_reply, reply

SECOND = timedelta(seconds=1)

AS_A_SCRIPT = """
import settings
from poller.recorder.embedded import start_embedded
from store.file.recorder import read_notice
asked = settings.load()
assert start_embedded(asked) is not None
while read_notice(asked.database).state != "recording":
    pass
"""

Embed = Callable[..., Recorder | None]

SHORT = Pauses(first=timedelta(seconds=0.2), look_again_s=0.05)


@pytest.fixture
def settings(make_settings: Callable[..., Settings], simulator: Simulator) -> Settings:
    return make_settings(deribit_url=simulator.url, poll_seconds=3600)


@pytest.fixture
def embed() -> Iterator[Embed]:
    """`start_embedded`; the recorders that it starts end with the test."""
    started = []

    def start(settings: Settings, pauses: Pauses = SHORT) -> Recorder | None:
        if (recorder := start_embedded(settings, pauses)) is not None:
            started.append(recorder)
        return recorder

    yield start
    for recorder in started:
        recorder.stop()
        atexit.unregister(recorder.stop)


def test_an_embedded_recorder_records_from_this_process(embed: Embed, settings: Settings):
    assert isinstance(embed(settings), Recorder)

    notice = read_notice(settings.database)
    assert notice is not None
    assert (notice.pid, notice.mode, notice.alive) == (os.getpid(), "embedded", True)


def test_no_recorder_starts_when_the_settings_choose_another_process(
    embed: Embed, make_settings: Callable[..., Settings]
):
    settings = make_settings(poller="external")

    assert embed(settings) is None
    assert read_notice(settings.database) is None


def test_no_recorder_starts_while_another_process_records(embed: Embed, settings: Settings):
    lock = RecorderLock(settings.database)
    lock.acquire(Notice(4711, "external", START, 5, ("btc_usd",), "1.2.3", "recording", START))

    assert embed(settings) is None
    lock.release()
    assert embed(settings) is not None


def test_a_process_starts_no_second_recorder(embed: Embed, settings: Settings):
    assert [embed(settings) is not None for _ in range(3)] == [True, False, False]


def test_only_one_of_many_recorders_that_start_at_once_records(embed: Embed, settings: Settings):
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


def test_a_lock_without_a_notice_is_respected(embed: Embed, settings: Settings, caplog: pytest.LogCaptureFixture):
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


# A recorder that ended by itself


class Exchange:
    """An exchange that publishes only another name until the test changes that."""

    def __init__(self) -> None:
        self.published = ["other_usd"]

    def __call__(self, target: str) -> bytes:
        if "names" in target:
            return reply(self.published, utc_now())
        return price_reply(sent_at=utc_now())


@pytest.fixture
def refusing(serve, make_settings: Callable[..., Settings]) -> tuple[Exchange, Settings]:
    """An exchange that does not publish the index, and settings that name both."""
    exchange = Exchange()
    return exchange, make_settings(deribit_url=serve(exchange).url, poll_seconds=1, indexes=("btc_usd",))


def told(settings: Settings) -> Notice:
    notice = read_notice(settings.database)
    assert notice is not None
    return notice


def test_a_recorder_that_ended_frees_the_file_for_another_process(embed: Embed, refusing: tuple[Exchange, Settings]):
    exchange, settings = refusing
    first = embed(settings)
    assert first is not None
    assert first.wait(10)
    before = told(settings)

    exchange.published = ["btc_usd"]
    second = Recorder(settings, Database(settings.database), "external")
    second.start()

    assert (before.state, before.alive, before.tries) == ("refused", False, 1)
    assert in_words(before, None, utc_now()).startswith("not recording: TICKWELL_INDEXES names btc_usd, which ")
    wait_until(lambda: told(settings).state == "recording")
    second.stop()


def test_pages_start_another_recorder_after_a_growing_pause(embed: Embed, refusing: tuple[Exchange, Settings]):
    pauses = Pauses(first=timedelta(seconds=0.5))
    _, settings = refusing
    first = embed(settings, pauses)
    assert first is not None
    assert first.wait(10)
    at_once = embed(settings, pauses)

    second = wait_until(lambda: embed(settings, pauses))
    assert second.wait(10)

    assert at_once is None
    assert told(settings).tries == 2
    refused_at = told(settings).state_since
    assert [
        too_soon(told(settings), refused_at + timedelta(seconds=after_s), pauses) for after_s in (0, 0.9, 1.0, -9)
    ] == [True, True, False, False]


def test_pauses_between_recorders_end_at_ten_minutes():
    notice = Notice(os.getpid(), "embedded", START, 1, (), "0", "refused", START)

    pauses_s = [
        next(s for s in range(1000) if not too_soon(replace(notice, tries=tries), START + s * SECOND))
        for tries in (0, 1, 2, 3, 7, 8, 10**6)
    ]

    assert pauses_s == [10, 10, 20, 40, 600, 600, 600]


@pytest.mark.parametrize("skew_s", [180.0, -180.0])
def test_a_wrong_clock_does_not_change_the_pause(skew_s):
    ended_at = START + timedelta(seconds=skew_s)
    notice = Notice(os.getpid(), "embedded", START, 1, (), "0", "refused", ended_at, skew_s=skew_s)

    assert [too_soon(notice, START + s * SECOND) for s in (0, 9, 10)] == [True, True, False]


def test_no_pause_follows_a_recorder_of_another_process_that_ended(embed: Embed, settings: Settings):
    lock = RecorderLock(settings.database)
    lock.acquire(Notice(4711, "embedded", utc_now(), 5, ("btc_usd",), "0", "refused", utc_now(), tries=9))
    lock.release()

    assert embed(settings) is not None


def test_another_recorder_starts_without_a_visitor_too(refusing: tuple[Exchange, Settings]):
    exchange, settings = refusing
    keeper = Embedded(settings, SHORT)
    keeper.start()
    wait_until(lambda: told(settings).tries >= 2)

    exchange.published = ["btc_usd"]

    wait_until(lambda: told(settings).state == "recording")
    keeper.stop()
    assert (told(settings).state, told(settings).alive) == ("stopped", False)


def test_a_recorder_starts_without_a_visitor_once_that_of_another_process_is_gone(settings: Settings):
    lock = RecorderLock(settings.database)
    lock.acquire(Notice(4711, "embedded", START, 5, ("btc_usd",), "0", "recording", START))
    keeper = Embedded(settings, SHORT)
    keeper.start()

    lock.release()

    wait_until(lambda: (told(settings).pid, told(settings).alive) == (os.getpid(), True))
    keeper.stop()


def test_a_recorder_without_a_notice_is_told_of_once(settings: Settings, caplog: pytest.LogCaptureFixture):
    lock = FileLock(beside(settings.database, "recorder"))
    assert lock.try_acquire()
    caplog.set_level(logging.DEBUG, "tickwell.recorder")
    keeper = Embedded(settings, SHORT)
    keeper.start()

    wait_until(lambda: len(already_recorded(caplog)) > 3)

    keeper.stop()
    lock.release()
    assert already_recorded(caplog)[:3] == [logging.WARNING, logging.DEBUG, logging.DEBUG]


def already_recorded(caplog: pytest.LogCaptureFixture) -> list[int]:
    """The levels of the lines that say that another process records."""
    return [each.levelno for each in caplog.records if "is already being recorded by" in each.getMessage()]


def test_a_failed_start_is_raised_and_tried_again(settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    folder = tmp_path / "folder"
    folder.write_text("in the way")
    settings = settings.model_copy(update={"database": folder / "ticks.duckdb"})
    keeper = Embedded(settings, SHORT)
    with pytest.raises(StoreError, match="can't be made"):
        keeper.start()
    wait_until(lambda: [line for line in caplog.messages if line.startswith(f"not recording: {folder} can't be made")])

    assert failed_start(settings.database).startswith(f"{folder} can't be made")
    folder.unlink()

    wait_until(lambda: folder.is_dir() and read_notice(settings.database))
    keeper.stop()
    assert told(settings).state == "stopped"
    assert failed_start(settings.database) == ""


def test_a_stop_without_a_start_does_nothing(settings: Settings):
    Embedded(settings).stop()

    assert read_notice(settings.database) is None
