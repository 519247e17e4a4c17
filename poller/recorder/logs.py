"""Keeps logs complete: a request in each period brings the new entries, and all entries that an outage left out."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from poller.exchange.client import DeribitClient
from poller.exchange.errors import ExchangeError
from poller.feeds.log import LogFeed
from poller.timing.guard import guarded
from poller.timing.loop import in_thread, left_if_cancelled
from poller.timing.slots import slots
from store.errors import StoreError
from store.file.database import Database
from store.file.exchange import admit
from store.ledger.logs import Log, logs, note

log = logging.getLogger("tickwell.recorder")

_THREAD = "tickwell-logs"

T = TypeVar("T")


class Logs:
    """Asks for logs and stores their entries.

    Args:
        client: the client that the polls use too.
        database: a database that has its tables.
        clock: the recorder's clock.
        quiet: returns when a write of 0.1 s delays no slot.
        store_wait_s: the longest wait for a lease.
    """

    def __init__(
        self,
        client: DeribitClient,
        database: Database,
        *,
        clock: Callable[[], datetime],
        quiet: Callable[[], Awaitable[None]],
        store_wait_s: float,
    ) -> None:
        self._client, self._database, self._clock = client, database, clock
        self._quiet, self._store_wait_s = quiet, store_wait_s
        self._told: dict[str, str] = {}

    async def keep(self, feed: LogFeed) -> None:
        """Keep one log complete, without end. A failure does not affect the other logs."""
        async for _ in slots(feed.period, self._now):
            with guarded(f"log of {feed.name}"):
                await self._catch_up(feed)

    async def _now(self) -> datetime:
        return self._clock()

    async def _catch_up(self, feed: LogFeed) -> None:
        """Ask until nothing newer comes. After a failure the next period asks again."""
        try:
            known = await in_thread(partial(self._known, feed), _THREAD)
            try:
                await self._append_newer(feed, known)
            except ExchangeError as error:
                await self._note_late(feed, str(error))
        except StoreError as error:
            self._tell(feed, str(error))
        else:
            self._told.pop(feed.name, None)

    def _tell(self, feed: LogFeed, reason: str) -> None:
        """Say that a log waits for the database, but not again for the same reason in the next periods."""
        if self._told.get(feed.name) != reason:
            self._told[feed.name] = reason
            log.warning("%s waits for the database: %s", feed.name, reason)

    async def _append_newer(self, feed: LogFeed, known: Log) -> None:
        until, reached = self._clock(), known.complete_to
        while True:
            asked = feed.ask(self._client, max(feed.begins, reached - feed.overlap), until)
            entries = await left_if_cancelled(asked, feed.name)
            before, reached = reached, max(reached, entries.complete_to)
            await self._undisturbed(partial(self._store, feed, entries.rows, reached))
            if reached == before or reached >= until:
                return

    async def _note_late(self, feed: LogFeed, reason: str) -> None:
        known = await in_thread(partial(self._known, feed), _THREAD)
        if known.late != reason:
            log.warning("%s is late: %s", feed.name, reason)
            await self._undisturbed(partial(self._note, Log(feed.name, known.complete_to, reason)))

    async def _undisturbed(self, work: Callable[[], T]) -> T:
        await self._quiet()
        return await in_thread(work, _THREAD)

    def _known(self, feed: LogFeed) -> Log:
        with self._database.read(self._store_wait_s) as cursor:
            return logs(cursor).get(feed.name, Log(feed.name, feed.begins))

    def _store(self, feed: LogFeed, rows: Sequence[tuple[Any, ...]], complete_to: datetime) -> None:
        with self._database.write(self._store_wait_s) as cursor:
            admit(cursor, self._client.exchange, self._clock())
            feed.append(cursor, rows)
            note(cursor, Log(feed.name, complete_to))

    def _note(self, known: Log) -> None:
        with self._database.write(self._store_wait_s) as cursor:
            note(cursor, known)
