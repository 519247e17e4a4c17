"""The loop of a recorder: one coroutine for each period serves its slots, others do the background work."""

import asyncio
import contextlib
import logging
import statistics
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import schedule

from poller.demo.past import make_past
from poller.exchange.errors import ExchangeError
from poller.feeds.feed import requests_a_second
from poller.feeds.log import LogFeed
from poller.feeds.names import check_names
from poller.feeds.poll import poll, retries_within_budget
from poller.history.backfill import Backfill, spacing_s
from poller.history.checking import Checking
from poller.history.packing import Packing
from poller.history.upkeep import Background
from poller.journal.writer import Writer
from poller.timing.guard import guarded
from poller.timing.jobs import Jobs, safely
from poller.timing.loop import in_thread
from poller.timing.quiet import QuietTime
from poller.timing.slots import slots
from settings import TickwellError
from store.errors import ForeignExchangeError, RecorderError, StoreError
from store.file.exchange import refuse_another
from store.models import Cause

from .cadence import Cadence, cadences_of
from .current_run import CurrentRun
from .heartbeat import Heartbeat
from .logs import Logs
from .parts import Parts
from .timekeeper import Timekeeper

log = logging.getLogger("tickwell.recorder")

# All feeds of a slot have asked 0.15 s after it, even on a machine with a wrong clock, where slots begin 0.1 s late.
_ALL_ASK = timedelta(seconds=0.15)


class Recording:
    """Records until it is cancelled.

    Args:
        parts: the parts of its recorder.
        loop: the loop that it runs in.
        end: called with the reason when recording can't go on.
    """

    def __init__(self, parts: Parts, loop: asyncio.AbstractEventLoop, end: Callable[[TickwellError], None]) -> None:
        self._settings, self._database, self._limits = parts.settings, parts.database, parts.limits
        self._lock, self._board, self._journal = parts.lock, parts.board, parts.journal
        self._clock, self._client, self._end = parts.clock, parts.client, end
        self._feeds, self._logs, self._alerts = parts.feeds, parts.logs, parts.alerts
        self._retries = retries_within_budget(self._feeds)
        self._spacing_s = spacing_s(requests_a_second([*self._feeds, *self._logs]))
        self._cadences = cadences_of(self._feeds, self._journal)
        self._client.budget.due_soon = self._due_soon
        self._current_run = CurrentRun(self._cadences, self._journal)
        self._time = Timekeeper(self._clock, self._client, self._board, self._current_run)
        self._writer = Writer(
            self._journal, loop, wrote=self._wrote, shut_out=self._shut_out, end=end, limits=self._limits.journal
        )
        self._served = asyncio.Condition()
        self._quiet = QuietTime(self._cadences, self._served, self._writer.idle, self._clock)
        self._past_is_made = not self._settings.demo
        self._checkpoints = True
        url = self._settings.heartbeat_url
        self._heartbeat = None if url is None else Heartbeat(url)

    async def run(self) -> None:
        """Record without end.

        Raises:
            SettingsError: an index or a market is not published and was never recorded.
            ForeignExchangeError: the file has prices of another exchange.
        """
        try:
            await self._check_names()
            await self._check_exchange()
            self._time.learn()
            await self._record()
        finally:
            if self._heartbeat is not None:
                await self._heartbeat.aclose()

    def finish(self, hurried: Callable[[], bool], failure: TickwellError | None) -> None:
        """Write the waiting records after the loop has ended, but none into a file with prices of another exchange."""
        if isinstance(failure, ForeignExchangeError):
            self._writer.end()
            return
        self._current_run.stop(self._clock())
        self._writer.finish(hurried)

    async def _record(self) -> None:
        for cadence in self._cadences:
            names, seconds = ", ".join(feed.name for feed in cadence.feeds), cadence.period.total_seconds()
            log.info("recording %s every %d s into %s", names, seconds, self._database.path)
        if self._settings.markets_left_out:
            log.warning("%s", self._settings.markets_left_out)
        self._writer.start()
        async with asyncio.TaskGroup() as group:
            for cadence in self._cadences:
                group.create_task(self._keep_slots(cadence))
            keeper = Logs(
                self._client,
                self._database,
                clock=self._clock,
                quiet=self._quiet,
                store_wait_s=self._limits.store_wait_s,
                spacing_s=self._spacing_s,
                tell=self._board.loading_log,
                told=self._board.loaded_log,
                judging=self._alerts.judging_entries,
            )
            for log_feed in self._logs:
                group.create_task(self._keep_log(keeper, log_feed))
            group.create_task(self._beside_the_slots().run())
            if self._settings.markets:
                checking = Checking(
                    self._database, clock=self._clock, quiet=self._quiet, each_s=self._limits.history.check_s
                )
                group.create_task(checking.run())
            if self._settings.demo:
                group.create_task(self._make_past())
            group.create_task(Jobs(self._by_the_clock).run())

    async def _check_names(self) -> None:
        settings, limits = self._settings, self._limits
        try:
            unpublished = await check_names(
                self._client,
                self._database,
                settings.indexes,
                settings.markets,
                wait_s=limits.names_s,
                store_wait_s=limits.store_wait_s,
            )
        except ExchangeError as error:
            log.warning("index names not checked, %s: %s", error.cause, error)
            self._board.troubled(error.cause, str(error), self._clock(), retry_at=self._next_try(self._cadences[0]))
            await self._ask_whose(needed=True)
        else:
            if unpublished:
                self._board.unpublished(unpublished)

    async def _check_exchange(self) -> None:
        """End at once if the file has prices of another exchange. Each write checks this too."""

        def check() -> None:
            with self._database.read(self._limits.store_wait_s) as cursor:
                refuse_another(cursor, self._client.exchange)

        try:
            await in_thread(check, "tickwell-exchange")
        except ForeignExchangeError:
            raise
        except StoreError as error:
            log.debug("the first write checks the exchange: %s", error)

    async def _keep_slots(self, cadence: Cadence) -> None:
        async def now_less_offset() -> datetime:
            return await self._time.now() - cadence.offset

        async for slot in slots(cadence.period, now_less_offset):
            with guarded("poll"):
                now = self._clock()
                if not cadence.knows(slot) and self._keep_lock() and await self._current_run.begin(cadence, slot, now):
                    await self._serve(cadence)

    async def _keep_log(self, keeper: Logs, feed: LogFeed) -> None:
        """Keep a log once the clock is sure: a wrong one would note that the log is complete to a wrong time."""
        while not self._clock.sure:
            async with self._served:
                await self._served.wait()
        await keeper.keep(feed)

    async def _serve(self, cadence: Cadence) -> None:
        await self._ask_all(cadence)
        await self._ask_whose(needed=self._client.undecided)
        cadence.served()
        self._time.learn()
        async with self._served:
            self._served.notify_all()

    async def _ask_all(self, cadence: Cadence) -> None:
        period = cadence.period
        margin = min(period / 10, timedelta(seconds=0.5))
        left = cadence.slot + period - margin - self._clock()
        batches = poll(
            self._client,
            cadence.feeds,
            cadence.slot,
            seconds_left=max(0.0, left.total_seconds()),
            retries=self._retries,
        )
        async with contextlib.aclosing(batches):
            async for batch in batches:
                cadence.add(batch)
                self._writer.wake()

    async def _ask_whose(self, *, needed: bool) -> None:
        """Ask one more method which exchange it is, if the replies so far name none or disagree."""
        if needed:
            with contextlib.suppress(ExchangeError, TimeoutError):
                async with asyncio.timeout(self._limits.store_wait_s):
                    await self._client.time()

    def _keep_lock(self) -> bool:
        """Is this still the only recorder of the file? If another one took its place, this one ends."""
        try:
            self._lock.keep()
        except RecorderError as error:
            self._end(error)
            return False
        except StoreError as error:
            log.warning("%s", error)  # the folder is gone, so no other recorder can write the file either
        return True

    def _wrote(self) -> None:
        for cadence in self._cadences:
            self._board.served(
                cadence.outcomes,
                cadence.slot,
                now=self._clock(),
                due=len(cadence.feeds),
                retry_at=self._next_try(cadence),
                waiting=self._journal.waiting,
                refused=self._journal.refused,
            )

    def _shut_out(self, error: StoreError) -> None:
        newest = max(self._cadences, key=lambda cadence: cadence.slot)
        self._board.troubled(
            Cause.STORE_UNAVAILABLE,
            str(error),
            newest.slot,
            retry_at=self._next_try(newest),
            waiting=self._journal.waiting,
        )

    def _due_soon(self, period_s: float) -> int:
        """The number of requests of shorter periods that come before a token taken now is back."""
        now, back = self._clock(), timedelta(seconds=self._client.budget.back_s)
        shorter = [each for each in self._cadences if each.period.total_seconds() < period_s]
        return sum(
            len(each.feeds) for each in shorter if now - each.asked_at < _ALL_ASK or each.ask_due(now) - now <= back
        )

    def _next_try(self, cadence: Cadence) -> datetime:
        due = cadence.next_ask(self._clock())
        return max(due, self._client.paused_until or due)

    def _beside_the_slots(self) -> Background:
        healed = [feed.name for feed in self._feeds if feed.history == "charts"]
        futures = [feed.name for feed in self._feeds if feed.history == "trades"]
        backfill = Backfill(
            self._client,
            self._database,
            spacing_s=self._spacing_s,
            tell=self._board.loading,
            quiet=self._quiet,
            clock=self._clock,
            without=frozenset(feed.name for feed in self._feeds if feed.history is None),
            limits=self._limits.history,
        )
        return Background(
            backfill,
            Packing(self._database, quiet=self._quiet, checkpoint=self._checkpoint),
            healed,
            days_of=lambda: futures if self._past_is_made else (),
            all_stored=self._all_is_stored,
            healed=self._board.loaded,
            checkpoint=self._checkpoint,
            limits=self._limits.history,
        )

    async def _all_is_stored(self) -> datetime:
        """Wait until the clock is sure and nothing waits for the database.

        The database has a tick then: a file never holds history alone.

        Returns:
            The time before which each slot of the run is in the database.
        """
        while True:
            await self._writer.idle.wait()
            known_to = self._current_run.known_to(self._clock())
            if known_to is not None and self._clock.sure and self._journal.written and self._journal.empty:
                return known_to
            async with self._served:
                await self._served.wait()

    async def _make_past(self) -> None:
        with guarded("past of the demo"):
            await self._all_is_stored()
            past = make_past(self._feeds, self._database, quiet=self._quiet, store_wait_s=self._limits.store_wait_s)
            self._past_is_made = await past

    async def _checkpoint(self) -> None:
        work = partial(self._database.checkpoint_when_due, self._limits.store_wait_s)
        try:
            async with self._quiet():
                await in_thread(work, "tickwell-checkpoint")
        except StoreError as error:
            log.log(logging.WARNING if self._checkpoints else logging.DEBUG, "no checkpoint for now: %s", error)
            self._checkpoints = False
        else:
            self._checkpoints = True

    def _by_the_clock(self, jobs: schedule.Scheduler) -> None:
        minute_s = self._limits.minute_s
        jobs.every(minute_s).seconds.do(safely, "summary", self._summarise)
        if self._heartbeat is not None:
            jobs.every(minute_s).seconds.do(safely, "heartbeat", self._heartbeat.begin)

    def _summarise(self) -> None:
        median_ms = 1000 * statistics.median(self._writer.took_s or [0])
        self._writer.took_s.clear()
        minute = self._journal.end_minute(self._clock(), self._client.skew_s)
        if minute.ticks:
            log.info("%d ticks in the last minute, written in %.1f ms (median)", minute.ticks, median_ms)
        else:
            log.info("no tick in the last minute")
