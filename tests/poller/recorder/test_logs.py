"""The same request records and heals a log feed, and costs other feeds no slot."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from poller.exchange.client import DeribitClient
from poller.exchange.errors import UnreachableError
from poller.exchange.market.entries import Entries
from poller.feeds.feed import Feed
from poller.feeds.index import index_feeds
from poller.feeds.log import LogFeed
from poller.recorder.logs import Logs
from poller.recorder.recorder import Recorder
from poller.timing.loop import in_thread
from settings import Settings
from store.file.database import Cursor, Database
from store.ledger import runs
from store.ledger.logs import Log, ask_again, logs, note
from store.models import from_column, to_column, utc_now
from store.prices import averages
from tests.conftest import START, wait_until
from tests.poller.conftest import price_reply, reply
from tests.support.stored import EVER, stored

from .test_feeds import ignore_cancellation

SECOND = timedelta(seconds=1)
A_PAGE = 100
_TABLE = "CREATE TABLE tides (ts TIMESTAMP, height DOUBLE)"
_NEW = "INSERT INTO tides SELECT ts, height FROM (SELECT ? AS ts, ? AS height) WHERE ts NOT IN (SELECT ts FROM tides)"


def append_tides(cursor: Cursor, rows: Sequence[tuple[Any, ...]]) -> None:
    for ts, height in rows:
        cursor.execute(_NEW, [to_column(ts), height])


async def ask_tides(client: DeribitClient, start: datetime, end: datetime) -> Entries:
    """An entry for each second, a limited number at a time; it asks the exchange whether it is reachable."""
    await client.time()
    first = -(-start.timestamp() // 1)
    instants = [datetime.fromtimestamp(first + number, start.tzinfo) for number in range(A_PAGE)]
    rows = tuple((ts, 1.5) for ts in instants if ts < end)
    return Entries(rows, min(end, instants[-1] + SECOND))


@pytest.fixture
def begins() -> datetime:
    return utc_now().replace(microsecond=0) - 250 * SECOND


@pytest.fixture
def tides(database: Database) -> Database:
    """A file with the table of the log and some history of btc_usd, so that the recorder loads none."""
    with database.write() as cursor:
        cursor.execute(_TABLE)
        averages.append(cursor, "btc_usd", [(datetime(2019, 1, 1, tzinfo=START.tzinfo), 1.0)], 86_400, "live")
    return database


@pytest.fixture
def start(tides: Database, make_settings: Callable[..., Settings]) -> Iterator[Callable[..., Recorder]]:
    """Starts a recorder of btc_usd at 1 s and of a log."""
    started: list[Recorder] = []

    def begin(url: str, *feeds: Feed | LogFeed) -> Recorder:
        settings = make_settings(deribit_url=url, poll_seconds=1, indexes=("btc_usd",))
        recorder = Recorder(settings, tides, "external", feeds=[*index_feeds(["btc_usd"], SECOND), *feeds])
        recorder.start()
        started.append(recorder)
        return recorder

    yield begin
    for recorder in started:
        recorder.stop()


def tide_feed(begins: datetime, append: Callable[..., object] = append_tides) -> LogFeed:
    return LogFeed("tides/NORTH", SECOND, begins, overlap=3 * SECOND, ask=ask_tides, append=append)


def log_in(database: Database) -> Log:
    with database.read() as cursor:
        return logs(cursor)["tides/NORTH"]


def instants_in(database: Database) -> list[datetime]:
    with database.read() as cursor:
        return [from_column(ts) for (ts,) in cursor.execute("SELECT ts FROM tides ORDER BY ts").fetchall()]


def answer(target: str) -> bytes:
    if "names" in target:
        return reply(["btc_usd"], utc_now())
    if "get_time" in target:
        return reply(int(1000 * utc_now().timestamp()), utc_now())
    return price_reply(sent_at=utc_now())


def test_all_entries_are_stored_once_from_the_beginning(serve, start, tides, begins):
    start(serve(answer).url, tide_feed(begins))
    wait_until(lambda: instants_in(tides)[255:])

    found = instants_in(tides)
    assert found == [begins + number * SECOND for number in range(len(found))]
    assert log_in(tides).complete_to > found[-1] - SECOND


def test_entries_that_an_undo_removes_during_a_request_are_asked_for_again(serve, start, tides, begins):
    removed_to = begins + 100 * SECOND
    removed: list[datetime] = []

    async def ask(client: DeribitClient, since: datetime, end: datetime) -> Entries:
        entries = await ask_tides(client, since, end)
        if not removed and instants_in(tides)[250:]:
            removed.append(since)
            await in_thread(take_back, "undo")
        return entries

    def take_back() -> None:
        with tides.write() as cursor:
            cursor.execute("DELETE FROM tides WHERE ts >= ?", [to_column(removed_to)])
            ask_again(cursor, "tides/NORTH", removed_to)

    start(serve(answer).url, replace(tide_feed(begins), ask=ask))
    wait_until(lambda: removed and instants_in(tides)[260:])

    found = instants_in(tides)
    assert found == [begins + number * SECOND for number in range(len(found))]


def test_the_request_after_an_outage_brings_its_entries_and_costs_no_slot(serve, start, tides, begins):
    away = False

    def fails(target: str) -> bytes:
        return b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n" if away and "get_time" in target else answer(target)

    start(serve(fails).url, tide_feed(begins))
    wait_until(lambda: instants_in(tides)[250:])
    away = True
    late = wait_until(lambda: log_in(tides) if log_in(tides).late else None)
    ticks_then = len(stored(tides))
    wait_until(lambda: len(stored(tides)) >= ticks_then + 3)
    away = False
    wait_until(lambda: not log_in(tides).late)

    found = instants_in(tides)
    assert "503" in late.late
    assert found == [begins + number * SECOND for number in range(len(found))]
    assert found[-1] > late.complete_to
    seconds = [tick.ts.replace(microsecond=0) for tick in stored(tides) if tick.resolution_s == 0]
    assert seconds == [seconds[0] + number * SECOND for number in range(len(seconds))]


def test_a_log_without_newer_entries_is_asked_once_a_period(serve, start, tides, begins):
    asked: list[datetime] = []

    async def nothing(client: DeribitClient, start: datetime, end: datetime) -> Entries:
        asked.append(end)
        return Entries((), begins)

    start(serve(answer).url, LogFeed("tides/NORTH", SECOND, begins, SECOND, ask=nothing, append=append_tides))
    wait_until(lambda: len(asked) >= 3)

    assert all(later - earlier > SECOND / 2 for earlier, later in pairwise(asked))
    assert log_in(tides).complete_to == begins


def test_a_log_that_can_not_be_stored_costs_no_slot_and_is_asked_again(serve, start, tides, begins, caplog):
    refused = True

    def append(cursor: Cursor, rows: Sequence[tuple[Any, ...]]) -> None:
        if refused:
            cursor.execute("INSERT INTO nowhere VALUES (1)")
        append_tides(cursor, rows)

    start(serve(answer).url, tide_feed(begins, append))
    wait_until(lambda: [line for line in caplog.messages if line.startswith("tides/NORTH waits for the database: ")])
    wait_until(lambda: len(stored(tides)) >= 2)
    refused = False

    wait_until(lambda: instants_in(tides)[250:])


def test_an_ask_that_ignores_its_end_delays_no_stop(serve, start, tides, begins):
    recorder = start(serve(answer).url, replace(tide_feed(begins), ask=ignore_cancellation))
    wait_until(lambda: len(stored(tides)) >= 2)
    began_s = time.monotonic()
    recorder.stop()

    assert time.monotonic() - began_s < 3


def test_without_the_table_of_logs_other_feeds_lose_no_slot_and_it_is_told_once(serve, start, tides, begins, caplog):
    with tides.write() as cursor:
        cursor.execute("DROP TABLE logs")
    start(serve(answer).url, tide_feed(begins))
    wait_until(lambda: len(stored(tides)) >= 5)

    seconds = [tick.ts.replace(microsecond=0) for tick in stored(tides) if tick.resolution_s == 0]
    assert seconds == [seconds[0] + number * SECOND for number in range(len(seconds))]
    (told,) = [line for line in caplog.messages if line.startswith("tides/NORTH waits for the database: ")]
    assert "logs does not exist" in told


class Pages:
    """Answers requests for a log with pages of some days, and fails at some of them.

    Attributes:
        asked: the start of each request, and when it came.
    """

    def __init__(self, days: int, *, fails_at: int = 0) -> None:
        self.asked: list[tuple[datetime, float]] = []
        self._length, self._fails_at = timedelta(days=days), fails_at

    async def __call__(self, client: DeribitClient, start: datetime, end: datetime) -> Entries:
        self.asked.append((start, time.monotonic()))
        if len(self.asked) == self._fails_at:
            raise UnreachableError("no route to host")
        return Entries((), min(end, start + self._length))


def logs_of(database: Database, told: list[Any], *, spacing_s: float = 0.05, now: datetime = START) -> Logs:
    return Logs(
        DeribitClient("http://127.0.0.1:9"),
        database,
        clock=lambda: now,
        quiet=nullcontext,
        store_wait_s=1,
        spacing_s=spacing_s,
        tell=lambda *step: told.append(step),
        told=lambda *feed: told.append(feed),
    )


def kept_until(kept: Logs, feeds: Sequence[LogFeed], done: Callable[[], object]) -> None:
    """Keep logs until something is done."""

    async def both() -> None:
        tasks = [asyncio.create_task(kept.keep(feed)) for feed in feeds]
        await asyncio.to_thread(wait_until, done)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(both())


def hourly(pages: Pages, begins: datetime, name: str = "tides/NORTH", **more: Any) -> LogFeed:
    return LogFeed(name, 3600 * SECOND, begins, timedelta(0), ask=pages, append=append_tides, **more)


def complete(database: Database, *names: str) -> bool:
    with database.read() as cursor:
        found = logs(cursor)
    return all(name in found and found[name].complete_to == START for name in names)


def test_a_long_history_is_asked_for_at_once_page_by_page_and_its_days_are_told(tides):
    told: list[Any] = []
    pages = Pages(10)

    kept_until(logs_of(tides, told), [hourly(pages, START - timedelta(days=25))], lambda: ("tides/NORTH",) in told)

    assert [(START - start).days for start, _ in pages.asked] == [25, 15, 5]
    assert told == [("tides/NORTH", 10, 25), ("tides/NORTH", 20, 25), ("tides/NORTH",)]
    assert complete(tides, "tides/NORTH")


def test_a_log_whose_next_entry_is_not_due_yet_tells_of_no_history(tides):
    told: list[Any] = []
    newest = START - timedelta(minutes=20)
    asked: list[datetime] = []

    async def ask(client: DeribitClient, start: datetime, end: datetime) -> Entries:
        asked.append(start)
        return Entries((), newest)

    with tides.write() as cursor:
        note(cursor, Log("tides/NORTH", newest - timedelta(hours=1)))
    feed = LogFeed("tides/NORTH", 3600 * SECOND, START, timedelta(0), ask=ask, append=append_tides)
    kept_until(logs_of(tides, told), [feed], lambda: asked[1:])

    assert asked == [newest - timedelta(hours=1), newest]
    assert told == []


def test_the_pages_of_all_logs_together_keep_their_distance(tides):
    north, south = Pages(10), Pages(10)
    feeds = [hourly(north, START - timedelta(days=35)), hourly(south, START - timedelta(days=35), "tides/SOUTH")]

    kept_until(logs_of(tides, [], spacing_s=0.2), feeds, lambda: complete(tides, "tides/NORTH", "tides/SOUTH"))

    further = sorted(at_s for pages in (north, south) for _, at_s in pages.asked[1:])
    assert len(further) == 6
    assert all(later - earlier > 0.15 for earlier, later in pairwise(further))


def test_a_log_goes_on_soon_after_an_error_and_where_it_was(tides, monkeypatch):
    monkeypatch.setattr("poller.recorder.logs._AGAIN_S", 0.01)
    pages = Pages(10, fails_at=2)

    kept_until(logs_of(tides, []), [hourly(pages, START - timedelta(days=25))], lambda: complete(tides, "tides/NORTH"))

    assert [(START - start).days for start, _ in pages.asked] == [25, 15, 15, 5]


@pytest.mark.parametrize("fails_at", [0, 1])
def test_the_first_request_reaches_back_as_far_as_the_log_says(tides, monkeypatch, fails_at):
    monkeypatch.setattr("poller.recorder.logs._AGAIN_S", 0.01)
    pages = Pages(30, fails_at=fails_at)
    feed = hourly(pages, START - timedelta(days=3000), reach=timedelta(days=25))

    kept_until(logs_of(tides, []), [feed], lambda: complete(tides, "tides/NORTH"))

    assert {(START - start).days for start, _ in pages.asked} == {25}


def test_a_log_that_is_known_goes_on_where_it_was_even_if_that_is_long_ago(tides):
    with tides.write() as cursor:
        note(cursor, Log("tides/NORTH", START - timedelta(days=40)))
    pages = Pages(30)

    feed = hourly(pages, START - timedelta(days=3000), reach=timedelta(days=25))
    kept_until(logs_of(tides, []), [feed], lambda: complete(tides, "tides/NORTH"))

    assert [(START - start).days for start, _ in pages.asked] == [40, 10]


def test_a_log_is_asked_at_its_offset(serve, start, tides, begins):
    asked: list[datetime] = []

    async def nothing(client: DeribitClient, start: datetime, end: datetime) -> Entries:
        asked.append(utc_now())
        return Entries((), begins)

    feed = LogFeed("tides/NORTH", 2 * SECOND, begins, SECOND, ask=nothing, append=append_tides, offset=1.3 * SECOND)
    start(serve(answer).url, feed)
    wait_until(lambda: len(asked) >= 3)

    assert all(1.2 < at.timestamp() % 2 < 1.9 for at in asked[1:])


def test_an_error_of_our_own_ends_no_log(tides, monkeypatch):
    monkeypatch.setattr("poller.recorder.logs._AGAIN_S", 0.01)
    failed: list[datetime] = []
    pages = Pages(30)

    async def fails_once(client: DeribitClient, start: datetime, end: datetime) -> Entries:
        if not failed:
            failed.append(start)
            raise RuntimeError("a bug")
        return await pages(client, start, end)

    feed = replace(hourly(pages, START - timedelta(days=25)), ask=fails_once)
    kept_until(logs_of(tides, []), [feed], lambda: complete(tides, "tides/NORTH"))

    assert len(failed) == len(pages.asked) == 1


def test_a_log_waits_until_a_reply_has_told_the_time(serve, start, tides, begins):
    asked: list[datetime] = []
    away = True

    async def nothing(client: DeribitClient, start: datetime, end: datetime) -> Entries:
        asked.append(end)
        return Entries((), begins)

    def fails(target: str) -> bytes:
        return b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n" if away else answer(target)

    def missed() -> int:
        with tides.read() as cursor:
            return len(runs.misses(cursor, *EVER))

    start(serve(fails).url, LogFeed("tides/NORTH", SECOND, begins, SECOND, ask=nothing, append=append_tides))
    wait_until(lambda: missed() >= 2)
    asked_while_away = list(asked)
    away = False
    wait_until(lambda: asked)

    assert asked_while_away == []
