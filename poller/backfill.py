"""Backfill: what the exchange still knows of the time before an index was recorded, and of gaps in its record."""

import asyncio
import contextlib
import logging
import random
import statistics
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import TypeVar

import stamina

from settings import MAX_REQUESTS_PER_SECOND
from store import (
    BusyError,
    Database,
    Exchange,
    ForeignExchangeError,
    Gap,
    GapState,
    StoreError,
    averages,
    candles,
    gaps,
    utc_now,
)
from store.exchange import admit
from store.models import Source
from store.settle import settle

from .deribit import ChartPoint, ChartRange, DeribitClient
from .errors import PermanentError, TemporaryError
from .loop import in_thread

log = logging.getLogger("tickwell.history")

REACH: Mapping[ChartRange, timedelta] = {
    "1h": timedelta(hours=1),
    "1d": timedelta(days=1),
    "2d": timedelta(days=2),
    "1m": timedelta(days=30),
    "1y": timedelta(days=365),
    "all": timedelta(days=36_500),
}
"""How far back each range of the exchange goes, about. The finest comes first."""

RANGES = tuple(REACH)

# Requests a second: of what polling leaves of the budget half, as a second process may heal too, within these.
_MOST = 2.0
_LEAST = 0.2

# Less than a slot's own append waits, which then says who holds the file.
_STORE_WAIT_S = 0.2

# Others' leases last 2 s at most: who found the file taken tries again about then.
_TAKEN_AGAIN_S = (1.0, 3.0)
_LONGEST_PAUSE_S = 60.0
_THREAD = "tickwell-history"

# A gap is asked for when the averages of its last seconds are sure to be over, and again after twice as long each time.
_RIPE = timedelta(seconds=15)
_FIRST_RETRY = timedelta(seconds=30)
_LAST_RETRY = timedelta(hours=1)

# What the exchange has not published by then it won't publish any more.
_LATE = timedelta(days=2)

# So many gaps of an index are considered at a time, the oldest first.
_MOST_GAPS = 5000

T = TypeVar("T")

Tell = Callable[[str, int, int], None]
"""Hears before each request what is done, the number of the request and how many there will be."""


@dataclass(frozen=True, slots=True)
class Chart:
    """The points of one reply, and the seconds that each of them is an average over."""

    resolution_s: int
    points: tuple[tuple[datetime, float], ...]

    def reaches(self, end: datetime) -> bool:
        """Does it know of the time up to `end`?"""
        return bool(self.points) and max(self.points)[0] + timedelta(seconds=self.resolution_s) >= end

    def covers(self, start: datetime, end: datetime) -> bool:
        """Does it begin before `start` and know of the time up to `end`?"""
        return self.reaches(end) and min(self.points)[0] <= start


@dataclass(frozen=True, slots=True)
class _Try:
    """How often a gap was asked for, and when it may be again."""

    number: int
    again_at: datetime


_NEVER = _Try(0, datetime.max.replace(tzinfo=UTC))


def spacing_s(indexes: int, poll_seconds: int) -> float:
    """Seconds between two requests, so that together with the polls they stay within the budget of the exchange."""
    left = MAX_REQUESTS_PER_SECOND - indexes / poll_seconds
    return 1 / min(max(left / 2, _LEAST), _MOST)


async def at_once() -> None:
    """Wait for nothing."""


class Backfill:
    """Fills indexes that have no history yet, and heals gaps, from the exchange's averages.

    Args:
        client: shared with the polls, pauses and all.
        database: with its tables.
        spacing_s: seconds between two requests, at least.
        tell: how far it is.
        quiet: returns when a write of a tenth of a second disturbs nobody.
        clock: of the client.
        attempts: at each request and each write; None for as many as it takes.
        states: of the gaps to heal; unfillable ones are asked for once more.
    """

    def __init__(
        self,
        client: DeribitClient,
        database: Database,
        *,
        spacing_s: float,
        tell: Tell,
        quiet: Callable[[], Awaitable[None]] = at_once,
        clock: Callable[[], datetime] = utc_now,
        attempts: int | None = None,
        states: Sequence[GapState] = ("open",),
    ) -> None:
        self._client, self._database, self._clock = client, database, clock
        self._spacing_s, self._tell, self._quiet, self._states = spacing_s, tell, quiet, states
        self._tries: dict[tuple[str, datetime], _Try] = {}
        self._until_it_works = stamina.AsyncRetryingCaller(
            attempts=attempts, timeout=None, wait_initial=1.0, wait_max=60.0
        )

    async def find(self, until: datetime) -> None:
        """Bring the ledger up to `until`, up to where all that came is stored."""
        await self._undisturbed("gaps", partial(gaps.advance, self._database, until, self._clock(), _STORE_WAIT_S))

    async def fold(self, until: datetime) -> None:
        """Store the candles whose time is over by `until`, up to where all that came is stored."""
        while await self._undisturbed("candles", partial(self._fold, until)):
            pass

    async def heal(self, index_names: Sequence[str], *, others: bool = True) -> list[Gap]:
        """Fill what has no history yet of these indexes, and heal those gaps whose time has come: of others too.

        It goes on for as long as that takes: what fails for now, at the exchange or at the database, is tried again
        after growing waits. A range that is refused for good is left out. Cancel it to end it early: what was fetched
        of the index it was at is dropped then, and the next round fetches it again.

        Returns:
            What became of gaps: pieces of them.

        Raises:
            ExchangeError, StoreError: with `attempts`, when these are used up.
        """
        filled, due = await self._undisturbed("history", partial(self._look, index_names, others=others))
        plan = {name: self._needed(its) if name in filled else RANGES for name, its in due.items()}
        work = [(name, chart_range) for name, ranges in plan.items() for chart_range in ranges]
        what = "healing gaps" if filled >= plan.keys() else "loading history"
        charts: dict[str, dict[ChartRange, Chart | None]] = {name: {} for name in plan}
        settled: list[Gap] = []
        for number, (name, chart_range) in enumerate(work, start=1):
            self._tell(what, number, len(work))
            await asyncio.sleep(self._spacing_s)
            charts[name][chart_range] = await self._chart(name, chart_range)
            if chart_range == plan[name][-1]:
                settled += await self._keep(name, charts.pop(name), due[name])
        if what == "loading history":
            log.info("history is loaded")
        return settled

    def _fold(self, until: datetime) -> bool:
        with self._database.write(_STORE_WAIT_S) as cursor:
            more = candles.close(cursor, until)
        self._checkpoint()
        return more

    def _look(self, index_names: Sequence[str], *, others: bool) -> tuple[set[str], dict[str, list[Gap]]]:
        """Which indexes have history, and the gaps of each that are to be asked for now."""
        with self._database.read(_STORE_WAIT_S) as cursor:
            more = sorted(gaps.index_names(cursor, self._states) - set(index_names)) if others else []
            names = [*index_names, *more]
            filled = averages.filled(cursor, names)
            found = {name: gaps.unsettled(cursor, name, self._states, limit=_MOST_GAPS) for name in names}
        keys = {(gap.index_name, gap.start) for its in found.values() for gap in its}
        self._tries = {key: tried for key, tried in self._tries.items() if key in keys}
        now = self._clock()
        return filled, {name: [gap for gap in its if self._again_at(gap) <= now] for name, its in found.items()}

    def _again_at(self, gap: Gap) -> datetime:
        tried = self._tries.get((gap.index_name, gap.start))
        return tried.again_at if tried else gap.end + _RIPE

    def _needed(self, due: Sequence[Gap]) -> tuple[ChartRange, ...]:
        """The ranges to ask for, finest first: those that reach into a gap, up to one that reaches over it.

        One that was asked for in vain, as its reply was cut off, is asked for again, then coarser ones too.
        """
        needed: set[ChartRange] = set()
        now = self._clock()
        for gap in due:
            tried = self._tries.get((gap.index_name, gap.start), _NEVER)
            finest = next(at for at, each in enumerate(RANGES) if gap.end > now - REACH[each])
            over = next(at for at, each in enumerate(RANGES) if gap.start >= now - REACH[each])
            needed |= set(RANGES[finest : over + 1 + tried.number // 2])
        return tuple(each for each in RANGES if each in needed)

    async def _chart(self, index_name: str, chart_range: ChartRange) -> Chart | None:
        what = f"history of {index_name}, range {chart_range}"
        try:
            return await self._until_it_works(_while_it_is(TemporaryError, what), self._ask, index_name, chart_range)
        except PermanentError as error:
            log.warning("%s, is left out: %s", what, error)
            return None

    async def _ask(self, index_name: str, chart_range: ChartRange) -> Chart | None:
        if self._client.paused_until is not None:
            pause_s = (self._client.paused_until - self._clock()).total_seconds()
            await asyncio.sleep(min(max(0.0, pause_s), _LONGEST_PAUSE_S))
        asked_at = self._clock()
        return finished_chart(await self._client.index_chart(index_name, chart_range), asked_at)

    async def _keep(self, index_name: str, charts: Mapping[ChartRange, Chart | None], due: Sequence[Gap]) -> list[Gap]:
        """Store what came for an index, and note what became of its gaps."""
        kept = [chart for chart in charts.values() if chart is not None]
        what = f"history of {index_name}"
        stored, settled = await self._undisturbed(
            what, partial(self._store, index_name, kept, all_asked="all" in charts)
        )
        self._note_tries(due, settled)
        log.info("history of %s: %s", index_name, _in_words(stored, kept, settled))
        return settled

    def _store(self, index_name: str, charts: Sequence[Chart], *, all_asked: bool) -> tuple[int, list[Gap]]:
        """Store the finest first, so that the coarse ones fill only what is left."""
        now = self._clock()
        hopeless = partial(_hopeless, charts, now, all_asked=all_asked)
        exchange = self._client.exchange
        with self._database.write(_STORE_WAIT_S) as cursor:
            admit(cursor, exchange, now)
            source: Source = "simulator" if exchange is Exchange.SIMULATOR else "chart"
            stored = sum(
                averages.append(cursor, index_name, chart.points, chart.resolution_s, source)
                for chart in sorted(charts, key=lambda chart: chart.resolution_s)
            )
            settled, go_on = settle(cursor, index_name, now, hopeless=hopeless, states=self._states)
        while go_on is not None:
            with self._database.write(_STORE_WAIT_S) as cursor:
                more, go_on = settle(cursor, index_name, now, hopeless=hopeless, states=self._states, start=go_on)
            settled += more
        self._checkpoint()
        return stored, settled

    def _checkpoint(self) -> None:
        with contextlib.suppress(StoreError):  # each opening of the file would read it until the next one is due
            self._database.checkpoint_when_due(_STORE_WAIT_S)

    def _note_tries(self, due: Iterable[Gap], settled: Iterable[Gap]) -> None:
        """Ask later for what is left of the gaps."""
        now = self._clock()
        numbers = {gap.gap: self._tries.get((gap.index_name, gap.start), _NEVER).number + 1 for gap in due}
        for gap in (*due, *settled):
            number = numbers.get(gap.gap, 1)
            wait = min(_FIRST_RETRY * 2 ** min(number - 1, 10), _LAST_RETRY)
            self._tries[gap.index_name, gap.start] = _Try(number, now + wait)

    async def _undisturbed(self, what: str, work: Callable[[], T]) -> T:
        """Do work on the database in a thread when it disturbs nobody, as often as it takes."""

        async def do() -> T:
            await self._quiet()
            return await in_thread(work, _THREAD)

        return await self._until_it_works(_while_it_is(StoreError, what), do)


def finished_chart(points: Sequence[ChartPoint], asked_at: datetime) -> Chart | None:
    """The points whose time was over when they were asked for, with the step of the reply: its median distance.

    None for a reply of less than two points, whose step can't be told.
    """
    instants = sorted({point.ts for point in points})
    if len(instants) < 2:
        return None
    step_s = statistics.median((later - earlier).total_seconds() for earlier, later in pairwise(instants))
    resolution_s = max(1, round(step_s))
    covered = timedelta(seconds=resolution_s)
    return Chart(resolution_s, tuple((point.ts, point.price) for point in points if point.ts + covered <= asked_at))


def _hopeless(charts: Sequence[Chart], now: datetime, start: datetime, end: datetime, *, all_asked: bool) -> bool:
    """Will nobody ever have averages for what is left of a gap?

    So it is when it is too short for those that there are, as coarser ones are longer still, or when all ranges were
    asked for and each of them goes on after it, or should by now.
    """
    long_enough = [chart for chart in charts if chart.covers(start, end)]
    if any(end - start < timedelta(seconds=2 * chart.resolution_s) for chart in long_enough):
        return True
    return all_asked and (now - end > _LATE or all(chart.reaches(end) for chart in charts))


def _while_it_is(kind: type[Exception], what: str) -> Callable[[Exception], bool | float]:
    """Try again after errors of a kind; the first of them is logged.

    One that silences the client silences the polls too: ten such pauses go by before history risks another.
    """
    told = False

    def again(error: Exception) -> bool | float:
        nonlocal told
        if not isinstance(error, kind) or isinstance(error, ForeignExchangeError):
            return False
        if not told:
            log.warning("%s, waits: %s", what, error)
            told = True
        if isinstance(error, BusyError):
            return random.uniform(*_TAKEN_AGAIN_S)  # noqa: S311 it keeps no secret
        pause_s = error.pause.total_seconds() if isinstance(error, TemporaryError) else 0.0
        return random.uniform(10, 12) * pause_s if pause_s else True  # noqa: S311 it keeps no secret

    return again


def _in_words(stored: int, charts: Sequence[Chart], settled: Sequence[Gap]) -> str:
    words = [f"{len(settled)} pieces of gaps settled"] if settled else []
    if stored:
        first = min(ts for chart in charts for ts, _ in chart.points)
        words.insert(0, f"{stored} averages, the first of {first:%Y-%m-%d %H:%M} UTC")
    return "; ".join(words) or "nothing to add"
