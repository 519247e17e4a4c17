"""A snapshot feed takes one module in the store: gaps, coverage, metrics, backup and verify include it."""

from collections.abc import Iterable
from datetime import timedelta

import pytest

from store.backup.backup import backup
from store.backup.restore import restore
from store.backup.verify import faults_of_database
from store.file.database import Database
from store.health.figures import figures
from store.health.metrics import as_text
from store.health.status import health
from store.ledger import arrivals, gaps, runs
from store.ledger.coverage import coverage
from store.models import Arrival, Cause, Gap, Miss, Run
from tests.store import made_up_feed
from tests.store.histories import at, found, in_short, observed

FEED = "moons/JUPITER"
HOUR = 3600
NAMES = ("Io", "Europa", "Ganymede")


def reply(second: float) -> tuple[Arrival, list[tuple[str, float]]]:
    """A reply of the feed 2 s after a slot."""
    ts = at(second + 2)
    return Arrival(FEED, ts, ts + timedelta(seconds=0.1), len(NAMES)), [(name, 0.5) for name in NAMES]


def store(database: Database, seconds: Iterable[float]) -> None:
    with database.write() as cursor:
        made_up_feed.append(cursor, map(reply, seconds))


@pytest.fixture
def recorded(database: Database) -> Database:
    """An hour of an index each second and of the feed every 5 min, with two failed slots of the feed."""
    with database.write() as cursor:
        cursor.execute(made_up_feed.TABLE)
        runs.note(cursor, Run(at(0), {"btc_usd": 1, FEED: 300}, "1", at(HOUR)))
        observed(cursor, range(HOUR))
        runs.append_misses(
            cursor, [Miss(at(second), FEED, Cause.EXCHANGE_ERROR, "busy", 10041) for second in (900, 1200)]
        )
    store(database, (second for second in range(0, HOUR, 300) if second not in (900, 1200)))
    return database


def of_feed(known: Iterable[Gap]) -> list[Gap]:
    return [gap for gap in known if gap.feed == FEED]


def test_its_rows_are_stored_once(recorded: Database):
    store(recorded, [0, 300])

    with recorded.read() as cursor:
        assert cursor.execute("SELECT count(*), count(DISTINCT ts) FROM moons").fetchall() == [(30, 10)]
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
        cursor.execute("INSERT INTO moons SELECT moon_name, ts, 1.5 FROM moons WHERE moon_name = 'Io' LIMIT 2")

    assert list(faults_of_database(recorded)) == [
        "moons: 2 rows lack a name, a time or a phase from 0 to 1",
        "moons: 2 of 2026-11-01 are there twice",
    ]


def test_a_backup_restores_its_rows_snapshots_and_gaps(recorded: Database, tmp_path):
    gaps.advance(recorded, at(HOUR), at(HOUR), wait_s=1)
    again = Database(tmp_path / "again.duckdb")

    backup(recorded, tmp_path / "backup")
    restore(tmp_path / "backup", again)

    asked = "SELECT * FROM {} ORDER BY ALL"
    with recorded.read() as before, again.read() as now:
        for table in ("moons", "snapshots", "gaps", "misses", "runs"):
            assert now.execute(asked.format(table)).fetchall() == before.execute(asked.format(table)).fetchall(), table
    assert list(faults_of_database(again)) == []
