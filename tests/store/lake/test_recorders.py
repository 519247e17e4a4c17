"""A lake tells which recorder was at work and what it missed, also from files of versions without names."""

from datetime import timedelta

from store.lake.verify import compare
from store.ledger import runs
from store.models import Cause, Run
from tests.conftest import START
from tests.store.histories import at
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
