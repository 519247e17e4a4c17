"""The feeds of one period: the slots that they share, and the run in which they are due."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from poller.feeds.feed import Feed, Outcome
from poller.feeds.poll import missed_slot
from poller.journal.journal import Journal
from poller.timing.slots import slot_of, slots_between
from settings import VERSION
from store.instants import EPOCH
from store.models import Miss, Run

log = logging.getLogger("tickwell.recorder")

# A longer pause between two polls is no row of missed slots: the machine slept or its clock was set. The run ends
# there and a new one begins, so that the stretch counts as "not recording".
_STALL = timedelta(seconds=60)


class Cadence:
    """Accounts for each slot of a period: it is served, missed, or outside of every run.

    Attributes:
        slot: the newest one.
        under_way: it is being served.
        last: the one that was served before; None where the next slot begins a run.
        outcomes: what came of the newest slot so far.
    """

    def __init__(self, feeds: Sequence[Feed], journal: Journal) -> None:
        self.period, self.feeds, self._journal = feeds[0].period, tuple(feeds), journal
        self.slot = EPOCH
        self.under_way = False
        self.last: datetime | None = None
        self.outcomes: list[Outcome] = []
        self._run: Run | None = None
        self._answered_in: datetime | None = None  # the slot of the reply that moved the clock

    @property
    def known_to(self) -> datetime | None:
        """Up to when its slots are accounted for; None where no run has begun."""
        if self.last is not None:
            return self.last + self.period
        return self.slot if self.under_way else None

    def knows(self, slot: datetime) -> bool:
        """Was it served already?"""
        return slot in (self.last, self._answered_in)

    def begin(self, slot: datetime) -> None:
        """Begin to serve a slot. The slots that were skipped before it are misses."""
        if self.last is not None and slot - self.last > self.period + _STALL:
            log.warning("no poll between %s and %s", self.last, slot)
            self.end_run()
        if self.last is None:
            self._run = Run(
                slot, dict.fromkeys((feed.name for feed in self.feeds), int(self.period.total_seconds())), VERSION
            )
            self._journal.begin_run(self._run)
        else:
            for skipped in slots_between(self.last, slot, self.period):
                self._journal.add(skipped, [missed_slot(skipped, feed.name) for feed in self.feeds])
        self.slot, self.under_way, self.outcomes = slot, True, []

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Take what came of the slot under way. The clock may have been moved since it was asked for."""
        its = [replace(each, slot=self.slot) if isinstance(each, Miss) else each for each in outcomes]
        self.outcomes += self._journal.add(self.slot, its)

    def served(self) -> None:
        """The slot is over."""
        self.under_way = False
        self.last = self.slot if self._run is not None else None

    def end_run(self) -> None:
        """The next slot begins another run: it is no neighbour of the last one."""
        if self._run is not None and self.last is not None:
            self._journal.end_run(self._run, self.last + self.period)
            self._run = self.last = None

    def move(self, now: datetime) -> None:
        """The clock was wrong and shows `now`: the run and its slots lie elsewhere. The slot of `now` was served."""
        if self._run is None:
            return
        self._answered_in = slot_of(now, self.period)
        by = self._answered_in - self.slot
        self._run = self._journal.move_run(self._run, self.slot, by)
        self.slot, self.last = self._answered_in, self.last and self.last + by

    def stop(self, at: datetime) -> None:
        """End the run where the recorder stops: at the slot under way, which is not served any more."""
        if self._run is not None:
            self._journal.end_run(self._run, self.slot if self.under_way else at)


def cadences_of(feeds: Sequence[Feed], journal: Journal) -> list[Cadence]:
    """One cadence for each period, the shortest first."""
    by_period = {
        period: [feed for feed in feeds if feed.period == period] for period in {each.period for each in feeds}
    }
    return [Cadence(its, journal) for _, its in sorted(by_period.items())]
