"""The slots of the feeds that share a period: each one is served, missed, or outside of every run."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from poller.feeds.feed import Feed, Outcome
from poller.feeds.poll import missed_slot
from poller.journal.journal import Journal
from poller.journal.storing import Shift
from poller.timing.slots import slot_of, slots_between
from store.instants import EPOCH
from store.models import Cause, Miss


class Cadence:
    """Accounts for the slots of one period.

    Attributes:
        slot: the newest one.
        under_way: it is being served.
        due: the first slot of the run that has not begun; long past outside of a run.
        outcomes: what came of the newest slot so far.
    """

    def __init__(self, feeds: Sequence[Feed], journal: Journal) -> None:
        self.period, self.feeds, self._journal = feeds[0].period, tuple(feeds), journal
        self.slot = EPOCH
        self.under_way = False
        self.due = EPOCH
        self.outcomes: list[Outcome] = []

    @property
    def known_to(self) -> datetime:
        """Up to when the slots of the run are accounted for."""
        return self.slot if self.under_way else self.due

    def knows(self, slot: datetime) -> bool:
        """Was this slot served already?"""
        return slot == self.slot or slot < self.due

    def enter(self, start: datetime) -> None:
        """A run begins at `start`."""
        last = slot_of(start, self.period)
        self.due = last if last == start else last + self.period

    def leave(self) -> None:
        """The run has ended."""
        self.due = EPOCH

    def begin(self, slot: datetime) -> None:
        """Begin to serve a slot. The slots that were skipped before it are misses."""
        for skipped in slots_between(self.due - self.period, slot, self.period):
            self._journal.add(skipped, [missed_slot(skipped, feed.name) for feed in self.feeds])
        self.slot, self.due = slot, slot + self.period
        self.under_way, self.outcomes = True, []

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Take what came of the slot under way. The clock may have been moved since it was asked for."""
        its = [replace(each, slot=self.slot) if isinstance(each, Miss) else each for each in outcomes]
        self.outcomes += self._journal.add(self.slot, its)

    def served(self) -> None:
        """The slot is over."""
        self.under_way = False

    def cut(self) -> None:
        """The recorder stops: nothing more comes of the slot under way."""
        brought = {outcome.feed for outcome in self.outcomes}
        self.add(
            [
                Miss(self.slot, feed.name, Cause.MISSED_SLOT, "the recorder was stopped before the reply came")
                for feed in self.feeds
                if feed.name not in brought
            ]
        )

    def move(self, now: datetime) -> Shift:
        """The clock was wrong and shows `now`: the newest slot is the one of `now`."""
        shift = Shift(tuple(feed.name for feed in self.feeds), self.slot, slot_of(now, self.period) - self.slot)
        self.slot += shift.by
        self.due = self.slot + self.period
        return shift


def cadences_of(feeds: Sequence[Feed], journal: Journal) -> list[Cadence]:
    """One cadence for each period, the shortest first."""
    by_period = {
        period: [feed for feed in feeds if feed.period == period] for period in {each.period for each in feeds}
    }
    return [Cadence(its, journal) for _, its in sorted(by_period.items())]
