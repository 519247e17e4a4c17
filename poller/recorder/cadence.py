"""The slots of feeds that share a period and an offset: each slot is served, missed, or outside every run."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from poller.feeds.feed import Feed, Outcome
from poller.feeds.poll import missed_slot
from poller.journal.journal import Journal
from poller.journal.storing import Shift
from poller.timing.slots import next_slot, slot_of, slots_between
from store.instants import EPOCH
from store.models import Cause, Miss


class Cadence:
    """Accounts for the slots of one period. The feeds are asked `offset` after each slot.

    Attributes:
        slot: the newest slot.
        under_way: the newest slot is being served.
        due: the first slot of the run that has not begun; 1970 outside a run.
        outcomes: the outcomes of the newest slot so far.
    """

    def __init__(self, feeds: Sequence[Feed], journal: Journal) -> None:
        self.period, self.offset, self.feeds = feeds[0].period, feeds[0].offset, tuple(feeds)
        self._journal = journal
        self.slot = EPOCH
        self.under_way = False
        self.due = EPOCH
        self.outcomes: list[Outcome] = []

    @property
    def known_to(self) -> datetime:
        """Each slot of the run before this time is served or missed."""
        return self.slot if self.under_way else self.due

    def knows(self, slot: datetime) -> bool:
        """Was this slot served or missed already?"""
        return slot == self.slot or slot < self.due

    @property
    def asked_at(self) -> datetime:
        """When the feeds were to be asked for the newest slot."""
        return self.slot + self.offset

    def next_ask(self, now: datetime) -> datetime:
        """When the feeds are asked next after `now`."""
        return next_slot(now - self.offset, self.period) + self.offset

    def ask_due(self, now: datetime) -> datetime:
        """When the feeds are asked after the newest slot, which may be overdue; the first time without one."""
        return self.next_ask(now) if self.slot == EPOCH else self.asked_at + self.period

    def enter(self, start: datetime) -> None:
        """Enter a run that begins at `start`."""
        last = slot_of(start, self.period)
        self.due = last if last == start else last + self.period

    def miss_to(self, end: datetime) -> None:
        """Miss the slots of the run before `end` for which the feeds were not asked: the run ends."""
        for slot in slots_between(self.due - self.period, end, self.period):
            why = "the run ended before the feed was asked"
            self._journal.add(slot, [Miss(slot, feed.name, Cause.MISSED_SLOT, why) for feed in self.feeds])

    def leave(self) -> None:
        """Leave the run, which has ended."""
        self.due = EPOCH

    def begin(self, slot: datetime) -> None:
        """Begin to serve a slot. The slots skipped before it become misses."""
        for skipped in slots_between(self.due - self.period, slot, self.period):
            self._journal.add(skipped, [missed_slot(skipped, feed.name) for feed in self.feeds])
        self.slot, self.due = slot, slot + self.period
        self.under_way, self.outcomes = True, []

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Take outcomes of the slot under way. A miss gets this slot: the clock may have moved since the request."""
        placed = [replace(each, slot=self.slot) if isinstance(each, Miss) else each for each in outcomes]
        self.outcomes += self._journal.add(self.slot, placed)

    def served(self) -> None:
        """End the slot under way."""
        self.under_way = False

    def cut(self) -> None:
        """Miss each feed that has not replied in the slot under way: the recorder stops."""
        replied = {outcome.feed for outcome in self.outcomes}
        self.add(
            [
                Miss(self.slot, feed.name, Cause.MISSED_SLOT, "the recorder was stopped before the reply came")
                for feed in self.feeds
                if feed.name not in replied
            ]
        )

    def move(self, now: datetime) -> Shift:
        """Move the newest slot to the slot of `now`: the clock was wrong and shows `now`."""
        shift = Shift(
            tuple(feed.name for feed in self.feeds), self.slot, slot_of(now - self.offset, self.period) - self.slot
        )
        self.slot += shift.by
        self.due = self.slot + self.period
        return shift


def cadences_of(feeds: Sequence[Feed], journal: Journal) -> list[Cadence]:
    """A cadence for each period and offset, the shortest period first, and of one period the smallest offset."""
    sharing: defaultdict[tuple[timedelta, timedelta], list[Feed]] = defaultdict(list)
    for feed in feeds:
        sharing[feed.period, feed.offset].append(feed)
    return [Cadence(its, journal) for _, its in sorted(sharing.items())]
