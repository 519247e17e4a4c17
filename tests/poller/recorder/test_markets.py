"""A recorder records markets beside an index, and all that is kept of feeds has them."""

import json
import logging
import statistics
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import Result

from poller.feeds.dvol import dvol_feeds
from poller.feeds.feed import Feed
from poller.feeds.futures import future_feed
from poller.feeds.index import index_feeds
from poller.feeds.log import LogFeed
from poller.feeds.options import option_feeds
from poller.history.limits import Limits as HistoryLimits
from poller.recorder.limits import Limits
from poller.recorder.recorder import Recorder
from poller.simulator.faults import Fault
from poller.simulator.server import Simulator
from settings import Settings
from store.export.files import manifest_of
from store.file.database import Database
from store.health import checks
from store.health.metrics import as_text
from store.health.status import health
from store.ledger import gaps, runs
from store.ledger.coverage import coverage
from store.ledger.logs import logs
from store.models import Cause, Run, utc_now
from store.prices import averages
from tests.conftest import START, in_whole, wait_until
from tests.support.slots import in_a_row, seconds
from tests.support.stored import missed, stored

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
PERIOD_S = 4
CHAINS = ("options/BTC", "options/ETH")


@pytest.fixture
def settings(simulator: Simulator, make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(deribit_url=simulator.url, poll_seconds=1, indexes=("btc_usd",), markets=("BTC", "ETH"))


@pytest.fixture
def recorded(database: Database, simulator: Simulator, settings: Settings) -> Database:
    """A file in which a recorder has recorded markets in four slots or more, one of which failed for a chain."""
    with database.write() as cursor:  # some history, so that the recorder loads none
        averages.append(cursor, "btc_usd", [(START.replace(year=2019), 1.0)], 86_400, "simulator")
    period = PERIOD_S * SECOND
    feeds: list[Feed | LogFeed] = [
        *index_feeds(("btc_usd",), SECOND),
        future_feed("BTC", period),
        *option_feeds(("BTC", "ETH"), period),
        replace(dvol_feeds("BTC", period)[1], reach=60 * DAY),
    ]
    limits = Limits(history=HistoryLimits(look_for_gaps_s=0.5, check_s=0.5, ripe=SECOND))
    recorder = Recorder(settings, database, "external", feeds=feeds, limits=limits)
    recorder.start()
    try:
        wait_until(lambda: count(database, CHAINS[0]) >= 2, timeout_s=60, look_again_s=0.2)
        simulator.faults.add(refusal("BTC"))
        wait_until(lambda: missed(database), timeout_s=60, look_again_s=0.2)
        wait_until(lambda: CHAINS[0] in unfillable(database), timeout_s=60, look_again_s=0.2)
        wait_until(lambda: count(database, CHAINS[0]) >= 4, timeout_s=60, look_again_s=0.2)
    finally:
        recorder.stop()
    return database


def refusal(currency: str) -> Fault:
    """The exchange refuses a chain once."""
    method = "get_book_summary_by_currency"
    return Fault(
        "error", method=method, currency=currency, book="option", times=1, code=-32602, message="Invalid params"
    )


def count(database: Database, feed: str) -> int:
    with database.read() as cursor:
        ((found,),) = cursor.execute("SELECT count(*) FROM snapshots WHERE feed = ?", [feed]).fetchall()
    return int(found)


def unfillable(database: Database) -> set[str]:
    with database.read() as cursor:
        return gaps.feeds_with_gaps(cursor, ("unfillable",))


def the_run(database: Database) -> Run:
    with database.read() as cursor:
        (run,) = runs.runs(cursor)
    return run


def delays_s(database: Database, feed: str) -> list[float]:
    """How long after its slot each snapshot was received."""
    query = "SELECT epoch(received_at) % ? FROM snapshots WHERE feed = ?"
    with database.read() as cursor:
        return [delay for (delay,) in cursor.execute(query, [PERIOD_S, feed]).fetchall()]


def test_markets_are_recorded_counted_exported_and_backed_up_like_all_feeds(
    recorded: Database, settings: Settings, command: Callable[..., Result], tmp_path: Path
):
    now, run = utc_now(), the_run(recorded)

    # Each feed is asked at its offset, and no slot of the index is lost.
    for feed, offset_s in (("futures/BTC", 1.6), (CHAINS[0], 1.8), (CHAINS[1], 2.2)):
        assert offset_s <= statistics.median(delays_s(recorded, feed)) < offset_s + 1
    slots = seconds([tick.ts for tick in stored(recorded) if tick.resolution_s == 0])
    assert slots == in_a_row(slots)
    assert run.feeds == {"btc_usd": 1, "futures/BTC": PERIOD_S, **dict.fromkeys(CHAINS, PERIOD_S)}

    # The failed slot is a miss with its cause, and each slot is present or missing.
    (miss,) = (each for each in missed(recorded) if each.cause == Cause.EXCHANGE_ERROR)
    assert (miss.feed, miss.code) == (CHAINS[0], -32602)
    assert run.ended_at is not None
    with recorded.read() as cursor:
        known = gaps.ledger(cursor, run.started_at, run.ended_at, now + HOUR)
        shares = {its.feed: its for its in coverage(cursor, known, run.started_at, run.ended_at)}
        log = logs(cursor)["dvol/BTC-1h"]
        ((hours,),) = cursor.execute("SELECT count(*) FROM volatility_index WHERE resolution_s = 3600").fetchall()
    for feed in ("futures/BTC", *CHAINS):
        assert shares[feed].live == count(recorded, feed)
    assert shares[CHAINS[0]].missing >= 1

    # A log has all hours.
    assert log.late == ""
    assert log.complete_to > now - 2 * HOUR
    assert hours in (60 * 24 - 1, 60 * 24)

    # The simulator does not contradict itself.
    with recorded.read() as cursor:
        judged = {(each.name, each.feed): each.state for each in checks.newest(cursor)}
    assert judged == dict.fromkeys(
        [
            *((name, feed) for name in ("put_call_parity", "one_iv_a_strike") for feed in CHAINS),
            ("funding_against_premium", "futures/BTC"),
        ],
        "ok",
    )

    # Health and metrics.
    assert {feed: each["state"] for feed, each in health(recorded, settings, now)["feeds"].items()} == dict.fromkeys(
        ("btc_usd", "futures/BTC", *CHAINS, "dvol/BTC-1h"), "ok"
    )
    text = as_text(recorded, settings, now).decode().splitlines()
    assert f'tickwell_missed_slots_total{{cause="exchange error",index_name="{CHAINS[0]}"}} 1.0' in text
    assert 'tickwell_log_late{feed="dvol/BTC-1h"} 0.0' in text

    # Export, backup, restore and verify.
    exported, backup, again = tmp_path / "exported", tmp_path / "backup", tmp_path / "again.duckdb"
    exported.mkdir()
    for words in (
        *(("export", "--index", feed, "--to", exported) for feed in (CHAINS[0], "futures/BTC", "dvol/BTC")),
        ("export", "--index", "surfaces/BTC", "--to", exported),
        ("verify", recorded.path),
        ("backup", backup),
        ("verify", backup),
        ("restore", backup, "--into", again),
        ("rebuild",),
        ("backup", backup),
    ):
        done = command(*map(str, words))
        assert done.exit_code == 0, done.output
    rows = {path.name.split("-")[1]: pq.read_table(path).num_rows for path in exported.glob("*.parquet")}
    (of_chain,) = (json.loads(manifest_of(path).read_text()) for path in exported.glob("BTC-options-*.parquet"))
    (of_surface,) = (json.loads(manifest_of(path).read_text()) for path in exported.glob("BTC-surfaces-*.parquet"))
    assert rows["dvol"] == hours
    assert rows["surfaces"] == count(recorded, CHAINS[0])
    assert of_chain["units"]["mark_iv"] == "% a year"
    for manifest in (of_chain, of_surface):
        assert manifest["coverage"].keys() == {CHAINS[0]}
        assert "exchange error -32602" in {gap["cause"] for gap in manifest["gaps"]}
    with recorded.read() as before, Database(again).read() as restored:
        for table in ("options", "futures", "smiles", "surfaces", "volatility_index", "snapshots", "logs", "gaps"):
            asked = f"FROM {table} ORDER BY ALL"
            assert restored.execute(asked).fetchall() == before.execute(asked).fetchall(), table


@in_whole
def test_a_market_that_the_exchange_refuses_is_named_and_costs_the_others_no_slot(
    database: Database, simulator: Simulator, settings: Settings, caplog: pytest.LogCaptureFixture
):
    """There is no market XYZ, and the exchange refuses the options of BTC."""
    caplog.set_level(logging.WARNING, logger="tickwell")
    with database.write() as cursor:  # some history, so that the recorder loads none
        averages.append(cursor, "btc_usd", [(START.replace(year=2019), 1.0)], 86_400, "simulator")
    simulator.faults.add(replace(refusal("BTC"), times=None))
    period = 4 * SECOND  # a slot of futures asks after 1.6 s, so a busy machine has 2.4 s to answer
    feeds: list[Feed | LogFeed] = [
        *index_feeds(("btc_usd",), SECOND),
        *(future_feed(currency, period) for currency in ("BTC", "XYZ")),
        *option_feeds(("BTC", "XYZ"), 3 * SECOND),
        replace(dvol_feeds("XYZ", period)[1], reach=DAY),
    ]
    recorder = Recorder(settings, database, "external", feeds=feeds)
    recorder.start()
    try:
        wait_until(lambda: count(database, "futures/BTC") >= 4, timeout_s=60, look_again_s=0.2)
        wait_until(lambda: late(database), timeout_s=60, look_again_s=0.2)
    finally:
        recorder.stop()

    slots = seconds([tick.ts for tick in stored(database) if tick.resolution_s == 0])
    assert slots == in_a_row(slots)
    refused = {(miss.feed, miss.cause, miss.code) for miss in missed(database) if miss.cause != Cause.MISSED_SLOT}
    failing = ("futures/XYZ", "options/BTC", "options/XYZ")
    assert refused == {(feed, Cause.EXCHANGE_ERROR, -32602) for feed in failing}
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert sorted(line.split(": ")[0] for line in lines) == ["dvol/XYZ-1h is late", *failing]
    assert all("-32602" in line for line in lines)


def late(database: Database) -> str:
    with database.read() as cursor:
        log = logs(cursor).get("dvol/XYZ-1h")
    return log.late if log else ""
