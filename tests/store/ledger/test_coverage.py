"""Coverage counts the due slots that are live, healed and missing."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.file.database import Database
from store.ledger.coverage import Coverage, calendar, coverage, totals
from store.ledger.due import slots
from store.ledger.gaps import advance, ledger, note
from store.ledger.heal import heal
from store.models import Gap
from tests.conftest import START
from tests.store.histories import at, averaged, missed, observed, ran
from tests.support.examples import examples

HOUR = 3600


def covered(database: Database, start_s: float, end_s: float, now_s: float) -> list[Coverage]:
    with database.read() as cursor:
        gaps = ledger(cursor, at(start_s), at(end_s), at(now_s))
        return coverage(cursor, gaps, at(start_s), at(end_s))


def hours(database: Database, start_s: float, end_s: float, now_s: float) -> list[Coverage]:
    with database.read() as cursor:
        gaps = ledger(cursor, at(start_s), at(end_s), at(now_s))
        return calendar(cursor, gaps, at(start_s), at(end_s))


def test_a_record_without_gaps_is_complete(database):
    with database.write() as cursor:
        ran(cursor, 0, 1000)
        observed(cursor, range(0, 1000, 5))

    (whole,) = covered(database, 0, 1000, 1000)

    assert whole == Coverage("btc_usd", START, at(1000), 200, 0, 0)
    assert (whole.live, whole.share) == (200, 1.0)


def test_healed_slots_are_known_but_not_live_and_open_ones_are_missing(database):
    with database.write() as cursor:
        ran(cursor, 0, 2000)
        observed(cursor, [*range(0, 500, 5), *range(800, 1000, 5), *range(1100, 2000, 5)])
        missed(cursor, [*range(500, 800, 5), *range(1000, 1100, 5)])
    advance(database, at(2000), at(2000), 1)
    with database.write() as cursor:
        averaged(cursor, 0, 900, 6)
        heal(cursor, "btc_usd", at(2000))

    (its,) = covered(database, 0, 2000, 2000)

    assert (its.due, its.healed, its.missing, its.live) == (400, 60, 20, 320)
    assert its.share == 0.95


def test_slots_healed_one_by_one_are_counted_in_their_hours(database):
    with database.write() as cursor:
        ran(cursor, 0, 3 * HOUR)
        missed(cursor, range(0, 3 * HOUR, 5))
    advance(database, at(3 * HOUR), at(3 * HOUR), 1)
    with database.write() as cursor:
        observed(cursor, range(600, 2 * HOUR, 60))
        heal(cursor, "btc_usd", at(3 * HOUR))

    found = hours(database, 0, 3 * HOUR, 3 * HOUR)

    assert [(its.due, its.healed, its.missing) for its in found] == [(720, 50, 670), (720, 60, 660), (720, 0, 720)]


def test_there_is_no_coverage_without_due_slots(database):
    assert covered(database, 0, 1000, 1000) == []
    assert Coverage("btc_usd", START, START, 0, 0, 0).share == 1.0


@pytest.mark.parametrize(("now_s", "due"), [(5, 0), (11, 1), (1000, 198)])
def test_slots_that_may_still_be_on_their_way_are_neither_live_nor_missing(database, now_s, due):
    with database.write() as cursor:
        ran(cursor, 0, None)
        missed(cursor, range(0, now_s - 9, 5))

    with database.read() as cursor:
        gaps = ledger(cursor, at(0), at(now_s), at(now_s))
        whole = coverage(cursor, gaps, at(0), at(now_s), at(now_s))
        by_hour = calendar(cursor, gaps, at(0), at(now_s), at(now_s))

    assert whole == by_hour
    assert [(its.due, its.live, its.missing) for its in whole] == [(due, 0, due)] * (due > 0)


def test_each_index_is_counted_by_itself(database):
    with database.write() as cursor:
        ran(cursor, 0, 100, 5, "btc_usd", "eth_usd")
        observed(cursor, range(0, 100, 5))
        observed(cursor, range(0, 50, 5), "eth_usd")
        missed(cursor, range(50, 100, 5), index_name="eth_usd")

    assert [(its.feed, its.missing) for its in covered(database, 0, 100, 200)] == [
        ("btc_usd", 0),
        ("eth_usd", 10),
    ]


def test_a_calendar_counts_each_hour(database):
    with database.write() as cursor:
        ran(cursor, HOUR // 2, 3 * HOUR)
        observed(cursor, [*range(HOUR // 2, HOUR - 60, 5), *range(HOUR + 60, 3 * HOUR, 5)])
        missed(cursor, range(HOUR - 60, HOUR + 60, 5))
    advance(database, at(3 * HOUR), at(3 * HOUR), 1)

    found = hours(database, 0, 4 * HOUR, 3 * HOUR)

    assert [(its.start, its.due, its.missing) for its in found] == [
        (START, 360, 12),
        (at(HOUR), 720, 12),
        (at(2 * HOUR), 720, 0),
        (at(3 * HOUR), 720, 0),
    ]
    assert all(its.end - its.start == timedelta(hours=1) for its in found)


def test_a_calendar_and_the_coverage_of_its_range_agree(database):
    with database.write() as cursor:
        ran(cursor, 0, 5 * HOUR, 7)
        observed(cursor, [second for second in range(0, 5 * HOUR, 7) if second % 1000 > 300])
        missed(cursor, [second for second in range(0, 5 * HOUR, 7) if second % 1000 <= 300])
    advance(database, at(5 * HOUR), at(5 * HOUR), 1)

    (whole,) = covered(database, HOUR, 4 * HOUR, 5 * HOUR)

    its_hours = hours(database, HOUR, 4 * HOUR, 5 * HOUR)
    assert sum(its.due for its in its_hours) == whole.due
    assert sum(its.missing for its in its_hours) == whole.missing > 0


def test_the_edges_of_a_range_cut_a_gap(database):
    with database.write() as cursor:
        ran(cursor, 0, 2000)
        observed(cursor, [*range(0, 500, 5), *range(1500, 2000, 5)])
        missed(cursor, range(500, 1500, 5))
    advance(database, at(2000), at(2000), 1)

    assert [(its.due, its.missing) for its in covered(database, 1000, 1600, 2000)] == [(120, 100)]


def test_the_end_of_a_range_cuts_the_last_hour_of_a_calendar(database):
    with database.write() as cursor:
        ran(cursor, 0, None)
        observed(cursor, range(0, HOUR + 600, 5))

    whole, begun = hours(database, 0, HOUR + 600, HOUR + 600)

    assert (whole.due, begun.due) == (720, 120)
    assert begun.end == at(HOUR + 600)


def test_the_hours_of_a_calendar_add_up_to_one_coverage_an_index(database):
    with database.write() as cursor:
        ran(cursor, 0, 2 * HOUR, 5, "btc_usd", "eth_usd")
        observed(cursor, range(0, 2 * HOUR, 5))
        observed(cursor, range(600, 2 * HOUR, 5), "eth_usd")
        missed(cursor, range(0, 600, 5), index_name="eth_usd")
    advance(database, at(2 * HOUR), at(2 * HOUR), 1)

    found = totals(hours(database, 0, 2 * HOUR, 2 * HOUR))

    assert found == covered(database, 0, 2 * HOUR, 2 * HOUR)
    assert [(its.feed, its.due, its.missing) for its in found] == [("btc_usd", 1440, 0), ("eth_usd", 1440, 120)]


def test_noted_misses_stay_due_when_a_later_run_leaves_the_index_out(database):
    with database.write() as cursor:
        ran(cursor, 0, None, 5, "btc_usd", "eth_usd")
        for name in ("btc_usd", "eth_usd"):
            observed(cursor, range(0, 600, 5), name)
    advance(database, at(2 * HOUR), at(2 * HOUR), 1)
    with database.write() as cursor:
        ran(cursor, 2 * HOUR, 3 * HOUR, 5, "btc_usd")
        observed(cursor, range(2 * HOUR, 3 * HOUR, 5))

    btc, eth = covered(database, 0, 3 * HOUR, 3 * HOUR)

    down = (2 * HOUR - 600) // 5
    assert (btc.due, btc.live, btc.missing) == (3 * HOUR // 5, 3 * HOUR // 5 - down, down)
    assert (eth.due, eth.live, eth.missing) == (2 * HOUR // 5, 120, down)
    assert round(eth.share, 4) == 0.0833


def test_a_gap_stays_due_when_later_runs_do_not_have_its_slots(database):
    with database.write() as cursor:
        note(cursor, [Gap("eth_usd", at(0), at(60), 12, 5, "unreachable", "", gap=at(0))], at(100))

    assert covered(database, 30, 100, 100) == [Coverage("eth_usd", at(30), at(100), 6, 0, 6)]


@examples(40)
@given(
    parts=st.lists(
        st.tuples(
            st.integers(1, 12),
            st.sampled_from([("btc_usd",), ("eth_usd",), ("btc_usd", "eth_usd"), ()]),
            st.sampled_from([60, 300]),
            st.sampled_from(["observed", "missed", "some"]),
            st.booleans(),
            st.booleans(),
        ),
        min_size=1,
        max_size=7,
    ),
    step=st.sampled_from([170, HOUR]),
)
def test_shares_lie_between_0_and_1_after_any_history(open_database: Database, parts, step):
    """Runs of any indexes, killed or stopped, with time between them; the ledger advances at some points."""
    now = 0
    with open_database.write() as cursor:
        for table in ("ticks", "misses", "runs", "gap_events", "gaps", "watermark"):
            cursor.execute(f"DELETE FROM {table}")
    for tens, names, poll_seconds, what, killed, is_noted in parts:
        start, now = now, now + 600 * tens
        due = range(-(-start // poll_seconds) * poll_seconds, now, poll_seconds)
        with open_database.write() as cursor:
            if names:
                ran(cursor, start, None if killed else now, poll_seconds, *names)
            for name in names:
                observed(cursor, {"observed": due, "missed": [], "some": due[::3]}[what], name)
                missed(cursor, [second for second in due if what == "missed"], index_name=name)
        if is_noted:
            advance(open_database, at(now), at(now), 1)

    with open_database.read() as cursor:
        gaps = ledger(cursor, at(0), at(now), at(now))
        whole, by_hour = coverage(cursor, gaps, at(0), at(now)), calendar(cursor, gaps, at(0), at(now))
        in_part = coverage(cursor, gaps, at(step), at(step + HOUR))
        arrived = coverage(cursor, gaps, at(0), at(now), at(now))
    assert [(its.feed, its.due, its.missing) for its in totals(by_hour)] == [
        (its.feed, its.due, its.missing) for its in whole
    ]
    assert sum(its.missing for its in whole) == sum(gap.slots for gap in gaps)
    for its in [*whole, *by_hour, *in_part, *arrived]:
        assert its.missing == sum(
            len(slots(max(gap.start, its.start), min(gap.end, its.end), gap.poll_seconds))
            for gap in gaps
            if gap.feed == its.feed
        )
        assert its.live >= 0
        assert 0 <= its.share <= 1
