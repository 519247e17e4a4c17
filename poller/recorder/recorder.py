"""The recorder: one thread that polls the exchange at exact slots and keeps what comes until it is stopped."""

import asyncio
import contextlib
import logging
import os
import statistics
import threading
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

from poller.alerts.delivery import Delivery
from poller.alerts.judging import Alerts
from poller.exchange.client import DeribitClient
from poller.exchange.clock import ExchangeClock
from poller.exchange.errors import ExchangeError
from poller.exchange.retries import count_retries
from poller.history.backfill import Backfill, spacing_s
from poller.history.upkeep import Background
from poller.network.http_client import check_environment
from poller.simulator.server import Simulator
from poller.timing.guard import guarded
from poller.timing.loop import Loop, in_thread
from poller.timing.runner import Runner
from poller.timing.slots import next_slot, slot_of, slots_between
from settings import VERSION, Settings, TickwellError
from store.errors import ForeignExchangeError, NewerSchemaError, RecorderError, StoreError
from store.file.database import Database
from store.file.exchange import refuse_another
from store.file.recorder import Notice, RecorderLock
from store.models import Run, utc_now

from .board import Board
from .heartbeat import PERIOD_S, Heartbeat
from .journal import Journal
from .names import check_names
from .poll import Outcome, missed_slot, poll, retries_within_budget
from .writer import Writer

log = logging.getLogger("tickwell.recorder")

_CHECK_NAMES_S = 3.0
_STORE_WAIT_S = 0.9  # a writer waits 0.1 s where all goes well; a stop may wait twice, and has 2 s

# What follows a slot waits this long for its write, which takes milliseconds where all goes well.
_STORE_SOON_S = 1.0

# So long before a slot nothing is begun that its own write might have to wait for.
_HANDS_OFF = timedelta(seconds=0.9)

# Longer than this between two polls is not a row of missed slots: the machine slept or its clock was set. The run
# ends there and a new one begins, so that the stretch counts as "not recording".
_STALL = timedelta(seconds=60)

# The ticks of a machine with a wrong clock are placed by the exchange's time, which is known to some milliseconds.
# A slot begins this much later there, or its tick could be one of the slot before.
_LATE = timedelta(seconds=0.1)


class Recorder:
    """Records the indexes of `settings` into `database`, on slots that are exact multiples of POLL_SECONDS.

    `start` and `stop` may be called from any thread, each once. `failure` is set when it ended by itself, because what
    it was asked to do can't be done; then the file is free for another recorder. `tries` says how many recorders of
    this process did so before it.

    Raises:
        SettingsError: the rules of alerts can't be used, the address of somebody who is to be told, or a variable of
            the environment such as a proxy.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        mode: Literal["embedded", "external"],
        *,
        clock: Callable[[], datetime] = utc_now,
        tries: int = 0,
    ) -> None:
        self._settings = settings
        self._database = database
        self._local = clock
        self._clock = clock = ExchangeClock(clock)
        self._period = timedelta(seconds=settings.poll_seconds)
        self._mode = mode
        self._tries = tries
        self._lock = RecorderLock(database.path)
        self._delivery = Delivery(database, lambda: self._alerts.addresses, clock=clock)
        self._alerts = Alerts(settings, database, clock=clock, wake=self._delivery.wake)
        check_environment(settings, tells=bool(self._alerts.addresses))
        self._journal = Journal(database, clock, self._alerts, lambda: self._client.exchange)
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tickwell-recorder", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._served, self._moved_on = asyncio.Event(), asyncio.Event()
        self._heartbeat: Heartbeat | None = None
        self._last_slot: datetime | None = None
        self._current_slot: datetime | None = None
        self._answered_in: datetime | None = None  # the slot of the reply that moved the clock
        self._hurried: Callable[[], bool] = bool
        self.failure: TickwellError | None = None

    def start(self) -> None:
        """Become the recorder of the file and begin.

        Raises:
            RecorderError: another recorder is at work on the file.
            StoreError: its folder can't be written.
        """
        now = self._clock()
        notice = Notice(
            pid=os.getpid(),
            mode=self._mode,
            since=now,
            poll_seconds=self._settings.poll_seconds,
            indexes=self._settings.indexes,
            version=VERSION,
            state="starting",
            state_since=now,
            tries=self._tries,
        )
        self._lock.acquire(notice)
        self._board = Board(self._lock, notice)
        self._database.meters.begin(self._settings.indexes)
        count_retries(self._database.meters)
        self._thread.start()

    def stop(self, hurried: Callable[[], bool] = bool) -> None:
        """Write what waits, end the run, and let go of the file.

        While others have the file that takes up to 20 s, or until `hurried` tells that nobody wants to wait any longer;
        what waits is then in a file for the next start.
        """
        self._hurried = hurried
        self._stop.set()
        self._delivery.cease()
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it ended by itself
                self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join()
        if self.failure is None:
            self._board.stopped(self._clock(), waiting=self._journal.waiting)
        self._lock.release()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the recorder ended by itself or was stopped; tell whether it has."""
        return self._ended.wait(timeout_s)

    def _run(self) -> None:
        try:
            with contextlib.ExitStack() as stack:
                url = self._settings.deribit_url
                if self._settings.demo:
                    url = stack.enter_context(Simulator()).url
                self._prepare_database()
                if self._mode == "embedded":
                    stack.enter_context(self._database.hold())
                self._delivery.start()
                stack.callback(self._delivery.stop)
                self._record(url)
        except TickwellError as error:
            self._fail(error)
        except Exception as error:
            log.exception("a mistake of ours")
            self._fail(TickwellError(f"the recorder failed: {type(error).__name__}: {error}"))
        finally:
            if self.failure is not None:
                self._lock.release()  # another recorder may try
            self._ended.set()

    def _fail(self, error: TickwellError) -> None:
        self.failure = error
        if self._mode == "embedded":  # the command line says it itself
            log.error("not recording: %s", error)
        self._board.refused(str(error), self._clock())

    def _prepare_database(self) -> None:
        try:
            self._database.migrate(_STORE_WAIT_S)
        except NewerSchemaError:
            raise
        except StoreError as error:
            log.warning("the database can't be written yet, ticks wait in memory: %s", error)

    def _record(self, url: str) -> None:
        with asyncio.Runner(loop_factory=Loop) as loop_runner:
            self._loop_runner = loop_runner
            self._loop = loop_runner.get_loop()
            self._client = DeribitClient(url, clock=self._clock, local=self._local)
            self._writer = Writer(self._journal, self._board, next_try=self._next_try, moved=self._moved, end=self._end)
            self._background = self._beside_the_polls()
            if self._settings.heartbeat_url is not None:
                self._heartbeat = Heartbeat(self._settings.heartbeat_url)
            try:
                self._check_names()
                self._check_exchange()
                self._background.begin(loop_runner.get_loop())
                self._run_jobs()
                self._finish()
            finally:
                loop_runner.run(self._close())

    def _check_names(self) -> None:
        try:
            self._await(self._compare_names())
        except ExchangeError as error:
            log.warning("index names not checked: %s", error)
            self._board.troubled(error.cause, str(error), self._clock(), retry_at=self._next_try())
            self._ask_whose(needed=True)
        except asyncio.CancelledError:
            log.debug("stopped before the first slot")

    async def _compare_names(self) -> None:
        names = self._settings.indexes
        told = await check_names(self._client, self._database, names, wait_s=_CHECK_NAMES_S, store_wait_s=_STORE_WAIT_S)
        if told:
            self._board.unpublished(told)

    def _check_exchange(self) -> None:
        """See that the replies may go into the file before anything does; each write sees to that too."""
        try:
            with self._database.read(_STORE_WAIT_S) as cursor:
                refuse_another(cursor, self._client.exchange)
        except ForeignExchangeError:
            raise
        except StoreError as error:
            log.debug("the first write checks the exchange: %s", error)

    def _run_jobs(self) -> None:
        names, seconds = ", ".join(self._settings.indexes), self._settings.poll_seconds
        log.info("recording %s every %d s into %s", names, seconds, self._database.path)
        self._learn_time()
        runner = Runner(self._stop, self._now, self._wait_in_loop)
        runner.every(seconds, "poll", self._poll)
        runner.every(60, "summary", self._summarise)
        if self._heartbeat is not None:
            runner.every(PERIOD_S, "heartbeat", partial(self._heartbeat.begin, self._loop_runner.get_loop()))
        runner.run()

    def _poll(self) -> None:
        slot = slot_of(self._now(), self._period)
        if slot in (self._last_slot, self._answered_in) or not self._keep_lock():
            return
        self._current_slot = slot
        self._account_for_skipped(slot)
        self._await(self._serve(slot))
        self._ask_whose(needed=self._client.undecided)
        self._last_slot, self._current_slot = slot, None
        self._learn_time()
        self._served.set()
        self._served.clear()
        self._moved()

    def _ask_whose(self, *, needed: bool) -> None:
        """Ask one more method which exchange it is, if others gave no word on it, or not the same one."""

        async def ask() -> None:
            with contextlib.suppress(ExchangeError, TimeoutError):
                async with asyncio.timeout(_STORE_WAIT_S):
                    await self._client.time()

        if needed:
            with contextlib.suppress(asyncio.CancelledError):  # stopped
                self._await(ask())

    def _now(self) -> datetime:
        """The time of slots: the exchange's, asked anew when the clock is in doubt."""
        if self._clock.asks:
            with guarded("clock"), contextlib.suppress(asyncio.CancelledError):  # stopped
                self._await(self._ask_time())
            self._board.clock(self._clock.ahead_s, self._clock())
            if self._last_slot is not None and (not self._clock.sure or self._clock() < self._last_slot):
                self._end_run(self._last_slot)
        return self._clock() - (_LATE if self._clock.ahead_s else timedelta(0))

    async def _ask_time(self) -> None:
        if await self._clock.ask(self._client) and self._last_slot is not None:
            self._end_run(self._last_slot)

    def _learn_time(self) -> None:
        """Learn from the replies what time it is at the exchange."""
        moved = self._clock.learn(self._client)
        self._board.clock(self._clock.ahead_s, self._clock())
        if not moved or self._last_slot is None:
            return
        self._answered_in = slot_of(self._clock(), self._period)
        self._journal.move_run(self._last_slot, self._answered_in - self._last_slot)
        self._last_slot = self._answered_in

    def _end_run(self, last_slot: datetime) -> None:
        """The next slot begins another run: it is no neighbour of the last one."""
        self._journal.end_run(last_slot + self._period)
        self._last_slot = None

    def _keep_lock(self) -> bool:
        """Are we still the one recorder of the file? If another one took our place, this one ends."""
        try:
            self._lock.keep()
        except RecorderError as error:
            self._end(error)
            return False
        except StoreError as error:
            log.warning("%s", error)  # its folder is gone: so is what others could write into
        return True

    def _end(self, error: TickwellError) -> None:
        if self.failure is None:
            self._fail(error)
        self._stop.set()

    def _account_for_skipped(self, slot: datetime) -> None:
        if self._last_slot is None:
            self._journal.begin_run(self._new_run(slot))
            return
        if slot - self._last_slot > self._period + _STALL:
            log.warning("no poll between %s and %s", self._last_slot, slot)
            self._journal.end_run(self._last_slot + self._period)
            self._journal.begin_run(self._new_run(slot))
            return
        for skipped in slots_between(self._last_slot, slot, self._period):
            self._journal.add(skipped, [missed_slot(skipped, name) for name in self._settings.indexes])

    async def _serve(self, slot: datetime) -> None:
        margin = min(self._period / 10, timedelta(seconds=0.5))
        left = slot + self._period - margin - self._clock()
        batches = poll(
            self._client,
            self._settings.indexes,
            slot,
            seconds_left=max(0.0, left.total_seconds()),
            retries=retries_within_budget(len(self._settings.indexes), self._settings.poll_seconds),
        )
        outcomes: list[Outcome] = []
        async with contextlib.aclosing(batches):
            async for batch in batches:
                outcomes += self._journal.add(slot, batch)
                self._writer.begin(slot, outcomes)
        left = slot + self._period - margin - self._clock()
        await self._writer.soon(min(max(0.0, left.total_seconds()), _STORE_SOON_S))

    def _beside_the_polls(self) -> Background:
        indexes, seconds = self._settings.indexes, self._settings.poll_seconds
        backfill = Backfill(
            self._client,
            self._database,
            spacing_s=spacing_s(len(indexes), seconds),
            tell=self._board.loading,
            quiet=self._quiet,
            clock=self._clock,
        )
        return Background(
            backfill,
            indexes,
            all_stored=self._all_is_stored,
            healed=self._board.loaded,
            checkpoint=self._checkpoint,
        )

    def _moved(self) -> None:
        """A slot was served, or a write ended."""
        self._moved_on.set()
        self._moved_on.clear()

    async def _all_is_stored(self) -> datetime:
        """Return, once nothing waits for the database, up to when all that came is in it, by a clock that is sure.

        A tick is in it then: a file never holds history alone.
        """
        while self._last_slot is None or not (self._clock.sure and self._journal.written and self._journal.empty):
            await self._moved_on.wait()
        return self._last_slot + self._period

    async def _quiet(self) -> None:
        """Return when no poll is under way and none is near; polled each second, right after one."""
        now = self._clock()
        if self._current_slot is not None or next_slot(now, self._period) - now < _HANDS_OFF:
            await self._served.wait()

    async def _checkpoint(self) -> None:
        await self._quiet()
        try:
            await in_thread(partial(self._database.checkpoint_when_due, _STORE_WAIT_S), "tickwell-checkpoint")
        except StoreError as error:
            log.warning("no checkpoint this minute: %s", error)

    def _summarise(self) -> None:
        median_ms = 1000 * statistics.median(self._writer.took_s or [0])
        self._writer.took_s.clear()
        minute = self._journal.end_minute(self._clock(), self._client.skew_s)
        log.info("%d ticks in the last minute, written in %.1f ms (median)", minute.ticks, median_ms)

    def _finish(self) -> None:
        self._loop_runner.run(self._writer.aclose())
        if isinstance(self.failure, ForeignExchangeError):
            return
        self._journal.end_run(self._current_slot or self._clock())
        self._writer.finish(self._hurried)

    async def _close(self) -> None:
        await self._background.end()
        if self._heartbeat is not None:
            await self._heartbeat.aclose()
        await self._client.aclose()

    def _new_run(self, started_at: datetime) -> Run:
        return Run(started_at, dict.fromkeys(self._settings.indexes, self._settings.poll_seconds), VERSION)

    def _next_try(self) -> datetime:
        due = next_slot(self._clock(), self._period)
        return max(due, self._client.paused_until or due)

    def _wait_in_loop(self, timeout_s: float) -> None:
        with contextlib.suppress(asyncio.CancelledError):  # stopped
            self._await(asyncio.sleep(timeout_s))

    def _await(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine to its end, or until the recorder is stopped: then asyncio.CancelledError is raised."""

        async def until_stopped() -> None:
            self._task = asyncio.current_task()
            try:
                if self._stop.is_set():
                    coroutine.close()
                    raise asyncio.CancelledError
                await coroutine
            finally:
                self._task = None

        self._loop_runner.run(until_stopped())

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
