"""A recorder records a tuple of feeds, and a slow feed costs the others no slot."""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Never

import pytest

from poller.exchange.client import DeribitClient
from poller.exchange.errors import RefusedError
from poller.feeds.feed import Feed
from poller.feeds.index import index_feeds
from poller.history.limits import Limits as HistoryLimits
from poller.journal.journal import Journal
from poller.recorder.limits import Limits
from poller.recorder.recorder import Recorder
from settings import Settings
from store.file.database import Database
from store.file.recorder import read_notice
from store.ledger import runs
from store.ledger.coverage import coverage
from store.ledger.gaps import ledger
from store.models import Cause, Exchange, Snapshot, Tick, from_column, utc_now
from store.prices import averages, ticks
from tests.conftest import START, tick, wait_until
from tests.made_up.feed import moon_feed
from tests.poller.conftest import http, price_reply, reply
from tests.support.arrivals import Arrivals
from tests.support.slots import in_a_row, seconds
from tests.support.stored import EVER, missed

SECOND = timedelta(seconds=1)

MOONS = "moons/JUPITER"

Start = Callable[..., Recorder]


@pytest.fixture
def recorded(moons: Database) -> Database:
    """A file with some history of btc_usd, so that the recorder loads none."""
    with moons.write() as cursor:
        averages.append(cursor, "btc_usd", [(datetime(2019, 1, 1, tzinfo=START.tzinfo), 1.0)], 86_400, "live")
    return moons


@pytest.fixture
def start(recorded: Database, make_settings: Callable[..., Settings]) -> Iterator[Start]:
    """Starts a recorder of btc_usd at 1 s and of another feed."""
    started: list[Recorder] = []

    def begin(url: str, *others: Feed) -> Recorder:
        settings = make_settings(deribit_url=url, poll_seconds=1, indexes=("btc_usd",))
        limits = Limits(history=HistoryLimits(look_for_gaps_s=0.5, ripe=SECOND))
        feeds = (*index_feeds(("btc_usd",), SECOND), *others)
        recorder = Recorder(settings, recorded, "external", feeds=feeds, limits=limits)
        recorder.start()
        started.append(recorder)
        return recorder

    yield begin
    for recorder in started:
        recorder.stop()


def stored_moons(database: Database) -> list[tuple[Any, ...]]:
    with database.read() as cursor:
        return cursor.execute("SELECT planet, moon_name, phase, ts FROM moons ORDER BY ts, moon_name").fetchall()


def stored_prices(database: Database) -> list[datetime]:
    with database.read() as cursor:
        return [tick.ts for tick in ticks.history(cursor, "btc_usd", *EVER) if tick.resolution_s == 0]


def answer(target: str) -> bytes:
    """An exchange that publishes btc_usd and tells the time."""
    if "names" in target:
        return reply(["btc_usd"], utc_now())
    if "get_time" in target:
        return reply(int(1000 * utc_now().timestamp()), utc_now())
    if "get_moons" in target:
        return reply([["Io", 0.25, 1_793_534_400_000], ["Europa", 0.5, 1_793_534_400_000]], utc_now())
    return price_reply(sent_at=utc_now())


def test_feeds_of_two_periods_are_recorded_together(serve, start: Start, recorded: Database):
    recorder = start(serve(answer).url, moon_feed("JUPITER", 2 * SECOND))
    wait_until(lambda: len(stored_moons(recorded)) >= 6, timeout_s=20)
    told = read_notice(recorded.path)
    recorder.stop()

    found = stored_moons(recorded)
    assert [row[:3] for row in found[:2]] == [("JUPITER", "Europa", 0.5), ("JUPITER", "Io", 0.25)]
    slots = seconds(sorted({row[3] for row in found}))
    assert all(later - earlier == 2 * SECOND for earlier, later in pairwise(slots))
    assert seconds(stored_prices(recorded)) == in_a_row(seconds(stored_prices(recorded)))
    assert recorded.meters.polls[MOONS, "ok"] == len(slots)
    assert told is not None
    assert told.indexes == ("btc_usd",)
    first, last = from_column(slots[0]), from_column(slots[-1])
    with recorded.read() as cursor:
        assert [run.feeds for run in runs.runs(cursor)] == [{"btc_usd": 1, MOONS: 2}]
        known = coverage(cursor, ledger(cursor, first, last, utc_now()), first, last)
    assert [(each.feed, each.due, each.missing) for each in known] == [
        ("btc_usd", (last - first) // SECOND, 0),
        (MOONS, (last - first) // (2 * SECOND), 0),
    ]


def test_a_request_of_three_seconds_costs_a_feed_at_one_second_no_slot(serve, start: Start, recorded: Database):
    over = threading.Event()

    def slow(target: str) -> bytes:
        if "get_index_price?" in target and "slow_usd" in target:
            over.wait(3)
            return price_reply(sent_at=utc_now())
        return answer(target)

    (slow_feed,) = index_feeds(("slow_usd",), 5 * SECOND)
    recorder = start(serve(slow).url, slow_feed)
    wait_until(lambda: recorded.meters.polls["slow_usd", "ok"] >= 2, timeout_s=30)
    recorder.stop()
    over.set()

    found = seconds(stored_prices(recorded))
    assert found == in_a_row(found)
    assert len(found) >= 8
    assert missed(recorded) == []
    with recorded.read() as cursor:
        assert ticks.latest(cursor, "slow_usd") is not None


def test_many_feeds_of_a_long_period_cost_a_feed_at_one_second_no_slot(serve, start: Start, recorded: Database):
    """Each slot of the long period takes the whole budget of requests for eight seconds."""
    names = tuple(f"i{number}_usd" for number in range(32))
    recorder = start(serve(answer).url, *index_feeds(names, 10 * SECOND))
    wait_until(lambda: asked_all(recorded, names), timeout_s=40)
    recorder.stop()

    found = seconds(stored_prices(recorded))
    assert found == in_a_row(found)
    assert len(found) >= 7
    assert "btc_usd" not in {miss.feed for miss in missed(recorded)}


def asked_all(database: Database, names: Sequence[str]) -> bool:
    return all(database.meters.polls[name, "ok"] for name in names)


def test_no_second_has_more_requests_than_the_budget(serve, database: Database, make_settings: Callable[..., Settings]):
    """Twelve indexes share their slots, one fails and is asked again, and history is loaded meanwhile."""
    names = tuple(f"i{number}_usd" for number in range(12))
    asked: list[str] = []

    def busy(target: str) -> bytes:
        asked.append(target)
        if "names" in target:
            return reply(names, utc_now())
        if "i0_usd" in target:
            return http(b"", "502 Bad Gateway")
        return reply([], utc_now()) if "chart" in target else answer(target)

    with Arrivals(serve(busy).url) as arrivals:
        settings = make_settings(deribit_url=arrivals.url, poll_seconds=5, indexes=names)
        recorder = Recorder(settings, database, "external")
        recorder.start()
        wait_until(lambda: len(asked) >= 40, timeout_s=40)
        recorder.stop()

    assert len(arrivals.at_s) >= 40
    # A request may take some hundredths of a second longer to the exchange than the fifth request after it.
    assert all(later - earlier > 0.97 for earlier, later in zip(arrivals.at_s, arrivals.at_s[5:], strict=False))
    assert {miss.feed for miss in missed(database)} <= {"i0_usd"}


def test_a_feed_that_fails_is_missed_and_named_while_others_are_recorded(serve, start: Start, recorded: Database):
    async def refuse(_: DeribitClient) -> Snapshot:
        raise RefusedError("get_moons: -32602 Invalid params", code=-32602)

    start(serve(answer).url, replace(moon_feed("JUPITER", 2 * SECOND), ask=refuse))
    wait_until(lambda: missed(recorded))

    assert {(miss.feed, miss.cause, miss.code) for miss in missed(recorded)} == {(MOONS, Cause.EXCHANGE_ERROR, -32602)}
    told = wait_until(lambda: (notice := read_notice(recorded.path)) and notice.failing and notice)
    assert told.state == "recording"
    assert told.failing == {MOONS: "exchange error, get_moons: -32602 Invalid params"}


async def ignore_cancellation(*_: object) -> Never:
    """An ask that goes on whenever it is cancelled."""
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)


def test_an_ask_that_ignores_its_end_costs_its_own_slots_and_delays_no_stop(
    serve, start: Start, recorded: Database, caplog: pytest.LogCaptureFixture
):
    recorder = start(serve(answer).url, replace(moon_feed("JUPITER", SECOND), ask=ignore_cancellation))
    wait_until(lambda: recorded.meters.polls[MOONS, "unreachable"] >= 2)
    began_s = time.monotonic()
    recorder.stop()

    assert time.monotonic() - began_s < 3
    found = seconds(stored_prices(recorded))
    assert len(found) >= 2
    assert found == in_a_row(found)
    assert f"{MOONS} does not end, and is left behind" in caplog.messages


def test_a_miss_of_a_feed_without_history_is_unfillable_at_once(serve, start: Start, recorded: Database):
    asked: list[str] = []

    async def fail_twice(client: DeribitClient) -> Tick:
        asked.append("eth_usd")
        if len(asked) in {2, 3}:
            raise RefusedError("get_index_price: -32602 Invalid params", code=-32602)
        return await client.index_price("eth_usd")

    (feed,) = index_feeds(("eth_usd",), SECOND)
    server = serve(answer)
    start(server.url, replace(feed, ask=fail_twice, history=None))
    wait_until(lambda: "unfillable" in states(recorded).get("eth_usd", set()), timeout_s=60, look_again_s=0.5)

    assert not [target for target in server.targets if "chart" in target and "eth_usd" in target]


def states(database: Database) -> dict[str, set[str]]:
    """The states of the gaps of each feed."""
    with database.read() as cursor:
        gaps = [gap for gap in ledger(cursor, *EVER, utc_now()) if gap.cause != "recorder down"]
    return {name: {gap.state for gap in gaps if gap.feed == name} for name in {gap.feed for gap in gaps}}


# What waits of a feed


def snapshot(second: float) -> Snapshot:
    at = START + timedelta(seconds=second)
    return Snapshot(MOONS, at, at, (("Io", second, START),))


def test_a_snapshot_that_the_database_refuses_is_set_aside_and_its_slot_is_missed(recorded: Database):
    journal = Journal(recorded, feeds=[moon_feed("JUPITER", 2 * SECOND)], exchange=lambda: Exchange.REAL)
    bad = Snapshot(MOONS, START, START, (("Io", "full", START),))
    journal.add(START, [bad])
    journal.add(START + SECOND, [snapshot(1.5)])

    journal.flush(1)
    journal.flush(1)

    assert [row[2] for row in stored_moons(recorded)] == [1.5]
    (miss,) = missed(recorded)
    assert (miss.slot, miss.feed) == (START, MOONS)
    assert miss.detail.startswith("the database refused the snapshot: ")
    (line,) = recorded.path.with_name("ticks.duckdb.refused.jsonl").read_text().splitlines()
    assert json.loads(line)["kind"] == "snapshot"


@pytest.mark.parametrize("error", [KeyError("mark"), AttributeError("no rows"), ZeroDivisionError()])
def test_a_failed_append_of_a_snapshot_blocks_no_other_feed(recorded: Database, error: Exception):
    def fail(*_: object) -> None:
        raise error

    feed = replace(moon_feed("JUPITER", 2 * SECOND), append=fail)
    journal = Journal(recorded, feeds=[*index_feeds(["btc_usd"], SECOND), feed], exchange=lambda: Exchange.REAL)
    journal.add(START, [snapshot(0.5), tick(0.5)])

    journal.flush(1)
    journal.flush(1)

    assert stored_prices(recorded) == [START + 0.5 * SECOND]
    (miss,) = missed(recorded)
    assert (miss.slot, miss.feed) == (START, "moons/JUPITER")
    assert type(error).__name__ in miss.detail


@pytest.mark.parametrize("damage", ["DROP TABLE moons", "ALTER TABLE moons DROP COLUMN phase", "DROP TABLE snapshots"])
def test_a_broken_table_costs_its_feed_alone(recorded: Database, damage: str):
    feeds = [*index_feeds(["btc_usd"], SECOND), moon_feed("JUPITER", SECOND)]
    journal = Journal(recorded, feeds=feeds, exchange=lambda: Exchange.REAL)
    with recorded.write() as cursor:
        cursor.execute(damage)
    for number in range(2):
        journal.add(START + number * SECOND, [snapshot(number + 0.5), tick(number + 0.5)])

    journal.flush(1)
    journal.flush(1)

    assert stored_prices(recorded) == [START + 0.5 * SECOND, START + 1.5 * SECOND]
    assert [(miss.slot, miss.feed) for miss in missed(recorded)] == [(START, MOONS), (START + SECOND, MOONS)]
    assert (journal.empty, journal.refused, recorded.meters.refused) == (True, 2, 2)


@pytest.mark.parametrize("its_feed", [[moon_feed("JUPITER", 2 * SECOND)], []], ids=["recorded", "recorded no more"])
def test_a_snapshot_that_waits_at_a_stop_is_stored_at_the_next_start(recorded: Database, its_feed: list[Feed]):
    journal = Journal(recorded, feeds=[moon_feed("JUPITER", 2 * SECOND)], exchange=lambda: Exchange.REAL)
    journal.add(START, [snapshot(0.5), tick(0.7)])
    journal.add(START + 2 * SECOND, [snapshot(2.5)])
    journal.keep()

    Journal(recorded, exchange=lambda: Exchange.REAL, feeds=its_feed).flush(1)

    assert [row[2] for row in stored_moons(recorded)] == [0.5, 2.5]
    assert stored_prices(recorded) == [START + 0.7 * SECOND]
    assert missed(recorded) == []
    assert not recorded.path.with_name("ticks.duckdb.waiting.jsonl").exists()
