"""The request budget of a client. Each request takes a token, and the token comes back about a second later."""

import asyncio
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from settings import MAX_REQUESTS_PER_SECOND

BACK_S = 1.03
"""Seconds until a token comes back: a second, and 0.03 s by which one request may take longer to the exchange."""

# Slots that leave half of the budget can spare more: 0.1 s by which one request may take longer.
_BACK_IF_ROOMY_S = 1.1

# Slots that use all tokens need each token again a second later. After a stall of 0.5 s, slots at 1 s stayed 0.5 s late
# with a whole second. With 0.95 s they were on time again after 11 slots.
_BACK_IF_FULL_S = 0.95


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

# Five indexes at 2 s always have their last slot in the budget, or their next one. A request of a longer period goes
# after 2 s anyway. It makes one of them 0.06 s late.
_LONGEST_OF_SLOTS_S = 2.0

# Slots may use the whole budget for ever. A request that can wait goes after 5 s anyway, or no gap would ever heal.
_LONGEST_S = 5.0


class Token:
    """The right to send one request."""

    def __init__(self, period: float, steady: Callable[[], float]) -> None:
        self.period, self._steady = period, steady
        self.at_s = steady()

    def sent(self) -> None:
        """Note that the request is sent now: a new connection, or a busy loop, may have kept it back."""
        self.at_s = self._steady()


class Budget:
    """Lets at most `a_second` requests be sent in any 1.03 s; in any 1.1 s if slots need at most half of the budget.

    Requests for slots of one period go in the order in which they ask. Those of a longer period let the others go
    first, and leave room for the next slots of these; the first in its line does so for 2 s. A request that can wait
    lets all others go first. One of these goes before the others each `longest_s`.

    Slots that need nearly all of the budget get an exception: their tokens come back after 0.95 s, and a request that
    has waited for `longest_s` goes without a token.

    Args:
        a_second: how many requests may be sent.
        slots_a_second: how many requests the slots make on average.
        longest_s: how long a request that can wait lets others go first.
        steady: seconds of a clock that nobody sets.
    """

    def __init__(
        self,
        a_second: int = MAX_REQUESTS_PER_SECOND,
        *,
        slots_a_second: float = 0.0,
        longest_s: float = _LONGEST_S,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._a_second, self._longest_s, self._steady = a_second, longest_s, steady
        self._full = slots_a_second * BACK_S > a_second
        self._roomy = 2 * slots_a_second <= a_second
        self.back_s = _BACK_IF_FULL_S if self._full else _BACK_IF_ROOMY_S if self._roomy else BACK_S
        self._taken: list[Token] = []
        self._lines: defaultdict[float, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._waiting: Counter[float] = Counter()
        self.due_soon: Callable[[float], int] = lambda _: 0
        """How many slots of a period below so many seconds begin before a token is back; the recorder sets it."""

    async def take(self, *, can_wait: bool = False) -> Token:
        """Wait for a token and take it."""
        its = turn.get(Turn())
        period = math.inf if can_wait else its.period_s
        its.waits = True
        self._waiting[period] += 1
        try:
            async with self._lines[period]:
                token = await (self._take_at_last() if can_wait else self._take(period))
        finally:
            self._waiting[period] -= 1
        its.waits = False
        return token

    async def _take_at_last(self) -> Token:
        """A token that no other request needs; after a while the next one. Only the first in the line counts."""
        try:
            async with asyncio.timeout(self._longest_s):
                return await self._take(math.inf)
        except TimeoutError:
            return Token(math.inf, self._steady) if self._full else await self._take_first()

    async def _take_first(self) -> Token:
        self._waiting[0] += 1
        try:
            return await self._take(0)
        finally:
            self._waiting[0] -= 1

    async def _take(self, period: float) -> Token:
        patient_to_s = self._steady() + (math.inf if math.isinf(period) else _LONGEST_OF_SLOTS_S)
        while True:
            wait_s = self._wait_s(period, patient=self._steady() < patient_to_s)
            if wait_s <= 0:
                break
            await asyncio.sleep(wait_s)
        token = Token(period, self._steady)
        self._taken.append(token)
        return token

    def _wait_s(self, period: float, *, patient: bool) -> float:
        """Seconds until a request for a slot of a period may look for a token again; 0 if it may take one now."""
        return self._until_free_s() or (_LOOK_AGAIN_S if self._is_kept_from(period, patient=patient) else 0.0)

    def _until_free_s(self) -> float:
        """Seconds until a token is free; 0 if one is free now."""
        now_s = self._steady()
        self._taken = [token for token in self._taken if token.at_s > now_s - self.back_s]
        back_at_s = sorted(token.at_s + self.back_s for token in self._taken)
        return back_at_s[-self._a_second] - now_s if len(back_at_s) >= self._a_second else 0.0

    def _is_kept_from(self, period: float, *, patient: bool) -> bool:
        """Are all tokens for shorter periods, which wait for one or would not find one in their next slots?

        A token that a slot of a shorter period took counts as back for its next slot, unless the budget is roomy. Then
        that slot takes another one, and a second has five requests at most also if the first took longer to the
        exchange.
        """
        if any(number for shorter, number in self._waiting.items() if shorter < period):
            return True
        others = sum(token.period >= period or not token.period or self._roomy for token in self._taken)
        return patient and others + self.due_soon(period) >= self._a_second
