"""What the journal has is written in a thread, and at a stop."""

import asyncio
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from poller.recorder import journal as journal_module
from poller.recorder import writer as writer_module
from poller.recorder.board import Board
from poller.recorder.journal import Journal
from poller.recorder.writer import Writer
from store.errors import ForeignExchangeError
from store.file.database import Database
from store.file.exchange import admit
from store.file.recorder import Notice, RecorderLock, read_notice
from store.models import Exchange, Run, Tick
from store.prices import ticks
from tests.conftest import START, tick, wait_until


def slot(second: int) -> datetime:
    return START + timedelta(seconds=second)


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database, exchange=lambda: Exchange.REAL)


@pytest.fixture
def ended() -> list[ForeignExchangeError]:
    """With what the writer ended its recorder."""
    return []


@pytest.fixture
def writer(database: Database, journal: Journal, ended: list[ForeignExchangeError]) -> Iterator[Writer]:
    lock = RecorderLock(database.path)
    notice = Notice(1, "external", START, 1, ("btc_usd",), "1.2.3", "starting", START)
    lock.acquire(notice)
    yield Writer(
        journal,
        Board(lock, notice),
        next_try=lambda: slot(9),
        moved=lambda: None,
        end=ended.append,
    )
    lock.release()


def stored(database: Database) -> list[Tick]:
    with database.read() as cursor:
        return ticks.history(cursor, "btc_usd", START, START + timedelta(days=1))


def notice(database: Database) -> Notice:
    found = read_notice(database.path)
    assert found is not None
    return found


def test_what_comes_while_a_write_is_under_way_follows_it(database: Database, journal: Journal, writer: Writer):
    async def record() -> None:
        for second in range(3):
            writer.begin(slot(second), journal.add(slot(second), [tick(second + 0.5)]))
            await asyncio.sleep(0)
        await writer.soon(10)
        await writer.soon(10)  # nothing is under way

    asyncio.run(record())

    assert stored(database) == [tick(second + 0.5) for second in range(3)]
    assert (notice(database).state, notice(database).waiting) == ("recording", 0)
    assert writer.took_s


def test_a_long_queue_goes_in_by_portions(
    database: Database, journal: Journal, writer: Writer, monkeypatch: pytest.MonkeyPatch
):
    for module in (journal_module, writer_module):
        monkeypatch.setattr(module, "PORTION", 1)
    outcomes = [outcome for second in range(3) for outcome in journal.add(slot(second), [tick(second + 0.5)])]

    async def record() -> None:
        writer.begin(slot(2), outcomes)
        await writer.soon(10)

    asyncio.run(record())

    assert len(stored(database)) == 3
    assert len(writer.took_s) == 3


def test_while_others_have_the_file_it_is_told_and_tried_again_before_the_next_slot(
    database: Database, journal: Journal, writer: Writer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer_module, "_PATIENCE_S", 0.05)
    monkeypatch.setattr(writer_module, "_AGAIN_S", 0.05)

    async def record() -> None:
        with Database(database.path).write():
            writer.begin(slot(0), journal.add(slot(0), [tick(0.5)]))
            await asyncio.to_thread(wait_until, lambda: notice(database).waiting)
        await writer.soon(10)

    asyncio.run(record())

    assert stored(database) == [tick(0.5)]
    assert notice(database).state == "recording"


def test_a_write_that_is_under_way_can_be_ended_and_what_it_had_waits_on(
    database: Database, journal: Journal, writer: Writer
):
    async def record() -> None:
        with Database(database.path).write():
            writer.begin(slot(0), journal.add(slot(0), [tick(0.5)]))
            await asyncio.to_thread(wait_until, lambda: notice(database).waiting)
            await writer.aclose()
        await writer.aclose()

    asyncio.run(record())

    assert journal.waiting == 1
    writer.finish(bool)
    assert stored(database) == [tick(0.5)]


def test_a_mistake_in_a_write_is_logged_and_the_next_slot_tries_again(
    database: Database, journal: Journal, writer: Writer, monkeypatch: pytest.MonkeyPatch, caplog
):
    async def record(second: int) -> None:
        writer.begin(slot(second), journal.add(slot(second), [tick(second + 0.5)]))
        await writer.soon(10)

    with monkeypatch.context() as patch:
        patch.setattr(Database, "write", lambda *_: 1 / 0)
        asyncio.run(record(0))
    asyncio.run(record(1))

    assert stored(database) == [tick(0.5), tick(1.5)]
    assert "the job journal failed" in caplog.messages


def test_prices_of_another_exchange_end_the_recorder(
    database: Database, journal: Journal, writer: Writer, ended: list[ForeignExchangeError]
):
    with database.write() as cursor:
        admit(cursor, Exchange.TEST, START)

    async def record() -> None:
        writer.begin(slot(0), journal.add(slot(0), [tick(0.5)]))
        await writer.soon(10)

    asyncio.run(record())

    assert len(ended) == 1
    assert stored(database) == []


@pytest.mark.parametrize("kept", [True, False])
def test_what_a_stop_can_not_write_is_kept_and_told(
    database: Database, journal: Journal, writer: Writer, monkeypatch: pytest.MonkeyPatch, caplog, kept
):
    monkeypatch.setattr(writer_module, "_AT_ONCE_S", 0.01)
    monkeypatch.setattr(writer_module, "_AGAIN_S", 0.01)
    monkeypatch.setattr(writer_module, "_LAST_S", 0.05)
    file = database.path.with_name("ticks.duckdb.waiting.jsonl")
    if not kept:
        file.with_name(f"{file.name}.new").mkdir()
    journal.add(slot(0), [tick(0.5)])

    with Database(database.path).write():
        writer.finish(bool)

    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert line.startswith("1 ticks could not be written: ")
    assert line.endswith("; kept in ticks.duckdb.waiting.jsonl for the next start" if kept else ": Is a directory")
    assert file.exists() is kept


def test_the_end_of_a_run_alone_is_kept_and_not_waited_for(
    database: Database, journal: Journal, writer: Writer, monkeypatch: pytest.MonkeyPatch, caplog
):
    monkeypatch.setattr(writer_module, "_AT_ONCE_S", 0.01)
    journal.begin_run(Run(slot(0), {"btc_usd": 1}, "1.2.3"))
    journal.end_run(slot(9))

    with Database(database.path).write():
        writer.finish(bool)

    assert database.path.with_name("ticks.duckdb.waiting.jsonl").exists()
    assert not [line for line in caplog.messages if line.startswith("waiting for")]


def test_a_mistake_at_a_stop_keeps_what_waits(
    database: Database, journal: Journal, writer: Writer, monkeypatch: pytest.MonkeyPatch, caplog
):
    monkeypatch.setattr(Database, "write", lambda *_: 1 / 0)
    journal.add(slot(0), [tick(0.5)])

    writer.finish(lambda: True)

    assert database.path.with_name("ticks.duckdb.waiting.jsonl").exists()
    assert "1 ticks could not be written: the log says why; kept in " in caplog.text
