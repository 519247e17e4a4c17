"""Runs faults side by side, and prints a table of their results."""

import contextlib
import statistics
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.kinds import KINDS, Kind
from tests.faults.parts import small_disk
from tests.faults.result import Result
from tests.faults.stage import Stage

HEAD = (
    "fault",
    "times",
    "acknowledged",
    "lost",
    "invented",
    "unexplained",
    "others' slots lost",
    "recovery (median, most)",
)
_SUMMED = ("times", "acknowledged", "lost", "invented", "unexplained", "others_lost")


def run(name: str, folder: Path, times: int, seed: int, *, long: bool = False) -> Result:
    """Inject one fault several times; the result has every failure.

    long: use the long form of the fault.
    """
    kind = KINDS[name]
    folder.mkdir(parents=True)
    ahead_s = (kind.at - datetime.now(UTC)).total_seconds() if kind.at else 0.0
    disk = small_disk(folder) if kind.small_disk else contextlib.nullcontext()
    stage = Stage(folder, mode=kind.mode, seed=seed, ahead_s=ahead_s, long=long, poses_as=kind.poses_as)
    with disk, stage:
        try:
            kind.inject(stage, times)
            return stage.result(name)
        except Exception as error:  # noqa: BLE001 the others go on, and the table tells
            return stage.failed(name, error)


def run_all(
    folder: Path, times: dict[str, int], at_once: int, seed: int = 1, *, long: bool = False
) -> Iterator[Result]:
    """Inject each fault several times, and report each when it is over.

    An overloaded machine loses slots too. If the only failure of a fault is that other feeds lost slots, it is
    injected once more, alone.
    """
    again: list[str] = []
    with ThreadPoolExecutor(at_once) as pool:
        futures = [
            pool.submit(run, name, folder / f"fault_{number}", its, seed + number, long=long)
            for number, (name, its) in reversed(list(enumerate(times.items())))  # the short faults come last
        ]
        for future in as_completed(futures):
            result = future.result()
            if result.others_lost and replace(result, others_lost=0).well:
                again.append(result.fault)
            else:
                yield result
    for number, name in enumerate(again):
        yield run(name, folder / f"again_{number}", times[name], seed, long=long)


def table(results: Sequence[Result]) -> str:
    """The results as lines in columns, and their sum."""
    order = list(KINDS)
    rows = [HEAD, *(_row(each) for each in sorted(results, key=lambda each: order.index(each.fault)))]
    total = [sum(getattr(each, part) or 0 for each in results) for part in _SUMMED]
    rows.append((f"all, {len(results)} kinds", *(f"{count:,}" for count in total), ""))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "  ".join(_aligned(cell, width, left=not i) for i, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    said = [f"{each.fault}: {each.error or each.note}" for each in results if each.error or each.note]
    return "\n".join(line.rstrip() for line in [*lines, *said])


def kills(results: Sequence[Result]) -> int:
    """The number of killed processes."""
    return sum(each.times for each in results if KINDS[each.fault].kills)


def chosen(*, mounts: bool) -> dict[str, Kind]:
    """The faults that this machine allows to inject."""
    return {name: kind for name, kind in KINDS.items() if mounts or not kind.mounts}


def _row(result: Result) -> tuple[str, ...]:
    recovery = result.recovery_s
    took = f"{statistics.median(recovery):.1f} s, {max(recovery):.1f} s" if recovery else ""
    counts = [getattr(result, part) for part in _SUMMED]
    return (result.fault, *("" if count is None else f"{count:,}" for count in counts), took)


def _aligned(cell: str, width: int, *, left: bool) -> str:
    return cell.ljust(width) if left else cell.rjust(width)
