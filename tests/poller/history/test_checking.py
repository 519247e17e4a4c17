"""The self-checks of the market run while no slot needs the database, and what turned is told."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from poller.history.checking import Checking
from store.errors import StoreError
from store.file.database import Database
from store.health import checks
from store.market import chains
from tests.conftest import START
from tests.store.health.test_checks import newest, sound_chain
from tests.store.market.snapshots import chain

MINUTE = timedelta(minutes=1)


def store(database: Database, *, minutes: int = 0, sound: bool) -> None:
    ts = START + minutes * MINUTE
    with database.write() as cursor:
        chains.append(cursor, [sound_chain(ts) if sound else chain(ts)])


def check(database: Database) -> list[str]:
    """Check once; return what was called."""
    called: list[str] = []

    @asynccontextmanager
    async def quiet() -> AsyncIterator[None]:
        called.append("quiet")
        yield

    asyncio.run(Checking(database, clock=lambda: START + 9 * MINUTE, quiet=quiet, each_s=1).check())
    return called


def states(database: Database) -> dict[str, str]:
    return {each.name: each.state for each in newest(database)}


def test_what_is_stored_is_checked_once_no_slot_needs_the_database(database: Database, caplog):
    store(database, sound=True)

    called = check(database)

    assert called == ["quiet"]
    assert states(database) == {"put_call_parity": "ok", "one_iv_a_strike": "ok"}
    assert caplog.messages == []


def test_a_check_that_turns_is_told_once(database: Database, caplog):
    caplog.set_level(logging.INFO)
    for minutes, sound in enumerate([True, False, False, True]):
        store(database, minutes=minutes, sound=sound)
        check(database)
        check(database)

    assert [(record.levelname, record.message.partition(":")[0]) for record in caplog.records] == [
        ("WARNING", "check is bad"),
        ("INFO", "check is good again"),
    ]
    assert caplog.messages[0].startswith("check is bad: Put-call parity of options/BTC: -")


def test_what_a_failure_leaves_out_is_checked_the_next_time(database: Database, monkeypatch, caplog):
    store(database, sound=True)
    with monkeypatch.context() as patch:
        patch.setattr(checks, "note", refuses)
        check(database)

    assert states(database) == {}
    assert caplog.messages == ["self-checks come later: the disk is full"]
    check(database)
    assert states(database) == {"put_call_parity": "ok", "one_iv_a_strike": "ok"}


def test_it_goes_on_after_a_mistake_of_ours(database: Database, monkeypatch, caplog):
    store(database, sound=True)
    tried: list[int] = []

    def fails_once(*_: object) -> list[object]:
        tried.append(1)
        if len(tried) == 1:
            raise RuntimeError("a mistake")
        raise asyncio.CancelledError

    @asynccontextmanager
    async def quiet() -> AsyncIterator[None]:
        fails_once()
        yield

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(Checking(database, clock=lambda: START, quiet=quiet, each_s=0.001).run())

    assert len(tried) == 2
    assert caplog.messages == ["the job checks failed"]


def refuses(*_: object) -> None:
    raise StoreError("the disk is full")
