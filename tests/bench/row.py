"""A line of the bench's table, and how much of everything is measured."""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

TICKS = int(os.environ.get("BENCH_TICKS", "60000000"))
"""So long is the history that all is measured with."""

FEW = 1_000_000
"""And so long the short one that queries are compared with."""

SMALL = TICKS <= FEW
"""The form for in between, which takes 45 s: without what has to be watched for long, and less often."""

SECONDS = int(os.environ.get("BENCH_SECONDS", "5" if SMALL else "60"))
"""So long a recorder or a page is watched."""


@dataclass(frozen=True)
class Row:
    """One line of the table; `measured` and `budget` are in `unit`."""

    what: str
    measured: float
    budget: float
    unit: str
    note: str = ""

    @property
    def within(self) -> bool:
        return self.measured <= self.budget

    def __str__(self) -> str:
        mark = "ok  " if self.within else "OVER"
        return f"{mark} {self.what:<45} {self.measured:>8.2f} {self.unit:<12} budget {self.budget:g}   {self.note}"


def medians_ms(*works: Callable[[int], object], rounds: int) -> list[float]:
    """The median time of each, run in turn with the same numbers, so that a busy moment of the machine meets them all.

    The first tenth is not counted.
    """
    times: list[list[float]] = [[] for _ in works]
    before = max(1, rounds // 10)
    for number in range(before + rounds):
        for work, taken in zip(works, times, strict=True):
            started = time.perf_counter()
            work(number)
            taken.append(1000 * (time.perf_counter() - started))
    return [statistics.median(taken[before:]) for taken in times]
