"""A demo shows a market at once: its past is made up, once, and only before the first run."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from poller.demo.past import COMPARED, PARTS, Part, make_past, slots_before
from poller.feeds.feed import Feed
from poller.feeds.futures import future_feed
from poller.feeds.index import index_feeds
from poller.feeds.options import option_feeds
from poller.recorder.recorder import Recorder
from poller.simulator.truth.prices import price
from settings import Settings
from store.file.database import Database
from store.kinds import FUTURES, OPTIONS, Kind
from store.ledger import arrivals, runs
from store.ledger.coverage import coverage
from store.models import Run, to_column
from tests.conftest import START, wait_until
from tests.support.market import chain
from tests.support.stored import stored

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
FEEDS = (
    *index_feeds(("btc_usd",), SECOND),
    future_feed("BTC", 60 * SECOND),
    *option_feeds(("BTC", "ETH"), 300 * SECOND),
)
SHORT = (Part(OPTIONS, HOUR, 2 * HOUR, 1), Part(FUTURES, HOUR / 4, HOUR, 3))


@pytest.fixture
def begun(database: Database) -> Database:
    """A file whose first run began at START."""
    with database.write() as cursor:
        runs.note(cursor, Run(START, {feed.name: 1 for feed in FEEDS}, "1"))
    return database


def make(database: Database, parts: Sequence[Part] = SHORT, feeds: Sequence[Feed] = FEEDS) -> bool:
    past = make_past(
        feeds,
        database,
        quiet=contextlib.nullcontext,
        store_wait_s=0.5,
        parts=parts,
        first_pages_s=0,
        minutes_reach=12 * HOUR,
    )
    return asyncio.run(past)


def known(database: Database) -> set[tuple[str, datetime]]:
    with database.read() as cursor:
        return arrivals.before(cursor, START + 1000 * HOUR)


def rows(database: Database, table: str) -> list[tuple[object, ...]]:
    with database.read() as cursor:
        return cursor.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall()


def test_it_has_each_step_before_the_first_run_and_nothing_later(begun: Database):
    make(begun)

    chains = {(f"options/{currency}", START - hours * HOUR) for currency in ("BTC", "ETH") for hours in (1, 2)}
    assert known(begun) == chains | {("futures/BTC", START - quarters * HOUR / 4) for quarters in (1, 2, 3, 4)}


def test_a_part_may_lie_some_time_before_the_first_run(begun: Database):
    make(begun, [Part(FUTURES, HOUR / 4, HOUR / 2, 3, ago=12 * HOUR)])

    assert known(begun) == {("futures/BTC", START - 12 * HOUR - quarters * HOUR / 4) for quarters in (1, 2)}


@pytest.mark.parametrize(("kind", "period"), [(FUTURES, 60 * SECOND), (OPTIONS, 300 * SECOND)])
@pytest.mark.parametrize("days", [1, 7])
def test_a_moment_to_compare_with_has_a_snapshot_while_a_demo_is_new(kind: Kind, period: timedelta, days: int):
    slots = {slot for part in PARTS if part.kind is kind for slot in slots_before(part, START)}

    moments = [START + minutes * 60 * SECOND - days * 24 * HOUR for minutes in range(-5, COMPARED // (60 * SECOND))]
    assert all(any(timedelta() <= at - slot < period for slot in slots) for at in moments)


def test_a_chain_is_the_one_that_a_recorder_would_have_stored(begun: Database, tmp_path: Path):
    recorded = Database(tmp_path / "recorded.duckdb")
    recorded.migrate()
    with recorded.write() as cursor:
        FEEDS[2].append(cursor, [chain("BTC", START - HOUR)])

    make(begun, [Part(OPTIONS, HOUR, HOUR, 1)], FEEDS[2:3])

    for table in ("options", "smiles", "surfaces"):
        assert rows(begun, table) == rows(recorded, table) != []


def test_the_index_of_a_market_has_a_price_at_each_minute_before_the_first_run(begun: Database):
    make(begun, [])

    found = stored(begun)
    assert [tick.ts for tick in found] == [START - minutes * timedelta(minutes=1) for minutes in range(720, 0, -1)]
    assert all(tick.price == price("btc_usd", tick.ts) and tick.source == "simulator" for tick in found[::60])


def test_prices_that_are_there_are_not_made_again(begun: Database):
    make(begun, [])
    with begun.write() as cursor:
        cursor.execute(
            "DELETE FROM ticks WHERE ts > ? ", [to_column(START - 6 * HOUR)]
        )  # the start of the newer part stays

    make(begun, [])

    assert len(stored(begun)) == 361


def test_it_adds_no_due_slot_and_no_gap(begun: Database):
    make(begun)

    with begun.read() as cursor:
        assert coverage(cursor, [], START - 10 * HOUR, START) == []


def test_the_next_start_makes_only_what_is_missing(begun: Database, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, logger="tickwell.recorder")
    make(begun, SHORT[:1])
    half = known(begun)
    make(begun)
    whole = known(begun)

    assert make(begun)
    assert half < whole == known(begun)
    assert caplog.messages == ["the past of the demo's market is made up"]


def test_the_settlement_at_eight_is_left_out(begun: Database):
    make(begun, [Part(OPTIONS, HOUR, 5 * HOUR, 1)], FEEDS[2:3])

    assert known(begun) == {("options/BTC", START - hours * HOUR) for hours in (1, 2, 3, 5)}


def test_without_a_market_there_is_no_past(begun: Database, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, logger="tickwell.recorder")

    make(begun, PARTS, FEEDS[:1])

    assert known(begun) == set()
    assert caplog.messages == []


def test_a_file_that_cannot_be_read_gets_it_with_the_next_start(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    assert not make(Database(tmp_path / "none.duckdb"))

    (line,) = caplog.messages
    assert line.startswith("the past of the demo's market comes with the next start: ")


def test_a_recorder_of_a_demo_has_chains_before_its_first_slot_for_them(
    database: Database, make_settings: Callable[..., Settings]
):
    settings = make_settings(demo=True, poll_seconds=1, markets=("BTC",), options_seconds=86_400)
    recorder = Recorder(settings, database, "embedded")
    recorder.start()
    try:
        wait_until(lambda: "options/BTC" in {feed for feed, _ in known(database)}, 30)
    finally:
        recorder.stop()

    with database.read() as cursor:
        (run,) = runs.runs(cursor)
        assert {source for (source,) in cursor.execute("SELECT DISTINCT source FROM snapshots").fetchall()} == {
            "simulator"
        }
    assert all(ts < run.started_at for feed, ts in known(database) if feed == "options/BTC")
