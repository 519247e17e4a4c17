"""Runs named jobs at exact slots of the UTC wall clock until it is told to stop."""

import asyncio
import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import schedule

from .guard import guarded
from .slots import next_slot, slot_of

log = logging.getLogger("tickwell.runner")

# A wait is cut into pieces of this, to notice a clock that was set and a machine that slept.
_LOOK_AT_CLOCK_S = 1.0


class Runner:
    """The jobs, kept by `schedule`, and the loop that runs each at the exact multiples of its interval.

    `schedule` alone would run a job an interval after its last run ended, which drifts (18 runs of an 80 ms job in 20 s
    instead of 20), and reckons in local time. A job that is late runs once, at once; what was skipped is not made up.

    Between two slots it calls `wait`, with seconds, which returns early when `stop` is set; it is `stop.wait` unless
    told.
    """

    def __init__(
        self,
        stop: threading.Event,
        clock: Callable[[], datetime],
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self._stop = stop
        self._clock = clock
        self._wait = wait or stop.wait
        self._jobs = schedule.Scheduler()

    def every(self, seconds: int, name: str, job: Callable[[], None]) -> None:
        """Add a job. Of jobs that are due together, the one that was added first runs first."""
        self._jobs.every(seconds).seconds.do(job).tag(name)

    def run(self) -> None:
        """Run the jobs until the stop event is set."""
        due = self._next_slots()
        while not self._stop.is_set():
            job = min(due, key=due.__getitem__)
            now = self._clock()
            wait = due[job] - now
            if any(at - now > _period(its) for its, at in due.items()):  # the clock was set back
                due = self._next_slots()
            elif wait > timedelta(0):
                self._wait(min(wait.total_seconds(), _LOOK_AT_CLOCK_S))
            else:
                _run(job)
                due[job] = max(next_slot(now, _period(job)), slot_of(self._clock(), _period(job)))

    def _next_slots(self) -> dict[schedule.Job, datetime]:
        now = self._clock()
        return {job: next_slot(now, _period(job)) for job in self._jobs.jobs}


def _run(job: schedule.Job) -> None:
    name = ", ".join(map(str, job.tags))
    try:
        with guarded(name):
            job.run()
    except asyncio.CancelledError:
        log.debug("stopped during %s", name)


def _period(job: schedule.Job) -> timedelta:
    return timedelta(seconds=job.interval)
