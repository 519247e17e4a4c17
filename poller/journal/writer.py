"""The one thread that writes: it takes what the journal has, so that the loop never waits for the file."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable

from poller.timing.guard import guarded
from store.errors import ForeignExchangeError, StoreError

from .journal import Journal
from .limits import Limits

log = logging.getLogger("tickwell.recorder")

_LIMITS = Limits()


class Writer:
    """Writes what the journal has, and tells the loop how that goes.

    Args:
        journal: nobody else flushes it.
        loop: hears how it goes.
        wrote: hears of each transaction.
        shut_out: hears why nothing can be written for now.
        end: hears that the file has prices of another exchange: the recorder can't go on.
        limits: how long it waits, and how much it writes at a time.

    Attributes:
        idle: set while all that the writer was woken for is done. It belongs to the loop.
        took_s: how long each transaction took, until somebody clears it.
    """

    def __init__(
        self,
        journal: Journal,
        loop: asyncio.AbstractEventLoop,
        *,
        wrote: Callable[[], None],
        shut_out: Callable[[StoreError], None],
        end: Callable[[ForeignExchangeError], None],
        limits: Limits = _LIMITS,
    ) -> None:
        self._journal, self._loop, self._limits = journal, loop, limits
        self._wrote, self._shut_out, self._end = wrote, shut_out, end
        self._thread = threading.Thread(target=self._run, name="tickwell-journal", daemon=True)
        self._woken, self._ending = threading.Event(), threading.Event()
        self._times_woken = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self.took_s: list[float] = []

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Write what waits. Call it in the loop."""
        self._times_woken += 1
        self.idle.clear()
        self._woken.set()

    def finish(self, hurried: Callable[[], bool]) -> None:
        """Write all that waits, and end. While others have the file, it is kept beside it.

        Args:
            hurried: tells that nobody wants to wait any longer.
        """
        self.end()
        deadline = time.monotonic() + self._limits.last_s
        trouble = self._tried(self._limits.at_once_s)
        if trouble is not None:
            kept = self._kept()
            if self._journal.waiting:  # the end of a run alone is as good in the file
                log.warning("waiting for up to %.0f s, Ctrl+C ends that: %s%s", self._limits.last_s, trouble, kept)
            while trouble is not None and self._journal.waiting and time.monotonic() < deadline and not hurried():
                time.sleep(self._limits.breath_s)
                trouble = self._tried(self._limits.again_s)
        if trouble is None:
            log.info("stopped, all is written")
        else:
            log.error("%d ticks could not be written: %s%s", self._journal.waiting, trouble, kept)

    def end(self) -> None:
        """End the thread. What it could not write waits on."""
        self._ending.set()
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _tried(self, wait_s: float) -> StoreError | None:
        """What hinders the rest from being written, if anything does."""
        with guarded("journal"):
            return self._flushed(wait_s)
        return StoreError("the log says why")

    def _flushed(self, wait_s: float) -> StoreError | None:
        try:
            while self._journal.queued:
                self._journal.flush(wait_s)
        except StoreError as error:
            return error
        return None

    def _kept(self) -> str:
        try:
            self._journal.keep()
        except StoreError as error:
            return f"; nor kept: {error}"
        return f"; kept in {self._journal.file_name} for the next start"

    def _run(self) -> None:
        while True:
            self._woken.wait()
            if self._ending.is_set():
                return
            self._woken.clear()
            number = self._times_woken
            with guarded("journal"):
                while self._journal.queued and not self._ending.is_set():
                    self._write_some()
            self._tell(self._rest, number)

    def _write_some(self) -> None:
        """Write a portion, or wait a moment while that can't be done."""
        started = time.perf_counter()
        try:
            self._journal.flush(self._limits.patience_s)
        except ForeignExchangeError as error:
            self._tell(self._end, error)
            self._ending.wait()
        except StoreError as error:
            self._journal.give_up_oldest(str(error))
            self._tell(self._shut_out, error)
            self._ending.wait(self._limits.again_s)
        else:
            self._note(time.perf_counter() - started)

    def _note(self, took_s: float) -> None:
        self.took_s.append(took_s)
        self._tell(self._wrote)
        if self._journal.waiting >= self._limits.portion:
            self._ending.wait(self._limits.breath_s)

    def _rest(self, number: int) -> None:
        if number == self._times_woken:
            self.idle.set()

    def _tell(self, hear: Callable[..., None], *about: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(hear, *about)
