"""What a recorder does beside its polls: it gets on while a poll, or the wait for the next one, runs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from poller.timing.guard import guarded

from .backfill import Backfill

# How soon after an outage its gap is looked for. A look costs some 5 ms, 40 ms where it has to open the file.
_LOOK_FOR_GAPS_S = 20.0

# Candles are those of a minute and longer.
_CLOSE_CANDLES_S = 60.0

_CHECKPOINT_S = 60.0


class Background:
    """Finds and heals gaps, loads history, stores candles and checkpoints, until it is ended. None waits for another.

    Args:
        backfill: does these things.
        index_names: that history is loaded of.
        all_stored: returns, once nothing waits for the database, up to when all that came is in it.
        healed: hears that nothing is being loaded any more.
        checkpoint: folds the write-ahead log into the file when that is due.
    """

    def __init__(
        self,
        backfill: Backfill,
        index_names: Sequence[str],
        *,
        all_stored: Callable[[], Awaitable[datetime]],
        healed: Callable[[], None],
        checkpoint: Callable[[], Awaitable[None]],
    ) -> None:
        self._backfill, self._index_names = backfill, index_names
        self._all_stored, self._healed, self._checkpoint = all_stored, healed, checkpoint
        self._looked = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin."""
        keeps = (self._keep_found, self._keep_healed, self._keep_folded, self._keep_checkpointed)
        self._tasks = {loop.create_task(keep()) for keep in keeps}

    async def end(self) -> None:
        """Give up what it was at."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _keep_found(self) -> None:
        while True:
            with guarded("gaps"):
                await self._backfill.find(await self._all_stored())
                self._looked.set()
            await asyncio.sleep(_LOOK_FOR_GAPS_S)

    async def _keep_healed(self) -> None:
        """After each look for gaps; one that comes meanwhile is followed by another round."""
        while True:
            await self._looked.wait()
            self._looked.clear()
            try:
                with guarded("backfill"):
                    await self._backfill.heal(self._index_names)
            finally:
                self._healed()

    async def _keep_folded(self) -> None:
        while True:
            with guarded("candles"):
                await self._backfill.fold(await self._all_stored())
            await asyncio.sleep(_CLOSE_CANDLES_S)

    async def _keep_checkpointed(self) -> None:
        while True:
            with guarded("checkpoint"):
                await self._checkpoint()
            await asyncio.sleep(_CHECKPOINT_S)
