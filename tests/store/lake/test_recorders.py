"""A lake tells which recorder was at work and what it missed, also from files of versions without names."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from store.errors import StoreError
from store.file.database import Database
from store.lake.notice import read_notice
from store.lake.reader import LakeReader
from store.lake.verify import compare
from store.ledger import runs
from store.ledger.coverage import coverage
from store.ledger.gaps import ledger
from store.models import Cause, Run
from tests.conftest import START
from tests.store.histories import at, in_short
from tests.store.lake.recordings import in_file, in_lake, live, miss, observe, share

HOUR = timedelta(hours=1)


def test_runs_misses_and_vitals_of_all_recorders_are_in_the_lake_under_their_names(file, lake):
    first, second = file("a"), file("b")
    for database in (first, second):
        observe(database, [1])
        miss(database, [2, 3])
        live(database, [1, 2])

    for _ in range(2):
        share(first, lake)
        share(second, lake)

    for table in ("runs", "misses", "vitals"):
        assert in_lake(lake, table) == sorted(in_file(first, table) + in_file(second, table), key=str)
    assert [compare(database, lake).faults for database in (first, second)] == [(), ()]


def test_a_run_that_ended_is_published_once_more_and_its_end_stays(file, lake):
    database = file("a")
    share(database, lake)
    begun = in_lake(lake, "runs")
    before = database.path.read_bytes()
    with database.write() as cursor:
        (run,) = runs.runs(cursor)
        runs.note(cursor, Run(run.started_at, run.feeds, run.version, at(60), "a"))
    made = share(database, lake)
    ended = in_lake(lake, "runs")
    database.path.write_bytes(before)

    again = share(database, lake)

    assert [(row[1], row[4]) for row in begun] == [(None, "a")]
    assert [(row[1], row[4]) for row in ended] == [(at(60).replace(tzinfo=None), "a")]
    assert (made.rows, again.rows) == (1, 0)
    assert in_lake(lake, "runs") == ended


def test_rows_of_versions_without_names_get_that_of_the_recorder_that_publishes_them(file, lake):
    database = file("a")
    observe(database, [1])
    miss(database, [2], Cause.EXCHANGE_ERROR)
    live(database, [1])
    with database.write() as cursor:
        for table in ("runs", "misses", "vitals"):
            cursor.execute(f"UPDATE {table} SET recorder = NULL")

    made = [share(database, lake).rows for _ in range(2)]
    found = compare(database, lake)

    assert made == [4, 0]
    assert {row[-1] for table in ("runs", "misses", "vitals") for row in in_lake(lake, table)} == {"unnamed"}
    assert (found.days, found.equal, found.faults) == (4, 4, ())


def test_a_file_with_runs_of_two_recorders_keeps_their_names(file):
    database = file("a")
    with database.write() as cursor:
        runs.note(cursor, Run(START + HOUR, {"btc_usd": 5}, "1", recorder="b"))
        runs.note(cursor, Run(START + HOUR, {"btc_usd": 5}, "1", START + 2 * HOUR, "b"))

        found = [(run.recorder, run.ended_at) for run in runs.runs(cursor)]

    assert found == [("a", None), ("b", START + 2 * HOUR)]


def test_gaps_and_coverage_are_found_from_the_ticks_of_all_recorders(file, lake, tmp_path):
    first, second = file("a"), file("b")
    holes = {20: [first], 40: [first, second], 60: [second]}
    for number, database in enumerate((first, second)):
        live(database, range(1, 11))
        mine = [slot for slot, recorders in holes.items() if database in recorders]
        observe(database, set(range(120)) - {*mine}, late_ms=10 + 20 * number)
        miss(database, mine)
        share(database, lake, at(600))

    reader = LakeReader(lake, tmp_path)
    with reader.read() as cursor:
        gaps = ledger(cursor, START, at(600), at(1200))
        (counted,) = (each for each in coverage(cursor, gaps, START, at(600)) if each.feed == "btc_usd")
    reader.close()

    assert in_short(gap for gap in gaps if gap.feed == "btc_usd") == [(200, 205, 1, "unreachable")]
    assert (counted.due, counted.healed, counted.missing) == (120, 0, 1)


def begin(database: Database, start_s: float, feeds: Mapping[str, int], end_s: float | None = None) -> None:
    """Begin the next run of the recorder of a file; the run before is killed."""
    with database.write() as cursor:
        run = Run(at(start_s), feeds, "1", recorder=database.path.stem)
        runs.note(cursor, run)
        if end_s is not None:
            runs.note(cursor, replace(run, ended_at=at(end_s)))


@pytest.mark.parametrize(
    ("feed", "seconds", "setting"),
    [("btc_usd", 10, "POLL"), ("futures/BTC", 30, "MARKET"), ("options/BTC", 600, "OPTIONS")],
)
def test_another_period_for_a_feed_at_the_same_time_is_refused_in_one_line(file, lake, feed, seconds, setting):
    first, second = file("a"), file("b")
    live(first, [1, 2])
    share(first, lake, at(120))
    with first.read() as cursor:
        (run,) = runs.runs(cursor)
    begin(second, 60, {**run.feeds, feed: seconds})
    observe(second, [20])

    with pytest.raises(StoreError) as refused:
        share(second, lake, at(120))
    share(first, lake, at(180))

    assert str(refused.value) == (
        f"{feed} is recorded each {seconds} s by b, and each {run.feeds[feed]} s by a: recorders that share a lake "
        f"need the same TICKWELL_{setting}_SECONDS"
    )
    assert read_notice(second.path).trouble == str(refused.value)
    assert {row[-1] for row in in_lake(lake, "runs")} == {"a"}
    assert in_lake(lake, "ticks") == []


def test_a_recorder_that_took_the_right_period_is_admitted_with_what_it_recorded_before(file, lake):
    first, second = file("a"), file("b", period_s=10)
    live(first, [1, 2, 3])
    observe(first, [0, 1, 2])
    share(first, lake, at(180))
    observe(second, [4])
    begin(second, 120, {"btc_usd": 5})
    observe(second, [30])

    share(second, lake, at(180))

    assert [row[4] for row in in_lake(lake, "runs")] == ["a", "b", "b"]
    assert len(in_lake(lake, "ticks")) == 5


def test_periods_may_change_over_time_and_between_recorders_that_were_not_at_work_together(file, lake):
    first, second = file("a"), file("b", period_s=5)
    begin(first, 3600, {"btc_usd": 10})
    live(first, [1, 2, 61, 62])
    share(first, lake, at(3720))
    begin(second, 600, {"btc_usd": 7}, 1200)

    share(second, lake, at(3720))

    assert [(row[-1], row[3]["btc_usd"]) for row in in_lake(lake, "runs")] == [
        ("a", 5),
        ("b", 5),
        ("b", 7),
        ("a", 10),
    ]


@pytest.mark.parametrize(("silent_s", "admitted"), [(500, False), (700, True)])
def test_a_recorder_that_was_killed_is_at_work_until_it_is_silent_for_ten_minutes(file, lake, silent_s, admitted):
    killed, other = file("a"), file("b")
    live(killed, [1, 2])
    share(killed, lake, at(120))
    begin(other, 150, {"btc_usd": 1})

    try:
        share(other, lake, at(120 + silent_s))
    except StoreError:
        refused = True
    else:
        refused = False

    assert refused is not admitted
