"""The exchange is away for 20 minutes, or settles: what becomes of each feed of a market.

The polls, the journal, the logs and the healing are those of a recorder. The clock stands still but for the slots.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from poller.exchange.budget import Budget
from poller.exchange.client import DeribitClient
from poller.exchange.errors import ExchangeError
from poller.feeds.dvol import dvol_feeds
from poller.feeds.feed import Feed
from poller.feeds.funding import funding_feed
from poller.feeds.futures import future_feed
from poller.feeds.index import index_feeds
from poller.feeds.log import LogFeed
from poller.feeds.options import option_feeds
from poller.feeds.poll import poll
from poller.history.backfill import Backfill
from poller.journal.journal import Journal
from poller.recorder.logs import Logs
from poller.simulator.faults import Fault
from poller.simulator.server import Simulator
from poller.simulator.truth import candles, volatility
from poller.simulator.truth.funding import funding
from store.file.database import Database
from store.instants import EPOCH
from store.ledger import runs
from store.ledger.coverage import coverage
from store.ledger.gaps import ledger
from store.ledger.logs import Log, logs
from store.market.instruments import future_of
from store.models import Run, from_column
from store.prices import averages
from tests.conftest import START, in_whole, wait_until
from tests.poller.conftest import Clock, MovedClock
from tests.support.stored import EVER

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)

BEGAN = datetime(2026, 9, 20, 21, 40, tzinfo=UTC)
LEFT, CAME_BACK, ENDED = BEGAN + 10 * MINUTE, BEGAN + 30 * MINUTE, BEGAN + 40 * MINUTE
"""The exchange is away over a full hour, so that funding is too."""

DVOL, FUNDING = "dvol/BTC", "funding/BTC-PERPETUAL"


def in_a_hurry(feed: LogFeed, reach: timedelta) -> LogFeed:
    """A log that asks each second of the clock, and has a short history."""
    return replace(feed, period=SECOND, offset=timedelta(0), begins=BEGAN - reach, reach=None)


SNAPSHOTS: tuple[Feed, ...] = (
    *index_feeds(("btc_usd",), 30 * SECOND),
    future_feed("BTC", MINUTE),
    *option_feeds(("BTC",), 5 * MINUTE),
)
LOGS = (in_a_hurry(dvol_feeds("BTC", MINUTE)[0], 30 * MINUTE), in_a_hurry(funding_feed("BTC"), 5 * HOUR))


class Slots:
    """Serves the slots of feeds as a recorder does, and moves the clock to each."""

    def __init__(self, client: DeribitClient, database: Database, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._journal = Journal(database, clock, exchange=lambda: client.exchange, feeds=SNAPSHOTS)

    async def serve(self, start: datetime, end: datetime) -> None:
        """Ask the feeds in all their slots in [start, end)."""
        asks = sorted(
            (slot + feed.offset, slot, feed.name, feed)
            for feed in SNAPSHOTS
            for slot in _slots(feed.period, start, end)
        )
        for at, slot, _, feed in asks:
            self._clock.now = at
            async for batch in poll(self._client, [feed], slot, seconds_left=5, retries=0):
                self._journal.add(slot, batch)
            self._journal.flush(1)
        self._clock.now = end


def _slots(period: timedelta, start: datetime, end: datetime) -> list[datetime]:
    return [start + number * period for number in range((end - start) // period)]


async def until(condition: Callable[[], Any]) -> None:
    await asyncio.to_thread(wait_until, condition, timeout_s=30)


async def until_reached(client: DeribitClient) -> None:
    while True:
        with suppress(ExchangeError):
            await client.time()
            return
        await asyncio.sleep(0.05)


def log_of(database: Database, name: str) -> Log | None:
    with database.read() as cursor:
        return logs(cursor).get(name)


def is_complete(database: Database, to: datetime) -> bool:
    found = [log_of(database, feed.name) for feed in LOGS]
    return all(log is not None and not log.late and log.complete_to >= to for log in found)


def are_late(database: Database) -> bool:
    return all((log := log_of(database, feed.name)) is not None and log.late for feed in LOGS)


async def record_and_heal(simulator: Simulator, database: Database, clock: Clock) -> list[Any]:
    """Record for 10 minutes, 20 while the exchange is away, and 10; then heal. Return the observed rows of futures."""
    budget = Budget(1000, steady=clock.steady)
    async with DeribitClient(simulator.url, clock=clock, steady=clock.steady, budget=budget) as client:
        slots, logs = Slots(client, database, clock), keeper(client, database, clock)
        keeping = [asyncio.create_task(logs.keep(feed)) for feed in LOGS]
        await slots.serve(BEGAN, LEFT)
        await until(lambda: is_complete(database, LEFT))

        simulator.faults.add(Fault("outage", seconds=3600))
        await slots.serve(LEFT, CAME_BACK)
        await until(lambda: are_late(database))

        simulator.faults.clear()
        await until_reached(client)
        await slots.serve(CAME_BACK, ENDED)
        await until(lambda: is_complete(database, ENDED))
        for task in keeping:
            task.cancel()

        observed = futures_in(database)
        backfill = Backfill(client, database, spacing_s=0, tell=lambda *_: None, clock=clock)
        clock.move(60)
        await backfill.find(ENDED)
        await backfill.heal(["btc_usd"])
    return observed


def keeper(client: DeribitClient, database: Database, clock: Clock) -> Logs:
    return Logs(
        client,
        database,
        clock=clock,
        quiet=nullcontext,
        store_wait_s=1,
        spacing_s=0,
        tell=lambda *_: None,
        told=lambda _: None,
    )


def futures_in(database: Database, more: str = "") -> list[Any]:
    with database.read() as cursor:
        return cursor.execute(f"FROM futures {more} ORDER BY ts, instrument_name").fetchall()


@pytest.fixture
def clock() -> Clock:
    return Clock(BEGAN)


@pytest.fixture
def simulator(clock: Clock) -> Iterator[Simulator]:
    with Simulator(limits=False, clock=clock) as simulator:
        yield simulator


@pytest.fixture
def begun(database: Database) -> Database:
    """A file in which a run has begun, with some history of btc_usd, so that none is loaded."""
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(START.replace(year=2019), 1.0)], 86_400, "simulator")
        periods = {feed.name: int(feed.period.total_seconds()) for feed in SNAPSHOTS}
        runs.note(cursor, Run(BEGAN, periods, "1", ENDED))
    return database


def test_twenty_minutes_without_the_exchange(simulator: Simulator, begun: Database, clock: Clock):
    observed = asyncio.run(record_and_heal(simulator, begun, clock))

    with begun.read() as cursor:
        known = ledger(cursor, *EVER, clock())
        shares = {each.feed: each for each in coverage(cursor, known, BEGAN, ENDED)}
        dvol = cursor.execute("SELECT open_time, open, high, low, close FROM volatility_index ORDER BY ALL").fetchall()
        hours = cursor.execute("SELECT ts, interest_1h FROM funding ORDER BY ts").fetchall()

    # The ledger has each gap with its cause, and what became of it.
    assert [(gap.feed, gap.start, gap.end, gap.cause, gap.state, gap.healed_by) for gap in known] == [
        ("btc_usd", LEFT, CAME_BACK, "unreachable", "healed", "simulator, 6 s"),
        ("futures/BTC", LEFT, CAME_BACK, "unreachable", "healed", "trades of the simulator, 60 s"),
        ("options/BTC", LEFT, CAME_BACK, "unreachable", "unfillable", None),
    ]
    assert {feed: (its.due, its.live, its.healed, its.missing) for feed, its in shares.items()} == {
        "btc_usd": (80, 40, 40, 0),
        "futures/BTC": (40, 20, 20, 0),
        "options/BTC": (8, 4, 0, 4),
    }

    # DVOL and funding are whole: each minute and each hour is the exchange's own.
    minutes = _slots(MINUTE, BEGAN - 30 * MINUTE, ENDED)
    assert [(from_column(at), *values) for at, *values in dvol] == [
        (at, *volatility.candle("BTC", int(at.timestamp()), 60)) for at in minutes
    ]
    full = [BEGAN.replace(minute=0) + number * HOUR for number in range(-4, 2)]
    assert [(from_column(at), rate) for at, rate in hours] == [
        (at, funding("BTC", int(at.timestamp()), 1)) for at in full
    ]

    # Futures have the last trade of each minute that is missing, and nothing else of them.
    traded = futures_in(begun, "WHERE resolution_s > 0")
    names = sorted({row[1] for row in observed})
    assert [(row[1], from_column(row[3]), row[7]) for row in traded] == [
        (name, at, candles.candle(future_of(name), int(at.timestamp()), 60)[3])
        for at in _slots(MINUTE, LEFT, CAME_BACK)
        for name in names
    ]
    assert {row[4:7] + row[8:13] for row in traded} == {(None,) * 8}
    assert {row[13:] for row in traded} == {("simulator", 60)}
    assert futures_in(begun, "WHERE resolution_s = 0") == observed


@in_whole
@pytest.mark.parametrize("settles", [False, True])
def test_the_roll_at_eight_is_no_gap(database: Database, *, settles: bool):
    """The exchange answers with error 10041 for 4 s, or 10 s. Contracts have expired then, and others are listed."""
    eight = datetime(2026, 9, 22, 8, tzinfo=UTC)
    period = 20 * SECOND
    feeds = [future_feed("BTC", period), *option_feeds(("BTC",), period)]
    clock = MovedClock()

    exchange = Simulator(limits=False, clock=clock)

    async def serve(client: DeribitClient, journal: Journal, slot: datetime) -> None:
        clock.ahead_s += (slot + 1.8 * SECOND - clock()).total_seconds()
        async for batch in poll(client, feeds, slot, seconds_left=17.7, retries=3):
            journal.add(slot, batch)
        journal.flush(1)

    async def serve_all() -> None:
        async with DeribitClient(exchange.url, clock=clock) as client:
            journal = Journal(database, clock, exchange=lambda: client.exchange, feeds=feeds)
            for number in (-1, 0, 1):
                await serve(client, journal, eight + number * period)

    with database.write() as cursor:
        run = Run(eight - period, dict.fromkeys((feed.name for feed in feeds), 20), "1", eight + 2 * period)
        runs.note(cursor, run)
    with exchange:
        if settles:
            exchange.faults.add(Fault("settlement"))
        asyncio.run(serve_all())

    with database.read() as cursor:
        assert ledger(cursor, EPOCH, eight + 2 * period, eight + HOUR) == []
        assert runs.misses(cursor, *EVER) == []
    for table, names in (("futures", "instrument_name"), ("options", "expiry")):
        with database.read() as cursor:
            listed = [
                {name for (name,) in cursor.execute(f"SELECT {names} FROM {table} WHERE ts = ?", [ts]).fetchall()}
                for (ts,) in cursor.execute(f"SELECT DISTINCT ts FROM {table} ORDER BY ts").fetchall()
            ]
        assert len(listed) == 3
        assert listed[0] - listed[1]
        assert listed[2] - listed[0]
