"""Replays the conditions that slots decide: where ticks were missing, and what share of an hour that is."""

import bisect
import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from store.alerts.events import Kind
from store.alerts.judge import Watch
from store.alerts.rules.condition import Reading
from store.alerts.rules.tape import Tape
from store.instants import HOUR
from store.ledger.due import Stretch, at_slot, slots
from store.models import Gap


@dataclass(frozen=True)
class SlotChange:
    """A condition of `watch` began to hold, or is over; the slot is the last one of `tape`."""

    watch: Watch
    event: Kind
    reading: Reading
    tape: Tape
    was_on: bool


class Holes:
    """The times without ticks of an index: ascending and apart, whatever their causes."""

    def __init__(self, gaps: Iterable[Gap]) -> None:
        self.starts: list[datetime] = []
        self.ends: list[datetime] = []
        for gap in sorted(gaps, key=lambda gap: gap.start):
            if self.ends and gap.start <= self.ends[-1]:
                self.ends[-1] = max(self.ends[-1], gap.end)
            else:
                self.starts.append(gap.start)
                self.ends.append(gap.end)
        lengths = (end - start for start, end in zip(self.starts, self.ends, strict=True))
        self._missing = list(accumulate(lengths, initial=timedelta(0)))

    def began(self, at: datetime) -> datetime | None:
        """The start of the hole that an instant lies in; None outside of holes."""
        place = bisect.bisect_right(self.starts, at) - 1
        return self.starts[place] if place >= 0 and at < self.ends[place] else None

    def missing(self, start: datetime, end: datetime) -> timedelta:
        """How much of [start, end) is missing."""
        return self._missing_before(end) - self._missing_before(start)

    def _missing_before(self, at: datetime) -> timedelta:
        place = bisect.bisect_left(self.starts, at)
        return self._missing[place] - (max(timedelta(0), self.ends[place - 1] - at) if place else timedelta(0))


class _Slot(Tape):
    """A tape with one slot and the holes before it, for conditions to read."""

    def __init__(self, holes: Holes, slot: datetime, poll_seconds: int) -> None:
        super().__init__(poll_seconds, timedelta(0))
        self.slot = slot
        began = holes.began(slot)
        self.heard = slot if began is None else began - self.period
        end = slot + self.period
        self._missing_s = holes.missing(end - HOUR, end).total_seconds()


def changes(watches: Sequence[Watch], holes: Holes, stretches: Iterable[Stretch]) -> Iterator[SlotChange]:
    """The changes of the conditions on an index while a recorder ran."""
    cooled: list[datetime] = []
    for stretch in stretches:
        numbers = _numbers(stretch, holes)
        queue = sorted(numbers | {slots(at, stretch.end, stretch.poll_seconds).start for at in cooled})
        before = -1
        while queue:
            number = heapq.heappop(queue)
            if number == before or number not in stretch.slots:
                continue
            before = number
            tape = _Slot(holes, at_slot(number, stretch.poll_seconds), stretch.poll_seconds)
            for change in _looked(watches, tape):
                yield change
                if change.event == "fired":
                    cooled.append(tape.slot + change.watch.rule.cool_down)
                    heapq.heappush(queue, slots(cooled[-1], stretch.end, stretch.poll_seconds).start)


def _looked(watches: Sequence[Watch], tape: Tape) -> Iterator[SlotChange]:
    for watch in watches:
        was_on = watch.event == "fired"
        change = watch.look(tape, tape.slot)
        if change is not None:
            yield SlotChange(watch, *change, tape, was_on)


def _numbers(stretch: Stretch, holes: Holes) -> set[int]:
    """The slots of a stretch at which a condition may change.

    These are the first slot, each slot without a tick and the first slot after it, and the slots at which a hole leaves
    the hour that coverage counts.
    """
    period = timedelta(seconds=stretch.poll_seconds)
    found = {stretch.slots.start}
    for start, end in zip(holes.starts, holes.ends, strict=True):
        for first, last in ((start, end + period), (start + HOUR - period, end + HOUR + period)):
            within = stretch.within(first, last)
            found |= set(within.slots)
    return found
