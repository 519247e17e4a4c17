"""The clock that times a recorder's slots: the local clock, corrected where it differs from the exchange's."""

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

# This clock must go on while the machine sleeps. Linux has CLOCK_BOOTTIME; macOS's CLOCK_MONOTONIC counts sleep too.
_STEADY = next((getattr(time, name) for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC") if hasattr(time, name)), None)

# A difference up to this is corrected little by little, so that no slot is skipped and none comes twice.
_SLEWED_S = 2 * OFF_S

# The correction's share of the time that passes. A clock drifts by a thousandth of its time.
_SLEW = 0.02

# An exchange whose clock jumps for some replies moves no slot: it takes 5 looks in a row, over 30 seconds.
_LOOKS = 5
LOOKS_OVER_S = 30.0

# Two looks at the clock are less than a second apart, unless the machine slept.
_SLEPT_S = 60.0

_ANSWER_S = 1.0


def steady_s() -> float:
    """Seconds of a clock that nobody sets and that goes on while the machine sleeps."""
    return time.monotonic() if _STEADY is None else time.clock_gettime(_STEADY)


class ExchangeClock:
    """Gives the exchange's time, in any thread.

    A local clock that is off by less than `OFF_S` counts as right. When somebody sets the local clock, this clock goes
    on steadily until the exchange was asked.

    Args:
        local: the clock of the machine.
        steady: as `steady_s`.
        looks_over_s: replies must show another time for this long before the exchange is asked.

    `ahead_s` is how far this clock is ahead of the local one. `sure` is true once a reply confirmed it since the start
    and since the local clock was set; until then the local clock counts. `asks` is true when the local clock was set,
    when the machine slept, or when replies show another time for a while: then call `ask` before the next slot.
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
        self._logged_s = 0.0
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
        """Both clocks at the same instant. The quickest of three readings counts: a delay may split a reading."""
        readings = [(self._steady(), self._local(), self._steady()) for _ in range(3)]
        before, local, after = min(readings, key=lambda reading: reading[2] - reading[0])
        return local, (before + after) / 2

    async def ask(self, client: DeribitClient) -> timedelta:
        """Ask the exchange for its time; return how far an unexpected answer moved this clock.

        If no answer comes within a second, a local clock that was set counts as right.
        """
        was_set = self._was_set
        self.sure &= not was_set
        self.asks = self._was_set = False
        client.forget_clocks()
        asked_at, moved = self(), timedelta(0)
        with contextlib.suppress(ExchangeError, TimeoutError):
            async with asyncio.timeout(_ANSWER_S):
                answer = await client.time()
                moved = self._confirm(self.ahead_s + (answer - asked_at - (self() - asked_at) / 2).total_seconds())
        if not self.sure:
            with self._changing:
                self.ahead_s = 0.0
        return timedelta(0) if was_set else moved

    def learn(self, client: DeribitClient) -> timedelta:
        """Learn from the last replies; return how far that moved this clock at once, which is nothing as a rule."""
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
        """Take a reply's difference; one so small that the way of the reply explains it changes nothing."""
        with self._changing:
            self.sure, self._doubts = True, 0
            before_s = self.ahead_s
            if abs(skew_s - before_s) >= OFF_S:
                self.ahead_s = _believed(skew_s)
            self._tell()
            return timedelta(seconds=self.ahead_s - before_s)

    def _doubt(self, client: DeribitClient, now_s: float) -> None:
        """Note that replies show another time. Once none agrees with this clock for a while, the exchange is asked."""
        if not self._doubts:
            self._doubted_s = now_s
        self._doubts += 1
        client.forget_clocks()  # each look is at new replies
        if self._doubts >= _LOOKS and now_s - self._doubted_s >= self._looks_over_s:
            self._doubts, self.asks = 0, True

    def _tell(self) -> None:
        """Log how far the local clock is off, when that changed."""
        if abs(self.ahead_s - self._logged_s) < OFF_S:
            return
        self._logged_s = self.ahead_s
        if abs(self.ahead_s) < OFF_S:
            log.info("this machine's clock agrees with the exchange's again")
        else:
            log.warning("this machine's clock is %s: slots keep the exchange's time", off_in_words(self.ahead_s))


def _believed(skew_s: float) -> float:
    """The difference to correct: nothing when it is less than `OFF_S`."""
    return skew_s if abs(skew_s) >= OFF_S else 0.0
