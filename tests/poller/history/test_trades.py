"""Gaps of futures are healed by the exchange's candles of trades, from a real simulator into a real file."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import stamina

from poller.exchange.client import DeribitClient
from poller.exchange.errors import TemporaryError
from poller.history.backfill import Backfill
from poller.history.trades import windows
from poller.simulator.faults import Fault
from poller.simulator.server import Simulator
from poller.simulator.truth.candles import candle
from store.file.database import Database
from store.instants import EPOCH
from store.ledger import runs
from store.ledger.gaps import ledger
from store.market.instruments import future_of
from store.models import Gap, from_column
from tests.poller.conftest import Clock, reply
from tests.store.histories import at
from tests.store.market.futures import FEED, record, stored

from .candles import BROKEN, REFUSED, Exchange, named

CHART = "get_tradingview_chart_data"
MINUTE = timedelta(minutes=1)
PERPETUAL = "BTC-PERPETUAL"

# A run of 20 minutes, of which five are missing.
SLOTS, MISSING = range(0, 1200, 60), range(300, 600, 60)


@pytest.fixture
def clock() -> Clock:
    return Clock(at(1300))


@pytest.fixture
def simulator(clock: Clock) -> Iterator[Simulator]:
    with Simulator(limits=False, clock=clock) as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def _without_waits(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Retries come at once."""
    caplog.set_level(logging.INFO, logger="tickwell")
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


def backfill(url: str, database: Database, clock: Clock, *moves_s: float, **options: Any) -> list[list[Gap]]:
    """What became of gaps, in rounds with moves of the clock between them."""

    async def rounds() -> list[list[Gap]]:
        async with DeribitClient(url, clock=clock) as client:
            its = Backfill(client, database, spacing_s=0, tell=lambda *_: None, clock=clock, **options)
            healed = []
            for move_s in (0, *moves_s):
                clock.move(move_s)
                healed.append(await its.heal([]))
        return healed

    return asyncio.run(rounds())


def told(database: Database) -> list[tuple[str, str | None]]:
    with database.read() as cursor:
        ended_at = runs.runs(cursor)[-1].ended_at
        assert ended_at is not None
        return [(gap.state, gap.healed_by) for gap in ledger(cursor, EPOCH, ended_at, ended_at)]


def rows(database: Database) -> list[tuple[Any, ...]]:
    with database.read() as cursor:
        return stored(cursor)


def healed_rows(database: Database) -> dict[str, dict[datetime, float]]:
    """The last prices of the rows that trades brought, by instrument and minute."""
    found: dict[str, dict[datetime, float]] = {}
    for _, name, _, ts, *_, last, _, _, _, _, _, _, resolution_s in rows(database):
        if resolution_s:
            found.setdefault(name, {})[from_column(ts)] = last
    return found


def test_a_gap_is_healed_by_the_last_trade_of_each_minute(simulator: Simulator, database: Database, clock: Clock):
    record(database, SLOTS, MISSING, 60, simulated=True)
    before = rows(database)

    ((gap,),) = backfill(simulator.url, database, clock)

    assert (gap.feed, gap.state, gap.healed_by, gap.slots) == (FEED, "healed", "trades of the simulator, 60 s", 5)
    minutes = [at(second) for second in MISSING]
    assert healed_rows(database) == {
        name: {ts: candle(future_of(name), int(ts.timestamp()), 60)[3] for ts in minutes}
        for name in ("BTC-25DEC26", PERPETUAL)
    }
    assert [row for row in rows(database) if not row[-1]] == before


def test_healing_again_asks_and_stores_nothing(simulator: Simulator, database: Database, clock: Clock):
    record(database, SLOTS, MISSING, 60, simulated=True)
    backfill(simulator.url, database, clock)
    before = rows(database)
    simulator.faults.add(Fault("error", method=CHART))

    assert backfill(simulator.url, database, clock, states=("open", "unfillable")) == [[]]
    assert rows(database) == before


def test_a_gap_within_a_minute_of_snapshots_is_unfillable(simulator: Simulator, database: Database, clock: Clock):
    record(database, range(0, 1200, 10), [310, 320], 10, simulated=True)

    backfill(simulator.url, database, clock)

    assert told(database) == [("unfillable", None)]
    assert healed_rows(database) == {}


def test_an_instrument_that_is_refused_is_left_out(serve, database: Database, clock: Clock, caplog):
    record(database, SLOTS, MISSING, 60)
    server = serve(Exchange(clock, BTC_25DEC26=REFUSED))

    backfill(server.url, database, clock)

    assert told(database) == [("healed", "trades, 60 s")]
    assert set(healed_rows(database)) == {PERPETUAL}
    assert "trades of BTC-25DEC26, are left out: " in caplog.text


def test_no_trade_is_later_than_the_expiry(serve, database: Database, clock: Clock):
    """The exchange repeats the last price of a future that has expired."""
    expires = datetime.fromisoformat("2026-12-25T08:00:00+00:00")
    before_s = int((expires - at(0)).total_seconds())
    record(database, range(before_s - 600, before_s + 600, 60), range(before_s - 120, before_s + 120, 60), 60)
    clock.now = expires + 20 * MINUTE

    backfill(serve(Exchange(clock)).url, database, clock)

    found = healed_rows(database)
    assert list(found["BTC-25DEC26"]) == [expires - 2 * MINUTE, expires - MINUTE]
    assert len(found[PERPETUAL]) == 4


def test_a_market_that_the_exchange_refuses_is_unfillable_after_one_request(serve, database: Database, clock: Clock):
    record(database, SLOTS, SLOTS, 60, "futures/XYZ")
    server = serve(lambda _: REFUSED)

    backfill(server.url, database, clock, 3600)

    assert [named(target) for target in server.targets] == ["XYZ-PERPETUAL"]
    assert told(database) == [("unfillable", None)]


@pytest.mark.parametrize("answer", [BROKEN, reply({"status": "ok"}, at(1300))])
def test_nothing_is_healed_while_the_exchange_gives_no_candles(serve, database: Database, clock: Clock, answer: bytes):
    record(database, SLOTS, MISSING, 60)
    exchange = Exchange(clock, BTC_25DEC26=answer, BTC_PERPETUAL=answer)

    server = serve(exchange)
    backfill(server.url, database, clock, *[3600] * 5)
    assert told(database) == [("open", None)]
    assert {named(target) for target in server.targets} == {"BTC-25DEC26", PERPETUAL}

    exchange.instead.clear()
    backfill(server.url, database, clock)
    assert told(database) == [("healed", "trades, 60 s")]


def test_an_instrument_that_fails_again_and_again_does_not_keep_the_others_from_healing(
    serve, database: Database, clock: Clock
):
    record(database, SLOTS, MISSING, 60)
    server = serve(Exchange(clock, BTC_25DEC26=BROKEN))

    patient = backfill(server.url, database, clock, 3600, 3600, 3600)

    assert patient[:3] == [[], [], []]
    assert told(database) == [("healed", "trades, 60 s")]
    assert set(healed_rows(database)) == {PERPETUAL}


def test_an_error_ends_a_healing_that_tries_once(serve, database: Database, clock: Clock):
    record(database, SLOTS, MISSING, 60)
    server = serve(Exchange(clock, BTC_25DEC26=BROKEN))

    with pytest.raises(TemporaryError, match="502"):
        backfill(server.url, database, clock, attempts=1)


def test_a_gap_waits_for_the_candles_of_its_last_minute(serve, database: Database, clock: Clock):
    record(database, range(0, 960, 10), [910, 920, 930], 10)
    clock.now = at(956)
    server = serve(Exchange(clock))

    assert backfill(server.url, database, clock) == [[]]
    assert told(database) == [("open", None)]

    clock.now = at(961)
    backfill(server.url, database, clock)
    assert told(database) == [("unfillable", None)]


def test_a_gap_of_days_is_healed_window_by_window(serve, database: Database, clock: Clock):
    hours = 40 * 3600
    record(database, range(0, hours, 600), range(600, hours - 600, 600), 600)
    clock.now = at(hours + 60)
    server = serve(Exchange(clock))

    backfill(server.url, database, clock)

    assert len(server.targets) == 2 * 3
    assert told(database) == [("healed", "trades, 60 s")]
    missing = hours // 60 - 20
    assert {len(minutes) for minutes in healed_rows(database).values()} == {missing + 1}  # and the minute before


def gap(start: float, end: float) -> Gap:
    return Gap(FEED, at(start), at(end), 1, 10, "unreachable", "")


def in_minutes(gaps: Sequence[Gap]) -> list[tuple[float, float, int]]:
    return [((each.start - at(0)) / MINUTE, (each.end - at(0)) / MINUTE, len(each.gaps)) for each in windows(gaps)]


def test_near_gaps_share_a_window_and_a_long_one_is_cut():
    assert in_minutes([]) == []
    assert in_minutes([gap(310, 320)]) == [(4, 7, 1)]
    assert in_minutes([gap(310, 320), gap(600, 900), gap(60 * 990, 60 * 995)]) == [(4, 997, 3)]
    assert in_minutes([gap(300, 600), gap(60 * 1100, 60 * 3000), gap(60 * 3001, 60 * 3002)]) == [
        (4, 12, 1),
        (1099, 2099, 1),
        (2099, 3004, 2),
    ]


def test_the_windows_of_a_gap_follow_each_other():
    found = list(windows([gap(0, 60 * 5000)]))

    assert all(earlier.end == later.start for earlier, later in pairwise(found))
    assert (found[0].start, found[-1].end) == (at(-60), at(60 * 5002))
