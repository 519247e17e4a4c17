"""One thread writes the journal's records, so that the loop never waits for the file."""

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
    """Writes the journal's records, and reports to the loop.

    Args:
        journal: the writer alone flushes it.
        loop: runs the three functions that follow.
        wrote: called after each transaction.
        shut_out: called with the reason when nothing can be written for now.
        end: called when the file has prices of another exchange: the recorder can't go on.
        limits: how long the writer waits, and how much it writes at a time.

    Attributes:
        idle: set while nothing is left to write since the last `wake`. Only the loop uses it.
        took_s: the duration of each transaction, until somebody clears the list.
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
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Write the waiting records soon. Call it in the loop."""
        self._times_woken += 1
        self.idle.clear()
        self._woken.set()

    def finish(self, hurried: Callable[[], bool]) -> None:
        """Write the waiting records, and end. While others have the file, keep the records in a file beside it.

        Args:
            hurried: returns true when nobody wants to wait any longer.
        """
        self.end()
        deadline = time.monotonic() + self._limits.last_s
        trouble = self._tried(self._limits.at_once_s)
        if trouble is not None:
            kept = self._kept()
            if self._journal.waiting:  # the end of a run alone may stay in the file
                log.warning("waiting for up to %.0f s, Ctrl+C ends that: %s%s", self._limits.last_s, trouble, kept)
            while trouble is not None and self._journal.waiting and time.monotonic() < deadline and not hurried():
                time.sleep(self._limits.breath_s)
                trouble = self._tried(self._limits.again_s)
        if trouble is None:
            log.info("stopped, all is written")
        else:
            log.error("%d ticks could not be written: %s%s", self._journal.waiting, trouble, kept)

    def end(self) -> None:
        """End the thread. The records that it could not write still wait."""
        self._ending.set()
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _tried(self, wait_s: float) -> StoreError | None:
        """Write all records; return the error that prevents it, if any."""
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
        """Write a portion; after a failure wait a moment."""
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
