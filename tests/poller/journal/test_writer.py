"""What the journal has is written in a thread, and at a stop."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from poller.journal.journal import Journal
from poller.journal.limits import Limits
from poller.journal.writer import Writer
from store.errors import ForeignExchangeError
from store.file.database import Database
from store.file.exchange import admit
from store.models import Exchange, Run
from tests.conftest import START, tick, wait_until
from tests.support.stored import stored


def slot(second: int) -> datetime:
    return START + timedelta(seconds=second)


@pytest.fixture
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


class Stage:
    """A journal, its writer, and what the writer told the loop."""

    def __init__(self, database: Database, loop: asyncio.Runner, limits: Limits) -> None:
        self.journal = Journal(database, exchange=lambda: Exchange.REAL, limits=limits)
        self.told: list[str] = []
        self.ended: list[ForeignExchangeError] = []
        self.writer = Writer(
            self.journal,
            loop.get_loop(),
            wrote=lambda: self.told.append("wrote"),
            shut_out=lambda error: self.told.append(str(error)),
            end=self.ended.append,
            limits=limits,
        )

    def record(self, *seconds: int) -> None:
        """Hand over a tick in each of these seconds."""
        for second in seconds:
            self.journal.add(slot(second), [tick(second + 0.5)])
            self.writer.wake()

    async def told_something(self) -> None:
        await asyncio.to_thread(wait_until, lambda: self.told)


@pytest.fixture
def stage(database: Database, loop: asyncio.Runner) -> Iterator[Callable[..., Stage]]:
    """Make a writer within limits, which ends with the test."""
    made: list[Stage] = []

    def make(**limits: Any) -> Stage:
        made.append(Stage(database, loop, Limits(**limits)))
        made[-1].writer.start()
        return made[-1]

    yield make
    for each in made:
        each.writer.end()


def test_what_comes_while_a_write_is_under_way_follows_it(database: Database, loop: asyncio.Runner, stage):
    recording = stage()

    async def record() -> None:
        for second in range(3):
            recording.record(second)
            await asyncio.sleep(0)
        await asyncio.wait_for(recording.writer.idle.wait(), 10)

    loop.run(record())

    assert stored(database) == [tick(second + 0.5) for second in range(3)]
    assert set(recording.told) == {"wrote"}
    assert len(recording.writer.took_s) == len(recording.told)


def test_a_long_queue_goes_in_by_portions(database: Database, loop: asyncio.Runner, stage):
    recording = stage(portion=1)

    async def record() -> None:
        recording.record(0, 1, 2)
        await asyncio.wait_for(recording.writer.idle.wait(), 10)

    loop.run(record())

    assert len(stored(database)) == 3
    assert recording.told == ["wrote"] * 3


def test_while_others_have_the_file_the_loop_goes_on_and_it_is_tried_again(
    database: Database, loop: asyncio.Runner, stage
):
    recording = stage(patience_s=0.05, again_s=0.05)

    async def record() -> None:
        with Database(database.path).write():
            recording.record(0)
            await recording.told_something()
            assert not recording.writer.idle.is_set()
        await asyncio.wait_for(recording.writer.idle.wait(), 10)

    loop.run(record())

    assert stored(database) == [tick(0.5)]
    assert "locked by another process" in recording.told[0]
    assert recording.told[-1] == "wrote"


def test_the_thread_can_be_ended_and_what_it_could_not_write_waits_on(database: Database, loop: asyncio.Runner, stage):
    recording = stage(patience_s=0.05)

    async def record() -> None:
        with Database(database.path).write():
            recording.record(0)
            await recording.told_something()
            recording.writer.end()
        recording.writer.end()

    loop.run(record())

    assert recording.journal.waiting == 1
    recording.writer.finish(bool)
    assert stored(database) == [tick(0.5)]


def test_when_the_loop_has_ended_nobody_is_told_and_the_write_goes_on(database: Database, loop: asyncio.Runner, stage):
    recording = stage()
    recording.record(0)
    loop.close()

    wait_until(lambda: stored(database))
    recording.record(1)

    wait_until(lambda: len(stored(database)) == 2)


def test_a_mistake_in_a_write_is_logged_and_the_next_slot_tries_again(
    database: Database, loop: asyncio.Runner, stage, monkeypatch: pytest.MonkeyPatch, caplog
):
    recording = stage()

    async def record(second: int) -> None:
        recording.record(second)
        await asyncio.wait_for(recording.writer.idle.wait(), 10)

    with monkeypatch.context() as patch:
        patch.setattr(Database, "write", lambda *_: 1 / 0)
        loop.run(record(0))
    loop.run(record(1))

    assert stored(database) == [tick(0.5), tick(1.5)]
    assert "the job journal failed" in caplog.messages


def test_prices_of_another_exchange_end_the_recorder(database: Database, loop: asyncio.Runner, stage):
    recording = stage()
    with database.write() as cursor:
        admit(cursor, Exchange.TEST, START)

    async def record() -> None:
        recording.record(0)
        await asyncio.to_thread(wait_until, lambda: recording.ended)

    loop.run(record())

    assert len(recording.ended) == 1
    assert stored(database) == []


@pytest.mark.parametrize("kept", [True, False])
def test_what_a_stop_can_not_write_is_kept_and_told(database: Database, stage, caplog, kept):
    recording = stage(at_once_s=0.01, again_s=0.01, last_s=0.05)
    file = database.path.with_name("ticks.duckdb.waiting.jsonl")
    if not kept:
        file.with_name(f"{file.name}.new").mkdir()
    recording.journal.add(slot(0), [tick(0.5)])

    with Database(database.path).write():
        recording.writer.finish(bool)

    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert line.startswith("1 ticks could not be written: ")
    assert line.endswith("; kept in ticks.duckdb.waiting.jsonl for the next start" if kept else ": Is a directory")
    assert file.exists() is kept


def test_the_end_of_a_run_alone_is_kept_and_not_waited_for(database: Database, stage, caplog):
    recording = stage(at_once_s=0.01)
    run = Run(slot(0), {"btc_usd": 1}, "1.2.3")
    recording.journal.begin_run(run)
    recording.journal.end_run(run, slot(9))

    with Database(database.path).write():
        recording.writer.finish(bool)

    assert database.path.with_name("ticks.duckdb.waiting.jsonl").exists()
    assert not [line for line in caplog.messages if line.startswith("waiting for")]


def test_a_mistake_at_a_stop_keeps_what_waits(database: Database, stage, monkeypatch: pytest.MonkeyPatch, caplog):
    recording = stage()
    monkeypatch.setattr(Database, "write", lambda *_: 1 / 0)
    recording.journal.add(slot(0), [tick(0.5)])

    recording.writer.finish(lambda: True)

    assert database.path.with_name("ticks.duckdb.waiting.jsonl").exists()
    assert "1 ticks could not be written: the log says why; kept in " in caplog.text
