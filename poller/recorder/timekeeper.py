"""The time of slots: the exchange's time, which is asked for again when the machine's clock is in doubt."""

import asyncio
from datetime import datetime, timedelta

from poller.exchange.client import DeribitClient
from poller.exchange.clock import ExchangeClock
from poller.timing.guard import guarded

from .board import Board
from .current_run import CurrentRun

# On a machine with a wrong clock a slot begins 0.1 s late: the exchange's time is known to some milliseconds only, and
# a slot that begins early would get a tick of the slot before.
_LATE = timedelta(seconds=0.1)


class Timekeeper:
    """Tells the time of slots, and ends or moves the run when that time jumps."""

    def __init__(self, clock: ExchangeClock, client: DeribitClient, board: Board, run: CurrentRun) -> None:
        self._clock, self._client, self._board, self._current_run = clock, client, board, run
        self._asking = asyncio.Lock()

    async def now(self) -> datetime:
        """The time of slots; asks the exchange first if the clock is in doubt."""
        async with self._asking:
            if self._clock.asks:
                await self._ask()
        return self._clock() - (_LATE if self._clock.ahead_s else timedelta(0))

    def learn(self) -> None:
        """Learn the exchange's time from its replies."""
        moved = self._clock.learn(self._client)
        self._board.clock(self._clock.ahead_s, self._clock())
        if moved:
            self._current_run.move(self._clock())

    async def _ask(self) -> None:
        moved = timedelta(0)
        with guarded("clock"):
            moved = await self._clock.ask(self._client)
        now = self._clock()
        self._board.clock(self._clock.ahead_s, now)
        if moved or not self._clock.sure or self._current_run.has_begun_after(now):
            self._current_run.end()
