"""The work of a recorder beside its polls. It goes on while a poll, or the wait for the next poll, runs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from poller.timing.guard import guarded

from .backfill import Backfill
from .limits import Limits
from .packing import Packing

_LIMITS = Limits()


class Background:
    """Finds and heals gaps, loads history, stores candles, packs and checkpoints. None of them waits for another.

    Args:
        backfill: does these things.
        packing: sorts the option rows of past days.
        index_names: whose history is loaded.
        days_of: returns the feeds of futures whose days before recording began may be loaded now.
        all_stored: waits until nothing waits for the database; returns the time up to which all replies are stored.
        healed: called after each round of healing.
        checkpoint: folds the write-ahead log into the file when that is due.
        limits: how often each is done.
    """

    def __init__(
        self,
        backfill: Backfill,
        packing: Packing,
        index_names: Sequence[str],
        *,
        days_of: Callable[[], Sequence[str]],
        all_stored: Callable[[], Awaitable[datetime]],
        healed: Callable[[], None],
        checkpoint: Callable[[], Awaitable[None]],
        limits: Limits = _LIMITS,
    ) -> None:
        self._backfill, self._packing, self._index_names = backfill, packing, index_names
        self._days_of, self._all_stored, self._healed, self._checkpoint = days_of, all_stored, healed, checkpoint
        self._looked, self._limits = asyncio.Event(), limits

    async def run(self) -> None:
        """Run without end. When cancelled, it drops its current work."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_found())
            group.create_task(self._keep_healed())
            group.create_task(self._keep_folded())
            group.create_task(self._keep_packed())
            group.create_task(self._keep_checkpointed())

    async def _keep_found(self) -> None:
        while True:
            with guarded("gaps"):
                await self._backfill.find(await self._all_stored())
                self._looked.set()
            await asyncio.sleep(self._limits.look_for_gaps_s)

    async def _keep_healed(self) -> None:
        """Heal after each look for gaps; a look during a round is followed by another round."""
        while True:
            await self._looked.wait()
            self._looked.clear()
            try:
                with guarded("backfill"):
                    await self._backfill.heal(self._index_names)
                    await self._backfill.load_days(self._days_of())
            finally:
                self._healed()

    async def _keep_folded(self) -> None:
        while True:
            with guarded("candles"):
                await self._backfill.fold(await self._all_stored())
            await asyncio.sleep(self._limits.close_candles_s)

    async def _keep_packed(self) -> None:
        while True:
            with guarded("packing"):
                await self._packing.pack(await self._all_stored())
            await asyncio.sleep(self._limits.pack_s)

    async def _keep_checkpointed(self) -> None:
        while True:
            with guarded("checkpoint"):
                await self._checkpoint()
            await asyncio.sleep(self._limits.checkpoint_s)
