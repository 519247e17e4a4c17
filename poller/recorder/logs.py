"""Keeps logs complete: a request in each period brings the new entries, and all entries that an outage left out."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from poller.alerts.judging import Judging, UnjudgedError, nobody
from poller.exchange.client import DeribitClient
from poller.exchange.errors import ExchangeError
from poller.feeds.log import LogFeed
from poller.timing.guard import guarded
from poller.timing.loop import in_thread, left_if_cancelled
from poller.timing.quiet import Quiet
from poller.timing.slots import slots
from store.errors import StoreError
from store.file.database import Database
from store.file.exchange import admit
from store.ledger.logs import Log, logs, note

log = logging.getLogger("tickwell.recorder")

_THREAD = "tickwell-logs"

# A log with a long period does not wait for its first request.
_SOON_S = 60.0

_AGAIN_S = 15.0
"""Seconds until a log asks again after an error; its period, if that is shorter."""

T = TypeVar("T")


class Logs:
    """Asks for logs and stores their entries.

    The further pages of all logs are asked for `spacing_s` apart, so a long history leaves the budget to the slots.

    Args:
        client: the client that the polls use too.
        database: a database that has its tables.
        clock: the recorder's clock.
        quiet: gives time in which a write of 0.1 s delays no slot.
        store_wait_s: the longest wait for a lease.
        spacing_s: the seconds between two pages.
        tell: called with a log, its days that are done and all its days, while it takes more than one page.
        told: called with a log when it does no more.
        judging: lends a function that judges the new entries of a log, as `Alerts.judging_entries` does.
    """

    def __init__(
        self,
        client: DeribitClient,
        database: Database,
        *,
        clock: Callable[[], datetime],
        quiet: Quiet,
        store_wait_s: float,
        spacing_s: float,
        tell: Callable[[str, int, int], None],
        told: Callable[[str], None],
        judging: Callable[[str, float], Judging] = lambda *_: nobody(),
    ) -> None:
        self._client, self._database, self._clock = client, database, clock
        self._quiet, self._store_wait_s = quiet, store_wait_s
        self._spacing_s, self._tell_progress, self._tell_end = spacing_s, tell, told
        self._judging = judging
        self._pacing = asyncio.Lock()
        self._long: set[str] = set()
        self._told: dict[str, str] = {}

    async def keep(self, feed: LogFeed) -> None:
        """Keep one log complete, without end. A failure does not affect the other logs."""

        async def now_less_offset() -> datetime:
            return self._clock() - feed.offset

        if feed.period.total_seconds() > _SOON_S:
            await self._until_caught_up(feed)
        async for _ in slots(feed.period, now_less_offset):
            await self._until_caught_up(feed)

    async def _until_caught_up(self, feed: LogFeed) -> None:
        again_s = min(_AGAIN_S, feed.period.total_seconds())
        while True:
            if await self._catch_up(feed):
                return
            await asyncio.sleep(again_s)

    async def _catch_up(self, feed: LogFeed) -> bool:
        """Ask until nothing newer comes; return whether that went well."""
        with guarded(f"log of {feed.name}"):
            try:
                known = await in_thread(partial(self._known, feed), _THREAD)
                try:
                    await self._append_newer(feed, known)
                except ExchangeError as error:
                    await self._note_late(feed, str(error))
                    return False
            except StoreError as error:
                self._tell(feed, str(error))
                return False
            else:
                self._told.pop(feed.name, None)
                return True
            finally:
                self._has_ended(feed)
        return False

    def _tell(self, feed: LogFeed, reason: str) -> None:
        """Say that a log waits for the database, but not again for the same reason in the next periods."""
        if self._told.get(feed.name) != reason:
            self._told[feed.name] = reason
            log.warning("%s waits for the database: %s", feed.name, reason)

    async def _append_newer(self, feed: LogFeed, known: Log | None) -> None:
        until = self._clock()
        begins = max(feed.begins, until - feed.reach) if feed.reach else feed.begins
        start = reached = begins if known is None or known.complete_to == feed.begins else known.complete_to
        earliest = min(begins, reached)
        noted_to = None if known is None else known.complete_to
        while True:
            asked = feed.ask(self._client, max(earliest, reached - feed.overlap), until)
            entries = await left_if_cancelled(asked, feed.name)
            before, reached = reached, max(reached, entries.complete_to)
            if before == start or reached > before:
                if not await self._undisturbed(partial(self._store, feed, entries.rows, noted_to, reached)):
                    return
                noted_to = reached
            if reached == before or reached >= until:
                return
            if (until - reached).total_seconds() > feed.period_s:  # the next entry is there already
                self._long.add(feed.name)
                self._tell_progress(feed.name, (reached - start).days, (until - start).days)
            async with self._pacing:
                await asyncio.sleep(self._spacing_s)

    def _has_ended(self, feed: LogFeed) -> None:
        """Tell that a log with more than one page asks for no further one now."""
        if feed.name in self._long:
            self._long.remove(feed.name)
            self._tell_end(feed.name)

    async def _note_late(self, feed: LogFeed, reason: str) -> None:
        known = await in_thread(partial(self._known, feed), _THREAD) or Log(feed.name, feed.begins)
        if known.late != reason:
            log.warning("%s is late: %s", feed.name, reason)
            await self._undisturbed(partial(self._note, replace(known, late=reason, period_s=feed.period_s)))

    async def _undisturbed(self, work: Callable[[], T]) -> T:
        async with self._quiet():
            return await in_thread(work, _THREAD)

    def _known(self, feed: LogFeed) -> Log | None:
        with self._database.read(self._store_wait_s) as cursor:
            return logs(cursor).get(feed.name)

    def _store(
        self, feed: LogFeed, rows: Sequence[tuple[Any, ...]], noted_to: datetime | None, complete_to: datetime
    ) -> bool:
        """Store entries; return False if an undo of an import removed entries since `noted_to` was noted or read."""
        try:
            undone = self._write(feed, rows, noted_to, complete_to, self._judging(feed.name, self._store_wait_s))
        except UnjudgedError:
            undone = self._write(feed, rows, noted_to, complete_to, nobody())
        with contextlib.suppress(StoreError):  # a page is long, and each opening of the file would read it again
            self._database.checkpoint_when_due(self._store_wait_s)
        return not undone

    def _write(
        self,
        feed: LogFeed,
        rows: Sequence[tuple[Any, ...]],
        noted_to: datetime | None,
        complete_to: datetime,
        judging: Judging,
    ) -> bool:
        with judging as judge, self._database.write(self._store_wait_s) as cursor:
            admit(cursor, self._client.exchange, self._clock())
            feed.append(cursor, rows)
            known = logs(cursor).get(feed.name)
            if undone := known is not None and noted_to is not None and known.complete_to < noted_to:
                log.info("%s asks again for entries that an undo removed", feed.name)
            else:
                note(cursor, Log(feed.name, complete_to, period_s=feed.period_s))
            judge(cursor)
        return undone

    def _note(self, known: Log) -> None:
        with self._database.write(self._store_wait_s) as cursor:
            note(cursor, known)
