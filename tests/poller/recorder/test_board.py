import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from poller.feeds.feed import Outcome
from poller.recorder.board import Board
from store.file.recorder import Notice, RecorderLock, read_notice
from store.models import Cause, Miss, Snapshot
from tests.conftest import START, tick

LATER = START + timedelta(seconds=90)
RETRY_AT = START + timedelta(seconds=95)


@pytest.fixture
def lock(database_file: Path) -> Iterator[RecorderLock]:
    lock = RecorderLock(database_file)
    yield lock
    lock.release()


@pytest.fixture
def board(lock: RecorderLock) -> Board:
    notice = Notice(1, "external", START, 5, ("btc_usd", "eth_usd"), "1.2.3", "starting", START)
    lock.acquire(notice)
    return Board(lock, notice)


@pytest.fixture(autouse=True)
def _from_info_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="tickwell")


def miss(index_name: str, cause: Cause = Cause.UNREACHABLE, detail: str = "connection refused") -> Miss:
    return Miss(START, index_name, cause, detail)


def published(database_file: Path) -> Notice:
    notice = read_notice(database_file)
    assert notice is not None
    return notice


def served(board: Board, *outcomes: Outcome, at: datetime = LATER, now: datetime | None = None) -> None:
    board.served(outcomes, at, now=now or at, due=2, retry_at=RETRY_AT)


def test_one_tick_means_recording(board: Board, database_file: Path):
    served(board, tick(0))

    notice = published(database_file)
    assert (notice.state, notice.state_since, notice.retry_at) == ("recording", LATER, None)


def test_a_feed_with_a_long_period_hides_trouble_for_a_minute_only(board: Board, database_file: Path):
    chain = Snapshot("options/BTC", LATER, LATER, ())
    fails = miss("btc_usd"), miss("eth_usd")
    found = []
    for seconds in (5, 65):
        now = LATER + timedelta(seconds=seconds)
        served(board, *fails, at=now)
        served(board, chain, chain, at=LATER, now=now)
        found.append(published(database_file).state)

    served(board, chain, chain, at=now, now=now)
    found.append(published(database_file).state)

    assert found == ["recording", "unreachable", "recording"]


def test_a_slot_with_a_miss_of_each_index_is_trouble(board: Board, database_file: Path, caplog):
    served(board, tick(0), tick(0, "eth_usd"))
    served(board, miss("btc_usd"), miss("eth_usd", Cause.EXCHANGE_ERROR))

    notice = published(database_file)
    assert (notice.state, notice.detail, notice.retry_at) == ("unreachable", "connection refused", RETRY_AT)
    assert caplog.messages == ["nothing recorded, unreachable: connection refused"]


def test_the_first_miss_of_a_slot_is_no_trouble_while_others_may_come(board: Board, database_file: Path):
    served(board, miss("btc_usd"))

    assert published(database_file).state == "starting"


def test_an_index_that_fails_alone_is_named(board: Board, database_file: Path, caplog):
    served(board, tick(0), miss("eth_usd", Cause.REJECTED_REPLY, "no price"))

    notice = published(database_file)
    assert (notice.state, notice.failing) == ("recording", {"eth_usd": "rejected reply, no price"})
    assert caplog.messages == ["eth_usd: rejected reply, no price"]


def test_an_index_that_recovers_is_logged_once(board: Board, database_file: Path, caplog):
    served(board, tick(0), miss("eth_usd"))
    caplog.clear()

    served(board, tick(5), tick(5, "eth_usd"))
    served(board, tick(10), tick(10, "eth_usd"))

    assert published(database_file).failing == {}
    assert caplog.messages == ["eth_usd is recorded again"]


def test_an_index_without_an_outcome_in_a_slot_has_not_recovered(board: Board, database_file: Path, caplog):
    served(board, tick(0), miss("eth_usd"))
    caplog.clear()

    served(board, tick(5))
    between = published(database_file).failing
    served(board, tick(5), miss("eth_usd"))

    assert between == {"eth_usd": "unreachable, connection refused"}
    assert caplog.messages == []


def test_trouble_keeps_its_start_and_is_logged_once(board: Board, database_file: Path, caplog):
    for second in (1, 2, 3):
        board.troubled(Cause.UNREACHABLE, f"try {second}", START + timedelta(seconds=second), retry_at=RETRY_AT)

    notice = published(database_file)
    assert (notice.state_since, notice.detail) == (START + timedelta(seconds=1), "try 3")
    assert caplog.messages == ["nothing recorded, unreachable: try 1"]


def test_what_waits_for_the_database_is_not_told_as_lost(board: Board, caplog):
    board.troubled(Cause.STORE_UNAVAILABLE, "held", START, retry_at=RETRY_AT, waiting=7)

    assert caplog.messages == ["recorded, but not stored yet, store unavailable: held"]


def test_the_end_of_trouble_is_logged_with_its_length(board: Board, database_file: Path, caplog):
    board.troubled(Cause.STORE_UNAVAILABLE, "held", START, retry_at=RETRY_AT, waiting=7)
    waiting = published(database_file).waiting
    caplog.clear()

    served(board, tick(0), at=LATER)

    notice = published(database_file)
    assert waiting == 7
    assert (notice.state, notice.detail, notice.retry_at, notice.waiting) == ("recording", "", None, 0)
    assert caplog.messages == ["recording again after 90 s"]


def test_the_first_tick_is_not_logged_as_a_recovery(board: Board, caplog):
    served(board, tick(0))

    assert caplog.messages == []


def test_another_cause_begins_another_trouble(board: Board, database_file: Path, caplog):
    board.troubled(Cause.UNREACHABLE, "connection refused", START, retry_at=RETRY_AT)
    board.troubled(Cause.EXCHANGE_ERROR, "HTTP 502", LATER, retry_at=RETRY_AT)

    assert published(database_file).state_since == LATER
    assert caplog.messages == [
        "nothing recorded, unreachable: connection refused",
        "nothing recorded, exchange error: HTTP 502",
    ]


def test_a_stop_is_published(board: Board, database_file: Path):
    board.troubled(Cause.UNREACHABLE, "connection refused", START, retry_at=RETRY_AT)

    board.stopped(LATER)

    notice = published(database_file)
    assert (notice.state, notice.state_since, notice.detail, notice.retry_at) == ("stopped", LATER, "", None)


def test_a_refusal_is_published_with_its_reason(board: Board, database_file: Path):
    board.refused("no such index", LATER)

    notice = published(database_file)
    assert (notice.state, notice.detail, notice.alive) == ("refused", "no such index", True)


def test_ends_in_a_row_are_counted_until_a_recorder_lives_for_ten_minutes(board: Board, database_file: Path):
    counted = []
    for at in (LATER, LATER, START + timedelta(minutes=10)):
        board.refused("no such index", at)
        counted.append(published(database_file).tries)

    assert counted == [1, 2, 1]


def test_the_loading_of_history_is_published_while_it_lasts(board: Board, database_file: Path, caplog):
    served(board, tick(0))
    before = published(database_file)

    board.loading("loading history", 5, 12)
    loading = published(database_file)
    served(board, tick(5), at=LATER)
    board.loading("loading history", 6, 12)
    later = published(database_file)
    board.loaded()

    assert loading == replace(before, backfill="loading history, 5 of 12")
    assert later == replace(before, backfill="loading history, 6 of 12")
    assert published(database_file) == before
    assert caplog.messages == []


def test_the_logs_whose_history_is_loaded_are_named_until_each_has_it(board: Board, database_file: Path):
    board.loading_log("dvol/BTC", 3, 30)
    board.loading_log("dvol/ETH", 5, 30)
    both = published(database_file)
    board.loaded_log("dvol/ETH")
    one = published(database_file)
    board.loaded_log("dvol/BTC")

    assert (both.loading, both.backfill) == (("dvol/BTC", "dvol/ETH"), "loading days of dvol/ETH, 5 of 30")
    assert (one.loading, one.backfill) == (("dvol/BTC",), "loading days of dvol/ETH, 5 of 30")
    assert (published(database_file).loading, published(database_file).backfill) == ((), "")


def test_trouble_does_not_end_the_loading_of_history(board: Board, database_file: Path):
    board.loading("loading history", 5, 12)

    board.troubled(Cause.UNREACHABLE, "connection refused", START, retry_at=RETRY_AT)

    assert published(database_file).backfill == "loading history, 5 of 12"
