"""The ledger names each due slot without a tick once, with its cause."""

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.file.database import Cursor, Database
from store.ledger import gaps
from store.ledger.gaps import advance, ledger, watermark
from store.ledger.missing import missing
from store.models import RECORDER_DOWN, Cause, Gap
from tests.conftest import START
from tests.store.histories import Counting, at, averaged, found, in_short, missed, observed, ran
from tests.support.examples import examples

HOUR, DAY = 3600, 86_400


def noted(database: Database) -> list[Gap]:
    """The gaps that are noted in the file."""
    with database.read() as cursor:
        return [
            gap
            for name in sorted(gaps.feeds_with_gaps(cursor, ("open",)))
            for gap in gaps.oldest(cursor, name, ("open",), limit=1000)
        ]


def complete_to_s(database: Database) -> float | None:
    with database.read() as cursor:
        mark = watermark(cursor)
    return None if mark is None else (mark - START).total_seconds()


# Gaps that are found


def test_a_record_without_a_hole_has_no_gaps(database):
    with database.write() as cursor:
        ran(cursor, 0, 1000)
        observed(cursor, range(0, 1000, 5))

    assert found(database, 1000) == []


def test_slots_that_failed_are_a_gap_with_the_cause_of_their_misses(database):
    with database.write() as cursor:
        ran(cursor, 0, 1000)
        observed(cursor, [*range(0, 100, 5), *range(130, 1000, 5)])
        missed(cursor, range(100, 130, 5))

    (gap,) = found(database, 1000)

    assert gap == Gap("btc_usd", at(100), at(130), 6, 5, "unreachable", "connection refused", gap=at(100))
    assert gap.healed_by is None


def test_an_error_of_the_exchange_is_named_with_its_code(database):
    with database.write() as cursor:
        ran(cursor, 0, 100)
        observed(cursor, [*range(0, 50, 5), *range(55, 100, 5)])
        missed(cursor, [50], Cause.EXCHANGE_ERROR, code=11051)

    assert in_short(found(database, 100)) == [(50, 55, 1, "exchange error 11051")]


def test_two_consecutive_causes_are_two_gaps(database):
    with database.write() as cursor:
        ran(cursor, 0, 100)
        observed(cursor, [*range(0, 50, 5), *range(80, 100, 5)])
        missed(cursor, [50, 55, 60])
        missed(cursor, [65, 70, 75], Cause.REJECTED_REPLY)

    assert in_short(found(database, 100)) == [(50, 65, 3, "unreachable"), (65, 80, 3, "rejected reply")]


def test_an_empty_slot_between_misses_has_the_cause_of_the_miss_before(database):
    with database.write() as cursor:
        ran(cursor, 0, 100)
        observed(cursor, [*range(0, 50, 5), *range(80, 100, 5)])
        missed(cursor, [55, 65, 70])

    assert in_short(found(database, 100)) == [(50, 80, 6, "unreachable")]


def test_a_tick_in_its_slot_wins_over_a_miss(database):
    with database.write() as cursor:
        ran(cursor, 0, 100)
        observed(cursor, range(0, 100, 5))
        missed(cursor, [50])

    assert found(database, 100) == []


@pytest.mark.parametrize(("empty", "gaps_found"), [(2, 0), (3, 1)])
def test_up_to_two_empty_slots_without_a_miss_are_no_gap(database, empty, gaps_found):
    with database.write() as cursor:
        ran(cursor, 0, 100)
        observed(cursor, [*range(0, 50, 5), *range(50 + 5 * empty, 100, 5)])

    assert [gap.cause for gap in found(database, 100)] == ["missed slot"] * gaps_found


def test_the_time_between_two_runs_is_a_gap(database):
    with database.write() as cursor:
        ran(cursor, 0, 103)
        observed(cursor, range(0, 103, 5))
        ran(cursor, 700, None)
        observed(cursor, range(700, 800, 5))

    assert in_short(found(database, 800)) == [(105, 700, 119, "recorder down")]


def test_the_gap_after_a_kill_begins_with_the_slot_after_the_last_tick(database):
    with database.write() as cursor:
        ran(cursor, 0, None, 1)
        observed(cursor, range(50))
        ran(cursor, 61, None, 1)
        observed(cursor, range(61, 80))

    assert in_short(found(database, 80)) == [(50, 61, 11, "recorder down")]


def test_the_gap_of_a_recorder_that_is_down_ends_before_slots_that_may_still_come(database):
    with database.write() as cursor:
        ran(cursor, 0, None, 5)
        observed(cursor, range(0, 50, 5))

    assert in_short(found(database, 200)) == [(50, 190, 28, "recorder down")]


def test_slots_that_may_still_come_are_no_gap(database):
    with database.write() as cursor:
        ran(cursor, 0, None, 5)
        observed(cursor, range(0, 100, 5))

    assert found(database, 109) == []


def test_each_index_has_its_own_gaps(database):
    with database.write() as cursor:
        ran(cursor, 0, 100, 5, "btc_usd", "eth_usd")
        observed(cursor, range(0, 100, 5))
        observed(cursor, range(0, 50, 5), "eth_usd")
        missed(cursor, range(50, 100, 5), index_name="eth_usd")

    assert [(gap.feed, gap.slots) for gap in found(database, 110)] == [("eth_usd", 10)]


@pytest.mark.parametrize("noted", [False, True])
def test_the_ledger_of_some_indexes_has_only_their_gaps(database, noted):
    with database.write() as cursor:
        ran(cursor, 0, 100, 5, "btc_usd", "eth_usd")
        for name in ("btc_usd", "eth_usd"):
            missed(cursor, range(0, 100, 5), index_name=name)
        if noted:
            gaps.note(cursor, ledger(cursor, at(0), at(100), at(110)), at(110))

    with database.read() as cursor:
        its = ledger(cursor, at(0), at(100), at(110), {"eth_usd"})
    assert [(gap.feed, gap.slots) for gap in its] == [("eth_usd", 20)]


def test_a_new_index_has_no_gap_before_it_was_configured(database):
    with database.write() as cursor:
        ran(cursor, 0, 100, 5, "btc_usd")
        observed(cursor, range(0, 100, 5))
        ran(cursor, 100, 200, 5, "btc_usd", "eth_usd")
        observed(cursor, range(100, 200, 5))
        observed(cursor, range(100, 200, 5), "eth_usd")

    assert found(database, 200) == []


def test_slots_have_the_period_of_their_run(database):
    with database.write() as cursor:
        ran(cursor, 0, 60, 5)
        observed(cursor, range(0, 30, 5))
        missed(cursor, range(30, 60, 5))
        ran(cursor, 60, 120, 20)
        missed(cursor, range(60, 120, 20))

    assert [(gap.slots, gap.poll_seconds) for gap in found(database, 160)] == [(6, 5), (3, 20)]


# Clocks


@pytest.mark.parametrize("ahead_s", [3600, -3600, 30, 0.04, -0.04])
def test_a_clock_that_is_set_right_makes_no_gap(database, ahead_s):
    """The exchange's time goes on; only the local time jumps back by as much as it was ahead."""
    with database.write() as cursor:
        first_slot = int(ahead_s / 5) * 5
        ran(cursor, first_slot, None, 5)
        observed(cursor, range(first_slot, first_slot + 300, 5), clock_ahead_s=ahead_s)
        ran(cursor, 300, None, 5)
        observed(cursor, range(300, 600, 5))

    assert found(database, 600, end_s=600) == []


def test_a_clock_that_was_ahead_hides_no_gap_after_its_correction(database):
    with database.write() as cursor:
        ran(cursor, HOUR, None, 5)
        observed(cursor, range(HOUR, HOUR + 300, 5), clock_ahead_s=HOUR)
    advance(database, at(HOUR + 300), at(HOUR + 300), 1)
    with database.write() as cursor:
        ran(cursor, 300, None, 5)
        observed(cursor, [*range(300, 400, 5), *range(500, 900, 5)])
        missed(cursor, range(400, 500, 5))

    advance(database, at(900), at(900), 1)

    assert (400, 500, 20, "unreachable") in in_short(noted(database))


# Gaps that are noted


def test_a_gap_that_is_over_is_noted_once(database):
    with database.write() as cursor:
        ran(cursor, 0, 2000)
        observed(cursor, [*range(0, 100, 5), *range(400, 2000, 5)])
        missed(cursor, range(100, 400, 5))

    for until_s in (1000, 1000, 2000):
        advance(database, at(until_s), at(until_s), 1)

    assert in_short(noted(database)) == [(100, 400, 60, "unreachable")]
    assert in_short(found(database, 2000)) == [(100, 400, 60, "unreachable")]
    assert complete_to_s(database) == 2000


def test_a_gap_that_goes_on_is_shown_at_once_and_noted_when_it_is_over(database):
    with database.write() as cursor:
        ran(cursor, 0, None)
        observed(cursor, range(0, 1000, 5))
        missed(cursor, range(1000, 1500, 5))

    advance(database, at(1500), at(1500), 1)
    going_on = noted(database), in_short(found(database, 1510)), complete_to_s(database)
    with database.write() as cursor:
        observed(cursor, range(1500, 1600, 5))
    advance(database, at(1600), at(1600), 1)

    assert going_on == ([], [(1000, 1500, 100, "unreachable")], 1000)
    assert in_short(noted(database)) == [(1000, 1500, 100, "unreachable")]


@pytest.mark.parametrize("into_a_slot_s", [0, 2])
def test_a_gap_of_hours_is_noted_in_pieces_and_shown_as_one(database, into_a_slot_s: float):
    with database.write() as cursor:
        ran(cursor, 0, None)
        observed(cursor, range(0, 100, 5))
        missed(cursor, range(100, 3 * HOUR, 5))

    for until_s in range(600, 3 * HOUR, 600):
        advance(database, at(until_s + into_a_slot_s), at(until_s + into_a_slot_s), 1)

    pieces = noted(database)
    assert 1 < len(pieces) <= 3
    assert in_short(found(database, 3 * HOUR + 10)) == [(100, 3 * HOUR, (3 * HOUR - 100) // 5, "unreachable")]


def test_an_index_missing_from_a_slot_that_a_kill_cut_short_has_a_gap(database):
    with database.write() as cursor:
        ran(cursor, 0, None, 5, "btc_usd", "eth_usd")
        observed(cursor, range(0, 105, 5))
        observed(cursor, range(0, 100, 5), "eth_usd")
    before = in_short(found(database, 200, end_s=105))

    with database.write() as cursor:
        ran(cursor, 200, None, 5, "btc_usd", "eth_usd")
        for name in ("btc_usd", "eth_usd"):
            observed(cursor, [200], name)

    assert before == []
    assert in_short(found(database, 210, end_s=205)) == [
        (105, 200, 19, "recorder down"),
        (100, 200, 20, "recorder down"),
    ]
    assert in_short(found(database, 210, end_s=102)) == []


def test_an_open_gap_of_one_index_does_not_delay_the_gaps_of_others(database):
    with database.write() as cursor:
        ran(cursor, 0, None, 5, "btc_usd", "eth_usd")
        observed(cursor, range(0, 500, 5))
        missed(cursor, range(500, 1500, 5))
        observed(cursor, [*range(0, 1000, 5), *range(1100, 1500, 5)], "eth_usd")
        missed(cursor, range(1000, 1100, 5), index_name="eth_usd")

    advance(database, at(1500), at(1500), 1)

    assert [(gap.feed, gap.slots) for gap in noted(database)] == [("eth_usd", 20)]
    assert [(gap.feed, gap.slots) for gap in found(database, 1500, end_s=1500)] == [
        ("btc_usd", 198),
        ("eth_usd", 20),
    ]


def test_a_file_of_months_is_examined_part_by_part(database):
    with database.write() as cursor:
        ran(cursor, 0, 70 * DAY, 3600)
        observed(cursor, [second for second in range(0, 70 * DAY, 3600) if not 25 * DAY <= second < 65 * DAY])

    advance(database, at(70 * DAY), at(70 * DAY), 1)

    assert complete_to_s(database) == 70 * DAY
    assert len(noted(database)) == 5
    assert in_short(found(database, 70 * DAY)) == [(25 * DAY, 65 * DAY, 960, "missed slot")]


def test_a_file_without_runs_has_no_ledger(database):
    advance(database, at(100), at(100), 1)

    assert complete_to_s(database) is None


def test_time_that_another_process_examined_is_not_examined_again(database):
    """`backfill` examines time up to some minutes ago; the recorder has noted later gaps meanwhile."""
    with database.write() as cursor:
        ran(cursor, 0, None)
        observed(cursor, [*range(0, 500, 5), *range(900, 1000, 5)])
        missed(cursor, range(500, 900, 5))
    advance(database, at(1000), at(1000), 1)

    advance(database, at(970), at(1000), 1)

    assert complete_to_s(database) == 1000


class Outpaced(Database):
    """A database whose ledger another process advances before each write."""

    @contextlib.contextmanager
    def write(self, wait_s: float = 5) -> Iterator[Cursor]:
        advance(Database(self.path), at(1000), at(1000), 1)
        with super().write(wait_s) as cursor:
            yield cursor


def test_a_slower_process_does_not_set_the_watermark_back(new_database):
    with new_database.write() as cursor:
        ran(cursor, 0, None)
        observed(cursor, [*range(0, 100, 5), *range(200, 1000, 5)])
        missed(cursor, range(100, 200, 5))

    advance(Outpaced(new_database.path), at(700), at(1000), 1)

    assert in_short(noted(new_database)) == [(100, 200, 20, "unreachable")]
    assert complete_to_s(new_database) == 1000


def test_a_long_outage_is_explained_without_reading_each_miss(database):
    with database.write() as cursor:
        ran(cursor, 0, 20_000)
        missed(cursor, range(0, 10_000, 5))
        missed(cursor, range(10_000, 15_000, 5), Cause.EXCHANGE_ERROR, code=11051)
        missed(cursor, range(15_000, 20_000, 5), Cause.EXCHANGE_ERROR, code=10028)

    with database.read() as cursor:
        counting: Any = Counting(cursor)
        its = missing(counting, at(0), at(20_000))

    assert in_short(its) == [
        (0, 10_000, 2000, "unreachable"),
        (10_000, 15_000, 1000, "exchange error 11051"),
        (15_000, 20_000, 1000, "exchange error 10028"),
    ]
    assert counting.fetched < 10


def test_a_watermark_in_the_future_causes_no_look_back(database):
    with database.write() as cursor:
        cursor.execute("INSERT INTO watermark VALUES ('2050-01-01')")

    advance(database, at(100), at(100), 1)

    assert noted(database) == []


def test_the_watermark_moves_in_steps_that_justify_a_write(database):
    with database.write() as cursor:
        ran(cursor, 0, None)
        observed(cursor, range(0, 2000, 5))

    marks = []
    for until_s in (300, 900, 1000, 1600):
        advance(database, at(until_s), at(until_s), 1)
        marks.append(complete_to_s(database))

    assert marks == [None, 900, 900, 1600]


def test_a_partly_noted_gap_is_noted_completely_and_once(database):
    """A second process, or a clock that went back, examines a stretch again."""
    with database.write() as cursor:
        ran(cursor, 0, 1000)
        observed(cursor, [*range(0, 100, 5), *range(400, 1000, 5)])
        missed(cursor, range(100, 400, 5))
        gaps.note(cursor, [Gap("btc_usd", at(200), at(300), 20, 5, "unreachable", "", gap=at(200))], at(1000))

    advance(database, at(1000), at(1000), 1)

    assert in_short(noted(database)) == [
        (100, 200, 20, "unreachable"),
        (200, 300, 20, "unreachable"),
        (300, 400, 20, "unreachable"),
    ]


def test_more_gaps_than_one_statement_takes_are_all_noted(database):
    many = 1200
    with database.write() as cursor:
        gaps.note(
            cursor,
            [
                Gap("btc_usd", at(number), at(number + 1), 1, 1, "unreachable", "", gap=at(number))
                for number in range(0, 2 * many, 2)
            ],
            START,
        )

    with database.read() as cursor:
        assert len(ledger(cursor, START, at(2 * many), at(2 * many))) == many


@pytest.mark.parametrize("change", [{"cause": "rejected reply"}, {"state": "healed"}, {"slots": 2}, {"detail": "no"}])
def test_a_gap_that_changed_is_read_as_it_is_now(database, change):
    gap = Gap("btc_usd", at(0), at(60), 12, 5, "unreachable", "", gap=at(0))
    with database.write() as cursor:
        gaps.note(cursor, [gap], START)
    with database.read() as cursor:
        before = ledger(cursor, at(0), at(100), at(100))
    changed = gap._replace(round=1, **change)
    with database.write() as cursor:
        gaps.note(cursor, [changed], START)

    with database.read() as cursor:
        after = ledger(cursor, at(0), at(100), at(100))

    assert (before, after) == ([gap], [changed])


def test_who_changes_a_ledger_that_was_read_changes_no_other(database):
    with database.write() as cursor:
        gaps.note(cursor, [Gap("btc_usd", at(0), at(60), 12, 5, "unreachable", "", gap=at(0))], START)
    with database.read() as cursor:
        ledger(cursor, at(0), at(100), at(100)).clear()

        assert len(ledger(cursor, at(0), at(100), at(100))) == 1


def test_a_range_shows_the_gaps_that_touch_it(database):
    with database.write() as cursor:
        ran(cursor, 0, 1000)
        observed(cursor, [*range(0, 100, 5), *range(400, 1000, 5)])
        missed(cursor, range(100, 400, 5))
    advance(database, at(1000), at(1000), 1)

    touching = [bool(found(database, 1000, *bounds)) for bounds in ((0, 100), (0, 101), (399, 500), (400, 500))]

    assert touching == [False, True, True, False]


def test_a_healed_gap_names_its_source_and_resolution():
    gap = Gap("btc_usd", START, at(5), 1, 5, "unreachable", "", "healed", "chart", 6)

    assert gap.healed_by == "chart, 6 s"


def test_a_gap_healed_by_late_ticks_names_their_source_alone():
    assert Gap("btc_usd", START, at(5), 1, 5, "unreachable", "", "healed", "live", 0).healed_by == "live"


# Any history


@examples(60)
@given(
    poll_seconds=st.sampled_from([1, 5, 7]),
    slots=st.lists(st.sampled_from("ttttmrd"), min_size=1, max_size=60),
    cuts=st.lists(st.integers(1, 60), max_size=4),
)
def test_any_history_has_the_gaps_that_a_count_finds(open_database: Database, poll_seconds, slots, cuts):
    """t: a tick, m and r: a miss, d: the recorder is down."""
    zero = -(-START.timestamp() // poll_seconds) * poll_seconds - START.timestamp()
    seconds = [zero + number * poll_seconds for number in range(len(slots) + 1)]
    causes = {"m": Cause.UNREACHABLE, "r": Cause.REJECTED_REPLY}
    slots = ["t", *slots[1:]]
    with open_database.write() as cursor:
        for table in ("ticks", "misses", "runs", "gap_events", "gaps", "watermark"):
            cursor.execute(f"DELETE FROM {table}")
        for number, kind in enumerate(slots):
            if kind != "d" and (not number or slots[number - 1] == "d"):
                end = next((at_ for at_ in range(number, len(slots)) if slots[at_] == "d"), len(slots))
                ran(cursor, seconds[number], seconds[end], poll_seconds)
        observed(cursor, [second for second, kind in zip(seconds, slots, strict=False) if kind == "t"])
        for kind, cause in causes.items():
            missed(cursor, [second for second, its in zip(seconds, slots, strict=False) if its == kind], cause)
    now = at(seconds[-1])

    for cut in sorted({min(cut, len(slots)) for cut in cuts}):
        advance(open_database, at(seconds[cut]), now, 1)
    with open_database.read() as cursor:
        ledger_says = ledger(cursor, START, now, now + timedelta(seconds=2 * poll_seconds))

    by_slot = [
        (second, gap.cause) for gap in ledger_says for second in seconds[:-1] if gap.start <= at(second) < gap.end
    ]
    expected = [
        (second, {**causes, "d": RECORDER_DOWN}[kind])
        for second, kind in zip(seconds, slots, strict=False)
        if kind != "t"
    ]
    assert by_slot == expected
    assert sum(gap.slots for gap in ledger_says) == len(expected)


def test_averages_alone_fill_no_slot(database):
    with database.write() as cursor:
        ran(cursor, 0, 100)
        observed(cursor, range(0, 100, 5))
        cursor.execute("DELETE FROM ticks WHERE ts >= '2026-11-01 12:00:30' AND ts < '2026-11-01 12:01:00'")
        averaged(cursor, 30, 60, 6)

    assert in_short(found(database, 100)) == [(30, 60, 6, "missed slot")]
