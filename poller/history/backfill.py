"""Backfill: the exchange's history of the time before an index was recorded, and of the gaps in its record."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import stamina

from poller.exchange.client import ChartRange, DeribitClient
from poller.exchange.errors import ExchangeError
from poller.timing.loop import in_thread
from poller.timing.quiet import Quiet
from settings import MAX_REQUESTS_PER_SECOND, is_index_name
from store.errors import StoreError
from store.file.database import Cursor, Database
from store.kinds import FUTURES, kind_of
from store.ledger import gaps
from store.models import Gap, GapState, Source, utc_now
from store.prices import averages, candles

from .asking import Asked, Asking, while_it_is
from .charts import REACH, Chart, hopeless
from .days import Days
from .limits import Limits
from .parts import Parts
from .storing import STORE_WAIT_S, Storing
from .trades import Trades
from .tries import Tries, Try

log = logging.getLogger("tickwell.history")

# Requests a second, within these limits: half of the budget that polling leaves, as a second process may heal too.
_MOST = 2.0
_LEAST = 0.2

_THREAD = "tickwell-history"

# The most gaps of an index that are considered at a time, the oldest first.
_MOST_GAPS = 5000

_LIMITS = Limits()

T = TypeVar("T")

Tell = Callable[[str, int, int], None]
"""Called before each request with the kind of work, the number of the request and how many there will be."""


@dataclass(frozen=True, slots=True)
class _History:
    """The ranges of an index that are still to load, when to ask for them, and whether any had points."""

    ranges: tuple[ChartRange, ...]
    tried: Try
    found: bool = False


def spacing_s(requests_a_second: float) -> float:
    """Seconds between two requests for history, beside the slots' `requests_a_second`.

    Together they stay within the budget of the exchange.
    """
    left = MAX_REQUESTS_PER_SECOND - requests_a_second
    return 1 / min(max(left / 2, _LEAST), _MOST)


class Backfill:
    """Fills indexes that have no history yet, and heals gaps, from the exchange's averages and trades of futures.

    It also loads the days of futures before recording began.

    Args:
        client: shared with the polls, and so are its pauses.
        database: with its tables.
        spacing_s: seconds between two requests, at least.
        tell: called with the progress.
        quiet: gives time in which a write of a tenth of a second delays no slot.
        clock: of the client.
        attempts: at each request and each write; None for three at a request and no limit at a write.
        states: of the gaps to heal; unfillable ones are asked for once more.
        without: feeds without a history at the exchange: their gaps are unfillable at once.
        limits: which ranges are asked for, and when.
    """

    def __init__(
        self,
        client: DeribitClient,
        database: Database,
        *,
        spacing_s: float,
        tell: Tell,
        quiet: Quiet = contextlib.nullcontext,
        clock: Callable[[], datetime] = utc_now,
        attempts: int | None = None,
        states: Sequence[GapState] = ("open",),
        without: Collection[str] = (),
        limits: Limits = _LIMITS,
    ) -> None:
        self._client, self._database, self._clock = client, database, clock
        self._spacing_s, self._tell, self._quiet, self._states = spacing_s, tell, quiet, states
        self._ranges, self._without = limits.ranges, without
        self._tries = Tries(clock, limits.ripe)
        self._history: dict[str, _History] = {}
        self._gives_up = attempts is not None
        self._until_stored = stamina.AsyncRetryingCaller(
            attempts=attempts, timeout=None, wait_initial=1.0, wait_max=60.0
        )
        self._asking = Asking(client, clock, attempts, limits.longest_chart_s)
        self._storing = Storing(client, database, clock, states)
        parts = Parts(
            client,
            database,
            self._asking,
            self._storing,
            undisturbed=self._undisturbed,
            pause=partial(asyncio.sleep, spacing_s),
            tell=tell,
        )
        self._trades, self._days = Trades(parts), Days(parts, clock)

    async def find(self, until: datetime, ongoing: timedelta = gaps.ONGOING) -> None:
        """Bring the ledger up to `until`, which must be before anything that still waits to be stored.

        A gap that reaches `until` is noted once it is longer than `ongoing`.
        """
        look = partial(gaps.advance, self._database, until, self._clock(), STORE_WAIT_S, ongoing)
        await self._undisturbed("the look for gaps", look)

    async def fold(self, until: datetime) -> None:
        """Store the candles that end by `until`, which must be before anything that still waits to be stored."""
        while await self._undisturbed("candles", partial(self._fold, until)):
            pass

    async def heal(self, index_names: Sequence[str], *, others: bool = True) -> list[Gap]:
        """Load the history of these indexes and heal the gaps that are due; with `others`, the gaps of all feeds.

        A range that is refused for good is left out. A range that fails three times is left out until a later round.
        While the database can't be written, this waits. An index is asked for its history once in the life of this
        object, unless ranges failed. Cancel it to end it early: it drops what it fetched for the current index, and
        the next round fetches that again.

        Returns:
            What became of gaps, piece by piece.

        Raises:
            ExchangeError: with `attempts`: those at a range were used up; all other work is done.
            StoreError: with `attempts`, when those at a write are used up.
        """
        loading, due = await self._undisturbed("history", partial(self._look, index_names, others=others))
        of_futures = {feed: due.pop(feed) for feed in list(due) if _heals_by_trades(feed)}
        plan = {name: self._planned(name, loading.get(name), gaps_due) for name, gaps_due in due.items()}
        total, number = sum(map(len, plan.values())), 0
        what = "loading history" if loading else "healing gaps"
        healed: list[Gap] = []
        failures: list[ExchangeError] = []
        for name, ranges in plan.items():
            asked = Asked()
            for chart_range in ranges:
                number += 1
                self._tell(what, number, total)
                await asyncio.sleep(self._spacing_s)
                failures += await self._asking.ask_for(asked, name, chart_range)
            if ranges or (name in self._without and due[name]):
                healed += await self._keep(name, asked, due[name])
            if name in loading:
                self._note_history(name, loading[name], asked)
        if loading and not failures and any(self._history[name].found for name in loading):
            log.info("history is loaded")
        for feed, gaps_due in of_futures.items():
            became, failed = await self._trades.heal(feed, gaps_due, self._tries.number)
            self._tries.note(gaps_due, became)
            healed += became
            failures += failed
        if failures and self._gives_up:
            raise failures[0]
        return healed

    async def load_days(self, feeds: Sequence[str]) -> None:
        """Load the days before recording began of these feeds of futures, as `Days.load` does."""
        await self._days.load(feeds)

    def _fold(self, until: datetime) -> bool:
        with self._database.write(STORE_WAIT_S) as cursor:
            more = candles.close(cursor, until)
        self._storing.checkpoint()
        return more

    def _look(self, index_names: Sequence[str], *, others: bool) -> tuple[dict[str, _History], dict[str, list[Gap]]]:
        """The history to load now, and the gaps of each index to ask for now."""
        with self._database.read(STORE_WAIT_S) as cursor:
            more = gaps.feeds_with_gaps(cursor, self._states) - set(index_names) if others else set()
            names = [*index_names, *sorted(feed for feed in more if is_index_name(feed) or _heals_by_trades(feed))]
            filled = averages.filled(cursor, names)
            found = {name: gaps.oldest(cursor, name, self._states, limit=_MOST_GAPS) for name in names}
        self._tries.keep({(gap.feed, gap.start) for of_one in found.values() for gap in of_one})
        now = self._clock()
        for name in filter(is_index_name, found.keys() - filled - set(self._without)):
            self._history.setdefault(name, _History(self._ranges, Try(0, now)))
        loading = {name: self._history[name] for name in found if name in self._history}
        return (
            {name: history for name, history in loading.items() if history.ranges and history.tried.again_at <= now},
            {name: self._tries.due(of_one) for name, of_one in found.items()},
        )

    def _planned(self, name: str, history: _History | None, due: Sequence[Gap]) -> tuple[ChartRange, ...]:
        """The ranges to ask for, finest first."""
        if name in self._without:
            return ()
        wanted = {*(history.ranges if history else ()), *self._needed(due)}
        return tuple(each for each in self._ranges if each in wanted)

    def _needed(self, due: Sequence[Gap]) -> tuple[ChartRange, ...]:
        """The ranges to ask for, finest first: those that reach into a gap, up to one that reaches over it.

        After a failed try, for example a reply that was cut off, the same ranges are asked for again, then coarser
        ones too.
        """
        needed: set[ChartRange] = set()
        now = self._clock()
        for gap in due:
            finest = next(at for at, each in enumerate(self._ranges) if gap.end > now - REACH[each])
            over = next(at for at, each in enumerate(self._ranges) if gap.start >= now - REACH[each])
            needed |= set(self._ranges[finest : over + 1 + self._tries.number(gap) // 2])
        return tuple(each for each in self._ranges if each in needed)

    def _note_history(self, index_name: str, before: _History, asked: Asked) -> None:
        """Ask again later for each range that failed; never again for a range that was answered."""
        failed = tuple(asked.failed)
        found = before.found or bool(asked.charts)
        self._history[index_name] = _History(failed, before.tried.failed(self._clock()), found)
        if not found and not failed:
            log.info("the exchange has no history of %s", index_name)

    async def _keep(self, index_name: str, asked: Asked, due: Sequence[Gap]) -> list[Gap]:
        """Store the charts of an index, and note what became of its gaps."""
        what = f"history of {index_name}"
        all_asked = index_name in self._without or ("all" in asked.ranges and not asked.failed)
        lost = partial(hopeless, asked.charts, self._clock(), all_asked=all_asked)
        append = partial(_append, index_name, asked.charts)
        stored, healed = await self._undisturbed(what, partial(self._storing.store, index_name, append, lost))
        self._tries.note(due, healed)
        log.info("history of %s: %s", index_name, _in_words(stored, asked.charts, healed))
        return healed

    async def _undisturbed(self, what: str, work: Callable[[], T]) -> T:
        """Do work on the database in a thread when it delays no slot, and repeat it until it succeeds."""

        async def do() -> T:
            async with self._quiet():
                return await in_thread(work, _THREAD)

        return await self._until_stored(while_it_is(StoreError, what), do)


def _heals_by_trades(feed: str) -> bool:
    return kind_of(feed) is FUTURES


def _append(index_name: str, charts: Sequence[Chart], cursor: Cursor, source: Source) -> int:
    """Store the finest chart first, so that the coarse ones fill only what is left."""
    return sum(
        averages.append(cursor, index_name, chart.points, chart.resolution_s, source)
        for chart in sorted(charts, key=lambda chart: chart.resolution_s)
    )


def _in_words(stored: int, charts: Sequence[Chart], healed: Sequence[Gap]) -> str:
    words = [f"{len(healed)} pieces of gaps healed or given up"] if healed else []
    if stored:
        first = min(ts for chart in charts for ts, _ in chart.points)
        words.insert(0, f"{stored} averages, the first of {first:%Y-%m-%d %H:%M} UTC")
    return "; ".join(words) or "nothing to add"
