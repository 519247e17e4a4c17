"""Stored ticks and averages heal the slots of a gap, and nothing else does."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.file.database import Cursor, Database
from store.ledger import gaps
from store.ledger.gaps import advance
from store.ledger.heal import PORTION, heal
from store.models import Gap
from tests.conftest import START
from tests.store.histories import at, averaged, found, missed, observed, ran
from tests.support.examples import examples

HOUR, DAY = 3600, 86_400


def outage(database: Database, start_s: int, end_s: int, until_s: int, poll_seconds: int = 5) -> None:
    """Store a run with an outage, and note its gap."""
    with database.write() as cursor:
        ran(cursor, 0, until_s, poll_seconds)
        slots = range(0, until_s, poll_seconds)
        observed(cursor, [slot for slot in slots if not start_s <= slot < end_s])
        missed(cursor, [slot for slot in slots if start_s <= slot < end_s])
    advance(database, at(until_s), at(until_s), 1)


def healed_from(
    database: Database,
    *averages: tuple[float, float, int],
    hopeless: Callable[[datetime, datetime], bool] | None = None,
) -> list[Gap]:
    """Store averages, as (start, end, step), and heal."""
    with database.write() as cursor:
        for start_s, end_s, step_s in averages:
            averaged(cursor, start_s, end_s, step_s)
        return heal(cursor, "btc_usd", at(DAY), hopeless=hopeless or (lambda _start, _end: False))[0]


def _begins_before(limit: datetime, start: datetime, _end: datetime) -> bool:
    return start < limit


def in_short(pieces: list[Gap]) -> list[tuple[float, float, str, str | None]]:
    return [
        ((gap.start - START).total_seconds(), (gap.end - START).total_seconds(), gap.state, gap.healed_by)
        for gap in pieces
    ]


def test_averages_over_the_whole_gap_heal_it(database):
    outage(database, 600, 900, 1800)

    healed = healed_from(database, (0, 1800, 6))

    assert in_short(healed) == [(600, 900, "healed", "chart, 6 s")]
    assert found(database, 1800) == healed
    assert healed[0].round == 1


def test_slots_beside_the_first_and_last_average_are_healed_too(database):
    """The average over these slots was skipped, because it overlaps observations."""
    outage(database, 601, 899, 1800, poll_seconds=1)

    assert in_short(healed_from(database, (0, 1800, 6))) == [(601, 899, "healed", "chart, 6 s")]


def test_a_gap_with_nothing_in_it_stays_open(database):
    outage(database, 600, 900, 1800)

    assert healed_from(database, (0, 540, 6), (1000, 1800, 6)) == []
    assert in_short(found(database, 1800)) == [(600, 900, "open", None)]


def test_a_gap_too_short_for_any_average_is_unfillable(database):
    outage(database, 600, 601, 1800, poll_seconds=1)

    healed = healed_from(database, (0, 1800, 6), hopeless=lambda _start, _end: True)

    assert in_short(healed) == [(600, 601, "unfillable", None)]


def test_a_gap_is_cut_into_pieces_by_their_source(database):
    outage(database, HOUR, 3 * HOUR, 4 * HOUR)

    healed = healed_from(database, (2 * HOUR, 4 * HOUR, 6), (HOUR, 4 * HOUR, 60))

    assert in_short(healed) == [
        (HOUR, 2 * HOUR, "healed", "chart, 60 s"),
        (2 * HOUR, 3 * HOUR, "healed", "chart, 6 s"),
    ]


def test_only_the_rest_of_a_gap_may_be_hopeless(database):
    outage(database, HOUR, 3 * HOUR, 4 * HOUR)
    asked = []

    def hopeless(start: datetime, end: datetime) -> bool:
        asked.append((start, end))
        return start < at(HOUR + 600)

    healed = healed_from(database, (HOUR + 600, HOUR + 1200, 6), hopeless=hopeless)

    assert in_short(healed) == [
        (HOUR, HOUR + 595, "unfillable", None),
        (HOUR + 595, HOUR + 1210, "healed", "chart, 6 s"),
        (HOUR + 1210, 3 * HOUR, "open", None),
    ]
    assert asked == [(at(HOUR), at(HOUR + 595)), (at(HOUR + 1210), at(3 * HOUR))]


def test_the_pieces_of_a_gap_have_all_its_slots(database):
    outage(database, HOUR, 3 * HOUR, 4 * HOUR)

    healed = healed_from(database, (HOUR + 600, HOUR + 1200, 6), (2 * HOUR, 3 * HOUR, 60))

    assert sum(gap.slots for gap in healed) == 2 * HOUR // 5
    assert all(before.end == gap.start for before, gap in pairwise(healed))


def test_healing_again_changes_nothing(database):
    outage(database, HOUR, 3 * HOUR, 4 * HOUR)
    healed_from(database, (HOUR + 600, HOUR + 1200, 6), hopeless=lambda start, _end: start < at(HOUR + 600))
    before = found(database, 4 * HOUR)

    again = healed_from(database, hopeless=lambda _start, _end: False)

    assert again == []
    assert found(database, 4 * HOUR) == before


def test_healed_pieces_stay_when_the_rest_is_healed_later(database):
    outage(database, HOUR, 3 * HOUR, 4 * HOUR)

    healed_from(database, (HOUR, 2 * HOUR, 6))
    healed_from(database, (2 * HOUR, 3 * HOUR, 60))

    assert in_short(found(database, 4 * HOUR)) == [
        (HOUR, 2 * HOUR + 10, "healed", "chart, 6 s"),
        (2 * HOUR + 10, 3 * HOUR, "healed", "chart, 60 s"),
    ]


def test_an_unfillable_gap_is_healed_when_ticks_come_after_all(database):
    outage(database, 600, 900, 1800)
    healed_from(database, hopeless=lambda _start, _end: True)
    with database.write() as cursor:
        averaged(cursor, 0, 1800, 60)
        not_asked_for, _ = heal(cursor, "btc_usd", at(DAY))
        healed, _ = heal(cursor, "btc_usd", at(DAY), states=("open", "unfillable"))

    assert not_asked_for == []
    assert in_short(healed) == [(600, 900, "healed", "chart, 60 s")]


def test_an_unfillable_gap_stays_without_a_further_event(database):
    outage(database, 600, 900, 1800)
    healed_from(database, hopeless=lambda _start, _end: True)
    with database.write() as cursor:
        assert heal(cursor, "btc_usd", at(DAY), states=("open", "unfillable")) == ([], None)

    assert in_short(found(database, 1800)) == [(600, 900, "unfillable", None)]


def test_late_ticks_heal_a_gap(database):
    outage(database, 600, 900, 1800)
    with database.write() as cursor:
        observed(cursor, range(600, 700, 5))
        observed(cursor, range(800, 850, 5))

    assert in_short(healed_from(database)) == [
        (600, 700, "healed", "live"),
        (700, 800, "open", None),
        (800, 850, "healed", "live"),
        (850, 900, "open", None),
    ]


def test_imported_ticks_heal_a_gap_and_are_named(database):
    outage(database, 600, 900, 1800)
    with database.write() as cursor:
        observed(cursor, range(600, 900, 5))
        cursor.execute(
            "UPDATE ticks SET source = 'import', received_at = NULL WHERE ts BETWEEN ? AND ?",
            [at(600).replace(tzinfo=None), at(900).replace(tzinfo=None)],
        )

    assert in_short(healed_from(database)) == [(600, 900, "healed", "import")]


def test_gaps_of_other_indexes_do_not_change(database):
    outage(database, 600, 900, 1800)
    with database.write() as cursor:
        averaged(cursor, 0, 1800, 6)
        assert heal(cursor, "eth_usd", at(DAY)) == ([], None)

    assert in_short(found(database, 1800)) == [(600, 900, "open", None)]


def test_many_gaps_are_healed_portion_by_portion(database):
    many = PORTION + 20
    with database.write() as cursor:
        gaps.note(
            cursor,
            [
                Gap("btc_usd", at(60 * number), at(60 * number + 30), 6, 5, "unreachable", "", gap=at(60 * number))
                for number in range(many)
            ],
            START,
        )
        averaged(cursor, 0, 60 * many, 6)
        first, go_on = heal(cursor, "btc_usd", START)
        assert go_on is not None
        rest, done = heal(cursor, "btc_usd", START, start=go_on)

    assert (len(first), len(rest), done) == (PORTION, 20, None)


def sparse(cursor: Cursor) -> None:
    """Three gaps with some ticks and averages: the first with few, the second with many, the third with few."""
    found = [(0, 300), (400, 2000), (2100, 2400)]
    gaps.note(
        cursor,
        [
            Gap("btc_usd", at(start), at(end), (end - start) // 5, 5, "unreachable", "", gap=at(start))
            for start, end in found
        ],
        START,
    )
    observed(cursor, [100, *range(500, 1200, 60), 2200])
    for start_s in range(1200, 2000, 120):
        averaged(cursor, start_s, start_s + 12, 6)


@pytest.mark.parametrize("most_pieces", [1, 2, 3, 5, 12])
def test_a_gap_of_many_pieces_heals_the_same_over_many_leases_as_under_one(database, most_pieces):
    hopeless = partial(_begins_before, at(1000))
    with database.write() as cursor:
        sparse(cursor)
        heal(cursor, "btc_usd", START, hopeless=hopeless)
    at_once = found(database, 3000)
    with database.write() as cursor:
        for table in ("ticks", "gap_events", "gaps"):
            cursor.execute(f"DELETE FROM {table}")
        sparse(cursor)

    leases: list[int] = []
    go_on: datetime | None = START
    while go_on is not None:
        with database.write() as cursor:
            ((before,),) = cursor.execute("SELECT count(*) FROM gap_events").fetchall()
            _, go_on = heal(cursor, "btc_usd", START, hopeless=hopeless, start=go_on, most_pieces=most_pieces)
            ((after,),) = cursor.execute("SELECT count(*) FROM gap_events").fetchall()
        leases.append(after - before)

    assert in_short(found(database, 3000)) == in_short(at_once)
    assert len(at_once) > 20
    assert max(leases) <= most_pieces + 1


def test_gaps_far_apart_are_healed_under_separate_leases(database):
    """A lease would read all ticks between them."""
    starts = [0, 3 * DAY, 300 * DAY, 301 * DAY]
    with database.write() as cursor:
        gaps.note(
            cursor, [Gap("btc_usd", at(s), at(s + 30), 6, 5, "unreachable", "", gap=at(s)) for s in starts], START
        )
        for start_s in starts:
            averaged(cursor, start_s, start_s + 30, 6)
        first, go_on = heal(cursor, "btc_usd", START)
        second, done = heal(cursor, "btc_usd", START, start=go_on or START)

    assert [in_short(each) for each in (first, second)] == [
        [(s, s + 30, "healed", "chart, 6 s") for s in starts[:2]],
        [(s, s + 30, "healed", "chart, 6 s") for s in starts[2:]],
    ]
    assert done is None


def test_a_gap_longer_than_a_lease_examines_is_healed_by_itself(database):
    with database.write() as cursor:
        gaps.note(
            cursor,
            [
                Gap("btc_usd", at(0), at(30 * DAY), 6 * DAY, 5, "unreachable", "", gap=at(0)),
                Gap("btc_usd", at(31 * DAY), at(31 * DAY + 30), 6, 5, "unreachable", "", gap=at(31 * DAY)),
            ],
            START,
        )
        averaged(cursor, 0, 32 * DAY, DAY)
        first, go_on = heal(cursor, "btc_usd", START)

    assert in_short(first) == [(0, 30 * DAY, "healed", "chart, 86400 s")]
    assert go_on == at(30 * DAY)


def test_averages_of_days_heal_the_middle_of_an_outage_of_days(database):
    """The ledger notes a long outage hour by hour, and each hour lies in an average of a day."""
    with database.write() as cursor:
        ran(cursor, 0, 5 * DAY, 600)
        observed(cursor, [slot for slot in range(0, 5 * DAY, 600) if not DAY <= slot < 4 * DAY])
        missed(cursor, range(DAY, 4 * DAY, 600))
    for until_s in range(HOUR, 5 * DAY, 6 * HOUR):
        advance(database, at(until_s), at(until_s), 1)
    advance(database, at(5 * DAY), at(5 * DAY), 1)

    healed_from(database, (DAY, 4 * DAY, DAY))

    assert in_short(found(database, 5 * DAY)) == [(DAY, 4 * DAY, "healed", "chart, 86400 s")]


@examples(60)
@given(
    poll_seconds=st.sampled_from([1, 5]),
    gap=st.tuples(st.integers(10, 60), st.integers(1, 120)),
    stored=st.lists(st.tuples(st.integers(0, 200), st.sampled_from([6, 60])), max_size=12),
)
def test_any_averages_heal_the_slots_that_they_cover_and_those_within_a_step(
    open_database: Database, poll_seconds, gap, stored
):
    first, count = gap
    with open_database.write() as cursor:
        for table in ("ticks", "misses", "runs", "gap_events", "gaps", "watermark"):
            cursor.execute(f"DELETE FROM {table}")
        start, end = at(first * poll_seconds), at((first + count) * poll_seconds)
        gaps.note(cursor, [Gap("btc_usd", start, end, count, poll_seconds, "unreachable", "", gap=start)], START)
        for number, step_s in stored:
            averaged(cursor, number * step_s, (number + 1) * step_s, step_s)
        rows = cursor.execute("SELECT ts, resolution_s FROM ticks").fetchall()
        heal(cursor, "btc_usd", START)
        pieces = gaps.oldest(cursor, "btc_usd", ("open", "healed"), limit=1000)

    def nearest(slot: datetime, reach: int) -> int | None:
        steps = [
            step_s
            for ts, step_s in rows
            if ts - reach * timedelta(seconds=step_s)
            <= slot.replace(tzinfo=None)
            < ts + (1 + reach) * timedelta(seconds=step_s)
        ]
        return min(steps, default=None)

    slots = [at((first + number) * poll_seconds) for number in range(count)]
    told = [next(piece.resolution_s for piece in pieces if piece.start <= slot < piece.end) for slot in slots]
    assert told == [nearest(slot, 0) or nearest(slot, 1) for slot in slots]
    assert sum(piece.slots for piece in pieces) == count
