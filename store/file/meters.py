"""What this process did since it began, counted as it happens: cheap enough for every lease and every poll.

Nothing here knows Prometheus. `store.health.metrics` writes the counts as its text when asked.
"""

import bisect
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from store.models import Cause

OK = "ok"

POLL_OUTCOMES = (OK, *(cause.value for cause in Cause if cause is not Cause.STORE_UNAVAILABLE))
"""The outcomes of a poll: its tick, or a cause. A database that can't be written is no outcome of a poll."""

BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""From a typical append to the longest wait for a lease."""


class Timer:
    """How long something took each time that it succeeded: a count for each of `BOUNDS_S`, and the sum of seconds."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._seconds = 0.0
        self._counting = threading.Lock()

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.count(time.perf_counter() - started)

    def count(self, seconds: float) -> None:
        with self._counting:
            self._counts[bisect.bisect_left(BOUNDS_S, seconds)] += 1
            self._seconds += seconds

    def read(self) -> tuple[list[int], float]:
        """The counts between each of `BOUNDS_S` and the bound before it, then the count beyond; and the sum."""
        with self._counting:
            return list(self._counts), self._seconds


@dataclass
class Meters:
    """The counts of a process on one database file.

    Attributes:
        reads: each read, from the wait for its lease to its end.
        writes: each transaction, from the wait for its lease until it is durable.
        polls: the outcomes of polls, by index and outcome; empty where no recorder runs.
        refused: records that the database refused.
        retries: how often a request to the exchange was repeated; None where no recorder runs.
    """

    reads: Timer = field(default_factory=Timer)
    writes: Timer = field(default_factory=Timer)
    polls: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: int = 0
    retries: int | None = None

    def begin(self, index_names: Sequence[str]) -> None:
        """A recorder begins in this process: every count exists with 0, so that the first event shows as a step."""
        for name in index_names:
            for outcome in POLL_OUTCOMES:
                self.polls[name, outcome] += 0
        self.retries = self.retries or 0

    def retried(self) -> None:
        self.retries = (self.retries or 0) + 1
