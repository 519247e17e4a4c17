"""The outcomes of slots wait here while the database can't be written."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from heapq import merge
from itertools import takewhile

from poller.alerts.judging import Alerts
from poller.feeds.feed import Feed, Observation, Outcome
from store.errors import NoDatabaseError, OlderSchemaError, RefusedRecordError, UnreadableError
from store.file.database import Database
from store.file.meters import OK
from store.health import vitals
from store.health.refused import file_of_refused, keep_refused
from store.health.vitals import Vitals
from store.models import Cause, Exchange, Miss, Run, Tick, utc_now

from .limits import Limits
from .portions import cut_back, fitting
from .storing import Move, Queued, Shift, Storing
from .waiting import Waiting, WaitingFile

log = logging.getLogger("tickwell.recorder")

_LIMITS = Limits()

_NONE = timedelta(0)


class Journal:
    """Holds observations and misses in the order of their slots until `flush` has made them durable.

    One thread flushes and gives up observations that wait too long. Another thread may add records meanwhile.
    `written` is true once an observation is durable; `refused` counts the records that the database refused.

    Args:
        database: receives the records.
        clock: the recorder's clock.
        alerts: judges what is written, in the same transaction.
        exchange: returns which exchange the replies are of; None until the first reply.
        feeds: the feeds whose observations are added.
        recorder: the name of the recorder.
        limits: how much may wait, and how much one transaction takes.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime] = utc_now,
        alerts: Alerts | None = None,
        exchange: Callable[[], Exchange | None] = lambda: None,
        *,
        feeds: Sequence[Feed] = (),
        recorder: str = "",
        limits: Limits = _LIMITS,
    ) -> None:
        self._limits = limits
        self._storing = Storing(database, clock, alerts, exchange, {feed.name: feed for feed in feeds}, recorder)
        self._database = database
        self._clock = clock
        self._exchange = exchange
        self._file = WaitingFile(database.path)
        self._left_over: bool | None = None  # None: the file was not looked for yet
        self._taken_in = False
        self._open: list[Run] = []
        self._runs: list[Run] = []
        self._changing = threading.Lock()
        self._moves: list[Move] = []
        self._observed: list[tuple[datetime, Observation]] = []
        self._misses: list[Miss] = []
        self._newest: dict[str, datetime] = {}
        self._delays_s: list[float] = []
        self._minutes: list[Vitals] = []
        self.written = False
        self.refused = 0

    @property
    def waiting(self) -> int:
        """How many observations are not in the database yet."""
        return len(self._observed)

    @property
    def queued(self) -> bool:
        """Does anything wait in memory?"""
        return bool(self._observed or self._misses or self._runs or self._moves)

    @property
    def file_name(self) -> str:
        """The name of the file that `keep` writes."""
        return self._file.path.name

    @property
    def empty(self) -> bool:
        """Are all records in the database?"""
        return not (self.queued or self._left_over)

    def add(self, slot: datetime, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """Take outcomes of a slot.

        Returns:
            The outcomes as they were taken: an observation with the exchange time of the one before becomes a miss.
        """
        taken = [self._unless_repeated(slot, outcome) for outcome in outcomes]
        with self._changing:
            self._misses += [outcome for outcome in taken if isinstance(outcome, Miss)]
            self._observed += [(slot, outcome) for outcome in taken if not isinstance(outcome, Miss)]
        polls = self._database.meters.polls
        for outcome in taken:
            polls[outcome.feed, outcome.cause.value if isinstance(outcome, Miss) else OK] += 1
        return taken

    def flush(self, wait_s: float) -> None:
        """Write the waiting records in one transaction, at most the oldest portion of them.

        A record that the database refuses is set aside, and the others are stored. The records that an earlier stop
        left in a file are taken in first, once a reply shows that they are of the same exchange.

        Raises:
            ForeignExchangeError: the file has prices of another exchange; nothing was written.
            StoreError: the records that are not written still wait.
        """
        self._take_in()
        try:
            self._write_or_isolate(*self._oldest(), wait_s)
        except (NoDatabaseError, OlderSchemaError, UnreadableError):
            self._database.migrate(wait_s)
            self._storing.forget_file()
            with self._changing:
                self._runs[:0] = [run for run in self._open if run not in self._runs]  # the file that had them is gone
            self._write_or_isolate(*self._oldest(), wait_s)
        if self._taken_in and self.empty:
            self._file.remove()
            self._taken_in = False
            log.info("all waiting records are stored")

    def keep(self) -> None:
        """Keep the waiting records in a file beside the database; the next start takes them in.

        All runs have ended before this is called.

        Raises:
            StoreError: the file can't be written.
        """
        self._take_in()
        # Without a reply the records of an earlier stop were not taken in: they stay in the file, before newer records.
        found = (self._left_over and self._file.read()) or Waiting(self._exchange())
        self._file.keep(
            Waiting(
                found.exchange,
                [*found.runs, *(run for run in self._runs if run.ended_at)],
                [*found.observed, *self._observed],
                [*found.misses, *self._misses],
            )
        )
        self._taken_in = not self._left_over

    def give_up_oldest(self, reason: str) -> int:
        """Turn the oldest observations beyond the limit into misses, and drop the oldest misses beyond the limit.

        Returns:
            The number of observations given up.
        """
        with self._changing:
            self._observed, surplus = cut_back(self._observed, self._limits)
            self._misses += [_unavailable(slot, each, reason) for slot, each in surplus]
            del self._misses[: -self._limits.most_waiting]
        return len(surplus)

    def begin_run(self, run: Run) -> None:
        """Note with the next flush that a run began."""
        with self._changing:
            self._open.append(run)
            self._runs.append(run)

    def end_run(self, run: Run, ended_at: datetime) -> None:
        """Note with the next flush that a run ended."""
        with self._changing:
            self._open.remove(run)
            self._runs.append(replace(run, ended_at=ended_at))

    def move_run(self, run: Run, by: timedelta, shifts: Sequence[Shift]) -> Run:
        """Move a run that has not ended, and the outcomes of its slots: its clock was wrong.

        The run begins `by` later; each shift says by how much the slots of its feeds are later.
        """
        moved = replace(run, started_at=run.started_at + by)
        later = {feed: shift.by for shift in shifts for feed in shift.feeds}
        if not any(later.values()):
            return run

        def placed(slot: datetime, feed: str) -> datetime:
            return slot + later.get(feed, _NONE) if slot >= run.started_at else slot

        with self._changing:
            self._moves.append(Move(run, by, shifts))  # moves records that are written, or are just being written
            self._open = [moved if each == run else each for each in self._open]
            self._runs = [moved if each == run else each for each in self._runs]
            self._misses = [replace(miss, slot=placed(miss.slot, miss.feed)) for miss in self._misses]
            self._observed = [(placed(slot, each.feed), each) for slot, each in self._observed]
        return moved

    def end_minute(self, now: datetime, skew_s: float | None) -> Vitals:
        """Note with the next flush how the last minute went."""
        delays_s = list(self._delays_s)
        del self._delays_s[: len(delays_s)]  # the writer's thread may add to it meanwhile
        minute = vitals.measured(self._database.path, now, delays_s, skew_s)
        self._minutes.append(minute)
        del self._minutes[: -self._limits.most_minutes]
        return minute

    def _unless_repeated(self, slot: datetime, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Miss):
            return outcome
        name = outcome.feed
        before, self._newest[name] = self._newest.get(name), outcome.ts
        if before != outcome.ts:
            return outcome
        detail = f"the exchange repeated its reply of {outcome.ts:%H:%M:%S.%f} UTC"
        return Miss(slot, name, Cause.REJECTED_REPLY, detail)

    def _take_in(self) -> None:
        """Put the records that a stop left in a file before all newer records."""
        exchange = self._exchange()
        if self._left_over is None:
            self._left_over = bool(self._file)
        if not self._left_over or exchange is None:
            return
        found, self._left_over = self._file.read(), False
        if found is None:
            return
        if found.exchange not in (None, exchange):
            self._file.set_aside(f"it has prices of {found.exchange}, the replies are of {exchange}")
            return
        with self._changing:
            self._runs[:0], self._observed[:0], self._misses[:0] = found.runs, found.observed, found.misses
        self._taken_in = True
        log.info("took in %d observations from %s", len(found.observed), self._file.path.name)

    def _oldest(self) -> tuple[list[Queued], list[Move]]:
        """The oldest observations and misses. Both are of the same slots, because alerts judge a slot as a whole.

        The moves of earlier records come with them. A later move changes these records as well, once they are written.
        """
        most = self._limits.portion
        with self._changing:
            portion = self._observed[: fitting(self._observed, self._limits)]
            misses, moves = self._misses[:most], list(self._moves)
            if len(self._observed) > len(portion):
                until, _ = self._observed[len(portion)]
                misses = list(takewhile(lambda miss: miss.slot < until, misses))
        of_slots: tuple[Sequence[tuple[datetime, Observation] | Miss], ...] = (portion, misses)
        return [*self._runs, *merge(*of_slots, key=_slot_of), *self._minutes], moves

    def _write_or_isolate(self, records: Sequence[Queued], moves: list[Move], wait_s: float) -> None:
        """Write records. If the database refuses one, write each half by itself, down to the refused record."""
        try:
            self._write(records, moves, wait_s)
        except RefusedRecordError as error:
            if len(records) == 1:
                self._set_aside(records[0], str(error))
                return
            middle = len(records) // 2
            self._write_or_isolate(records[:middle], moves, wait_s)
            self._write_or_isolate(records[middle:], moves, wait_s)

    def _set_aside(self, queued: Queued, reason: str) -> None:
        record = queued[1] if isinstance(queued, tuple) else queued
        keep_refused(self._database.path, record, reason, self._clock())
        self._drop([queued])
        self._database.meters.refused += 1
        if not self.refused:
            file = file_of_refused(self._database.path)
            log.warning("the database refused a record, which is set aside in %s: %s", file.name, reason)
        self.refused += 1
        if isinstance(queued, tuple):
            kind = type(queued[1]).__name__.lower()
            self._misses.append(_unavailable(*queued, f"the database refused the {kind}: {reason}"))

    def _write(self, records: Sequence[Queued], moves: list[Move], wait_s: float) -> None:
        self._storing.store(records, moves, wait_s, stored=partial(self._note_stored, records, moves))

    def _note_stored(self, records: Sequence[Queued], moves: list[Move]) -> None:
        del self._moves[: len(moves)]
        moves.clear()  # the other half of the records needs them no more
        self._drop(records)  # drop them first: they are stored, even if a line below raises
        observed = [each[1] for each in records if isinstance(each, tuple)]
        self.written |= bool(observed)
        now = self._clock()
        self._delays_s += [(now - each.ts).total_seconds() for each in observed if isinstance(each, Tick)]

    def _drop(self, records: Sequence[Queued]) -> None:
        """Drop records, which are the oldest of their kinds. Records added meanwhile still wait."""
        kinds = Counter(map(type, records))
        with self._changing:
            del self._observed[: kinds[tuple]], self._misses[: kinds[Miss]]
            del self._runs[: kinds[Run]], self._minutes[: kinds[Vitals]]


def _unavailable(slot: datetime, observation: Observation, detail: str) -> Miss:
    return Miss(slot, observation.feed, Cause.STORE_UNAVAILABLE, detail)


def _slot_of(queued: tuple[datetime, Observation] | Miss) -> datetime:
    return queued.slot if isinstance(queued, Miss) else queued[0]
