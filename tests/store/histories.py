"""Histories with gaps to find: the rows that a recorder would have stored, slot by slot."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Self

from store.file.database import Cursor, Database
from store.ledger import runs
from store.ledger.gaps import ledger
from store.models import Cause, Gap, Miss, Run, Tick
from store.prices import averages, ticks
from tests.conftest import START

LATENCY = timedelta(milliseconds=6)
NOBODY_ANSWERS = "connection refused"


def at(second: float) -> datetime:
    """The time that is this many seconds after START."""
    return START + timedelta(seconds=second)


def ran(cursor: Cursor, start_s: float, end_s: float | None, poll_seconds: int = 5, *index_names: str) -> None:
    """Note a run; a run without an end goes on, or was killed."""
    run = Run(at(start_s), dict.fromkeys(index_names or ("btc_usd",), poll_seconds), "0.1.0")
    runs.note(cursor, run)
    if end_s is not None:
        runs.note(cursor, replace(run, ended_at=at(end_s)))


def observed(cursor: Cursor, seconds: Iterable[float], index_name: str = "btc_usd", clock_ahead_s: float = 0) -> None:
    """Store a tick 6 ms after each of these slots; our clock may be ahead of the exchange's."""
    cut = timedelta(seconds=clock_ahead_s)
    ticks.append(
        cursor,
        [
            Tick(index_name, at(second) + LATENCY - cut, 100.0, received_at=at(second) + 2 * LATENCY)
            for second in seconds
        ],
    )


def missed(
    cursor: Cursor,
    seconds: Iterable[float],
    cause: Cause = Cause.UNREACHABLE,
    index_name: str = "btc_usd",
    code: int | None = None,
) -> None:
    """Note these slots as misses."""
    runs.append_misses(cursor, [Miss(at(second), index_name, cause, NOBODY_ANSWERS, code) for second in seconds])


def averaged(cursor: Cursor, start_s: float, end_s: float, step_s: int, index_name: str = "btc_usd") -> None:
    """Store the exchange's averages, on the multiples of their step, that lie in a range."""
    first = -(-start_s // step_s) * step_s
    count = int((end_s - first) // step_s)
    averages.append(cursor, index_name, [(at(first + number * step_s), 50.0) for number in range(count)], step_s)


def found(database: Database, now_s: float, start_s: float = 0, end_s: float | None = None) -> list[Gap]:
    """The ledger, asked at that second."""
    with database.read() as cursor:
        return ledger(cursor, at(start_s), at(now_s if end_s is None else end_s), at(now_s))


def in_short(gaps: Iterable[Gap]) -> list[tuple[float, float, int, str]]:
    """The seconds from START, the number of slots and the cause of each gap."""
    return [
        ((gap.start - START).total_seconds(), (gap.end - START).total_seconds(), gap.slots, gap.cause) for gap in gaps
    ]


class Counting:
    """A cursor that counts its queries and the rows of their results."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor, self.asked, self.fetched = cursor, 0, 0

    def execute(self, *question: Any) -> Self:
        self.asked += 1
        self.cursor.execute(*question)
        return self

    def fetchall(self) -> list[Any]:
        rows = self.cursor.fetchall()
        self.fetched += len(rows)
        return rows
