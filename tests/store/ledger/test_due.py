"""The slots of runs are due, and the slots between two runs that record the same feeds."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.file.database import Cursor, Database
from store.ledger import runs
from store.ledger.due import Stretch, at_slot, slot_number, slots, stretches
from store.models import Cause, Tick, from_column
from store.prices import ticks
from tests.conftest import START, tick
from tests.store.histories import Counting, at, missed, observed, ran
from tests.support.examples import examples

BTC, BOTH = ("btc_usd",), ("btc_usd", "eth_usd")
MINUTE, HOUR = 60, 3600


def by_each_sign(cursor: Cursor, start: datetime, end: datetime) -> list[Stretch]:
    """The stretches that were due, from a look at each sign of a run."""
    recorded = runs.runs(cursor)
    signs = cursor.execute(
        """
        SELECT ts, CASE WHEN abs(epoch(received_at - ts)) <= 2 THEN received_at ELSE ts END
        FROM ticks WHERE resolution_s = 0 AND source <> 'import'
        UNION ALL SELECT slot, slot FROM misses
        """
    ).fetchall()
    found = []
    for number, run in enumerate(recorded):
        following = recorded[number + 1] if number + 1 < len(recorded) else None
        begins = following.started_at if following else max(end, run.started_at)
        ends = run.ended_at or run.started_at
        (seconds,) = set(run.feeds.values())
        for back in (timedelta(hours=1), timedelta(days=1), timedelta(days=10_000)):
            first = max(run.started_at, begins - back)
            its = [from_column(sign) for ts, sign in signs if first <= from_column(ts) < begins]
            if its and not run.ended_at:
                ends = at_slot(slot_number(max(its), seconds) + 1, seconds)
                break
        ends = min(begins, ends)
        killed = following is not None and not run.ended_at
        found.append(Stretch(run.started_at, ends, seconds, tuple(run.feeds), up=True, cut_short=killed))
        kept = tuple(feed for feed in run.feeds if not following or feed in following.feeds)
        found.append(Stretch(ends, begins, seconds, kept, up=False))
    clipped = [each.within(start, end) for each in found]
    return [each for each in clipped if each.start < each.end and each.feeds]


@examples(60)
@given(
    recorded=st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from([None, None, None, 2, 9]), st.sampled_from([5, 20, 300])),
        max_size=9,
        unique_by=lambda its: its[0],
    ),
    signs=st.lists(st.tuples(st.integers(0, 40 * 12), st.sampled_from(["live", "import", "miss"]))),
    bounds=st.tuples(st.integers(0, 40), st.integers(1, 45)),
    length_s=st.sampled_from([60, 6 * HOUR]),
)
def test_any_runs_end_as_a_look_at_each_sign_shows(open_database: Database, recorded, signs, bounds, length_s):
    """A unit of time is a minute, so that all signs are near, or six hours, so that some signs are days back."""
    with open_database.write() as cursor:
        for table in ("ticks", "misses", "runs"):
            cursor.execute(f"DELETE FROM {table}")
        for start, length, poll_seconds in recorded:
            end_s = None if length is None else (start + length) * length_s
            ran(cursor, start * length_s, end_s, poll_seconds)
        for twelfth, kind in signs:
            if kind == "miss":
                missed(cursor, [twelfth * length_s // 12])
            else:
                sent = at(twelfth * length_s / 12)
                ticks.append(cursor, [Tick("btc_usd", sent, 1.0, kind, sent + timedelta(seconds=twelfth % 7 - 3))])
        start, end = at(bounds[0] * length_s), at((bounds[0] + bounds[1]) * length_s)

        assert stretches(cursor, start, end) == by_each_sign(cursor, start, end)


def test_hundreds_of_killed_runs_do_not_take_a_query_each(database):
    with database.write() as cursor:
        for day in range(400):
            ran(cursor, day * 24 * HOUR, None, 60)
        observed(cursor, range(0, 400 * 24 * HOUR, HOUR))

    with database.read() as cursor:
        counting: Any = Counting(cursor)
        found = stretches(counting, START, at(400 * 24 * HOUR))

    assert [each.up for each in found] == [True, False] * 400
    assert counting.asked <= 4


def due(database: Database, start_s: float, end_s: float) -> list[tuple[float, float, tuple[str, ...], bool]]:
    with database.read() as cursor:
        return [
            ((each.start - START).total_seconds(), (each.end - START).total_seconds(), each.feeds, each.up)
            for each in stretches(cursor, at(start_s), at(end_s))
        ]


@given(st.integers(1, 3600), st.integers(0, 10**6), st.integers(0, 10**6))
def test_slots_are_the_multiples_of_the_period_in_a_half_open_range(poll_seconds, first_s, length_s):
    start, end = at(first_s), at(first_s + length_s)

    numbers = slots(start, end, poll_seconds)

    instants = [at_slot(number, poll_seconds) for number in (*numbers[:2], *numbers[-2:])]
    assert all(start <= instant < end and instant.timestamp() % poll_seconds == 0 for instant in instants)
    assert len(numbers) in {length_s // poll_seconds, -(-length_s // poll_seconds)}
    assert all(slot_number(instant, poll_seconds) in numbers for instant in instants)


def test_nothing_was_due_before_the_first_run(database):
    with database.write() as cursor:
        ran(cursor, 100, 200)

    assert due(database, 0, 100) == []
    assert due(database, 0, 150) == [(100, 150, BTC, True)]


def test_nothing_is_due_in_a_file_without_runs(database):
    assert due(database, 0, 100) == []


def test_the_time_between_two_runs_is_due(database):
    with database.write() as cursor:
        ran(cursor, 0, 100)
        ran(cursor, 700, None)
        observed(cursor, range(700, 800, 5))

    assert due(database, 0, 800) == [(0, 100, BTC, True), (100, 700, BTC, False), (700, 800, BTC, True)]


def test_a_killed_run_ends_with_its_last_slot_that_has_a_tick_or_a_miss(database):
    with database.write() as cursor:
        ran(cursor, 0, None)
        observed(cursor, range(0, 50, 5))
        missed(cursor, [50, 55])
        ran(cursor, 300, 400)

    assert due(database, 0, 350) == [(0, 60, BTC, True), (60, 300, BTC, False), (300, 350, BTC, True)]


def test_a_run_killed_before_its_first_tick_was_never_up(database):
    with database.write() as cursor:
        ran(cursor, 0, None)
        ran(cursor, 300, 400)

    assert due(database, 0, 350) == [(0, 300, BTC, False), (300, 350, BTC, True)]


def test_the_last_sign_of_a_long_dead_run_is_found_days_back(database):
    a_week = 7 * 86_400
    with database.write() as cursor:
        ran(cursor, 0, None)
        observed(cursor, range(0, 50, 5))
        ran(cursor, a_week, a_week + 100)

    assert due(database, 0, a_week) == [(0, 50, BTC, True), (50, a_week, BTC, False)]


def test_averages_and_imports_are_not_signs_of_a_recorder(database):
    with database.write() as cursor:
        ran(cursor, 0, None)
        observed(cursor, [0])
        cursor.execute("INSERT INTO ticks SELECT index_name, ts + INTERVAL 20 SECOND, NULL, 1, 'import', 0 FROM ticks")
        cursor.execute("INSERT INTO ticks SELECT index_name, ts + INTERVAL 9 SECOND, NULL, 1, 'chart', 6 FROM ticks")

    assert due(database, 0, 100) == [(0, 5, BTC, True), (5, 100, BTC, False)]


def test_slots_stay_due_after_the_last_recorder_ended(database):
    with database.write() as cursor:
        ran(cursor, 0, 100)

    assert due(database, 0, 500) == [(0, 100, BTC, True), (100, 500, BTC, False)]


def test_a_removed_index_is_not_due_after_its_last_run(database):
    with database.write() as cursor:
        ran(cursor, 0, 100, 5, *BOTH)
        ran(cursor, 200, 300, 5, *BTC)
        ran(cursor, 400, 500, 5, *BOTH)

    assert due(database, 0, 500) == [
        (0, 100, BOTH, True),
        (100, 200, BTC, False),
        (200, 300, BTC, True),
        (300, 400, BTC, False),
        (400, 500, BOTH, True),
    ]


def test_nothing_is_due_between_two_runs_without_a_common_index(database):
    with database.write() as cursor:
        ran(cursor, 0, 100, 5, "btc_usd")
        ran(cursor, 200, 300, 5, "eth_usd")

    assert due(database, 0, 300) == [(0, 100, ("btc_usd",), True), (200, 300, ("eth_usd",), True)]


def test_a_run_after_the_range_decides_what_was_due_before_it(database):
    with database.write() as cursor:
        ran(cursor, 0, 100, 5, *BOTH)
        ran(cursor, 1000, 1100, 5, *BTC)

    assert due(database, 50, 500) == [(50, 100, BOTH, True), (100, 500, BTC, False)]


def test_the_time_between_two_runs_has_the_slots_of_the_first(database):
    with database.write() as cursor:
        ran(cursor, 0, MINUTE, 5)
        ran(cursor, 2 * MINUTE, 3 * MINUTE, 20)

    with database.read() as cursor:
        found = stretches(cursor, START, at(3 * MINUTE))

    assert [(each.poll_seconds, len(each.slots)) for each in found] == [(5, 12), (5, 12), (20, 3)]


def test_a_part_of_a_stretch_is_cut_at_both_ends():
    stretch = Stretch(at(0), at(100), 5, BTC, up=True)

    part = stretch.within(at(-10), at(42))

    assert part == Stretch(at(0), at(42), 5, BTC, up=True)
    assert [at_slot(number, 5) for number in part.slots][-1] == START + timedelta(seconds=40)


def test_a_miss_alone_is_a_sign(database):
    with database.write() as cursor:
        ran(cursor, 0, None)
        missed(cursor, [0], Cause.STORE_UNAVAILABLE)

    assert due(database, 0, 10) == [(0, 5, BTC, True), (5, 10, BTC, False)]


@pytest.mark.parametrize("clock_off_s", [-7200, 7200])
def test_a_killed_run_on_a_machine_with_a_wrong_clock_ends_with_its_last_tick(database, clock_off_s):
    with database.write() as cursor:
        ran(cursor, 0, None)
        ticks.append(cursor, [tick(second, received_at=at(second + clock_off_s)) for second in range(0, 50, 5)])
        ran(cursor, 300, 400)

    assert due(database, 0, 350) == [(0, 50, BTC, True), (50, 300, BTC, False), (300, 350, BTC, True)]
