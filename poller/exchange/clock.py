"""The clock that a recorder keeps its slots by: the local one, corrected where it differs from the exchange's."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from store.file.clock import OFF_S, off_in_words
from store.models import utc_now

from .client import DeribitClient
from .errors import ExchangeError

log = logging.getLogger("tickwell.clock")

# The clock of a machine that sleeps goes on. CLOCK_BOOTTIME is Linux's; macOS's CLOCK_MONOTONIC counts sleep too.
_STEADY = next((getattr(time, name) for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC") if hasattr(time, name)), None)

# A difference up to this is made up for little by little, so that no slot is skipped and none comes twice.
_SLEWED_S = 2 * OFF_S

# Of the time that passes: a clock drifts by a thousandth of that.
_SLEW = 0.02

# An exchange whose clock jumps for some replies moves no slot: only so many looks in a row, over so many seconds.
_LOOKS = 5
LOOKS_OVER_S = 30.0

# Between two looks at the clock less than a second passes, unless the machine slept.
_SLEPT_S = 60.0

_ANSWER_S = 1.0


def steady_s() -> float:
    """Seconds of a clock that nobody sets and that goes on while the machine sleeps."""
    return time.monotonic() if _STEADY is None else time.clock_gettime(_STEADY)


class ExchangeClock:
    """Tells the exchange's time, from any thread.

    A local clock that is off by less than `OFF_S` counts as right. One that is set does not move this clock, which goes
    on steadily until the exchange was asked.

    Args:
        local: the clock of the machine.
        steady: as `steady_s`.
        looks_over_s: how long replies tell another time before the exchange is asked.

    `ahead_s` is how far this clock is ahead of the local one. `sure` is true once a reply confirmed it since the start
    and since the local clock was set; until then the local clock counts. `asks` is true when the local clock was set,
    the machine slept, or replies tell another time for a while: then `ask` before the next slot.
    """

    def __init__(
        self,
        local: Callable[[], datetime] = utc_now,
        steady: Callable[[], float] = steady_s,
        looks_over_s: float = LOOKS_OVER_S,
    ) -> None:
        self._local, self._steady, self._looks_over_s = local, steady, looks_over_s
        self._seen = local(), steady()
        self._looked_s = self._seen[1]
        self._doubts = 0
        self._doubted_s = 0.0
        self._was_set = False
        self._told_s = 0.0
        self._changing = threading.RLock()
        self.ahead_s = 0.0
        self.sure = False
        self.asks = False

    def __call__(self) -> datetime:
        with self._changing:
            local, steady = self._read()
            (seen, seen_s), self._seen = self._seen, (local, steady)
            passed_s = steady - seen_s
            set_by_s = (local - seen).total_seconds() - passed_s
            if abs(set_by_s) >= OFF_S:
                self.ahead_s -= set_by_s
                self._was_set = self.asks = True
            elif passed_s > _SLEPT_S:
                self.asks = True
            return local + timedelta(seconds=self.ahead_s)

    def _read(self) -> tuple[datetime, float]:
        """Both clocks at the same time: of three readings the quickest, as something may come between the two."""
        readings = [(self._steady(), self._local(), self._steady()) for _ in range(3)]
        before, local, after = min(readings, key=lambda reading: reading[2] - reading[0])
        return local, (before + after) / 2

    async def ask(self, client: DeribitClient) -> timedelta:
        """Ask the exchange what time it is; by how much another time of the exchange moved this clock.

        If no answer comes within a second, a clock that was set counts.
        """
        was_set = self._was_set
        self.sure &= not was_set
        self.asks = self._was_set = False
        client.forget_clocks()
        asked_at, moved = self(), timedelta(0)
        with contextlib.suppress(ExchangeError, TimeoutError):
            async with asyncio.timeout(_ANSWER_S):
                told = await client.time()
                moved = self._confirm(self.ahead_s + (told - asked_at - (self() - asked_at) / 2).total_seconds())
        if not self.sure:
            with self._changing:
                self.ahead_s = 0.0
        return timedelta(0) if was_set else moved

    def learn(self, client: DeribitClient) -> timedelta:
        """Learn from the last replies; by how much that moved this clock at once, mostly by nothing."""
        with self._changing:
            self()
            now_s, skew_s = self._seen[1], client.skew_s
            passed_s, self._looked_s = now_s - self._looked_s, now_s
            if self.asks:
                return timedelta(0)
            if skew_s is None:
                if client.disputed:
                    self._doubt(client, now_s)
                return timedelta(0)
            if not self.sure:
                return self._confirm(skew_s)
            if abs(skew_s - self.ahead_s) >= _SLEWED_S:
                self._doubt(client, now_s)
                return timedelta(0)
            self._doubts = 0
            most_s = _SLEW * passed_s
            self.ahead_s += min(max(_believed(skew_s) - self.ahead_s, -most_s), most_s)
            self._tell()
            return timedelta(0)

    def _confirm(self, skew_s: float) -> timedelta:
        """Take what a reply tells; a difference that may come of its way changes nothing."""
        with self._changing:
            self.sure, self._doubts = True, 0
            before_s = self.ahead_s
            if abs(skew_s - before_s) >= OFF_S:
                self.ahead_s = _believed(skew_s)
            self._tell()
            return timedelta(seconds=self.ahead_s - before_s)

    def _doubt(self, client: DeribitClient, now_s: float) -> None:
        """Replies tell another time: ask the exchange for its own once none agrees with this clock for a while."""
        if not self._doubts:
            self._doubted_s = now_s
        self._doubts += 1
        client.forget_clocks()  # so that each look is at replies of its own
        if self._doubts >= _LOOKS and now_s - self._doubted_s >= self._looks_over_s:
            self._doubts, self.asks = 0, True

    def _tell(self) -> None:
        """Say how far the local clock is off, when that is news."""
        if abs(self.ahead_s - self._told_s) < OFF_S:
            return
        self._told_s = self.ahead_s
        if abs(self.ahead_s) < OFF_S:
            log.info("this machine's clock agrees with the exchange's again")
        else:
            log.warning("this machine's clock is %s: slots keep the exchange's time", off_in_words(self.ahead_s))


def _believed(skew_s: float) -> float:
    """How far ahead of the local clock to be, when the exchange is by so much."""
    return skew_s if abs(skew_s) >= OFF_S else 0.0
