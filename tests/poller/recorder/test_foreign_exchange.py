"""A file takes prices of one exchange only: replies of another one end each command in one line and add no row."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from poller.recorder.limits import Limits
from poller.recorder.once import backfill_once, poll_once
from poller.recorder.recorder import Recorder
from poller.simulator.server import Simulator
from settings import Settings
from store.errors import ForeignExchangeError
from store.file.database import Database
from store.file.exchange import admit, exchange_of
from store.file.recorder import read_notice
from store.ledger import runs
from store.models import Cause, Exchange, Miss, Run, utc_now
from store.prices import ticks
from tests.conftest import START, tick, wait_until
from tests.poller.conftest import http, price_reply, reply

Digest = dict[str, list[Any]]


def digest(database: Database) -> Digest:
    """All rows of all tables."""
    with database.read() as cursor:
        names = [name for (name,) in cursor.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        return {name: cursor.execute(f'FROM "{name}"').fetchall() for name in names}


@pytest.fixture
def real(database: Database) -> Database:
    """A file with the exchange's prices, and with a gap that its history could heal."""
    now = utc_now().replace(microsecond=0)
    with database.write() as cursor:
        admit(cursor, Exchange.REAL, START)
        runs.note(cursor, Run(now - timedelta(minutes=30), {"btc_usd": 5}, "0"))
        runs.append_misses(cursor, [Miss(now - timedelta(minutes=20), "btc_usd", Cause.UNREACHABLE, "")])
        ticks.append(cursor, [tick(0)])
    return database


@pytest.fixture
def foreign(make_settings: Callable[..., Settings], simulator: Simulator) -> Settings:
    return make_settings(deribit_url=simulator.url, poll_seconds=1, indexes=("btc_usd",))


@pytest.mark.parametrize("mode", ["external", "embedded"])
def test_a_recorder_ends_before_it_writes(real: Database, foreign: Settings, mode):
    before = digest(real)
    recorder = Recorder(foreign, real, mode)

    recorder.start()
    ended = recorder.wait(10)
    recorder.stop()

    assert ended
    assert isinstance(recorder.failure, ForeignExchangeError)
    assert "has prices of Deribit, the replies are of the simulator: name another file" in str(recorder.failure)
    notice = read_notice(real.path)
    assert notice is not None
    assert (notice.state, notice.detail) == ("refused", str(recorder.failure))
    assert digest(real) == before


def simulated_price(target: str) -> bytes:
    """The answer of a simulator that gives only prices."""
    if "get_index_price?" not in target:
        return http(b"", "502 Bad Gateway")
    reply = price_reply(sent_at=utc_now())
    return reply.replace(b"Connection: close", b"Server: tickwell-simulator\r\nConnection: close")


@pytest.mark.parametrize("taken", [False, True], ids=["free", "taken at its start"])
def test_a_recorder_that_learns_the_exchange_from_its_first_tick_ends_then(
    real: Database, make_settings: Callable[..., Settings], serve, taken
):
    before = digest(real)
    settings = make_settings(deribit_url=serve(simulated_price).url, poll_seconds=1)
    recorder = Recorder(settings, real, "external", limits=Limits(store_wait_s=0.1))

    with Database(real.path).write() if taken else Database(real.path).read():
        recorder.start()
        ended_early = recorder.wait(1.5 if taken else 0)
    ended = recorder.wait(10)
    recorder.stop()

    assert (ended_early, ended) == (False, True)
    assert isinstance(recorder.failure, ForeignExchangeError)
    assert digest(real) == before


def test_prices_after_the_end_change_nothing(
    real: Database, make_settings: Callable[..., Settings], serve, caplog: pytest.LogCaptureFixture
):
    def refused() -> bool:
        notice = read_notice(real.path)
        return notice is not None and notice.state == "refused"

    def answer(target: str) -> bytes:
        if "eth_usd" in target:
            wait_until(refused)
        return simulated_price(target)

    before = digest(real)
    settings = make_settings(deribit_url=serve(answer).url, poll_seconds=3, indexes=("btc_usd", "eth_usd"))
    recorder = Recorder(settings, real, "embedded")

    recorder.start()
    ended = recorder.wait(20)
    recorder.stop()

    assert ended
    assert caplog.messages.count(f"not recording: {recorder.failure}") == 1
    assert digest(real) == before


@pytest.mark.parametrize("time_answers", [True, False])
def test_one_index_does_not_decide_the_exchange_of_a_file(
    database: Database, make_settings: Callable[..., Settings], serve, time_answers
):
    """The exchange gives no list of names. One index always says that its prices are of the test environment."""
    asked_time: list[str] = []
    asked_btc: list[str] = []

    def answer(target: str) -> bytes:
        if "names" in target or "chart" in target:
            return http(b"", "502 Bad Gateway")
        if "get_time" in target:
            asked_time.append(target)
            return reply(1, utc_now()) if time_answers or len(asked_time) > 1 else http(b"", "502 Bad Gateway")
        if "btc_usd" in target:
            asked_btc.append(target)
        else:
            wait_until(lambda: len(asked_btc) > 1)  # the first price is stored then
        return reply({"index_price": 100.0}, utc_now(), testnet="eth_usd" in target)

    def stored(database: Database) -> int:
        with database.read() as cursor:
            return len(ticks.newest_first(cursor, "btc_usd", limit=10))

    database.migrate()
    settings = make_settings(deribit_url=serve(answer).url, poll_seconds=1, indexes=("btc_usd", "eth_usd"))
    recorder = Recorder(settings, database, "external")

    recorder.start()
    wait_until(lambda: stored(database) >= 3)
    recorder.stop()

    assert recorder.failure is None
    with database.read() as cursor:
        assert exchange_of(cursor) is Exchange.REAL
        assert ticks.summary(cursor).keys() == {"btc_usd"}


def test_one_poll_is_refused(real: Database, foreign: Settings):
    before = digest(real)

    with pytest.raises(ForeignExchangeError):
        asyncio.run(poll_once(foreign, real))

    assert digest(real) == before


def test_healing_is_refused(real: Database, foreign: Settings):
    before = digest(real)

    with pytest.raises(ForeignExchangeError):
        asyncio.run(backfill_once(foreign, real, ["btc_usd"], lambda *_: None))

    assert digest(real) == before


def test_a_file_names_the_test_environment_after_its_replies(
    make_settings: Callable[..., Settings], database: Database, serve
):
    def answer(_: str) -> bytes:
        return reply({"index_price": 1.5}, utc_now(), testnet=True)

    settings = make_settings(deribit_url=serve(answer).url, indexes=("btc_usd",))
    asyncio.run(poll_once(settings, database))

    assert digest(database)["exchange"][0][0] == "test"
