"""Rules judge snapshots of a market, and entries of its logs, in the transaction that stores them."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from poller.alerts.judging import Alerts
from poller.exchange.client import DeribitClient
from poller.exchange.market.entries import Entries
from poller.feeds.dvol import dvol_feeds
from poller.journal.journal import Journal
from poller.recorder.logs import Logs
from settings import Settings
from store.alerts import events
from store.alerts.events import Event
from store.alerts.replay.replay import replay
from store.alerts.rules.rule_file import load_rules
from store.errors import BusyError
from store.file.database import Database
from store.file.exchange import admit
from store.instants import DAY, HOUR, MINUTE
from store.kinds import VOLATILITY_INDEX
from store.ledger import arrivals
from store.market.entries import EntriesOf
from store.market.reads.dvol import dvol_candles
from store.models import Cause, Exchange, Miss, Snapshot
from tests.conftest import START, tick, wait_until
from tests.support.market import futures

FEEDS = {"btc_usd": 60, "futures/BTC": 60, "options/BTC": 300, "dvol/BTC": 60, "dvol/BTC-1h": 3600}

RULES = """
[[rule]]
name = "basis"
kind = "basis"
tenor = "60d"
above = -100
recovery = true

[[rule]]
name = "dvol"
kind = "dvol"
above = 60
cool_down = "0s"

[[rule]]
name = "chains"
kind = "stale"
indexes = ["options/BTC"]
slots = 2
"""


@pytest.fixture
def alerts(database: Database, make_settings: Callable[..., Settings], tmp_path: Path) -> Callable[..., Alerts]:
    """The alerts of a recorder that starts. Its clock is a list with the time."""

    def alerts(clock: Sequence[datetime] = (START,)) -> Alerts:
        file = tmp_path / "alerts.toml"
        if not file.exists():
            file.write_text(RULES)
        return Alerts(make_settings(alerts_file=file, indexes=("btc_usd",)), database, FEEDS, clock=lambda: clock[0])

    return alerts


@pytest.fixture
def start(database: Database, alerts: Callable[..., Alerts]) -> Callable[..., Journal]:
    return lambda: Journal(database, lambda: START, alerts(), lambda: Exchange.SIMULATOR)


def write(journal: Journal, minute: int, outcome: Snapshot | Miss) -> None:
    journal.add(START + minute * MINUTE, [outcome])
    journal.flush(1)


def taken(minute: int) -> Snapshot:
    return futures("BTC", START + minute * MINUTE + timedelta(seconds=2))


def missed(minute: int, feed: str = "options/BTC") -> Miss:
    return Miss(START + minute * MINUTE, feed, Cause.UNREACHABLE, "")


def found(database: Database) -> list[Event]:
    with database.read() as cursor:
        return events.fired(cursor, START - DAY, START + DAY, limit=1000)[::-1]


def test_an_event_is_stored_with_the_snapshot_that_caused_it(start, database):
    journal = start()

    write(journal, 0, taken(0))

    (event,) = found(database)
    assert (event.rule, event.index_name, event.at) == ("basis", "futures/BTC", taken(0).ts)
    assert event.text.startswith("Simulated: BTC basis at 60 d is ")
    assert event.text.endswith("% a year, above -100 % a year: futures of 2026-11-01 12:00:02 UTC")


def test_a_snapshot_that_comes_again_or_too_late_causes_nothing(start, database):
    journal = start()
    for minute in (1, 1, 0):
        write(journal, 1, taken(minute))

    assert [event.at for event in found(database)] == [taken(1).ts]
    with database.read() as cursor:
        assert arrivals.newest(cursor) == {"futures/BTC": taken(1).ts}
        assert cursor.execute("SELECT count(*) FROM snapshots").fetchone() == (2,)


def test_a_recorder_that_starts_again_goes_on_where_it_was(start, database):
    write(start(), 0, taken(0))

    write(start(), 1, taken(1))

    assert len(found(database)) == 1


@pytest.mark.parametrize("table", ["alert_events", "alert_rules"])
def test_rules_that_can_not_be_judged_cost_no_snapshot(start, database, table, caplog):
    with database.write() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO taken")
    write(start(), 0, taken(0))

    with database.read() as cursor:
        assert arrivals.newest(cursor) == {"futures/BTC": taken(0).ts}
    assert "the job alerts failed" in caplog.text


def test_chains_that_do_not_come_are_told(start, database):
    journal = start()
    write(journal, 0, Snapshot("options/BTC", START, START, (), "simulator"))
    for minute in (5, 10):
        write(journal, minute, missed(minute))

    (event,) = found(database)
    assert (event.rule, event.index_name, event.at) == ("chains", "options/BTC", START + 10 * MINUTE)
    assert event.text == (
        "Simulated: options/BTC nothing came for 2 slots, 10 min: the newest is from 2026-11-01 12:00:00 UTC"
    )


def test_an_outcome_of_a_longer_period_that_comes_later_does_not_begin_anew(start, database, caplog):
    journal = start()
    write(journal, 0, Snapshot("options/BTC", START, START, (), "simulator"))
    for minute in range(5, 11):
        journal.add(START + minute * MINUTE, [tick(60 * minute, source="simulator")])
        journal.flush(1)
    for minute in (5, 10):
        write(journal, minute, missed(minute))

    assert [event.at for event in found(database)] == [START + 10 * MINUTE]


def candles(*closes: float, minute: int = 0) -> list[tuple[Any, ...]]:
    return [(START + (minute + number) * MINUTE, *4 * [close]) for number, close in enumerate(closes)]


def keep(database: Database, alerts: Alerts, rows: Sequence[tuple[Any, ...]], until: datetime) -> None:
    """Let a log of DVOL bring rows once."""

    async def ask(client: DeribitClient, start: datetime, end: datetime) -> Entries:
        return Entries(tuple(rows), until)

    with database.write() as cursor:
        admit(cursor, Exchange.SIMULATOR, START)
    keeper = Logs(
        DeribitClient("http://127.0.0.1:9"),
        database,
        clock=lambda: until,
        quiet=nullcontext,
        store_wait_s=1,
        spacing_s=0.01,
        tell=lambda *_: None,
        told=lambda _: None,
        judging=alerts.judging_entries,
    )
    feed = replace(dvol_feeds("BTC", MINUTE)[0], ask=ask, period=HOUR)  # a long period is asked for at once

    async def until_stored() -> None:
        task = asyncio.create_task(keeper.keep(feed))
        await asyncio.to_thread(wait_until, lambda: closes(database)[-len(rows) :] == [row[4] for row in rows])
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(until_stored())


def closes(database: Database) -> list[float]:
    with database.read() as cursor:
        return [each.close for each in dvol_candles(cursor, "BTC", START - DAY, START + DAY, MINUTE)]


def test_candles_of_dvol_are_judged_when_they_are_stored(alerts, database):
    clock = [START]
    its = alerts(clock)
    keep(database, its, candles(59, 61, 58, 62), START + 4 * MINUTE)

    clock[0] = START + 6 * MINUTE
    keep(database, its, candles(62, 58, 63, minute=3), START + 6 * MINUTE)

    minutes = [2, 4, 6]
    assert [event.at for event in found(database)] == [START + each * MINUTE for each in minutes]
    assert found(database)[0].text == (
        "Simulated: BTC DVOL is 61 % a year, above 60 % a year: candle up to 2026-11-01 12:02:00 UTC"
    )


def test_candles_from_before_the_rules_were_in_force_cause_nothing(alerts, database):
    keep(database, alerts([START + 3 * MINUTE]), candles(61, 58, 62, 63), START + 4 * MINUTE)

    assert [event.at for event in found(database)] == [START + 3 * MINUTE]


def test_candles_of_an_outage_are_judged_by_their_own_times(alerts, database):
    keep(database, alerts([START]), candles(59), START + MINUTE)

    keep(database, alerts([START + 9 * MINUTE]), candles(61, 62, minute=1), START + 9 * MINUTE)

    assert [event.at for event in found(database)] == [START + 2 * MINUTE]


def test_a_candle_that_is_not_over_waits(alerts, database):
    with alerts([START]).judging_entries("dvol/BTC", 1) as judge, database.write() as cursor:
        admit(cursor, Exchange.SIMULATOR, START)
        EntriesOf(VOLATILITY_INDEX, "BTC", 60).append(cursor, candles(61))
        judge(cursor)

    assert found(database) == []


def test_rules_that_can_not_be_judged_cost_no_entry(alerts, database, caplog):
    with database.write() as cursor:
        cursor.execute("ALTER TABLE alert_events RENAME TO taken")

    keep(database, alerts(), candles(61), START + MINUTE)

    assert closes(database) == [61]
    assert "the job alerts failed" in caplog.text


def test_outcomes_of_a_feed_that_is_not_recorded_are_left_out(start, database):
    write(start(), 0, missed(0, "moons/JUPITER"))

    assert found(database) == []


def test_a_log_that_no_rule_watches_is_not_judged(alerts, database):
    its = alerts()

    with its.judging_entries("dvol/BTC-1h", 1) as judge, database.write() as cursor:
        judge(cursor)

    assert found(database) == []


def test_slots_and_logs_are_judged_one_after_the_other(alerts, database):
    its = alerts()
    busy = pytest.raises(BusyError, match="by another thread")
    with its.judging([(START, taken(0))], (), 1), busy, its.judging_entries("dvol/BTC", 0.01):
        pass

    with its.judging_entries("dvol/BTC", 1) as judge, database.write() as cursor:
        judge(cursor)


def test_a_replay_finds_what_recorders_noted(start, database, tmp_path):
    journal = start()
    for minute in range(4):
        write(journal, minute, taken(minute))
    write(start(), 4, taken(4))
    rules = load_rules(tmp_path / "alerts.toml", FEEDS)

    replayed = replay(database, rules, FEEDS, START, START + DAY, START + DAY).events

    assert [(each.at, each.text) for each in replayed if each.event == "fired"] == [
        (each.at, each.text) for each in found(database)
    ]
