"""The recorder: one thread that polls the exchange at exact slots and stores the replies until it is stopped."""

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Literal, cast

from poller.alerts.delivery import Delivery
from poller.alerts.judging import Alerts
from poller.demo.exchange import exchange_url
from poller.exchange.budget import Budget
from poller.exchange.client import DeribitClient
from poller.exchange.clock import ExchangeClock
from poller.exchange.retries import count_retries
from poller.feeds.chosen import feeds_of, periods_s
from poller.feeds.feed import Feed, requests_a_second
from poller.feeds.log import LogFeed
from poller.journal.journal import Journal
from poller.network.http_client import check_environment
from poller.timing.loop import opened_loop
from settings import VERSION, Settings, TickwellError
from store.errors import NewerSchemaError, StoreError
from store.file.database import Database
from store.file.recorder import Notice, RecorderLock
from store.kinds import TICKS, kind_of
from store.models import utc_now

from .board import Board
from .limits import Limits
from .parts import Parts
from .recording import Recording

if TYPE_CHECKING:
    from poller.publisher.keeper import Publisher

log = logging.getLogger("tickwell.recorder")

_LIMITS = Limits()

# Python handles a signal that comes just before an endless wait once the wait is over. A second Ctrl+C can be such.
_LOOK_FOR_SIGNALS_S = 0.1


class Recorder:
    """Records the indexes of `settings` into `database`, on slots that are exact multiples of POLL_SECONDS.

    Any thread may call `start` and `stop`, each once. A recorder that can't go on ends by itself and sets `failure`;
    the file is then free for another recorder. `tries` is the number of recorders of this process that ended so
    before. `feeds`, if given, replace the feeds of the settings.

    Raises:
        SettingsError: the alert rules, the address of a recipient, or a variable of the environment such as a proxy
            can't be used.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        mode: Literal["embedded", "external"],
        *,
        clock: Callable[[], datetime] = utc_now,
        tries: int = 0,
        feeds: Sequence[Feed | LogFeed] | None = None,
        limits: Limits = _LIMITS,
    ) -> None:
        self._settings, self._database, self._mode, self._tries = settings, database, mode, tries
        self._local, self._limits = clock, limits
        asked = feeds_of(settings) if feeds is None else feeds
        self._feeds = [feed for feed in asked if isinstance(feed, Feed)]
        self._logs = [feed for feed in asked if isinstance(feed, LogFeed)]
        self._clock = ExchangeClock(clock, looks_over_s=limits.doubt_s)
        self._lock = RecorderLock(database.path)
        self._delivery = Delivery(database, lambda: self._alerts.addresses, clock=self._clock)
        self._alerts = Alerts(settings, database, periods_s(asked), clock=self._clock, wake=self._delivery.wake)
        check_environment(settings, tells=bool(self._alerts.addresses))
        self._journal = Journal(
            database,
            self._clock,
            self._alerts,
            lambda: self._client.exchange,
            feeds=self._feeds,
            recorder=settings.recorder_name,
            limits=limits.journal,
        )
        self._publisher = _publisher_of(settings)
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tickwell-recorder", daemon=True)
        self._cancel: Callable[[], object] = bool  # the loop has not begun
        self._hurried: Callable[[], bool] = bool
        self.failure: TickwellError | None = None

    def start(self) -> None:
        """Become the recorder of the file and begin.

        Raises:
            RecorderError: another recorder is at work on the file.
            StoreError: the folder of the file can't be written.
        """
        now = self._clock()
        notice = Notice(
            pid=os.getpid(),
            mode=self._mode,
            since=now,
            poll_seconds=self._settings.poll_seconds,
            indexes=tuple(feed.name for feed in self._feeds if kind_of(feed.name) is TICKS),
            version=VERSION,
            state="starting",
            state_since=now,
            tries=self._tries,
        )
        self._lock.acquire(notice)
        self._board = Board(self._lock, notice)
        self._database.meters.begin([feed.name for feed in self._feeds])
        count_retries(self._database.meters)
        self._thread.start()

    def stop(self, hurried: Callable[[], bool] = bool) -> None:
        """Write the waiting records, end the run, and release the file.

        While others have the file this waits up to 20 s, or until `hurried` returns true. Records that are still not
        written are then in a file for the next start.
        """
        self._hurried = hurried
        self._stop.set()
        self._delivery.cease()
        if self._publisher is not None:
            self._publisher.cease()
        with contextlib.suppress(RuntimeError):  # it ended by itself
            self._cancel()
        while self._thread.is_alive():
            self._thread.join(_LOOK_FOR_SIGNALS_S)
        if self.failure is None:
            self._board.stopped(self._clock(), waiting=self._journal.waiting)
        self._lock.release()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the recorder has ended; return whether it has."""
        return self._ended.wait(timeout_s)

    def _run(self) -> None:
        try:
            with contextlib.ExitStack() as stack:
                url = stack.enter_context(exchange_url(self._settings))
                self._prepare_database()
                if self._mode == "embedded":
                    stack.enter_context(self._database.hold())
                self._delivery.start()
                stack.callback(self._delivery.stop)
                if self._publisher is not None:
                    self._publisher.start()
                    stack.callback(self._publisher.stop)
                self._record(url)
        except TickwellError as error:
            self._fail(error)
        except Exception as error:
            log.exception("an error in Tickwell")
            self._fail(TickwellError(f"the recorder failed: {type(error).__name__}: {error}"))
        finally:
            if self.failure is not None:
                self._lock.release()  # another recorder may try
            self._ended.set()

    def _fail(self, error: TickwellError) -> None:
        self.failure = error
        if self._mode == "embedded":  # the command line prints the error itself
            log.error("not recording: %s", error)
        self._board.refused(str(error), self._clock())

    def _prepare_database(self) -> None:
        try:
            self._database.migrate(self._limits.store_wait_s)
        except NewerSchemaError:
            raise
        except StoreError as error:
            log.warning("the database can't be written yet, ticks wait in memory: %s", error)

    def _record(self, url: str) -> None:
        with opened_loop() as loop:
            budget = Budget(slots_a_second=requests_a_second([*self._feeds, *self._logs]))
            self._client = DeribitClient(url, clock=self._clock, local=self._local, budget=budget)
            recording = Recording(self._parts(), loop, self._end)
            with contextlib.suppress(asyncio.CancelledError):  # stopped
                loop.run_until_complete(self._until_stopped(recording))
        recording.finish(self._hurried, self.failure)

    async def _until_stopped(self, recording: Recording) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        self._cancel = partial(loop.call_soon_threadsafe, cast("asyncio.Task[None]", task).cancel)
        async with self._client:
            if not self._stop.is_set():
                await recording.run()

    def _parts(self) -> Parts:
        return Parts(
            self._settings,
            self._feeds,
            self._logs,
            self._database,
            self._lock,
            self._board,
            self._clock,
            self._client,
            self._journal,
            self._alerts,
            self._limits,
        )

    def _end(self, error: TickwellError) -> None:
        self._fail(error)
        self._cancel()


def _publisher_of(settings: Settings) -> "Publisher | None":
    if settings.lake is None:
        return None
    from poller.publisher.keeper import Publisher  # a recorder without a lake does not load it

    return Publisher(settings)
