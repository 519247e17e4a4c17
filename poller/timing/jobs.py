"""Jobs that run by the clock, such as each minute. `schedule` keeps them. Slots are not such jobs."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import schedule

from .guard import guarded

_LOOK_AGAIN_S = 0.5
_JUMP = timedelta(seconds=2)

Plan = Callable[[schedule.Scheduler], None]
"""Adds jobs to a scheduler, such as `jobs.every().minute.do(safely, "summary", summarise)`."""


def safely(name: str, job: Callable[[], None]) -> None:
    """Run a job and log what it raises. `schedule` would repeat a job that raises at once, and run no other."""
    with guarded(name):
        job()


class Jobs:
    """Runs the jobs of a plan when they are due.

    `schedule` counts in the machine's local time. When that jumps back, as in autumn, a job would wait until the old
    time comes again. So every job is planned again after a jump.

    Args:
        plan: adds the jobs. Each runs `safely` and returns soon.
        local: the machine's local time.
        steady: seconds of a clock that nobody sets.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        local: Callable[[], datetime] = datetime.now,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan, self._local, self._steady = plan, local, steady
        self._seen, self._seen_s = local(), steady()
        self._scheduler = schedule.Scheduler()
        plan(self._scheduler)

    async def run(self) -> None:
        """Run jobs without end."""
        while True:
            self.run_due()
            await asyncio.sleep(_LOOK_AGAIN_S)

    def run_due(self) -> None:
        """Run each job that is due."""
        now, now_s = self._local(), self._steady()
        if abs(now - self._seen - timedelta(seconds=now_s - self._seen_s)) > _JUMP:
            self._scheduler.clear()
            self._plan(self._scheduler)
        self._seen, self._seen_s = now, now_s
        self._scheduler.run_pending()
