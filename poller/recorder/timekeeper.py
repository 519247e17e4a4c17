"""The time that slots keep: the exchange's, asked anew when the clock of the machine is in doubt."""

import asyncio
from datetime import datetime, timedelta

from poller.exchange.client import DeribitClient
from poller.exchange.clock import ExchangeClock
from poller.timing.guard import guarded

from .board import Board
from .current_run import CurrentRun

# The ticks of a machine with a wrong clock are placed by the exchange's time, which is known to some milliseconds.
# A slot begins this much later there, or its tick could be one of the slot before.
_LATE = timedelta(seconds=0.1)


class Timekeeper:
    """Tells the time of slots, and ends or moves the run when it jumps."""

    def __init__(self, clock: ExchangeClock, client: DeribitClient, board: Board, run: CurrentRun) -> None:
        self._clock, self._client, self._board, self._current_run = clock, client, board, run
        self._asking = asyncio.Lock()

    async def now(self) -> datetime:
        """The time of slots."""
        async with self._asking:
            if self._clock.asks:
                await self._ask()
        return self._clock() - (_LATE if self._clock.ahead_s else timedelta(0))

    def learn(self) -> None:
        """Learn from the replies what time it is at the exchange."""
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
