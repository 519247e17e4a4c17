"""Runs and failed slots come back as they were noted."""

from dataclasses import replace
from datetime import timedelta

from store.ledger import runs
from store.models import Cause, Miss, Run
from tests.conftest import START
from tests.store.histories import at

RUN = Run(START, {"btc_usd": 5, "eth_usd": 5}, "0.1.0")


def miss(
    second: float,
    index_name: str = "btc_usd",
    cause: Cause = Cause.UNREACHABLE,
    detail: str = "connection refused",
) -> Miss:
    return Miss(START + timedelta(seconds=second), index_name, cause, detail)


def test_a_run_goes_on_until_its_end_is_noted(database):
    with database.write() as cursor:
        runs.note(cursor, RUN)

    with database.read() as cursor:
        assert runs.runs(cursor) == [RUN]


def test_the_end_of_a_run_changes_no_other_run(database):
    before, later = replace(RUN, started_at=START - timedelta(days=1)), START + timedelta(hours=1)

    with database.write() as cursor:
        for run in (RUN, before, replace(RUN, ended_at=later)):
            runs.note(cursor, run)

    with database.read() as cursor:
        assert runs.runs(cursor) == [before, replace(RUN, ended_at=later)]


def test_the_feeds_are_those_of_all_runs_by_name(database):
    later = replace(RUN, started_at=START + timedelta(days=1), feeds={"options/BTC": 300, "btc_usd": 1})
    with database.write() as cursor:
        for run in (RUN, later):
            runs.note(cursor, run)

    with database.read() as cursor:
        assert runs.feeds(cursor) == ["btc_usd", "eth_usd", "options/BTC"]


def test_misses_come_back_unchanged_by_slot_and_index(database):
    noted = [miss(5, cause=cause, index_name=cause.value) for cause in Cause]

    with database.write() as cursor:
        runs.append_misses(cursor, [miss(10, detail="said »no«\nand hung up"), *noted])

    with database.read() as cursor:
        found = runs.misses(cursor, START, START + timedelta(minutes=1))
    assert found == [*sorted(noted, key=lambda each: each.feed), miss(10, detail="said »no«\nand hung up")]


def test_the_first_miss_of_a_slot_and_an_index_stays(database):
    with database.write() as cursor:
        runs.append_misses(cursor, [miss(0), miss(0, detail="later")])
    with database.write() as cursor:
        runs.append_misses(cursor, [miss(0, cause=Cause.MISSED_SLOT), miss(0, "eth_usd")])

    with database.read() as cursor:
        assert runs.misses(cursor, START, START + timedelta(seconds=1)) == [miss(0), miss(0, "eth_usd")]


def test_one_of_two_runs_that_began_together_ends_and_moves_alone(database):
    first, second = Run(START, {"btc_usd": 1}, "0"), Run(START, {"btc_usd": 1, "books/BTC": 300}, "0")
    by, end = timedelta(minutes=5), START + timedelta(hours=1)
    with database.write() as cursor:
        for run in (first, second):
            runs.note(cursor, run)
        runs.move(cursor, second, by)
        runs.note(cursor, replace(first, ended_at=end))

    with database.read() as cursor:
        assert runs.runs(cursor) == [replace(first, ended_at=end), replace(second, started_at=START + by)]


def test_only_misses_of_the_given_feeds_and_slots_are_moved(database):
    by, end = timedelta(minutes=5), START + timedelta(hours=1)
    with database.write() as cursor:
        runs.append_misses(cursor, [miss(0), *(miss(second, "books/BTC") for second in (0, 1, 2, 3))])
        runs.move_misses(cursor, ["books/BTC"], at(1), at(2), by)

    with database.read() as cursor:
        assert [(found.feed, found.slot) for found in runs.misses(cursor, START, end)] == [
            ("books/BTC", START),
            ("btc_usd", START),
            ("books/BTC", at(3)),
            ("books/BTC", at(1) + by),
            ("books/BTC", at(2) + by),
        ]


def test_misses_noted_already_change_nothing(database):
    for _ in range(2):
        with database.write() as cursor:
            runs.append_misses(cursor, [miss(0), miss(1)])

    with database.read() as cursor:
        assert runs.misses(cursor, START, START + timedelta(seconds=2)) == [miss(0), miss(1)]


def test_a_range_of_misses_is_half_open(database):
    with database.write() as cursor:
        runs.append_misses(cursor, [miss(second) for second in range(5)])

    with database.read() as cursor:
        found = runs.misses(cursor, START + timedelta(seconds=1), START + timedelta(seconds=3))
    assert found == [miss(1), miss(2)]


def test_noting_again_changes_nothing(database):
    noted = [miss(0), miss(0, "eth_usd"), miss(5)]
    for _ in range(2):
        with database.write() as cursor:
            runs.append_misses(cursor, noted)

    with database.read() as cursor:
        assert runs.misses(cursor, START, START + timedelta(minutes=1)) == noted


def test_nothing_to_note_notes_nothing(database):
    with database.write() as cursor:
        runs.append_misses(cursor, [])

    with database.read() as cursor:
        assert runs.misses(cursor, START - timedelta(days=1), START + timedelta(days=1)) == []


def test_hours_of_misses_are_noted_in_one_write(database):
    hours = [miss(second) for second in range(4000)]

    with database.write() as cursor:
        runs.append_misses(cursor, reversed(hours))

    with database.read() as cursor:
        assert runs.misses(cursor, START, START + timedelta(days=1)) == hours


def test_troubles_are_counted_by_cause_latest_first_with_the_detail_of_the_last(database):
    odd = Cause.REJECTED_REPLY
    with database.write() as cursor:
        runs.append_misses(
            cursor,
            [
                miss(-3600, detail="too long ago"),
                miss(0, cause=odd, detail="a price of -1"),
                miss(5),
                miss(5, "eth_usd"),
                miss(10, detail="no route to host"),
            ],
        )

    with database.read() as cursor:
        found = runs.troubles(cursor, START)

    assert found == [
        runs.Trouble(
            Cause.UNREACHABLE, 2, START + timedelta(seconds=5), START + timedelta(seconds=10), "no route to host"
        ),
        runs.Trouble(odd, 1, START, START, "a price of -1"),
    ]


def test_failures_are_counted_by_hour_index_and_cause(database):
    with database.write() as cursor:
        runs.append_misses(
            cursor,
            [
                *(miss(second) for second in (-1, 0, 5, 3599, 3600)),
                miss(10, "eth_usd"),
                miss(15, cause=Cause.MISSED_SLOT),
                miss(7200),
            ],
        )

    with database.read() as cursor:
        found = runs.failures(cursor, START, START + timedelta(hours=2))

    assert found == [
        runs.Failures(START, "btc_usd", Cause.MISSED_SLOT, 1),
        runs.Failures(START, "btc_usd", Cause.UNREACHABLE, 3),
        runs.Failures(START, "eth_usd", Cause.UNREACHABLE, 1),
        runs.Failures(START + timedelta(hours=1), "btc_usd", Cause.UNREACHABLE, 1),
    ]


def test_the_hours_of_failures_begin_where_the_range_does(database):
    half_past = START + timedelta(minutes=30)
    with database.write() as cursor:
        runs.append_misses(cursor, [miss(1800), miss(5399), miss(5400)])

    with database.read() as cursor:
        found = runs.failures(cursor, half_past, START + timedelta(hours=3))

    assert [(each.hour, each.slots) for each in found] == [(half_past, 2), (half_past + timedelta(hours=1), 1)]
