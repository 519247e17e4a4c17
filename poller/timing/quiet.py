"""Time between the slots, for work on the database that delays none of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Protocol

Quiet = Callable[[], AbstractAsyncContextManager[object]]
"""A context that begins when a write delays no slot. Other work of this kind waits until it ends."""

# Start no background work in the last 0.9 s before a slot, or half of the shortest period: the slot's own write would
# wait for it.
_HANDS_OFF = timedelta(seconds=0.9)

# Slots that take long leave no such time. Background work then begins after the third slot.
_MOST_SLOTS = 3

# Background work waits at most 1 s for the write of a slot, which normally takes milliseconds.
_WRITTEN_SOON_S = 1.0


class Slots(Protocol):
    """The slots of one period: is one under way, and when is the next one?"""

    period: timedelta
    under_way: bool

    def next_ask(self, now: datetime) -> datetime:
        """When something is asked for next after `now`."""


class QuietTime:
    """Lets one piece of background work at a time begin, while no slot is under way and none is near.

    Args:
        cadences: the slots of each period.
        served: notified when a slot is served.
        written: set while nothing waits for the database.
        clock: the recorder's clock.
    """

    def __init__(
        self,
        cadences: Sequence[Slots],
        served: asyncio.Condition,
        written: asyncio.Event,
        clock: Callable[[], datetime],
    ) -> None:
        self._cadences, self._served, self._written, self._clock = cadences, served, written, clock
        self._alone = asyncio.Lock()
        self._hands_off = min([_HANDS_OFF, *(each.period / 2 for each in cadences)])

    @contextlib.asynccontextmanager
    async def __call__(self) -> AsyncIterator[None]:
        """The time for a piece of work. Other work waits until it ends."""
        async with self._alone:
            for _ in range(_MOST_SLOTS):
                if not self._is_slot_near():
                    break
                async with self._served:
                    await self._served.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_WRITTEN_SOON_S):
                    await self._written.wait()
            yield

    def _is_slot_near(self) -> bool:
        now = self._clock()
        return any(each.under_way or each.next_ask(now) - now < self._hands_off for each in self._cadences)
