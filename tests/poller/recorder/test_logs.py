"""The same request records and heals a log feed, and costs other feeds no slot."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from poller.exchange.client import DeribitClient
from poller.feeds.feed import Feed
from poller.feeds.index import index_feeds
from poller.feeds.log import Entries, LogFeed
from poller.recorder.recorder import Recorder
from settings import Settings
from store.file.database import Cursor, Database
from store.ledger.logs import Log, logs
from store.models import from_column, to_column, utc_now
from store.prices import averages
from tests.conftest import START, wait_until
from tests.poller.conftest import price_reply, reply
from tests.support.stored import stored

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
