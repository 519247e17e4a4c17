"""The request budget of a client: a token for each request, and each comes back about a second later."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from settings import MAX_REQUESTS_PER_SECOND

# After so many seconds a token comes back. Slots may use all tokens for ever: were it a whole second, those that were
# late once would always be.
_BACK_S = 0.95

# What can wait looks this often whether it may go.
_LOOK_AGAIN_S = 0.05

# Slots may use the whole budget for ever. What can wait goes after 5 s all the same, or no gap would ever heal.
_LONGEST_S = 5.0

# A timer is some milliseconds late. Where it is later than this, the process or its machine stood still.
_LATE_S = 0.1


class Budget:
    """Lets at most so many requests begin in any second, or in 0.95 s while slots catch up.

    Requests go in the order in which they ask, but what can wait lets all others go first, and leaves room for the
    slots of the next second.

    Args:
        a_second: how many requests may begin.
        longest_s: after so many seconds a request that can wait goes, without a token.
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
        self._taken_s: deque[tuple[float, bool]] = deque()
        self._first, self._later = asyncio.Lock(), asyncio.Lock()
        self._slots_wait = 0
        self.due_soon: Callable[[], int] = int
        """How many slots begin within a second; the recorder sets it."""

    async def take(self, *, can_wait: bool = False) -> None:
        """Wait for a token and take it."""
        if can_wait:
            async with self._later:
                await self._take_later()
        else:
            self._slots_wait += 1
            try:
                async with self._first:
                    self._taken_s.append((await self._freed_s(), False))
            finally:
                self._slots_wait -= 1

    async def _freed_s(self) -> float:
        """Wait for a token; when it came back. Taking it then, not a bit later, keeps long queues from growing late."""
        left_s = self._until_free_s()
        if left_s <= 0:
            return self._steady()
        due_s = self._steady() + left_s
        await asyncio.sleep(left_s)
        return due_s if self._steady() - due_s < _LATE_S else self._steady()

    async def _take_later(self) -> None:
        longest_s = self._steady() + self._longest_s
        while self._until_free_s() > 0 or self._slots_wait or not self._leaves_room():
            if self._steady() >= longest_s:
                return
            await asyncio.sleep(_LOOK_AGAIN_S)
        self._taken_s.append((self._steady(), True))

    def _until_free_s(self) -> float:
        """Seconds until a token is there; 0 or less if one is."""
        now_s = self._steady()
        while self._taken_s and self._taken_s[0][0] <= now_s - _BACK_S:
            self._taken_s.popleft()
        return 0.0 if len(self._taken_s) < self._a_second else self._taken_s[0][0] + _BACK_S - now_s

    def _leaves_room(self) -> bool:
        """Would the slots of the next second still find their tokens?"""
        return sum(waited for _, waited in self._taken_s) + self.due_soon() < self._a_second
