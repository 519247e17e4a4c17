"""The past of a demo's market: futures, chains and prices before its first run, as if a recorder had stored them.

The exchange keeps no past of its chains, and neither does the simulator. A second simulator, whose clock stands in the
past, is asked as a recorder asks, so a demo shows a market at once.
"""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from poller.exchange.budget import Budget
from poller.exchange.client import DeribitClient
from poller.exchange.errors import ExchangeError
from poller.feeds.feed import Feed, Observation
from poller.timing.loop import in_thread
from poller.timing.quiet import Quiet
from poller.timing.slots import slot_of
from store.errors import StoreError
from store.file.database import Database
from store.file.exchange import refuse_another
from store.instants import EPOCH
from store.kinds import FUTURES, OPTIONS, Kind, kind_of
from store.ledger import arrivals, runs
from store.market.instruments import usd_index

from .minutes import REACH, make_minutes

log = logging.getLogger("tickwell.recorder")

_THREAD = "tickwell-demo"

# The exchange makes summaries at multiples of 2 s and sends them 0.4 s later: these are of the slot itself.
_ASKED_AFTER = timedelta(seconds=1.8)

# The limits of the exchange don't count for our own simulator.
_REQUESTS_A_SECOND = 1000

# After the newest chains, the first pages of the exchange's history have this time for themselves. The simulator
# computes in this process: without the pause, one of its replies took longer than 4 s.
_FIRST_PAGES_S = 15.0

# Two thirds of the time are left to pages, polls and the exchange's history.
_RESTS = 2


class Part(NamedTuple):
    """A part of the past: snapshots of one kind, `step` apart, from `ago` before the first run back to `reach` earlier.

    One transaction stores `at_once` of them.
    """

    kind: Kind
    step: timedelta
    reach: timedelta
    at_once: int
    ago: timedelta = timedelta()


_MINUTE, _HOUR, _DAY, _MONTH = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(days=30)
_CHAINS = 5 * _MINUTE

COMPARED = 45 * _MINUTE
"""Up to this time after the first run, a moment a day or a week before has a snapshot, also where steps are longer."""


def _compared(kind: Kind, step: timedelta, at_once: int) -> Iterator[Part]:
    for ago in (_DAY, 7 * _DAY):
        yield Part(kind, step, COMPARED + 3 * _CHAINS, at_once, ago - COMPARED)


# A chain takes 0.2 s of a core, so there are few: 85 of each currency. A snapshot of futures takes 5 ms.
PARTS = (
    Part(OPTIONS, _CHAINS, _CHAINS, 1),
    Part(FUTURES, 10 * _MINUTE, _DAY, 24),
    *_compared(FUTURES, _MINUTE, 20),
    *_compared(OPTIONS, _CHAINS, 1),
    Part(OPTIONS, _HOUR, _DAY, 1),
    Part(FUTURES, _HOUR, _MONTH, 24),
    Part(OPTIONS, _DAY / 2, 7 * _DAY, 1),
    Part(OPTIONS, _DAY, _MONTH, 1),
)


def slots_before(part: Part, first_run: datetime) -> list[datetime]:
    """The slots of a part, the newest first."""
    newest = slot_of(first_run - part.ago - timedelta(seconds=1), part.step)
    return [newest - number * part.step for number in range(part.reach // part.step)]


class _Clock:
    """A clock that stands still."""

    at = EPOCH

    def __call__(self) -> datetime:
        return self.at


async def make_past(
    feeds: Sequence[Feed],
    database: Database,
    *,
    quiet: Quiet,
    store_wait_s: float,
    parts: Sequence[Part] = PARTS,
    first_pages_s: float = _FIRST_PAGES_S,
    minutes_reach: timedelta = REACH,
) -> bool:
    """Store what is not there yet of the time before the first run. The next start goes on after a failure.

    Args:
        feeds: the feeds of the recorder.
        database: has a run.
        quiet: gives time in which a write of 0.1 s delays no slot.
        store_wait_s: the longest wait for a lease.
        parts: what is stored, in this order.
        first_pages_s: the pause after the first part.
        minutes_reach: how far back the prices of the markets' indexes go.

    Returns:
        Whether all of it is there.
    """

    def began() -> datetime:
        with database.read(store_wait_s) as cursor:
            return runs.runs(cursor)[0].started_at

    def missing(some: Sequence[Part]) -> list[tuple[Feed, list[datetime]]]:
        with database.read(store_wait_s) as cursor:
            return list(_missing(feeds, some, first_run, arrivals.before(cursor, first_run)))

    try:
        first_run = await in_thread(began, _THREAD)
        if found := await in_thread(partial(missing, parts[:1]), _THREAD):
            await _make(found, database, quiet, store_wait_s)
            await asyncio.sleep(first_pages_s)
        if found := await in_thread(partial(missing, parts), _THREAD):
            await _make(found, database, quiet, store_wait_s)
            log.info("the past of the demo's market is made up")
        await make_minutes(
            _indexes(feeds), database, first_run, quiet=quiet, store_wait_s=store_wait_s, reach=minutes_reach
        )
    except StoreError as error:
        log.warning("the past of the demo's market comes with the next start: %s", error)
        return False
    return True


def _indexes(feeds: Sequence[Feed]) -> list[str]:
    """The indexes of the currencies that have a market."""
    names = {usd_index(FUTURES.end(feed.name)) for feed in feeds if kind_of(feed.name) is FUTURES}
    return [feed.name for feed in feeds if feed.name in names]


def _missing(
    feeds: Sequence[Feed], parts: Sequence[Part], first_run: datetime, known: set[tuple[str, datetime]]
) -> Iterator[tuple[Feed, list[datetime]]]:
    """The slots of each transaction that are not known."""
    for part in parts:
        slots = slots_before(part, first_run)
        for first in range(0, len(slots), part.at_once):
            for feed in (each for each in feeds if kind_of(each.name) is part.kind):
                new = [slot for slot in slots[first : first + part.at_once] if (feed.name, slot) not in known]
                known.update((feed.name, slot) for slot in new)
                if new:
                    yield feed, new


async def _make(
    missing: Sequence[tuple[Feed, list[datetime]]], database: Database, quiet: Quiet, store_wait_s: float
) -> None:
    from poller.simulator.server import Simulator  # takes 1 MB, which only a demo needs

    def store(feed: Feed, snapshots: Sequence[Observation]) -> None:
        with database.write(store_wait_s) as cursor:
            refuse_another(cursor, client.exchange)
            feed.append(cursor, snapshots)

    clock = _Clock()
    with Simulator(clock=clock, limits=False) as simulator:
        async with DeribitClient(simulator.url, clock=clock, budget=Budget(_REQUESTS_A_SECOND)) as client:
            for feed, slots in missing:
                began_s = time.monotonic()
                if snapshots := await _asked(feed, slots, client, clock):
                    async with quiet():
                        await in_thread(partial(store, feed, snapshots), _THREAD)
                await asyncio.sleep(_RESTS * (time.monotonic() - began_s))


async def _asked(feed: Feed, slots: Sequence[datetime], client: DeribitClient, clock: _Clock) -> list[Observation]:
    """The snapshots of some slots. At 08:00 UTC there is none: the exchange settles."""
    found = []
    for slot in slots:
        clock.at = slot + _ASKED_AFTER
        try:
            found.append(await feed.ask(client))
        except ExchangeError as error:
            log.debug("%s has no past at %s: %s", feed.name, slot, error)
    return found
