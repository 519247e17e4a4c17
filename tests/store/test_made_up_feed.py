"""A snapshot feed takes a kind in the store: all that is kept of feeds has it, and no other module knows of it."""

from collections.abc import Iterable
from datetime import timedelta

import pytest

from store.backup.backup import backup
from store.backup.days import Limits
from store.backup.restore import restore
from store.backup.verify import faults_of_database
from store.errors import StoreError
from store.file.database import Database
from store.health.figures import figures
from store.health.metrics import as_text
from store.health.status import health
from store.ledger import arrivals, gaps, runs
from store.ledger.coverage import coverage
from store.models import Cause, Gap, Miss, Run, Snapshot, to_column
from tests import made_up
from tests.store.histories import at, found, in_short, observed

FEED = "moons/JUPITER"
HOUR = 3600
DAY = 86_400
NAMES = ("Io", "Europa", "Ganymede")


def snapshot(second: float) -> Snapshot:
    """A reply of the feed 2 s after a slot."""
    ts = at(second + 2)
    return Snapshot(FEED, ts, ts + timedelta(seconds=0.1), tuple((name, 0.5, at(HOUR)) for name in NAMES))


def store(database: Database, seconds: Iterable[float]) -> None:
    with database.write() as cursor:
        arrivals.append(cursor, map(snapshot, seconds))


@pytest.fixture
def recorded(moons: Database) -> Database:
    """An hour of an index each second and of the feed every 5 min, with two failed slots of the feed."""
    with moons.write() as cursor:
        runs.note(cursor, Run(at(0), {"btc_usd": 1, FEED: 300}, "1", at(HOUR)))
        observed(cursor, range(HOUR))
        runs.append_misses(
            cursor, [Miss(at(second), FEED, Cause.EXCHANGE_ERROR, "busy", 10041) for second in (900, 1200)]
        )
    store(moons, (second for second in range(0, HOUR, 300) if second not in (900, 1200)))
    return moons


def of_feed(known: Iterable[Gap]) -> list[Gap]:
    return [gap for gap in known if gap.feed == FEED]


def test_its_rows_are_stored_once(recorded: Database):
    store(recorded, [0, 300])

    with recorded.read() as cursor:
        assert cursor.execute("SELECT count(*), count(DISTINCT ts) FROM moons").fetchall() == [(30, 10)]
        (first,) = cursor.execute("FROM moons ORDER BY ts, moon_name LIMIT 1").fetchall()
        assert first == ("JUPITER", "Europa", to_column(at(2)), 0.5, to_column(at(HOUR)))
        assert arrivals.newest(cursor) == {FEED: at(3302)}


def test_a_failed_slot_is_an_unfillable_gap_with_its_cause(recorded: Database):
    before = of_feed(found(recorded, 2 * HOUR))
    gaps.advance(recorded, at(HOUR), at(2 * HOUR), wait_s=1)
    noted = of_feed(found(recorded, 2 * HOUR))

    assert [gap for gap in in_short(before) if gap[0] < HOUR] == [(900, 1500, 2, "exchange error 10041")]
    assert {gap.state for gap in before} == {"unfillable"}
    assert noted == before
    with recorded.read() as cursor:
        assert gaps.feeds_with_gaps(cursor, ("open",)) == set()
        assert gaps.feeds_with_gaps(cursor, ("unfillable",)) == {FEED}


def test_its_coverage_misses_and_gaps_are_in_figures_and_metrics(recorded: Database, make_settings):
    gaps.advance(recorded, at(HOUR), at(HOUR), wait_s=1)

    with recorded.read() as cursor:
        known = gaps.ledger(cursor, at(0), at(HOUR), at(HOUR))
        ((due, missing),) = (
            (its.due, its.missing) for its in coverage(cursor, known, at(0), at(HOUR)) if its.feed == FEED
        )
        its = figures(cursor, ["btc_usd"], at(HOUR))
    text = as_text(recorded, make_settings(), at(HOUR)).decode().splitlines()

    assert (due, missing) == (12, 2)
    assert its.missed == {(FEED, "exchange error"): 2}
    assert its.gap_s == {(FEED, "unfillable"): 600}
    assert its.coverage == {"btc_usd": 1.0, FEED: pytest.approx(10 / 12)}
    assert f'tickwell_missed_slots_total{{cause="exchange error",index_name="{FEED}"}} 2.0' in text
    assert f'tickwell_gap_seconds{{index_name="{FEED}",state="unfillable"}} 600.0' in text


def test_health_says_how_old_its_newest_snapshot_is(recorded: Database, make_settings):
    with recorded.write() as cursor:
        runs.note(cursor, Run(at(HOUR), {"btc_usd": 1, FEED: 300, "moons/SATURN": 300}, "1"))

    an_hour_later = health(recorded, make_settings(), at(HOUR))["feeds"]
    hours_later = health(recorded, make_settings(), at(3 * HOUR))["feeds"]

    assert an_hour_later[FEED] == {"last": at(3302).isoformat(), "age_s": 298.0, "state": "ok"}
    assert an_hour_later["moons/SATURN"] == {"last": None, "age_s": None, "state": "empty"}
    assert [hours_later[feed]["state"] for feed in ("btc_usd", FEED)] == ["stale", "stale"]


def test_verify_reports_its_unsound_and_duplicate_rows(recorded: Database):
    assert list(faults_of_database(recorded)) == []
    with recorded.write() as cursor:
        cursor.execute("INSERT INTO moons SELECT * REPLACE (1.5 AS phase) FROM moons WHERE moon_name = 'Io' LIMIT 2")

    assert list(faults_of_database(recorded)) == [
        "moons: 2 rows lack a name, a time or a phase from 0 to 1",
        "moons: 2 rows of 2026-11-01 are duplicates",
        "moons: 2 snapshots of 2026-11-01 have more or fewer rows than they brought",
    ]


def test_a_feed_of_no_kind_is_refused(database: Database):
    with pytest.raises(StoreError, match=r"^the feed moons/JUPITER has no kind of rows$"):
        store(database, [0])


def test_a_backup_copies_its_rows_by_the_day_and_gives_none_up(recorded: Database, tmp_path):
    folder = tmp_path / "backup"
    told: list[tuple[int, int]] = []
    store(recorded, [DAY, 2 * DAY])
    first = backup(recorded, folder)
    kept = {path.name for path in (folder / "moons").iterdir()}
    store(recorded, [DAY + 300, 3 * DAY])

    second = backup(recorded, folder, lambda *step: told.append(step))

    assert (first.rows["moons"], first.days, first.written) == (36, 4, 4)
    assert (second.rows["moons"], second.days, second.written) == (42, 5, 2)
    assert told[-1] == (5, 5)
    days = {path.name for path in (folder / "moons").iterdir()}
    assert (len(days), len(days & kept)) == (4, 2)
    said = []
    for condition in (f"ts > '{at(2 * DAY):%Y-%m-%d}'", "phase > 0"):
        with recorded.write() as cursor:
            cursor.execute(f"DELETE FROM moons WHERE {condition}")
        with pytest.raises(StoreError) as caught:
            backup(recorded, folder)
        said.append(str(caught.value))
    assert said == [
        f"{folder} has moons that the database doesn't have, {lost} of {day} for one: restore it first, or back up "
        "into another folder; it was left as it is"
        for lost, day in ((3, "2026-11-03"), (30, "2026-11-01"))
    ]
    assert {path.name for path in (folder / "moons").iterdir()} == days


def test_a_day_of_many_rows_is_copied_in_pieces_and_comes_back_whole(moons: Database, tmp_path):
    folder, again = tmp_path / "backup", Database(tmp_path / "again.duckdb")
    store(moons, [*range(0, HOUR, 300), DAY])

    made = backup(moons, folder, limits=Limits(piece=7))
    restore(folder, again)

    assert (made.rows["moons"], made.written) == (39, 2)
    assert sorted(path.name[:10] for path in (folder / "moons").iterdir()) == ["2026-11-01", "2026-11-02"]
    assert backup(moons, folder).written == 0
    with moons.read() as before, again.read() as now:
        assert now.execute("FROM moons ORDER BY ALL").fetchall() == before.execute("FROM moons ORDER BY ALL").fetchall()


def test_a_table_of_the_users_own_gives_its_name_to_a_kind_and_is_restored(database: Database, tmp_path, monkeypatch):
    with database.write() as cursor:
        cursor.execute("CREATE TABLE moons AS SELECT 'mine' AS name")
    backup(database, tmp_path / "backup")
    made_up.join(monkeypatch)
    again = Database(tmp_path / "again.duckdb")

    restore(tmp_path / "backup", again)
    made = backup(again, tmp_path / "backup")

    assert made.rows == {"ticks": 0, "moons": 0}
    with again.read() as cursor:
        assert cursor.execute("FROM own_moons").fetchall() == [("mine",)]
