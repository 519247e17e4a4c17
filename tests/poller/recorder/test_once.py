import asyncio
from collections.abc import Callable
from datetime import datetime
from operator import attrgetter
from pathlib import Path

import pytest
import stamina

from poller.feeds.feed import Outcome
from poller.recorder.once import poll_once
from poller.simulator.faults import Fault
from poller.simulator.server import Simulator
from poller.simulator.truth.prices import price
from settings import Settings
from store.errors import NewerSchemaError, RecorderError, StoreError
from store.file.database import Database
from store.file.recorder import Notice, RecorderLock, read_notice
from store.health.status import in_words
from store.ledger import arrivals, logs, runs
from store.models import Cause, Miss, Snapshot, Tick, utc_now
from store.prices import averages, ticks
from tests.conftest import START
from tests.support.stored import EVER

Make = Callable[..., Settings]


@pytest.fixture
def settings(make_settings: Make, simulator: Simulator) -> Settings:
    return make_settings(deribit_url=simulator.url)


def once(settings: Settings, database: Database, store_wait_s: float = 5.0) -> list[Outcome]:
    return sorted(asyncio.run(poll_once(settings, database, store_wait_s)), key=attrgetter("feed"))


def test_each_index_is_recorded_once(settings: Settings, database_file: Path):
    database = Database(database_file)

    btc, eth = once(settings, database)

    assert isinstance(btc, Tick)
    assert (btc.index_name, btc.price, btc.source) == ("btc_usd", price("btc_usd", btc.ts), "simulator")
    with database.read() as cursor:
        assert ticks.latest(cursor, "btc_usd") == btc
        assert ticks.latest(cursor, "eth_usd") == eth
        assert runs.runs(cursor) == []


def test_each_snapshot_feed_of_a_market_is_recorded_once(make_settings: Make, simulator: Simulator, database: Database):
    outcomes = once(make_settings(deribit_url=simulator.url, markets=("BTC",)), database)

    assert [outcome.feed for outcome in outcomes] == ["btc_usd", "eth_usd", "futures/BTC", "options/BTC"]
    with database.read() as cursor:
        assert arrivals.newest(cursor) == {each.feed: each.ts for each in outcomes if isinstance(each, Snapshot)}
        assert logs.logs(cursor) == {}


def test_one_poll_loads_no_history(settings: Settings, database: Database):
    once(settings, database)

    with database.read() as cursor:
        assert ticks.summary(cursor).keys() == {"btc_usd", "eth_usd"}
        assert averages.filled(cursor, ["btc_usd", "eth_usd"]) == set()


def test_a_failure_is_recorded_too(settings: Settings, simulator: Simulator, database: Database):
    simulator.faults.add(Fault("bad_price", value="zero"))

    outcomes = once(settings, database)

    assert [outcome.cause for outcome in outcomes if isinstance(outcome, Miss)] == [Cause.REJECTED_REPLY] * 2
    with database.read() as cursor:
        assert runs.misses(cursor, *EVER) == outcomes


def test_a_temporary_error_is_retried(make_settings: Make, simulator: Simulator, database: Database):
    simulator.faults.add(Fault("html", times=1))

    with stamina.set_testing(True, attempts=10, cap=True):  # without the wait
        (outcome,) = once(make_settings(deribit_url=simulator.url, indexes=("btc_usd",)), database)

    assert isinstance(outcome, Tick)


def test_the_demo_has_its_own_simulator(make_settings: Make, database_file: Path):
    settings = make_settings(demo=True, indexes=("btc_usd",))

    (tick,) = once(settings, Database(settings.database))

    assert isinstance(tick, Tick)
    assert tick.source == "simulator"


def test_one_poll_does_not_disturb_a_recorder(settings: Settings, database: Database):
    lock = RecorderLock(database.path)
    lock.acquire(Notice(4711, "external", START, 5, ("btc_usd",), "1.2.3", "recording", START))

    with pytest.raises(RecorderError, match="PID 4711"):
        once(settings, database)
    lock.release()

    with database.read() as cursor:
        assert ticks.summary(cursor) == {}


def test_one_poll_leaves_a_notice_that_it_stopped(settings: Settings, database: Database):
    before = utc_now()

    once(settings, database)

    notice = read_notice(database.path)
    assert notice is not None
    assert (notice.state, notice.mode, notice.alive) == ("stopped", "once", False)
    assert before <= notice.state_since <= utc_now()
    assert in_words(notice, 0.0, utc_now()).startswith("not recording: the recorder was stopped at ")


def test_a_tick_that_can_not_be_written_is_kept_for_the_next_start(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(database, "migrate", lambda: None)
    with (
        Database(database.path).write(),
        pytest.raises(StoreError, match=r"; kept in ticks\.duckdb\.waiting\.jsonl for the next start$"),
    ):
        once(settings, database, store_wait_s=0.01)

    once(settings, database)

    with database.read() as cursor:
        assert [count for count, *_ in ticks.summary(cursor).values()] == [2, 2]


def test_a_store_that_refuses_is_reported_and_released(settings: Settings, database: Database):
    with database.write() as cursor:
        cursor.execute("INSERT INTO migrations (number, name) VALUES (9999, 'later')")

    for _ in range(2):
        with pytest.raises(NewerSchemaError):
            once(settings, database)

    notice = read_notice(database.path)
    assert notice is not None
    assert not notice.alive
    assert isinstance(notice.state_since, datetime)
