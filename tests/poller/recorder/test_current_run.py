"""One run has the feeds of all periods, and each slot in it is served or missed."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from poller.feeds.index import index_feeds
from poller.journal.journal import Journal
from poller.recorder.cadence import Cadence, cadences_of
from poller.recorder.current_run import CurrentRun
from store.file.database import Database
from store.ledger import runs
from store.models import Cause, Miss, Run
from tests.conftest import START, tick

SECOND = timedelta(seconds=1)
PERIODS = {"btc_usd": 1, "eth_usd": 30}


def slot(second: int) -> datetime:
    return START + second * SECOND


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database)


@pytest.fixture
def cadences(journal: Journal) -> list[Cadence]:
    """Cadences of btc_usd at 1 s and of eth_usd at 30 s."""
    return cadences_of([*index_feeds(["eth_usd"], 30 * SECOND), *index_feeds(["btc_usd"], SECOND)], journal)


@pytest.fixture
def current_run(cadences: list[Cadence], journal: Journal) -> CurrentRun:
    return CurrentRun(cadences, journal)


@pytest.fixture
def fast(cadences: list[Cadence]) -> Cadence:
    return cadences[0]


@pytest.fixture
def slow(cadences: list[Cadence]) -> Cadence:
    return cadences[1]


def begin(current_run: CurrentRun, cadence: Cadence, second: int) -> bool:
    return asyncio.run(current_run.begin(cadence, slot(second), slot(second)))


def serve(current_run: CurrentRun, cadence: Cadence, seconds: Sequence[int]) -> None:
    for second in seconds:
        assert begin(current_run, cadence, second)
        cadence.add([tick(second + 0.5, index_name=cadence.feeds[0].name)])
        cadence.served()


def stored_runs(journal: Journal, database: Database) -> list[Run]:
    journal.flush(1)
    with database.read() as cursor:
        return runs.runs(cursor)


def stored_misses(journal: Journal, database: Database) -> list[Miss]:
    journal.flush(1)
    with database.read() as cursor:
        return runs.misses(cursor, START - SECOND, slot(86_400))


def test_a_run_has_the_feeds_of_all_periods(current_run, fast, slow, journal, database):
    serve(current_run, fast, [299, 300])
    serve(current_run, slow, [300])
    current_run.stop(slot(301))

    (run,) = stored_runs(journal, database)
    assert (run.feeds, run.started_at, run.ended_at) == (PERIODS, slot(299), slot(301))
    assert stored_misses(journal, database) == []


def test_a_slot_of_a_longer_period_waits_until_a_run_has_begun(current_run, fast, slow):
    async def both() -> list[bool]:
        early = asyncio.create_task(current_run.begin(slow, slot(0), slot(0)))
        late = asyncio.create_task(current_run.begin(slow, slot(300), slot(300)))
        await asyncio.sleep(0)  # both wait now
        assert [early.done(), late.done()] == [False, False]
        begun = await current_run.begin(fast, slot(300), slot(300))
        return [begun, await early, await late]

    assert asyncio.run(both()) == [True, False, True]
    assert slow.slot == slot(300)


def test_slots_of_all_feeds_are_known_up_to_the_oldest_one_under_way(current_run, fast, slow):
    outside = current_run.known_to(slot(60))
    serve(current_run, fast, [0])
    begin(current_run, slow, 0)
    serve(current_run, fast, [1, 2])
    with_one_under_way = current_run.known_to(slot(60))
    slow.served()

    assert (outside, with_one_under_way, current_run.known_to(slot(60))) == (None, slot(0), slot(3))


def test_slots_of_a_long_period_are_known_up_to_now_at_most(journal):
    (alone,) = cadences_of(index_feeds(["eth_usd"], 3600 * SECOND), journal)
    current_run = CurrentRun([alone], journal)
    serve(current_run, alone, [0])

    assert (alone.known_to, current_run.known_to(slot(20))) == (slot(3600), slot(20))


def test_skipped_slots_are_misses_of_their_feeds(current_run, fast, slow, journal, database):
    serve(current_run, fast, [0, 3])
    serve(current_run, slow, [30])

    assert [(miss.feed, miss.slot, miss.cause) for miss in stored_misses(journal, database)] == [
        ("eth_usd", slot(0), Cause.MISSED_SLOT),
        ("btc_usd", slot(1), Cause.MISSED_SLOT),
        ("btc_usd", slot(2), Cause.MISSED_SLOT),
    ]


@pytest.mark.parametrize("under_way", [False, True])
def test_a_run_ends_when_the_machine_goes_to_sleep(current_run, fast, slow, journal, database, under_way):
    serve(current_run, fast, [1] if under_way else [1, 2])
    if under_way:
        begin(current_run, fast, 3)

    async def wakes() -> bool:
        waits = asyncio.create_task(current_run.begin(slow, slot(300), slot(300)))
        await asyncio.sleep(0)
        assert current_run.known_to(slot(300)) is None  # the slow cadence saw that the run is over
        await current_run.begin(fast, slot(400), slot(400))
        return bool(await waits)

    assert not asyncio.run(wakes())
    first, second = stored_runs(journal, database)
    assert (first.ended_at, second.started_at) == (slot(3), slot(400))
    skipped = [(miss.feed, miss.slot) for miss in stored_misses(journal, database)]
    assert skipped == ([("btc_usd", slot(2))] if under_way else [])


def test_a_sleep_that_a_slow_cadence_notices_first_leaves_no_misses(current_run, fast, slow, journal, database):
    """The slot of the slow cadence began before the machine woke."""
    serve(current_run, fast, [0])
    serve(current_run, slow, [0])
    serve(current_run, fast, [1])

    async def wakes() -> bool:
        waits = asyncio.create_task(current_run.begin(slow, slot(60), slot(65)))
        await asyncio.sleep(0)
        await current_run.begin(fast, slot(65), slot(65))
        return bool(await waits)

    assert not asyncio.run(wakes())
    first, second = stored_runs(journal, database)
    assert (first.ended_at, second.started_at) == (slot(2), slot(65))
    assert stored_misses(journal, database) == []


def test_another_run_follows_a_run_that_ends_during_a_slot(current_run, fast, journal, database):
    serve(current_run, fast, [0])
    begin(current_run, fast, 1)
    current_run.end()
    fast.served()
    current_run.end()  # the run has ended
    serve(current_run, fast, [2])

    first, second = stored_runs(journal, database)
    assert (first.started_at, first.ended_at) == (slot(0), slot(1))
    assert (second.started_at, second.ended_at) == (slot(2), None)


def test_a_clock_that_was_set_back_shows_a_time_before_the_newest_slot(current_run, fast):
    before = current_run.has_begun_after(slot(-1))
    serve(current_run, fast, [0, 1])

    assert [before, current_run.has_begun_after(slot(0)), current_run.has_begun_after(slot(1))] == [False, True, False]


def test_a_clock_that_moves_during_a_slot_moves_its_outcomes(current_run, fast, slow, journal, database):
    current_run.move(slot(60))  # no run has begun
    begin(current_run, fast, 0)
    begin(current_run, slow, 0)

    current_run.move(slot(400) + 0.3 * SECOND)
    for cadence, name in ((fast, "btc_usd"), (slow, "eth_usd")):
        cadence.add([Miss(slot(0), name, Cause.UNREACHABLE, "")])
        cadence.served()

    (run,) = stored_runs(journal, database)
    assert run.started_at == slot(400)
    assert [(miss.feed, miss.slot) for miss in stored_misses(journal, database)] == [
        ("eth_usd", slot(390)),
        ("btc_usd", slot(400)),
    ]
    assert fast.knows(slot(400))
    assert slow.knows(slot(390))


def test_a_clock_that_moves_before_a_feed_was_asked_moves_its_first_slot(current_run, fast, slow):
    serve(current_run, fast, [1])
    before = slow.due
    current_run.move(slot(1000))

    assert (before, slow.due) == (slot(30), slot(1020))


def test_a_stop_misses_the_slot_of_a_longer_period_under_way(current_run, fast, slow, journal, database):
    serve(current_run, fast, [0])
    begin(current_run, slow, 0)
    begin(current_run, fast, 1)
    current_run.stop(slot(1) + 0.5 * SECOND)

    (run,) = stored_runs(journal, database)
    assert run.ended_at == slot(1)
    (miss,) = stored_misses(journal, database)
    assert (miss.feed, miss.slot, miss.detail) == ("eth_usd", slot(0), "the recorder was stopped before the reply came")


def test_a_stop_before_any_slot_ends_nothing(current_run, journal):
    current_run.stop(slot(0))

    assert journal.empty


def test_a_slot_whose_feeds_are_asked_later_is_a_miss_if_the_run_ends_before(
    current_run, fast, slow, journal, database
):
    serve(current_run, fast, [299, 300])
    current_run.stop(slot(301))

    assert [(miss.feed, miss.slot, miss.detail) for miss in stored_misses(journal, database)] == [
        ("eth_usd", slot(300), "the run ended before the feed was asked")
    ]


def test_a_run_ends_at_the_slot_that_had_not_begun_when_a_late_stop_came(current_run, fast, journal, database):
    serve(current_run, fast, [0, 1])
    current_run.stop(slot(4) + 0.3 * SECOND)

    (run,) = stored_runs(journal, database)
    assert run.ended_at == slot(2)
