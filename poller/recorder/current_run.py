"""The run of a recorder: all feeds are due in it."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from poller.journal.journal import Journal
from settings import VERSION
from store.models import Run

from .cadence import Cadence

log = logging.getLogger("tickwell.recorder")

# A pause of more than 60 s between two polls ends the run: the machine slept or its clock was set. The pause counts as
# "not recording" and not as missed slots.
_STALL = timedelta(seconds=60)


class CurrentRun:
    """The run begins with a slot of the shortest period. It ends when the clock jumps, after a long pause or at a stop.

    Args:
        cadences: the cadence of the shortest period first.
        journal: notes the begin and the end of the run.
    """

    def __init__(self, cadences: Sequence[Cadence], journal: Journal) -> None:
        self._cadences, self._journal = cadences, journal
        self._shortest = cadences[0]
        self._run: Run | None = None
        self._begun = asyncio.Event()

    def known_to(self, now: datetime) -> datetime | None:
        """The slots of all feeds before this time are served or missed; None outside a run.

        It is at most `now`, because another run may begin before the next slot of a long period.
        """
        return None if self._run is None else min(now, *(each.known_to for each in self._cadences))

    def has_begun_after(self, now: datetime) -> bool:
        """Is the newest slot of the run later than `now`? Then the clock was set back."""
        return self._run is not None and now < self._shortest.slot

    async def begin(self, cadence: Cadence, slot: datetime, now: datetime) -> bool:
        """Begin to serve a slot of a cadence, unless the slot lies before the run.

        A slot of a longer period waits until a run has begun.

        Returns:
            Whether the slot was begun.
        """
        if self._run is not None and now - self._shortest.slot > self._shortest.period + _STALL:
            log.warning("no poll between %s and %s", self._shortest.slot, slot)
            self.end()
        if self._run is None and cadence is self._shortest:
            self._begin(slot)
        while self._run is None:
            await self._begun.wait()
        if slot < self._run.started_at:
            return False
        cadence.begin(slot)
        return True

    def end(self) -> None:
        """End the run; the next slot begins another one."""
        self._end(self._shortest.known_to)

    def move(self, now: datetime) -> None:
        """Move the run and its slots to where `now` puts them: the clock was wrong and shows `now`."""
        if self._run is None:
            return
        begun = [each for each in self._cadences if each.slot >= self._run.started_at]
        shifts = [each.move(now) for each in begun]
        self._run = self._journal.move_run(self._run, shifts[0].by, shifts)
        for cadence in self._cadences:
            if cadence not in begun:
                cadence.enter(self._run.started_at)

    def stop(self, at: datetime) -> None:
        """End the run at `at`, or at an earlier slot of the shortest period that is not served any more."""
        for cadence in self._cadences[1:]:
            if cadence.under_way:
                cadence.cut()
        self._end(min(at, self._shortest.known_to))

    def _begin(self, slot: datetime) -> None:
        periods_s = {feed.name: int(each.period.total_seconds()) for each in self._cadences for feed in each.feeds}
        self._run = Run(slot, periods_s, VERSION)
        self._journal.begin_run(self._run)
        for cadence in self._cadences:
            cadence.enter(slot)
        self._begun.set()

    def _end(self, at: datetime) -> None:
        if self._run is None:
            return
        self._journal.end_run(self._run, at)
        self._run = None
        for cadence in self._cadences[1:]:
            cadence.miss_to(at)
        for cadence in self._cadences:
            cadence.leave()
        self._begun.clear()
