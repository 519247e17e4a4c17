"""Rules judge all that a journal writes, in the same transaction, as they are in the file then."""

import logging
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from poller.alerts.judging import EXAMPLE, Alerts, addresses, read_rules
from poller.journal.journal import Journal
from poller.journal.limits import Limits
from settings import Settings, SettingsError
from store.alerts import events
from store.alerts.events import Event
from store.alerts.in_force import InForce, rules_in_force
from store.alerts.rules.rule_file import load_rules
from store.errors import BusyError, StoreError
from store.file.database import Database
from store.health.refused import file_of_refused
from store.lake.notice import Notice, desk
from store.ledger import gaps
from store.models import Cause, Gap, Miss
from store.prices import ticks
from tests.conftest import START, tick

MOVE = """
[[rule]]
name = "move"
kind = "move"
percent = 1
within = "10s"
cool_down = "0s"
"""
FEEDS = {"btc_usd": 1}
MARKET = FEEDS | {"futures/BTC": 60, "options/BTC": 300, "dvol/BTC": 60, "funding/BTC-PERPETUAL": 3600}
DVOL = """
[[rule]]
name = "dvol"
kind = "dvol"
above = 60
cool_down = "0s"
"""
STALE = """
[[rule]]
name = "stale"
kind = "stale"
slots = 2
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "alerts.toml"
    path.write_text(MOVE)
    return path


@pytest.fixture
def start(database: Database, make_settings: Callable[..., Settings], file: Path) -> Callable[..., Journal]:
    """A journal with alerts, as a recorder has them when it starts."""

    def start(portion: int = 2000, **more: Any) -> Journal:
        settings = make_settings(alerts_file=file, poll_seconds=1, indexes=("btc_usd",))
        alerts = Alerts(settings, database, FEEDS, clock=lambda: START, **more)
        return Journal(database, lambda: START, alerts, limits=Limits(portion=portion))

    return start


def slot(second: int) -> datetime:
    return START + timedelta(seconds=second)


def write(journal: Journal, second: int, price: float | None) -> None:
    outcome = Miss(slot(second), "btc_usd", Cause.UNREACHABLE, "") if price is None else tick(second, price=price)
    journal.add(slot(second), [outcome])
    journal.flush(1)


def found(database: Database) -> list[Event]:
    with database.read() as cursor:
        return events.fired(cursor, START, START + timedelta(days=1), limit=1000)[::-1]


def in_force(database: Database) -> InForce:
    with database.read() as cursor:
        rules = rules_in_force(cursor)
    assert rules is not None
    return rules


def change(file: Path, text: str) -> None:
    """Write another text, with a later time even where file times are coarse."""
    before = file.stat().st_mtime_ns
    file.write_text(text)
    os.utime(file, ns=(before + 1_000_000, before + 1_000_000))


def test_an_event_is_stored_with_the_tick_that_caused_it_and_then_sent(start, database):
    woken: list[list[Event]] = []
    journal = start(wake=lambda: woken.append(found(database)))

    write(journal, 0, 100)
    write(journal, 1, 101)

    (event,) = found(database)
    assert (event.rule, event.at, event.noted_at) == ("move", slot(1), START)
    assert woken == [[event]]


def test_a_slot_without_a_tick_is_judged_too(start, database, file):
    file.write_text(STALE)
    journal = start()

    write(journal, 0, 100)
    write(journal, 1, None)
    write(journal, 2, None)

    assert [event.at for event in found(database)] == [slot(2)]


@pytest.mark.parametrize("name", ["moons/JUPITER", "eth_usd"])
def test_a_late_miss_of_a_feed_without_rules_keeps_no_tick_from_being_judged(start, database, name):
    journal = start()
    write(journal, 0, 100)
    write(journal, 1, 100)
    journal.add(slot(0), [Miss(slot(0), name, Cause.UNREACHABLE, "")])
    journal.add(slot(2), [tick(2, price=102)])
    journal.flush(1)
    write(journal, 3, 100)

    assert [event.at for event in found(database)] == [tick(2).ts, tick(3).ts]


def test_a_recorder_that_starts_again_goes_on_where_it_was(start, database):
    first = start()
    for second, price in enumerate([100, 101, 101.1]):
        write(first, second, price)

    second = start()
    write(second, 3, 101.2)
    write(second, 4, 100)

    assert [event.condition for event in found(database)] == ["rises 1 % within 10 s", "falls 1 % within 10 s"]


def test_ticks_that_could_not_be_written_are_judged_again_when_they_can(start, database):
    journal = start()
    write(journal, 0, 100)
    do(database, "ALTER TABLE ticks RENAME TO taken")
    file_of_refused(database.path).mkdir()  # so that the tick can't be set aside either
    with pytest.raises(StoreError):
        write(journal, 1, 101)
    assert journal.waiting == 1
    do(database, "ALTER TABLE taken RENAME TO ticks")

    journal.flush(1)

    assert [event.at for event in found(database)] == [slot(1)]


def do(database: Database, statement: str) -> None:
    with database.write() as cursor:
        cursor.execute(statement)


def test_while_others_have_the_file_ticks_wait_and_are_judged_later(start, database):
    journal = start()
    write(journal, 0, 100)
    with Database(database.path).write():
        journal.add(slot(1), [tick(1, price=101)])
        with pytest.raises(BusyError):
            journal.flush(0.01)

    journal.flush(1)

    assert [event.at for event in found(database)] == [slot(1)]


def test_a_mistake_in_judging_costs_no_tick(start, database, caplog):
    journal = start()
    write(journal, 0, 0)  # a move from 0 has no percentage
    write(journal, 1, 101)
    write(journal, 20, 101)

    write(journal, 21, 102.1)

    with database.read() as cursor:
        assert len(ticks.newest_first(cursor, "btc_usd", limit=10)) == 4
    assert [event.at for event in found(database)] == [slot(21)]
    assert "the job alerts failed" in caplog.text


@pytest.mark.parametrize("table", ["alert_events", "alert_rules"])
def test_tables_of_alerts_that_are_gone_cost_no_tick(start, database, caplog, table):
    with database.write() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO taken")
    journal = start()
    write(journal, 0, 100)
    write(journal, 1, 101)
    with database.write() as cursor:
        cursor.execute(f"ALTER TABLE taken RENAME TO {table}")

    write(journal, 2, 102)

    with database.read() as cursor:
        assert len(ticks.newest_first(cursor, "btc_usd", limit=10)) == 3
    assert [event.at for event in found(database)] == [slot(2)]
    assert "the job alerts failed" in caplog.text


def test_an_event_that_spoils_its_transaction_costs_no_tick(start, database):
    journal = start()
    write(journal, 0, 100)
    do(database, "ALTER TABLE alert_events ALTER text SET DATA TYPE INTEGER")

    write(journal, 1, 101)

    with database.read() as cursor:
        assert len(ticks.newest_first(cursor, "btc_usd", limit=10)) == 2


def test_judging_waits_for_the_record_while_others_have_the_file(start, database):
    journal = start()
    journal.add(slot(0), [tick(0, price=100)])

    with Database(database.path).write(), pytest.raises(BusyError):
        journal.flush(0.01)

    assert journal.waiting == 1


def test_ticks_of_a_long_queue_are_judged_together_with_the_misses_of_their_slots(start, database, file):
    file.write_text(STALE)
    journal = start(portion=5)
    for second in range(20):
        outcome = Miss(slot(second), "btc_usd", Cause.UNREACHABLE, "") if second in {8, 15, 16} else tick(second)
        journal.add(slot(second), [outcome])

    while not journal.empty:
        journal.flush(1)

    assert [event.at for event in found(database)] == [slot(16)]


def test_a_changed_file_counts_from_the_next_slot_on(start, database, file):
    journal = start()
    write(journal, 0, 100)
    change(file, MOVE.replace("percent = 1", "percent = 5"))
    write(journal, 1, 101)
    assert found(database) == []

    change(file, MOVE)
    write(journal, 2, 101)

    assert [event.at for event in found(database)] == [slot(2)]


def test_a_running_demo_takes_up_a_file_of_its_own(database, make_settings, monkeypatch, tmp_path):
    monkeypatch.setattr("settings.ROOT", tmp_path)
    alerts = Alerts(
        make_settings(demo=True, poll_seconds=1, indexes=("btc_usd",)), database, FEEDS, clock=lambda: START
    )
    journal = Journal(database, lambda: START, alerts)
    write(journal, 0, 100)
    examples = [rule.name for rule in in_force(database).rules]

    (tmp_path / "alerts.toml").write_text(MOVE)
    write(journal, 1, 100)

    assert examples == [rule.name for rule in load_rules(EXAMPLE, FEEDS, shared=False, leave_out=True)]
    assert [rule.name for rule in in_force(database).rules] == ["move"]


def test_a_broken_file_leaves_the_rules_from_before_at_work_and_says_so(start, database, file, caplog):
    journal = start()
    write(journal, 0, 100)

    change(file, "[[rule]]")
    write(journal, 1, 101)
    write(journal, 2, 101)

    assert [event.rule for event in found(database)] == ["move"]
    assert in_force(database).fault.startswith("alerts.toml, rule 1: has no kind")
    assert caplog.text.count("the rules of before stay in force") == 1
    change(file, MOVE)
    write(journal, 3, 101)
    assert in_force(database).fault == ""


def test_a_file_that_is_gone_leaves_its_rules_at_work(start, database, file):
    journal = start()
    write(journal, 0, 100)

    file.unlink()
    write(journal, 1, 101)

    assert [event.rule for event in found(database)] == ["move"]
    assert in_force(database).fault == "alerts.toml can't be read: No such file or directory"


def test_a_gap_that_is_closed_meanwhile_causes_its_event_at_the_next_slot(start, database, file):
    file.write_text('[[rule]]\nname = "gap"\nkind = "gap"')
    journal = start()
    write(journal, 0, 100)
    with database.write() as cursor:
        gap = Gap("btc_usd", slot(-60), slot(-30), 30, 1, "unreachable", "", "healed", "chart", 6, slot(-60), 1)
        gaps.note(cursor, [gap], slot(1))

    write(journal, 1, 100)
    write(journal, 2, 100)

    assert [(event.rule, event.at) for event in found(database)] == [("gap", slot(1))]


def test_without_rules_nothing_is_judged_and_nothing_is_noted(start, database, file):
    file.write_text("")
    journal = start()

    write(journal, 0, 100)
    write(journal, 1, 200)

    with database.read() as cursor:
        assert (found(database), rules_in_force(cursor)) == ([], None)


def test_rules_may_come_later(start, database, file):
    file.write_text("")
    journal = start()
    write(journal, 0, 100)

    change(file, MOVE)
    write(journal, 1, 101)

    assert [event.at for event in found(database)] == [slot(1)]


def test_the_targets_of_a_rule_are_in_its_events(database, make_settings, file):
    file.write_text(MOVE + STALE + 'notify = ["json://mine", "json://other"]')
    settings = make_settings(
        alerts_file=file, poll_seconds=1, indexes=("btc_usd",), notify_urls=("ntfy://a", "json://b/c")
    )
    alerts = Alerts(settings, database, FEEDS, clock=lambda: START)
    journal = Journal(database, lambda: START, alerts)

    for second, price in enumerate([100, 101, None, None]):
        write(journal, second, price)

    assert [(event.rule, event.targets) for event in found(database)] == [
        ("move", ("ntfy", "json")),
        ("stale", ("json of stale", "json 2 of stale")),
    ]
    assert alerts.addresses == {
        "ntfy": SecretStr("ntfy://a"),
        "json": SecretStr("json://b/c"),
        "json of stale": SecretStr("json://mine"),
        "json 2 of stale": SecretStr("json://other"),
    }
    assert addresses(settings, []).keys() == {"ntfy", "json"}


def test_a_file_that_was_asked_for_must_be_there(make_settings, tmp_path):
    with pytest.raises(SettingsError, match=r"^other\.toml can't be read: No such file or directory$"):
        read_rules(make_settings(alerts_file=tmp_path / "other.toml"), FEEDS)


def test_without_a_file_there_are_no_rules(make_settings, monkeypatch, tmp_path):
    monkeypatch.setattr("settings.ROOT", tmp_path)

    assert read_rules(make_settings(), FEEDS) == []


def test_a_demo_without_rules_of_its_own_uses_the_examples(make_settings, monkeypatch, tmp_path):
    monkeypatch.setattr("settings.ROOT", tmp_path)

    kinds = {rule.kind for rule in read_rules(make_settings(demo=True), FEEDS)}
    assert kinds == {"move", "level", "range_break", "volatility", "stale", "coverage", "gap"}
    assert len(read_rules(make_settings(demo=True), MARKET)) == EXAMPLE.read_text().count("\n[[rule]]")


def test_a_rule_of_a_market_that_is_not_recorded_stops_the_start_with_one_line(make_settings, file):
    file.write_text(DVOL)

    with pytest.raises(
        SettingsError, match=r"^alerts\.toml, rule dvol: DVOL is not recorded: TICKWELL_MARKETS names no"
    ):
        read_rules(make_settings(alerts_file=file), FEEDS)


def test_a_mistake_in_the_file_stops_the_start(make_settings, database, file):
    file.write_text("[[rule]]")

    with pytest.raises(SettingsError, match=r"^alerts\.toml, rule 1: has no kind"):
        Alerts(make_settings(alerts_file=file), database, FEEDS)


def test_what_happens_is_logged(start, caplog):
    caplog.set_level(logging.INFO, "tickwell.alerts")
    journal = start()

    write(journal, 0, 100)
    write(journal, 1, 101)

    assert "move: BTC / USD rose 1 % within 10 s, from 100.00 to 101.00" in caplog.text


def test_slots_are_still_judged_after_the_clock_went_back(start, database, file):
    file.write_text(STALE)
    journal = start()
    write(journal, 0, 100)
    write(journal, 7200, None)
    fired = standing(database)

    write(journal, 1, 100.1)

    assert (fired, standing(database)) == ("fired", "over")


def standing(database: Database) -> str:
    with database.read() as cursor:
        (its,) = events.standings(cursor).values()
    return its.event


LAKE = """
[[rule]]
name = "lake"
kind = "lake"
longer_than = "15m"
"""


@pytest.mark.parametrize(("lag_s", "fired"), [(899, []), (900, ["lake"])])
def test_a_lake_that_lags_is_noted_with_the_next_slot(database, make_settings, file, lag_s, fired):
    file.write_text(LAKE)
    settings = make_settings(alerts_file=file, poll_seconds=1, indexes=("btc_usd",), lake="postgresql://db/lake")
    journal = Journal(database, lambda: START, Alerts(settings, database, FEEDS, clock=lambda: START))
    with desk(database.path) as place:
        place.put(Notice(shared_to=START - timedelta(seconds=lag_s)))

    write(journal, 0, 100)

    assert [event.rule for event in found(database)] == fired


def test_without_a_lake_a_rule_of_it_stops_the_start(database, make_settings, file):
    file.write_text(LAKE)

    with pytest.raises(SettingsError) as refused:
        read_rules(make_settings(alerts_file=file), FEEDS)

    assert str(refused.value) == "alerts.toml, rule lake: nothing is shared: TICKWELL_LAKE is not set"
