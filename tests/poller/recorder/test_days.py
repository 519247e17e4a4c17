"""A recorder loads the days of futures before its first start in the background, and costs no slot with that."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise

import pytest

from poller.feeds.futures import future_feed
from poller.feeds.index import index_feeds
from poller.history.limits import Limits as HistoryLimits
from poller.recorder.limits import Limits
from poller.recorder.recorder import Recorder
from poller.simulator.server import Simulator
from settings import Settings
from store.file.database import Database
from store.instants import DAY
from store.market import days
from store.models import from_column, utc_now
from store.prices import averages
from tests.conftest import START, in_whole, wait_until
from tests.support.notices import notice
from tests.support.slots import in_a_row, seconds
from tests.support.stored import noted, stored

SECOND = timedelta(seconds=1)
PERPETUAL = "BTC-PERPETUAL"

_DAYS = "SELECT ts FROM futures WHERE instrument_name = ? AND resolution_s = 86400 ORDER BY ts"

_ASKED = "SELECT instrument_name, asked_to FROM futures_asked"

Start = Callable[..., Recorder]


@pytest.fixture
def filled(database: Database) -> Database:
    """A file with some history of the index, so that a recorder loads none."""
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(START.replace(year=2019), 1.0)], 86_400, "simulator")
    return database


@pytest.fixture
def start(filled: Database, make_settings: Callable[..., Settings]) -> Iterator[Start]:
    """Starts a recorder of btc_usd at 1 s and of futures at 2 s."""
    started: list[Recorder] = []
    limits = Limits(history=HistoryLimits(look_for_gaps_s=0.5))

    def begin(**settings: object) -> Recorder:
        feeds = [*index_feeds(("btc_usd",), SECOND), future_feed("BTC", 2 * SECOND)]
        made = make_settings(poll_seconds=1, indexes=("btc_usd",), **settings)
        recorder = Recorder(made, filled, "external", feeds=feeds, limits=limits)
        recorder.start()
        started.append(recorder)
        return recorder

    yield begin
    for recorder in started:
        recorder.stop()


def asked_in(database: Database) -> dict[str, object]:
    """Up to when the exchange was asked for the days of futures, by instrument."""
    with database.read() as cursor:
        return dict(cursor.execute(_ASKED).fetchall())


def all_are_asked(database: Database) -> bool:
    with database.read() as cursor:
        found = days.beginning(cursor, "BTC", utc_now())
    return found is not None and all(each.asked_to and found.at - each.asked_to < DAY for each in found.listed)


@in_whole
def test_days_come_in_the_background_and_the_next_start_goes_on(start: Start, filled: Database, simulator: Simulator):
    first = start(deribit_url=simulator.url)
    half = wait_until(lambda: asked_in(filled), timeout_s=60)
    told = wait_until(lambda: notice(filled).backfill)
    first.stop()
    assert told.startswith("loading days of futures, ")
    assert not all_are_asked(filled)

    second = start(deribit_url=simulator.url)
    wait_until(lambda: all_are_asked(filled), timeout_s=60)
    wait_until(lambda: not notice(filled).backfill)
    second.stop()

    with filled.read() as cursor:
        found = [from_column(ts) for (ts,) in cursor.execute(_DAYS, [PERPETUAL]).fetchall()]
        ((double,),) = cursor.execute("SELECT count(*) - count(DISTINCT (instrument_name, ts)) FROM futures").fetchall()
    assert PERPETUAL in half
    assert found[0].year == 2018
    assert all(later - earlier == DAY for earlier, later in pairwise(found))
    assert double == 0
    for run in noted(filled):
        assert run.ended_at is not None
        its = [tick.ts for tick in stored(filled) if run.started_at <= tick.ts < run.ended_at and not tick.resolution_s]
        assert seconds(its) == in_a_row(seconds(its))


def test_the_days_of_a_demo_wait_until_its_past_is_made_up(start: Start, filled: Database):
    start(demo=True, markets=("BTC",))
    wait_until(lambda: len([tick for tick in stored(filled) if not tick.resolution_s]) >= 5, timeout_s=60)

    assert asked_in(filled) == {}
