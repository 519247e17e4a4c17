"""The chains of past days are packed while no slot needs the database, and what failed is packed later."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from poller.history.packing import Packing
from store.errors import StoreError
from store.file.database import Database
from store.market import chains, packing
from store.models import from_column
from tests.store.market.snapshots import chain

DAY = timedelta(days=1)
MIDNIGHT = datetime.fromisoformat("2026-11-01T00:00:00+00:00")


def store(database: Database) -> None:
    """A chain each 6 h of two days."""
    with database.write() as cursor:
        chains.append(cursor, [chain(MIDNIGHT + number * DAY / 4) for number in range(8)])


def left_from(database: Database) -> datetime | None:
    """The time of the oldest chain that is not packed."""
    with database.read() as cursor:
        ((ts,),) = cursor.execute("SELECT min(ts) FROM options_by_snapshot").fetchall()
    return ts and from_column(ts)


def pack(database: Database, until: datetime) -> list[str]:
    """Pack; return what was called between the transactions."""
    called: list[str] = []

    @asynccontextmanager
    async def quiet() -> AsyncIterator[None]:
        called.append("quiet")
        yield

    async def checkpoint() -> None:
        called.append("checkpoint")

    asyncio.run(Packing(database, quiet=quiet, checkpoint=checkpoint, most_rows=100).pack(until))
    return called


def test_each_transaction_waits_until_no_slot_needs_the_database(database: Database):
    store(database)

    called = pack(database, MIDNIGHT + 2 * DAY)

    assert left_from(database) is None
    assert called.count("checkpoint") > 2
    assert called == [*["quiet", "checkpoint"] * called.count("checkpoint"), "quiet"]


def test_a_day_is_not_packed_before_all_of_it_is_stored(database: Database):
    store(database)

    pack(database, MIDNIGHT + DAY + timedelta(seconds=1))

    assert left_from(database) == MIDNIGHT + DAY


def test_what_failed_is_told_and_packed_later(database: Database, monkeypatch, caplog):
    store(database)
    with monkeypatch.context() as patch:
        patch.setattr(packing, "pack", refuses)
        pack(database, MIDNIGHT + 2 * DAY)

    assert left_from(database) == MIDNIGHT
    assert caplog.messages == ["option rows of past days are sorted later: the disk is full"]
    pack(database, MIDNIGHT + 2 * DAY)
    assert left_from(database) is None


def refuses(*_: object) -> None:
    raise StoreError("the disk is full")
