"""The journal's way to the database: in a thread, so that no slot ever waits for the file."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from poller.timing.guard import guarded
from poller.timing.loop import in_thread
from store.errors import ForeignExchangeError, StoreError
from store.models import Cause

from .board import Board
from .journal import PORTION, Journal
from .poll import Outcome

log = logging.getLogger("tickwell.recorder")

_THREAD = "tickwell-journal"

# A lease may last 2 s: who waits longer than that is told to be shut out.
_PATIENCE_S = 2.0

# While others have the file it is tried again this soon: a slot may be an hour away.
_AGAIN_S = 1.0

# Between two portions of a long queue, or two tries at a stop, others get the interpreter for themselves.
_BREATH_S = 0.05

# A stop first tries for this long, then keeps what waits in a file, and goes on trying. systemd and Compose grant 30 s.
_AT_ONCE_S = 0.9
_LAST_S = 20.0


class Writer:
    """Writes what the journal has, and says on the board how that goes.

    Args:
        journal: nobody else flushes it.
        board: hears of each slot's end.
        next_try: when the next slot is.
        moved: hears that a write ended.
        end: hears that the file has prices of another exchange: the recorder can't go on.

    `took_s` has how long each write took, until somebody clears it.
    """

    def __init__(
        self,
        journal: Journal,
        board: Board,
        *,
        next_try: Callable[[], datetime],
        moved: Callable[[], None],
        end: Callable[[ForeignExchangeError], None],
    ) -> None:
        self._journal, self._board, self._next_try = journal, board, next_try
        self._moved, self._end = moved, end
        self._task: asyncio.Task[None] | None = None
        self._slot = datetime.min.replace(tzinfo=UTC)
        self._outcomes: Sequence[Outcome] = ()
        self.took_s: list[float] = []

    def begin(self, slot: datetime, outcomes: Sequence[Outcome]) -> None:
        """Write what waits, in the loop that runs; `outcomes` are those of the slot so far, and may grow."""
        self._slot, self._outcomes = slot, outcomes
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write_all())

    async def soon(self, wait_s: float) -> None:
        """Wait for the write that is under way, but not for long."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=wait_s)

    async def aclose(self) -> None:
        """End the write that is under way; what it could not write waits on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def finish(self, hurried: Callable[[], bool]) -> None:
        """Write all that waits, when the loop has ended. While others have the file, it is kept beside it.

        Args:
            hurried: tells that nobody wants to wait any longer.
        """
        deadline = time.monotonic() + _LAST_S
        trouble = self._tried(_AT_ONCE_S)
        if trouble is not None:
            kept = self._kept()
            if self._journal.waiting:  # the end of a run alone is as good in the file
                log.warning("waiting for up to %.0f s, Ctrl+C ends that: %s%s", _LAST_S, trouble, kept)
            while trouble is not None and self._journal.waiting and time.monotonic() < deadline and not hurried():
                time.sleep(_BREATH_S)
                trouble = self._tried(_AGAIN_S)
        if trouble is None:
            log.info("stopped, all is written")
        else:
            log.error("%d ticks could not be written: %s%s", self._journal.waiting, trouble, kept)

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

    async def _write_all(self) -> None:
        try:
            with guarded("journal"):
                more = True
                while more:
                    more = await self._wrote_some()
        finally:
            self._task = None
            self._moved()

    async def _wrote_some(self) -> bool:
        """Write a portion; is there more?"""
        started = time.perf_counter()
        try:
            await in_thread(partial(self._journal.flush, _PATIENCE_S), _THREAD)
        except ForeignExchangeError as error:
            self._end(error)
            return False
        except StoreError as error:
            self._shut_out(error)
            await asyncio.sleep(_AGAIN_S)
            return True
        self.took_s.append(time.perf_counter() - started)
        self._board.served(
            self._outcomes,
            self._slot,
            retry_at=self._next_try(),
            waiting=self._journal.waiting,
            refused=self._journal.refused,
        )
        self._moved()
        if self._journal.waiting >= PORTION:
            await asyncio.sleep(_BREATH_S)
        return self._journal.queued

    def _shut_out(self, error: StoreError) -> None:
        self._journal.give_up_oldest(str(error))
        self._board.troubled(
            Cause.STORE_UNAVAILABLE, str(error), self._slot, retry_at=self._next_try(), waiting=self._journal.waiting
        )
