"""The days of futures before recording began come once, from a real simulator into a real file."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
import stamina

from poller.exchange.client import DeribitClient
from poller.history.backfill import Backfill
from poller.history.days import PAGE
from poller.simulator.server import Simulator
from poller.simulator.truth.candles import candle
from poller.simulator.truth.future_summaries import held_since
from poller.simulator.truth.listing import instant_of, second_of
from store.file.database import Database
from store.instants import DAY
from store.ledger import arrivals
from store.market.instruments import future_of
from store.models import from_column
from tests.poller.conftest import Clock, reply
from tests.store.histories import at
from tests.store.market.futures import EXPIRY, FEED, NAMES, record, snapshot, stored

from .candles import BROKEN, REFUSED, Exchange, named

DATED, PERPETUAL = NAMES

# START is at 12:00 UTC.
LAST = at(-4 * 3600) - DAY
FIRST = datetime(2018, 8, 13, 8, tzinfo=UTC)
ALL_DAYS = (LAST - FIRST) // DAY + 1

OF_PERPETUAL = -(-ALL_DAYS // (PAGE // DAY))
PAGES = OF_PERPETUAL + 1  # a dated future takes one page

Told = list[tuple[str, int, int]]


@pytest.fixture
def clock() -> Clock:
    return Clock(at(700))


@pytest.fixture(autouse=True)
def _without_waits(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Retries come at once."""
    caplog.set_level(logging.INFO, logger="tickwell.history")
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


@pytest.fixture
def recorded(database: Database) -> Database:
    """A file whose first snapshot has the perpetual and a dated future."""
    record(database, range(0, 600, 60), [], 60)
    return database


def load(url: str, database: Database, clock: Clock, *moves_s: float, stop_at: int = 0) -> Told:
    """The progress of a start that loads days in rounds, with moves of the clock between; it stops at a request."""
    told: Told = []

    def tell(*step: Any) -> None:
        told.append(step)
        if len(told) == stop_at:
            raise asyncio.CancelledError

    async def rounds() -> None:
        async with DeribitClient(url, clock=clock) as client:
            its = Backfill(client, database, spacing_s=0, tell=tell, clock=clock)
            for move_s in (0, *moves_s):
                clock.move(move_s)
                await its.load_days([FEED])

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(rounds())
    return told


def days_in(database: Database) -> dict[str, list[datetime]]:
    """When the stored days begin, by instrument."""
    found: defaultdict[str, list[datetime]] = defaultdict(list)
    for row in rows(database):
        found[row[1]].append(from_column(row[3]))
    return dict(found)


def rows(database: Database) -> list[tuple[Any, ...]]:
    """The rows of days."""
    with database.read() as cursor:
        return [row for row in stored(cursor) if row[-1] == 86_400]


def test_a_start_loads_all_days_before_the_first_snapshot(database: Database, clock: Clock):
    record(database, range(0, 600, 60), [], 60, simulated=True)
    with database.read() as cursor:
        before = stored(cursor)
    with Simulator(limits=False, clock=clock) as simulator:
        told = load(simulator.url, database, clock)

    assert told == [("loading days of futures", number, PAGES) for number in range(1, PAGES + 1)]
    found = days_in(database)
    assert found.keys() == {DATED, PERPETUAL}
    for name, since in ((PERPETUAL, FIRST), (DATED, instant_of(held_since(EXPIRY)))):
        days = found[name]
        assert since <= days[0] < since + DAY
        assert days[-1] == LAST
        assert all(later - earlier == DAY for earlier, later in pairwise(days))
    for row in (rows(database)[0], *rows(database)[-2:]):
        _, name, expiry, ts, *_ = row
        *_, closed, volume, usd = candle(future_of(name), second_of(from_column(ts)), 86_400)
        nothing = (None,) * 3
        assert row == ("BTC", name, expiry, ts, *nothing, closed, None, volume, usd, None, None, "simulator", 86_400)
    with database.read() as cursor:
        assert [row for row in stored(cursor) if row[-1] != 86_400] == before


@pytest.mark.parametrize("stop_at", range(1, PAGES + 1))
def test_a_stop_in_the_middle_loses_nothing_and_the_next_start_asks_for_the_rest_alone(
    serve, recorded: Database, clock: Clock, stop_at: int
):
    server = serve(Exchange(clock))
    load(server.url, recorded, clock, stop_at=stop_at)
    half = rows(recorded)

    load(server.url, recorded, clock)

    assert len(server.targets) == len({*server.targets}) == PAGES
    assert {*half} < {*rows(recorded)}
    assert days_in(recorded) == {
        PERPETUAL: [FIRST + number * DAY for number in range(ALL_DAYS)],
        DATED: [LAST - number * DAY for number in reversed(range(PAGE // DAY))],
    }


def test_the_next_start_asks_for_nothing(serve, recorded: Database, clock: Clock):
    server = serve(lambda _: reply({"status": "no_data"}, clock()))
    load(server.url, recorded, clock)
    load(server.url, recorded, clock, 86_400, 86_400)

    assert len(server.targets) == PAGES
    assert rows(recorded) == []


def test_a_future_that_is_refused_costs_the_others_nothing_and_the_next_start_asks_once_more(
    serve, recorded: Database, clock: Clock, caplog: pytest.LogCaptureFixture
):
    exchange = Exchange(clock, BTC_PERPETUAL=REFUSED)
    server = serve(exchange)

    load(server.url, recorded, clock, 3600, 3600)
    assert [named(target) for target in server.targets] == [PERPETUAL, DATED]
    assert days_in(recorded).keys() == {DATED}
    assert "days of BTC-PERPETUAL, are left out: " in caplog.text

    exchange.instead.clear()
    load(server.url, recorded, clock)
    assert [named(target) for target in server.targets[2:]] == [PERPETUAL] * OF_PERPETUAL
    assert len(days_in(recorded)[PERPETUAL]) == ALL_DAYS


@pytest.mark.parametrize("answer", [BROKEN, reply({"status": "ok"}, at(700))])
def test_a_future_that_fails_for_now_waits_while_the_others_are_loaded(
    serve, recorded: Database, clock: Clock, answer: bytes, caplog: pytest.LogCaptureFixture
):
    exchange = Exchange(clock, BTC_PERPETUAL=answer)
    server = serve(exchange)

    load(server.url, recorded, clock, 1)
    assert days_in(recorded).keys() == {DATED}
    assert "days of BTC-PERPETUAL, are left out for now: " in caplog.text

    failed = len(server.targets)
    exchange.instead.clear()
    load(server.url, recorded, clock)
    assert [named(target) for target in server.targets[failed:]] == [PERPETUAL] * OF_PERPETUAL


def test_a_future_that_failed_is_asked_for_again_in_a_later_round(serve, recorded: Database, clock: Clock):
    exchange = Exchange(clock)
    answers = iter([BROKEN])
    server = serve(lambda target: next(answers, None) or exchange(target))
    with stamina.set_testing(True, attempts=1):
        load(server.url, recorded, clock, 1, 60)

    assert [named(target) for target in server.targets] == [PERPETUAL, DATED, *[PERPETUAL] * OF_PERPETUAL]
    assert len(days_in(recorded)[PERPETUAL]) == ALL_DAYS


def test_days_come_once_there_is_a_snapshot(serve, database: Database, clock: Clock):
    server = serve(Exchange(clock))
    assert load(server.url, database, clock) == []

    with database.write() as cursor:
        arrivals.append(cursor, [snapshot(0, PERPETUAL)])
    load(server.url, database, clock)

    assert days_in(database).keys() == {PERPETUAL}
