"""Each healed or unfillable gap causes its events once, whoever noted it, even after interruptions."""

from datetime import timedelta

import pytest
from pydantic import TypeAdapter

from store.alerts import events
from store.alerts.events import Event
from store.alerts.healings import Healings
from store.alerts.in_force import put_in_force, rules_in_force
from store.alerts.judge import EventMaker, Judge
from store.alerts.rules.kinds import KINDS, AnyRule
from store.file.database import Cursor, Database
from store.ledger import gaps
from store.models import Gap
from tests.conftest import START

RULES: list[AnyRule] = TypeAdapter(list[AnyRule]).validate_python([{"name": "gap", "kind": "gap"}])
JUDGE = Judge(RULES, {}, {}, EventMaker({}))


def gap(number: int, state: str = "healed") -> Gap:
    start = START + timedelta(minutes=number)
    return Gap("btc_usd", start, start + timedelta(seconds=30), 30, 1, "unreachable", "", state, "chart", 6, start, 1)  # type: ignore[arg-type]


def noted(cursor: Cursor, second: float, *found: Gap) -> None:
    gaps.note(cursor, found, START + timedelta(seconds=second))


def news(cursor: Cursor, healings: Healings, judge: Judge = JUDGE) -> list[Event]:
    return list(healings.events(cursor, judge, START + timedelta(hours=1)))


def test_a_gap_closed_before_the_rules_were_in_force_causes_no_event(database: Database):
    with database.write() as cursor:
        noted(cursor, 1, gap(1))

        assert news(cursor, Healings(cursor, JUDGE, START + timedelta(seconds=2))) == []


def test_each_closed_gap_causes_its_events_once(database: Database):
    with database.write() as cursor:
        healings = Healings(cursor, JUDGE, START)
        noted(cursor, 1, gap(1, "open"), gap(2))

        first = news(cursor, healings)
        noted(cursor, 0.5, gap(3, "unfillable"))  # noted by a process whose write had to wait
        second = news(cursor, healings)

        assert [event.text.partition(" UTC ")[2] for event in first + second] == [
            "healed by chart, 6 s",
            "can't be filled",
        ]
        assert [event.at for event in first] == [START + timedelta(seconds=1)]
        assert news(cursor, healings) == []


@pytest.mark.parametrize("told", [0, 1, 2])
def test_after_a_restart_only_gaps_without_events_cause_them(database: Database, told):
    with database.write() as cursor:
        before = Healings(cursor, JUDGE, START)
        noted(cursor, 3, gap(1), gap(2))
        all_of_it = news(cursor, before)
        events.append(cursor, all_of_it[:told])

        left = news(cursor, Healings(cursor, JUDGE, START))

        assert [event.text for event in left] == [event.text for event in all_of_it[told:]]


def test_without_a_rule_for_gaps_no_gap_causes_an_event(database: Database):
    with database.write() as cursor:
        nobody = Judge([], {}, {}, EventMaker({}))
        healings = Healings(cursor, nobody, START)
        noted(cursor, 1, gap(1))

        assert news(cursor, healings, nobody) == []


def test_no_rules_are_in_force_before_a_recorder_had_some(database: Database):
    with database.write() as cursor:
        put_in_force(cursor, [], "", START)

        assert rules_in_force(cursor) is None


def test_rules_are_in_force_since_their_last_change(database: Database):
    with database.write() as cursor:
        for minute in range(3):
            put_in_force(cursor, RULES, "", START + timedelta(minutes=minute))

        found = rules_in_force(cursor)

    assert found is not None
    assert (found.rules, found.since, found.fault) == (tuple(RULES), START, "")


def test_rules_that_only_another_version_accepts_are_left_out_with_a_line(database: Database):
    with database.write() as cursor:
        put_in_force(cursor, RULES, "", START)
        cursor.execute(
            """
            INSERT INTO alert_rules
            SELECT noted_at, replace(rules, '}]', '}, {"name": "never again", "kind": "level", "indexes": ["btc_usd"],'
                || ' "price": 5, "cool_down": "1036800000s"}, {"name": "new", "kind": "spike"}]'), fault
            FROM alert_rules
            """
        )
        found = rules_in_force(cursor)

    assert found is not None
    assert found.rules == tuple(RULES)
    assert found.left_out == (
        "rule never again: cool_down = '1036800000s', must be a length of time such as 90s, 15m, 4h or 7d, up to 365d",
        f"rule new: kind = 'spike', must be one of {', '.join(KINDS)}",
    )


def test_a_fault_of_the_file_is_noted_with_the_rules_that_stay_in_force(database: Database):
    with database.write() as cursor:
        put_in_force(cursor, RULES, "", START)
        since = put_in_force(cursor, RULES, "no such kind", START + timedelta(minutes=1))

        found = rules_in_force(cursor)

    assert found is not None
    assert (found.rules, found.since, found.fault) == (tuple(RULES), since, "no such kind")
