"""The run of a recorder, in which the feeds of all its cadences are due."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from poller.journal.journal import Journal
from settings import VERSION
from store.models import Run

from .cadence import Cadence

log = logging.getLogger("tickwell.recorder")

# A longer pause between two polls is no row of missed slots: the machine slept or its clock was set. The run ends
# there and a new one begins, so that the stretch counts as "not recording".
_STALL = timedelta(seconds=60)


class CurrentRun:
    """Begins with a slot of the shortest period, and ends when the clock jumps, after a long pause or at a stop.

    Args:
        cadences: the one of the shortest period first.
        journal: notes the run.
    """

    def __init__(self, cadences: Sequence[Cadence], journal: Journal) -> None:
        self._cadences, self._journal = cadences, journal
        self._shortest = cadences[0]
        self._run: Run | None = None
        self._begun = asyncio.Event()

    def known_to(self, now: datetime) -> datetime | None:
        """Up to when the slots of all feeds are accounted for; None outside of a run.

        That is `now` at most: another run may follow before the next slot of a long period.
        """
        return None if self._run is None else min(now, *(each.known_to for each in self._cadences))

    def has_begun_after(self, now: datetime) -> bool:
        """Is its newest slot later than `now`? Then the clock was set back."""
        return self._run is not None and now < self._shortest.slot

    async def begin(self, cadence: Cadence, slot: datetime, now: datetime) -> bool:
        """Begin to serve a slot of a cadence, unless it lies before the run; tell whether it was begun.

        A slot of a longer period waits until a run has begun.
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
        """The next slot begins another run: it is no neighbour of the last one."""
        newest = self._shortest
        self._end(newest.slot if newest.under_way else newest.slot + newest.period)

    def move(self, now: datetime) -> None:
        """The clock was wrong and shows `now`: the run and its slots lie elsewhere."""
        if self._run is None:
            return
        begun = [each for each in self._cadences if each.slot >= self._run.started_at]
        shifts = [each.move(now) for each in begun]
        self._run = self._journal.move_run(self._run, shifts[0].by, shifts)
        for cadence in self._cadences:
            if cadence not in begun:
                cadence.enter(self._run.started_at)

    def stop(self, at: datetime) -> None:
        """End the run where the recorder stops: at a slot of the shortest period that is not served any more."""
        for cadence in self._cadences[1:]:
            if cadence.under_way:
                cadence.cut()
        self._end(self._shortest.slot if self._shortest.under_way else at)

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
        for cadence in self._cadences:
            cadence.leave()
        self._begun.clear()
