"""The commands of alerts: each address gets a test message, and rules are replayed over the record."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result

from store.file.database import Database
from store.file.recorder import Notice, RecorderLock
from store.ledger import gaps, runs
from store.models import Cause, Gap, Run, utc_now
from store.prices import ticks
from tests.conftest import START, tick
from tests.support.webhook import SECRET, Webhook

RULES = """
[[rule]]
name = "move"
kind = "move"
percent = 10
within = "10s"
direction = "up"
severity = "critical"
cool_down = "0s"

[[rule]]
name = "never"
kind = "level"
price = 1000
indexes = ["btc_usd"]
direction = "up"
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "alerts.toml"
    path.write_text(RULES)
    return path


# Sending a test message


def test_a_test_sends_a_message_to_each_address_without_a_database(
    command: Callable[..., Result], database_file, rules, tmp_path
):
    with Webhook() as common, Webhook() as own:
        rules.write_text(RULES + f'notify = ["{own.address}"]\n')

        done = command("alerts", "test", alerts_file=rules, notify_urls=f"{common.address},{common.address}")

    assert done.exit_code == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["json 2: sent", "json of never: sent", "json: sent"]
    assert done.stderr == ""
    assert common.titles == ["Tickwell: test"] * 2
    assert own.titles == ["Tickwell: test"]
    assert not database_file.exists()


def test_a_test_says_which_target_got_no_message_and_why_without_the_address(command: Callable[..., Result]):
    with Webhook() as hears, Webhook("refuse") as refuses:
        done = command("alerts", "test", notify_urls=f"{refuses.address},{hears.address},strange://{SECRET}")

    assert done.exit_code == 1
    assert done.stdout == "json 2: sent\n"
    reasons = dict(line.split(": not sent, ") for line in done.stderr.splitlines())
    assert "Internal Server Error" in reasons["json"] or "500" in reasons["json"]
    assert reasons["strange"] == "its address is not one that apprise knows"
    assert SECRET not in done.stderr
    assert len(hears.messages) == 1


def test_a_test_without_addresses_says_what_to_set(command: Callable[..., Result]):
    done = command("alerts", "test")

    assert done.exit_code == 1
    assert done.stderr == "Error: no address gets alerts: set TICKWELL_NOTIFY_URLS, or notify in a rule\n"


# Replays


@pytest.fixture
def recorded(database: Database) -> Database:
    """An hour on each of two days, with two jumps on the first and one on the second."""
    with database.write() as cursor:
        for start, jumps in ((0, (600, 1800)), (86_400, (600,))):
            runs.note(cursor, Run(START + timedelta(seconds=start), {"btc_usd": 1}, "0"))
            ticks.append(
                cursor,
                [
                    tick(start + second, price=120.0 if any(0 <= second - jump < 30 for jump in jumps) else 100.0)
                    for second in range(0, 3600, 5)
                ],
            )
    return database


def replay(command: Callable[..., Result], rules: Path, *more: str) -> Result:
    return command("alerts", "replay", "--from", "2026-11-01", "--to", "2026-11-03", "--rules", str(rules), *more)


def test_a_replay_lists_what_fired_and_how_often_each_rule_did(command, recorded, rules):
    done = replay(command, rules)

    assert done.exit_code == 0, done.stderr
    text = "critical move: BTC / USD rose 20 % within 10 s, from 100.00 to 120.00"
    assert done.stdout.splitlines() == [
        f"2026-11-01 12:10:00 UTC {text}",
        f"2026-11-01 12:30:00 UTC {text}",
        f"2026-11-02 12:10:00 UTC {text}",
        "days: 2, of these with observations: 2",
        "move: fired 3 times, on 2 days, at most 2 on one: 2026-11-01",
        "never: never fired",
    ]
    first = replay(command, rules, "--to", "2026-11-02")
    assert first.stdout.splitlines()[-2] == "move: fired 2 times, all on 2026-11-01"
    later = replay(command, rules, "--from", "2026-11-02")
    assert later.stdout.splitlines()[-2] == "move: fired once, on 2026-11-02"


def test_a_replay_says_that_a_rule_of_the_lake_can_not_be_replayed(command, recorded, tmp_path):
    rules = tmp_path / "lake.toml"
    rules.write_text('[[rule]]\nname = "lake"\nkind = "lake"\nlonger_than = "15m"\n')

    words, as_json = replay(command, rules), replay(command, rules, "--json")

    assert words.stdout.splitlines()[-1] == "lake: can't be replayed: past lags are not kept"
    assert json.loads(as_json.stdout)["rules"] == [{"rule": "lake", "fired": None}]


def test_a_replay_as_json_has_all_numbers(command, recorded, rules):
    done = replay(command, rules, "--json", "--from", "2026-11-02T12:00+00:00")

    found = json.loads(done.stdout)
    assert {name: found[name] for name in ("start", "end", "days", "days_observed")} == {
        "start": "2026-11-02T12:00:00Z",
        "end": "2026-11-03T00:00:00Z",
        "days": 1,
        "days_observed": 1,
    }
    assert found["rules"] == [{"rule": "move", "fired": 1}, {"rule": "never", "fired": 0}]
    beside, fired, over = found["events"]
    assert (beside["rule"], beside["event"]) == ("never", "over")
    assert fired == {
        "at": "2026-11-02T12:10:00Z",
        "rule": "move",
        "condition": "rises 10 % within 10 s",
        "index": "btc_usd",
        "event": "fired",
        "severity": "critical",
        "price": 120.0,
        "value": pytest.approx(20),
        "threshold": 10.0,
        "text": "BTC / USD rose 20 % within 10 s, from 100.00 to 120.00",
    }
    assert (over["event"], over["at"]) == ("over", "2026-11-02T12:10:10Z")


def test_numbers_that_a_rule_does_not_have_are_null(command, recorded, rules):
    rules.write_text('[[rule]]\nname = "gap"\nkind = "gap"\n')
    gap = Gap("btc_usd", START, START + timedelta(minutes=1), 60, 1, Cause.UNREACHABLE, "", "unfillable")
    with recorded.write() as cursor:
        gaps.note(cursor, [gap], START + timedelta(hours=1))

    (event,) = json.loads(replay(command, rules, "--json").stdout)["events"]

    assert (event["price"], event["value"], event["threshold"]) == (None, None, None)


def test_a_replay_uses_the_rules_in_force_and_thirty_days_by_default(command, recorded, rules):
    done = command("alerts", "replay", "--to", "2026-11-03", alerts_file=rules)

    assert done.stdout.splitlines()[-3] == "days: 30, of these with observations: 2"


def test_a_replay_ends_now_by_the_clock_of_the_exchange(command, database, rules):
    lock, now = RecorderLock(database.path), utc_now()
    lock.acquire(Notice(4711, "external", now, 5, ("btc_usd",), "1", "recording", now, skew_s=3600.0))

    done = command("alerts", "replay", "--rules", str(rules), "--json")

    lock.release()
    end = datetime.fromisoformat(json.loads(done.stdout)["end"])
    assert timedelta(minutes=59) < end - now < timedelta(minutes=61)


def test_a_replay_that_can_not_be_is_refused_in_one_line(command, recorded, rules, tmp_path):
    backwards = command("alerts", "replay", "--from", "2026-11-03", "--to", "2026-11-02", "--rules", str(rules))
    absent = replay(command, tmp_path / "absent.toml")
    rules.write_text('[[rule]]\nname = "odd"\nkind = "oddity"\n')
    broken = replay(command, rules)

    assert backwards.exit_code == 2
    assert backwards.stderr.splitlines()[-1] == (
        "Error: --from 2026-11-03T00:00:00Z: must be before the end, 2026-11-02T00:00:00Z"
    )
    assert absent.stderr == "Error: absent.toml can't be read: No such file or directory\n"
    assert broken.exit_code == 1
    assert broken.stderr.startswith("Error: alerts.toml, rule odd: kind = 'oddity', must be one of move, ")
