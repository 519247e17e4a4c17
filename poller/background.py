"""What a recorder does beside its polls: it gets on while a poll, or the wait for the next one, runs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from .backfill import Backfill
from .runner import guarded

# How soon after an outage its gap is looked for. A look costs some 5 ms, 40 ms where it has to open the file.
_LOOK_FOR_GAPS_S = 20.0

# Candles are those of a minute and longer.
_CLOSE_CANDLES_S = 60.0


class Background:
    """Loads history, heals gaps and stores candles, until it is ended.

    Args:
        backfill: does these things.
        index_names: that history is loaded of.
        all_stored: returns, once nothing waits for the database, up to when all that came is in it.
        healed: hears that nothing is being loaded any more.
    """

    def __init__(
        self,
        backfill: Backfill,
        index_names: Sequence[str],
        *,
        all_stored: Callable[[], Awaitable[datetime]],
        healed: Callable[[], None],
    ) -> None:
        self._backfill, self._index_names = backfill, index_names
        self._all_stored, self._healed = all_stored, healed
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin; without effect when it has begun."""
        if not self._tasks:
            self._tasks = {loop.create_task(keep()) for keep in (self._keep_complete, self._keep_folded)}

    async def end(self) -> None:
        """Give up what it was at."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _keep_complete(self) -> None:
        while True:
            try:
                with guarded("backfill"):
                    await self._backfill.find(await self._all_stored())
                    await self._backfill.heal(self._index_names)
            finally:
                self._healed()
            await asyncio.sleep(_LOOK_FOR_GAPS_S)

    async def _keep_folded(self) -> None:
        while True:
            with guarded("candles"):
                await self._backfill.fold(await self._all_stored())
            await asyncio.sleep(_CLOSE_CANDLES_S)
