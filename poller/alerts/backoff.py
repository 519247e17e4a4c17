"""The queue of messages: one event at a time for each target, and a growing wait after each failure."""

import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime

from store.alerts.events import Pending

FIRST_WAIT_S = 1.0
"""The wait between the first two tries of a target. It doubles each time, up to five minutes.

Chance shortens each wait by up to half: targets that fail on the same network don't all come back at once. stamina
would sleep in the waiting thread; here one thread waits for all targets.
"""

_LONGEST_WAIT_S = 300.0


class MessageQueue:
    """The events that are still to be sent, in memory.

    Args:
        steady: a clock in seconds that nobody sets.
        chance: a number from 0 to 1, another one each time.
        first_wait_s: between the first two tries of a target.

    `busy` has the targets that a message is being sent to.
    """

    def __init__(
        self,
        steady: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:
        self._steady, self._chance, self._first_wait_s = steady, chance, first_wait_s
        self._pending: list[Pending] = []
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        self.busy: set[str] = set()

    def renew(self, pending: Sequence[Pending]) -> None:
        """Replace the events by those that the database has now. A target's wait after a failure goes on."""
        self._pending = sorted(pending, key=_order)

    def left(self) -> list[Pending]:
        """All events that are still to be sent and are not being sent, the next first."""
        return [each for each in self._pending if each.target not in self.busy]

    def due(self, now: datetime, known: Collection[str]) -> list[Pending]:
        """The events to send now, at most one for each of the known targets. The least tried come first."""
        found: dict[str, Pending] = {}
        for each in self.left():
            if each.target in known and each.event.send_after <= now and self._may_try(each.target):
                found.setdefault(each.target, each)
        return list(found.values())

    def wait_s(self, now: datetime, known: Collection[str]) -> float | None:
        """The seconds until an event is due; None if no event becomes due by itself."""
        waits = [
            max((each.event.send_after - now).total_seconds(), self._not_before.get(each.target, 0) - self._steady())
            for each in self.left()
            if each.target in known
        ]
        return max(0.0, min(waits)) if waits else None

    def done(self, finished: Pending) -> None:
        """Drop an event that was sent to its target or given up."""
        self._take_out(finished)
        self._failures.pop(finished.target, None)
        self._not_before.pop(finished.target, None)

    def failed(self, tried: Pending) -> tuple[int, float]:
        """Note that a try failed; return how many failed in a row and the seconds until the next try."""
        self._take_out(tried)
        self._pending = sorted([*self._pending, replace(tried, tries=tried.tries + 1)], key=_order)
        failures = self._failures.get(tried.target, 0)
        longest = min(_LONGEST_WAIT_S, self._first_wait_s * 2 ** min(failures, 20))
        wait_s = longest * (1 - self._chance() / 2)
        self._failures[tried.target] = failures + 1
        self._not_before[tried.target] = self._steady() + wait_s
        return failures + 1, wait_s

    def _may_try(self, target: str) -> bool:
        return self._steady() >= self._not_before.get(target, 0)

    def _take_out(self, pending: Pending) -> None:
        which = (pending.target, pending.event.id)
        self._pending = [each for each in self._pending if (each.target, each.event.id) != which]
        self.busy.discard(pending.target)


def _order(pending: Pending) -> tuple[int, datetime, datetime]:
    return pending.tries, pending.event.send_after, pending.event.at
