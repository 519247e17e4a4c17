"""A line of the bench's table, and how much of everything is measured."""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

TICKS = int(os.environ.get("BENCH_TICKS", "60000000"))
"""How many ticks the long history has."""

FEW = 1_000_000
"""How many ticks the short history has, which a long one is compared with."""

SMALL = TICKS <= FEW
"""The small form takes a minute: it repeats less often, and leaves out what has to be watched for long."""

SECONDS = int(os.environ.get("BENCH_SECONDS", "5" if SMALL else "60"))
"""How long a recorder or a page is watched."""


@dataclass(frozen=True)
class Row:
    """One line of the table; `measured` and `budget` are in `unit`. A row without a budget only informs."""

    what: str
    measured: float
    budget: float | None
    unit: str
    note: str = ""

    @property
    def within(self) -> bool:
        return self.budget is None or self.measured <= self.budget

    def __str__(self) -> str:
        mark = "    " if self.budget is None else "ok  " if self.within else "OVER"
        budget = "" if self.budget is None else f"budget {self.budget:g}"
        return f"{mark} {self.what:<45} {self.measured:>8.2f} {self.unit:<12} {budget:<11} {self.note}"


def medians_ms(
    *works: Callable[[int], object], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """The median time of each work. The works run in turn, so that a busy moment of the machine meets them all.

    Each work is given the number of the round. The first tenth of the rounds, at least one, is not counted.
    """
    times: list[list[float]] = [[] for _ in works]
    before = max(1, rounds // 10)
    for number in range(before + rounds):
        for work, taken in zip(works, times, strict=True):
            started = clock()
            work(number)
            taken.append(1000 * (clock() - started))
    return [statistics.median(taken[before:]) for taken in times]
