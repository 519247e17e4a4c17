"""The request budget of a client. Each request takes a token, and each token comes back about a second later."""

import asyncio
import math
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from settings import MAX_REQUESTS_PER_SECOND

BACK_S = 0.95
"""Seconds until a token comes back. With a whole second, slots that use all tokens would never catch up once late:
after a stall of 0.5 s, slots at 1 s stayed 0.5 s late. With 0.95 s they were on time again after 11 slots."""


@dataclass(slots=True)
class Turn:
    """For whom a task asks.

    Attributes:
        period_s: seconds between the slots of its feed; 0 outside of any slot, whose requests go first.
        waits: its request waits for a token, or was given up while it waited.
    """

    period_s: float = 0.0
    waits: bool = False


turn: ContextVar[Turn] = ContextVar("turn")
"""The turn of the task that asks; without one the request is outside of any slot."""

# A request whose token is kept for others checks this often whether it still is.
_LOOK_AGAIN_S = 0.01

# Slots may use the whole budget for ever. A request that can wait goes after 5 s anyway, or no gap would ever heal.
_LONGEST_S = 5.0

# A timer is some milliseconds late. When it is later than this, the process or its machine stood still.
_LATE_S = 0.1


class Budget:
    """Lets at most `a_second` requests begin in any 0.95 s.

    A whole second may therefore have twice as many: a late slot's at its begin, and the next slot's at its end. The
    mean is above `a_second` only while slots catch up, and then by 5 %.

    Requests for slots of one period go in the order in which they ask. Those of a longer period let the others go
    first, and leave room for the next slots of these. A request that can wait lets all others go first.

    Args:
        a_second: how many requests may begin.
        longest_s: a request that can wait goes without a token after this many seconds.
        steady: seconds of a clock that nobody sets.
    """

    def __init__(
        self,
        a_second: int = MAX_REQUESTS_PER_SECOND,
        *,
        longest_s: float = _LONGEST_S,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._a_second, self._longest_s, self._steady = a_second, longest_s, steady
        self._taken: deque[tuple[float, float]] = deque()
        self._lines: defaultdict[float, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._waiting: Counter[float] = Counter()
        self.due_soon: Callable[[float], int] = lambda _: 0
        """How many slots of a period below so many seconds begin before a token is back; the recorder sets it."""

    async def take(self, *, can_wait: bool = False) -> None:
        """Wait for a token and take it."""
        its = turn.get(Turn())
        period = math.inf if can_wait else its.period_s
        its.waits = True
        self._waiting[period] += 1
        try:
            async with self._lines[period]:
                await self._take(period)
        finally:
            self._waiting[period] -= 1
        its.waits = False

    async def _take(self, period: float) -> None:
        """Take a token as of when it came back. Counting from that time keeps a long queue on time."""
        free_s = self._steady()
        longest_s = free_s + self._longest_s
        while (left_s := self._until_free_s()) > 0 or self._is_kept_from(period):
            if period == math.inf and self._steady() >= longest_s:
                return
            wait_s = left_s if left_s > 0 else _LOOK_AGAIN_S
            free_s = self._steady() + wait_s
            await asyncio.sleep(wait_s)
        now_s = self._steady()
        self._taken.append((free_s if now_s - free_s < _LATE_S else now_s, period))

    def _until_free_s(self) -> float:
        """Seconds until a token is free; 0 or less if one is free now."""
        now_s = self._steady()
        while self._taken and self._taken[0][0] <= now_s - BACK_S:
            self._taken.popleft()
        return 0.0 if len(self._taken) < self._a_second else self._taken[0][0] + BACK_S - now_s

    def _is_kept_from(self, period: float) -> bool:
        """Are all tokens for shorter periods, which wait for one or would not find one in their next slots?"""
        if any(number for shorter, number in self._waiting.items() if shorter < period):
            return True
        return sum(taken >= period for _, taken in self._taken) + self.due_soon(period) >= self._a_second
