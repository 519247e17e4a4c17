"""The publisher of a recorder is started, watched, brought back and ended, and a recorder without a lake has none."""

import logging
import os
import queue
import signal
import sys
import time
from datetime import timedelta
from itertools import pairwise

import psutil
import pytest

from poller.publisher import keeper
from poller.publisher.keeper import Publisher
from poller.publisher.parent import end_with_recorder
from poller.timing.pauses import Pauses
from settings import Settings, environment_of_publisher
from store.lake.notice import desk, is_published
from tests.conftest import wait_until
from tests.support.servers import IN_URL

SOON = Pauses(first=timedelta(seconds=0.2), longest=timedelta(seconds=20))
NOWHERE = f"postgresql://tickwell:{IN_URL}@127.0.0.1:1/lake"


@pytest.fixture
def keep(database_file):
    """Keep a process of some lines of Python; it is ended with the test."""
    kept = []

    def start(code: str, pauses: Pauses = SOON, **limits: float) -> Publisher:
        settings = Settings(database=database_file, lake=NOWHERE)
        kept.append(Publisher(settings, pauses, [sys.executable, "-c", code], **limits))
        kept[-1].start()
        return kept[-1]

    yield start
    for each in kept:
        each.stop()


def begun(database_file) -> list[tuple[int, float]]:
    """The processes that began, each with the time."""
    path = database_file.with_name("begun")
    lines = path.read_text().splitlines() if path.exists() else []
    return [(int(pid), float(at)) for pid, at in map(str.split, lines)]


def noting(database_file, then: str) -> str:
    path = str(database_file.with_name("begun"))
    return f"import os, sys, time; print(os.getpid(), time.monotonic(), file=open({path!r}, 'a')); {then}"


def lines_of(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "tickwell.lake"]


UNTIL_END = "sys.stdin.read()"


def test_a_publisher_gets_the_file_and_the_lake_and_ends_with_its_recorder(keep, database_file, capfd):
    asked = "; ".join(
        f"print(os.environ['TICKWELL_{name}'], file=sys.stderr, flush=True)" for name in ("DATABASE", "LAKE")
    )
    kept = keep(noting(database_file, f"{asked}; {UNTIL_END}; print('ended', file=sys.stderr)"))
    wait_until(lambda: begun(database_file))

    kept.stop()

    assert capfd.readouterr().err.splitlines() == [str(database_file), NOWHERE, "ended"]
    assert len(begun(database_file)) == 1


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        ("sys.exit('Error: no way there')", "no way there"),
        ("sys.exit(3)", "exit code 3"),
        ("os.kill(os.getpid(), 9)", "killed by SIGKILL"),
    ],
)
def test_a_publisher_that_ends_is_brought_back_after_growing_pauses_with_its_cause(
    keep, database_file, caplog, end, cause
):
    caplog.set_level(logging.INFO)
    keep(noting(database_file, end))

    times = wait_until(lambda: len(begun(database_file)) > 4 and [at for _, at in begun(database_file)])

    waited = [after - before for before, after in pairwise(times)]
    assert [least <= found for least, found in zip((0.2, 0.4, 0.8, 1.6), waited, strict=False)] == [True] * 4
    assert lines_of(caplog)[:3] == [
        f"the publisher ended, starting another one in {pause}: {cause}" for pause in ("under 1 s", "under 1 s", "1 s")
    ]


def test_pauses_begin_anew_after_a_publisher_that_lasted(keep, database_file, caplog):
    keep(noting(database_file, "time.sleep(0.3); sys.exit(1)"), Pauses(SOON.first, timedelta(seconds=0.25)))

    times = wait_until(lambda: len(begun(database_file)) > 3 and [at for _, at in begun(database_file)])

    assert len(lines_of(caplog)) >= 3
    assert times == sorted(times)


def test_a_program_that_is_not_there_is_one_line(database_file, caplog):
    kept = Publisher(Settings(database=database_file, lake=NOWHERE), SOON, [str(database_file.with_name("absent"))])
    kept.start()

    wait_until(lambda: lines_of(caplog))
    kept.stop()

    assert lines_of(caplog)[0].endswith("it can't be started: No such file or directory")


def test_a_publisher_that_hears_nothing_is_killed(keep, database_file):
    kept = keep(noting(database_file, "time.sleep(600)"), ends_within_s=0.2)
    ((pid, _),) = wait_until(lambda: begun(database_file))

    kept.stop()

    assert not psutil.pid_exists(pid)


def test_a_publisher_ends_with_a_recorder_that_ends_while_it_starts(keep, database_file, monkeypatch):
    def given(settings: Settings) -> dict[str, str]:
        kept.cease()
        return environment_of_publisher(settings)

    monkeypatch.setattr(keeper, "environment_of_publisher", given)
    kept = keep(noting(database_file, UNTIL_END))

    kept.stop()

    assert [psutil.pid_exists(pid) for pid, _ in begun(database_file)] in ([False], [])


def test_a_publisher_that_was_started_by_hand_is_waited_for_in_silence(keep, database_file, caplog):
    caplog.set_level(logging.INFO)
    with desk(database_file):
        assert is_published(database_file)
        keep(noting(database_file, UNTIL_END))
        wait_until(lambda: lines_of(caplog))
        time.sleep(3 * SOON.first.total_seconds())
        before = begun(database_file)

    wait_until(lambda: begun(database_file))

    assert before == []
    assert lines_of(caplog) == [f"{database_file.name} is being published by another process"]
    assert not is_published(database_file)


def test_a_publisher_ends_when_its_recorder_is_gone_even_if_it_hears_no_signal():
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()
    ours, its = os.pipe()
    end_with_recorder(signals, ours, 0.05, ended.put)

    assert signals.empty()
    os.close(its)

    assert signals.get(timeout=10) == signal.SIGTERM
    assert ended.get(timeout=10) == 1
    os.close(ours)
