"""What came of the slots on its way to the database: it waits here while the database can't be written."""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from itertools import takewhile

from store import (
    Cause,
    Cursor,
    Database,
    Exchange,
    Miss,
    NoDatabaseError,
    OlderSchemaError,
    Run,
    Tick,
    UnreadableError,
    runs,
    ticks,
    utc_now,
    vitals,
)
from store.exchange import admit
from store.meters import OK
from store.vitals import Vitals

from .alerting import Alerts
from .jobs import Outcome

# 50,000 ticks are seven hours of two indexes at one second, and about 20 MB of memory.
MOST_WAITING = 50_000

# So many are written under one lease, which takes a quarter of a second; a longer queue takes several slots.
PORTION = 2_000

_MOST_MINUTES = 1440


class Journal:
    """Ticks and misses in the order of their slots, until a `flush` has made them durable.

    A flush may be under way in another thread while more is added, but only one, and nothing is given up meanwhile.
    `written` is true once a tick is durable.

    Args:
        database: where it all goes.
        clock: of the recorder.
        alerts: judges what is written, in the same transaction.
        exchange: tells of which exchange the replies are; None until the first reply.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime] = utc_now,
        alerts: Alerts | None = None,
        exchange: Callable[[], Exchange | None] = lambda: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._alerts = alerts
        self._exchange = exchange
        self._admitted = False
        self._run: Run | None = None
        self._runs: list[Run] = []
        self._ticks: list[tuple[datetime, Tick]] = []
        self._misses: list[Miss] = []
        self._newest: dict[str, datetime] = {}
        self._delays_s: list[float] = []
        self._minutes: list[Vitals] = []
        self.written = False

    @property
    def waiting(self) -> int:
        """How many ticks are not in the database yet."""
        return len(self._ticks)

    @property
    def empty(self) -> bool:
        """Is all of it in the database?"""
        return not (self._ticks or self._misses or self._runs)

    def add(self, slot: datetime, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """Take what came of a slot.

        Returns:
            The outcomes as they were taken: a tick that repeats the time of the one before is a miss.
        """
        taken = [self._unless_repeated(slot, outcome) for outcome in outcomes]
        self._misses += [outcome for outcome in taken if isinstance(outcome, Miss)]
        self._ticks += [(slot, outcome) for outcome in taken if isinstance(outcome, Tick)]
        polls = self._database.meters.polls
        for outcome in taken:
            polls[outcome.index_name, outcome.cause.value if isinstance(outcome, Miss) else OK] += 1
        return taken

    def flush(self, wait_s: float) -> None:
        """Write what waits in one transaction; of a long queue only the oldest portion.

        Raises:
            ForeignExchangeError: the file has prices of another exchange; nothing was written.
            StoreError: nothing was written; it all waits on.
        """
        try:
            self._write(wait_s)
        except (NoDatabaseError, OlderSchemaError, UnreadableError):
            self._database.migrate(wait_s)
            self._admitted = False
            if self._run is not None and self._run not in self._runs:
                self._runs.insert(0, self._run)  # it was noted in a file that is gone
            self._write(wait_s)

    def give_up_oldest(self, reason: str) -> int:
        """Turn the oldest ticks beyond what may wait into misses; the oldest misses beyond that are dropped.

        Returns:
            How many ticks were given up.
        """
        surplus = self._ticks[: max(0, len(self._ticks) - MOST_WAITING)]
        self._ticks = self._ticks[len(surplus) :]
        self._misses += [Miss(slot, tick.index_name, Cause.STORE_UNAVAILABLE, reason) for slot, tick in surplus]
        self._misses = self._misses[-MOST_WAITING:]
        return len(surplus)

    def begin_run(self, run: Run) -> None:
        """Note with the next flush that a run began."""
        self._run = run
        self._runs.append(run)

    def end_run(self, ended_at: datetime) -> None:
        """Note with the next flush that the run ended."""
        if self._run is not None:
            self._runs.append(replace(self._run, ended_at=ended_at))
            self._run = None

    def end_minute(self, now: datetime, skew_s: float | None) -> Vitals:
        """Note with the next flush how the last minute went."""
        minute = vitals.measured(self._database.path, now, self._delays_s, skew_s)
        self._delays_s = []
        self._minutes.append(minute)
        del self._minutes[:-_MOST_MINUTES]
        return minute

    def _unless_repeated(self, slot: datetime, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Miss):
            return outcome
        if self._newest.get(outcome.index_name) == outcome.ts:
            detail = f"the exchange repeated its reply of {outcome.ts:%H:%M:%S.%f} UTC"
            return Miss(slot, outcome.index_name, Cause.REJECTED_REPLY, detail)
        self._newest[outcome.index_name] = outcome.ts
        return outcome

    def _write(self, wait_s: float) -> None:
        portion, misses = self._portion()
        begun, minutes = list(self._runs), list(self._minutes)
        exchange = None if self._admitted else self._exchange()
        with self._judging(portion, misses, wait_s) as judge, self._database.write(wait_s) as cursor:
            if exchange is not None:
                admit(cursor, exchange, self._clock())
            for run in begun:
                runs.note(cursor, run)
            ticks.append(cursor, (tick for _, tick in portion))
            runs.append_misses(cursor, misses)
            for minute in minutes:
                vitals.append(cursor, minute)
            judge(cursor)
        self._admitted |= exchange is not None
        now = self._clock()
        self._delays_s += [(now - tick.ts).total_seconds() for _, tick in portion]
        self.written |= bool(portion)
        # What came meanwhile waits on.
        del self._ticks[: len(portion)], self._misses[: len(misses)]
        del self._runs[: len(begun)], self._minutes[: len(minutes)]

    def _portion(self) -> tuple[list[tuple[datetime, Tick]], list[Miss]]:
        """The oldest ticks and misses: of both those of the same slots, as they are judged together."""
        portion, misses = self._ticks[:PORTION], self._misses[:PORTION]
        if len(self._ticks) > PORTION:
            until, _ = self._ticks[PORTION]
            misses = list(takewhile(lambda miss: miss.slot < until, misses))
        return portion, misses

    def _judging(
        self, portion: Sequence[tuple[datetime, Tick]], misses: Sequence[Miss], wait_s: float
    ) -> AbstractContextManager[Callable[[Cursor], None]]:
        """For the time of a write: judges what is written, in the same transaction."""
        if self._alerts is None or not (portion or misses):
            return contextlib.nullcontext(lambda _: None)
        return self._alerts.judging(portion, misses, wait_s)
