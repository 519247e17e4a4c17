"""The snapshots of a feed: what was received, how many, and none before 1970."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from store.file.database import Database
from store.instants import EPOCH, EVER
from store.ledger import arrivals
from store.market.reads.snapshots import Received, count_between, period_at, received_between, snapshot_at
from store.models import Snapshot
from tests.conftest import START
from tests.store.market.snapshots import FORWARD, chain

SECOND = timedelta(seconds=1)


@pytest.fixture
def recorded(database: Database) -> Database:
    """Three chains, a minute apart, and one of another underlying."""
    with database.write() as cursor:
        arrivals.append(cursor, [chain(START + minute * 60 * SECOND) for minute in (2, 0, 1)] + [chain(START, "ETH")])
    return database


def test_what_was_received_is_listed_in_a_half_open_range(recorded: Database):
    with recorded.read() as cursor:
        found = received_between(cursor, "options/BTC", START, START + 120 * SECOND)
        count = count_between(cursor, "options/BTC", START, START + 120 * SECOND)

    assert found == [
        Received(START + at * SECOND, START + (at + 0.5) * SECOND, "live", 42, FORWARD, 1) for at in (0, 60)
    ]
    assert count == 2


@pytest.mark.parametrize(("feed", "period_s"), [("options/BTC", 300), ("futures/ETH", 60)])
def test_without_a_run_the_period_is_the_default_of_the_setting(database: Database, feed: str, period_s: int):
    with database.read() as cursor:
        assert period_at(cursor, feed, START) == period_s


def nothing(_: datetime) -> tuple[Any, ...]:
    return ()


@pytest.mark.parametrize("at", [EVER, EPOCH, EPOCH + 309 * SECOND])
def test_an_instant_before_the_first_period_has_no_snapshot(database: Database, at: datetime):
    with database.read() as cursor:
        assert snapshot_at(cursor, "options/BTC", at, nothing) is None


def test_a_snapshot_says_how_many_rows_it_had_also_if_none_are_read(recorded: Database):
    with recorded.write() as cursor:
        arrivals.append(cursor, [Snapshot("futures/BTC", START, START, ())])

    with recorded.read() as cursor:
        chain_found = snapshot_at(cursor, "options/BTC", START, nothing)
        futures_found = snapshot_at(cursor, "futures/BTC", START, nothing)

    assert chain_found is not None
    assert futures_found is not None
    assert (chain_found.row_count, chain_found.rows, futures_found.row_count) == (42, (), 0)
