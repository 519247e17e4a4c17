"""What several recorders share: a slot is missing if nobody brought it, and due if any of them had to bring it."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import pytest

from store.file.database import Cursor, Database
from store.health import vitals
from store.health.vitals import Vitals
from store.ledger import runs
from store.ledger.coverage import coverage
from store.ledger.due import stretches
from store.ledger.gaps import ledger
from store.models import Cause, Gap, Miss, Run
from tests.conftest import START
from tests.store.histories import at, averaged, in_short, observed

BTC = {"btc_usd": 5}
ETH = {"eth_usd": 5}


def ran_as(cursor: Cursor, name: str, start_s: float, end_s: float | None, feeds: Mapping[str, int] = BTC) -> None:
    """Note a run of a recorder; a run without an end was killed."""
    runs.note(cursor, Run(at(start_s), feeds, "1", None if end_s is None else at(end_s), name))


def alive(cursor: Cursor, name: str, seconds: Iterable[int]) -> None:
    """Note the vitals of a recorder at these seconds."""
    vitals.append(cursor, [Vitals(at(second), 12, 0.1, 0.2, 0.0, 1, 1) for second in seconds], name)


def missed_by(cursor: Cursor, name: str, seconds: Iterable[float], cause: Cause) -> None:
    """Note misses of a recorder."""
    runs.append_misses(cursor, [Miss(at(second), "btc_usd", cause, name) for second in seconds], name)


def of(database: Database, end_s: float) -> tuple[list[Gap], list[tuple[str, int, int, int]]]:
    """The gaps from START, and for each feed how many slots were due, healed and missing."""
    start, end = START, at(end_s)
    now = end + timedelta(hours=1)
    with database.read() as cursor:
        gaps = ledger(cursor, start, end, now)
        its = coverage(cursor, gaps, start, end)
    return gaps, [(each.feed, each.due, each.healed, each.missing) for each in its]


def due(database: Database, end_s: float) -> list[tuple[float, float, int, tuple[str, ...], bool]]:
    with database.read() as cursor:
        return [
            (seconds(each.start), seconds(each.end), each.poll_seconds, each.feeds, each.up)
            for each in stretches(cursor, START, at(end_s))
        ]


def seconds(instant: datetime) -> float:
    return (instant - START).total_seconds()


def test_a_slot_that_any_recorder_brought_is_no_gap(database):
    with database.write() as cursor:
        ran_as(cursor, "a", 0, 600)
        ran_as(cursor, "b", 0, 600)
        missed_by(cursor, "a", [100, 105, 200], Cause.UNREACHABLE)
        missed_by(cursor, "b", [200, 300], Cause.EXCHANGE_ERROR)
        observed(cursor, (second for second in range(0, 600, 5) if second != 200))

    gaps, counted = of(database, 600)

    assert in_short(gaps) == [(200, 205, 1, "unreachable")]
    assert counted == [("btc_usd", 120, 0, 1)]


def test_no_recorder_was_at_work_only_while_none_was(database):
    with database.write() as cursor:
        ran_as(cursor, "a", 0, 300)
        ran_as(cursor, "b", 200, 500)
        ran_as(cursor, "a", 700, 900)
        observed(cursor, [*range(0, 500, 5), *range(700, 900, 5)])

    gaps, counted = of(database, 900)

    assert due(database, 900) == [
        (0, 500, 5, ("btc_usd",), True),
        (500, 700, 5, ("btc_usd",), False),
        (700, 900, 5, ("btc_usd",), True),
    ]
    assert in_short(gaps) == [(500, 700, 40, "recorder down")]
    assert counted == [("btc_usd", 180, 0, 40)]


def test_recorders_of_other_indexes_leave_each_other_alone(database):
    with database.write() as cursor:
        ran_as(cursor, "a", 0, 300)
        ran_as(cursor, "b", 0, 600, ETH)
        ran_as(cursor, "a", 400, 600)
        observed(cursor, [*range(0, 300, 5), *range(400, 600, 5)])
        observed(cursor, range(0, 600, 5), "eth_usd")

    gaps, counted = of(database, 600)

    assert [(gap.feed, *its) for gap, its in zip(gaps, in_short(gaps), strict=True)] == [
        ("btc_usd", 300, 400, 20, "recorder down")
    ]
    assert counted == [("btc_usd", 120, 0, 20), ("eth_usd", 120, 0, 0)]


def test_the_ticks_of_others_are_no_sign_that_a_killed_recorder_lived(database):
    with database.write() as cursor:
        ran_as(cursor, "a", 0, None)
        alive(cursor, "a", [60, 120])
        ran_as(cursor, "b", 0, 300)
        ran_as(cursor, "b", 400, 600)
        ran_as(cursor, "a", 500, 600)
        observed(cursor, [*range(0, 300, 5), *range(400, 600, 5)])

    gaps, _ = of(database, 600)

    assert in_short(gaps) == [(300, 400, 20, "recorder down")]


def test_a_recorder_that_took_the_place_of_another_decides_what_is_due(database):
    with database.write() as cursor:
        ran_as(cursor, "a", 0, 300, BTC | ETH)
        ran_as(cursor, "b", 400, 600)

    assert due(database, 600) == [
        (0, 300, 5, ("btc_usd", "eth_usd"), True),
        (300, 400, 5, ("btc_usd",), False),
        (400, 600, 5, ("btc_usd",), True),
    ]


def test_a_recorder_that_was_stopped_beside_another_one_stays_due(database):
    with database.write() as cursor:
        ran_as(cursor, "a", 0, 300, ETH)
        ran_as(cursor, "b", 0, 600)

    assert due(database, 600) == [
        (0, 300, 5, ("eth_usd",), True),
        (0, 600, 5, ("btc_usd",), True),
        (300, 600, 5, ("eth_usd",), False),
    ]


@pytest.mark.parametrize("names", [("", "a"), ("a", "a"), ("old-name", "a")])
def test_runs_in_turn_are_those_of_one_recorder_whatever_its_names(database, names):
    with database.write() as cursor:
        ran_as(cursor, names[0], 0, None, BTC | ETH)
        observed(cursor, range(0, 100, 5))
        ran_as(cursor, names[1], 200, 300)

    assert due(database, 300) == [
        (0, 100, 5, ("btc_usd", "eth_usd"), True),
        (100, 200, 5, ("btc_usd",), False),
        (200, 300, 5, ("btc_usd",), True),
    ]


def test_while_two_periods_overlap_the_one_that_began_first_counts(database):
    with database.write() as cursor:
        ran_as(cursor, "a", 0, 300, {"btc_usd": 10})
        ran_as(cursor, "b", 200, 600)

    assert due(database, 600) == [(0, 300, 10, ("btc_usd",), True), (300, 600, 5, ("btc_usd",), True)]


def test_averages_heal_a_gap_that_nobody_noted_and_slots_one_step_beside(database):
    with database.write() as cursor:
        ran_as(cursor, "a", 0, 300)
        ran_as(cursor, "b", 600, 900)
        observed(cursor, [*range(0, 300, 5), *range(600, 900, 5)])
        averaged(cursor, 300, 360, 60)

    gaps, counted = of(database, 900)

    assert [(*its[:3], gap.state, gap.healed_by) for gap, its in zip(gaps, in_short(gaps), strict=True)] == [
        (300, 420, 24, "healed", "chart, 60 s"),
        (420, 600, 36, "open", None),
    ]
    assert counted == [("btc_usd", 180, 24, 36)]
