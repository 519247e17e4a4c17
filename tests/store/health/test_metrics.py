"""The metrics of a file, its recorder and a process, as Prometheus gets them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from settings import ROOT, VERSION, Settings
from store.file.database import Database
from store.file.meters import BOUNDS_S
from store.file.recorder import RecorderLock
from store.health import checks
from store.health.checks import Result
from store.health.metrics import WAIT_S, as_text
from store.lake.notice import Notice, desk
from store.ledger.gaps import advance
from store.ledger.heal import heal
from store.ledger.logs import Log, note
from store.market import chains
from store.market.checks import DVOL, ONE_IV, PARITY, Found
from store.models import Cause
from store.prices import candles
from tests.conftest import START
from tests.store.histories import LATENCY, at, averaged, missed, observed, ran
from tests.store.market.snapshots import chain
from tests.store.processes import line, start
from tests.support.documents import table
from tests.support.notices import RECORDING

Sample = tuple[str, tuple[str, ...]]
Told = dict[Sample, float]

PRICES = ("btc_usd", "eth_usd")
UP = ("tickwell_database_up", ())
OF_THE_FILE = {
    "tickwell_tick_age_seconds",
    "tickwell_ticks_stored_total",
    "tickwell_missed_slots_total",
    "tickwell_gap_seconds",
    "tickwell_coverage_ratio",
    "tickwell_log_age_seconds",
    "tickwell_log_late",
    "tickwell_snapshot_age_seconds",
    "tickwell_check_state",
    "tickwell_check_value",
}
"""The metrics that an unreadable file lacks."""


def families(database: Database, settings: Settings, now: datetime = START, wait_s: float = WAIT_S) -> list[Metric]:
    return list(text_string_to_metric_families(as_text(database, settings, now, wait_s).decode()))


def told(database: Database, settings: Settings, now: datetime = START, wait_s: float = WAIT_S) -> Told:
    """The value of each sample, by its name and the values of its labels in the order of their names."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families(database, settings, now, wait_s)
        for sample in family.samples
    }


def names(found: Told) -> set[str]:
    return {name for name, _ in found}


def of(found: Told, name: str) -> dict[tuple[str, ...], float]:
    """The samples of one name, by the values of their labels."""
    return {labels: value for (its, labels), value in found.items() if its == name}


def record(database: Database) -> None:
    """2000 s of a recorder, with a gap of 300 s and one of 100 s."""
    with database.write() as cursor:
        ran(cursor, 0, None)
        observed(cursor, [*range(0, 500, 5), *range(800, 1000, 5), *range(1100, 2000, 5)])
        missed(cursor, [*range(500, 800, 5), *range(1000, 1100, 5)])


def healed(database: Database) -> None:
    advance(database, at(2000), at(2000), 1)
    with database.write() as cursor:
        averaged(cursor, 0, 900, 6)
        heal(cursor, "btc_usd", at(2000))


def keep_log(database: Database, late: str = "") -> None:
    with database.write() as cursor:
        note(cursor, Log("dvol/BTC", at(1000), late))


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(poll_seconds=60)


OF_THE_LAKE = {"lag_seconds", "rows", "conflicts_total", "failing"}


@pytest.fixture
def shared(make_settings: Callable[..., Settings], database_file: Path) -> Settings:
    """Settings of a file that was published before, and could not be published last time."""
    with desk(database_file) as place:
        place.put(Notice("an id", {}, at(1850), 12, 3, "no network"))
    return make_settings(poll_seconds=60, lake="postgresql://db/lake")


def test_the_metrics_of_a_lake_are_those_of_its_publisher(database: Database, shared: Settings):
    found = told(database, shared, at(2000))

    of_lake = {name: value for (name, _), value in found.items() if name.startswith("tickwell_lake_")}
    assert of_lake == dict(zip(sorted(f"tickwell_lake_{each}" for each in OF_THE_LAKE), [3, 1, 150, 12], strict=True))


def test_before_its_first_publication_a_lake_has_no_lag(database: Database, make_settings: Callable[..., Settings]):
    found = told(database, make_settings(lake="postgresql://db/lake"))

    assert {f"tickwell_lake_{each}" for each in OF_THE_LAKE} - names(found) == {"tickwell_lake_lag_seconds"}


def test_without_a_lake_there_is_no_metric_of_one(database: Database, settings: Settings, shared: Settings):
    assert [name for name in names(told(database, settings)) if "lake" in name] == []


def test_the_page_on_metrics_lists_exactly_the_metrics_that_exist(database: Database, shared: Settings):
    settings = shared
    record(database)
    keep_log(database)
    keep_market(database)
    database.meters.begin(settings.indexes)
    rows = table((ROOT / "docs/metrics.md").read_text(), "| name | type |")

    exposed = [
        (
            family.name + ("_total" if family.type == "counter" else ""),
            family.type,
            {label for sample in family.samples for label in sample.labels} - {"le"},
            family.documentation,
        )
        for family in families(database, settings, at(2000))
    ]

    described = [(name, kind, set(labels.split(", ")) - {""}, meaning) for name, kind, labels, _, meaning in rows]
    assert described == exposed


def test_the_metrics_of_the_file_are_by_index(database: Database, settings: Settings):
    record(database)
    healed(database)

    found = told(database, settings, at(2010))

    assert of(found, "tickwell_tick_age_seconds") == {("btc_usd",): pytest.approx(15 - LATENCY.total_seconds())}
    stored = of(found, "tickwell_ticks_stored_total")
    assert stored[("btc_usd", "observed")] == 320
    assert stored[("btc_usd", "average")] == 50
    gap_s = of(found, "tickwell_gap_seconds")
    assert (gap_s["btc_usd", "healed"], gap_s["btc_usd", "unfillable"]) == (300, 0)
    assert of(found, "tickwell_missed_slots_total")["unreachable", "btc_usd"] == 80
    assert of(found, "tickwell_coverage_ratio") == {("btc_usd",): pytest.approx(0.95, abs=0.01)}
    assert found["tickwell_database_bytes", ()] >= database.path.stat().st_size
    assert found["tickwell_disk_free_bytes", ()] > 0
    assert found["tickwell_stale_after_seconds", ()] == 180
    assert found["tickwell_build_info", (VERSION,)] == 1
    assert found[UP] == 1


@pytest.mark.parametrize(("late", "value"), [("", 0), ("no route to host", 1)])
def test_a_log_shows_how_far_it_is_complete_and_whether_its_last_request_failed(
    database: Database, settings: Settings, late: str, value: float
):
    keep_log(database, late)

    found = told(database, settings, at(1090))

    assert of(found, "tickwell_log_age_seconds") == {("dvol/BTC",): 90}
    assert of(found, "tickwell_log_late") == {("dvol/BTC",): value}


def keep_market(database: Database) -> None:
    with database.write() as cursor:
        chains.append(cursor, [chain(at(0)), chain(at(60))])
        checks.note(
            cursor,
            [
                Result(check, "options/BTC", at(60), Found(value))
                for check, value in ((PARITY, 0.0001), (DVOL, -1.75), (ONE_IV, 0.5))
            ],
        )


def test_the_market_has_the_age_of_its_snapshots_and_its_checks(database: Database, settings: Settings):
    keep_market(database)

    found = told(database, settings, at(75))

    assert of(found, "tickwell_snapshot_age_seconds") == {("options/BTC",): 15}
    assert of(found, "tickwell_check_state") == {
        ("put_call_parity", "options/BTC"): 0,
        ("one_iv_a_strike", "options/BTC"): 2,
        ("chain_against_dvol", "options/BTC"): 1,
    }
    assert of(found, "tickwell_check_value")["chain_against_dvol", "options/BTC"] == -1.75


def test_a_count_begins_at_zero_so_that_the_first_event_shows(database: Database, settings: Settings):
    found = told(database, settings)

    assert of(found, "tickwell_missed_slots_total") == {(cause, name): 0 for cause in Cause for name in PRICES}
    assert of(found, "tickwell_gap_seconds") == {
        (name, state): 0 for name in PRICES for state in ("open", "healed", "unfillable")
    }
    assert of(found, "tickwell_ticks_stored_total") == {
        (name, kind): 0 for name in PRICES for kind in ("observed", "average")
    }
    assert "tickwell_tick_age_seconds" not in names(found)


def test_no_counter_of_the_file_falls_when_gaps_are_healed_or_candles_rebuilt(database: Database, settings: Settings):
    def fold(until_s: float) -> None:
        with database.write() as cursor:
            candles.close(cursor, at(until_s))

    def go_on() -> None:
        with database.write() as cursor:
            observed(cursor, range(2000, 4000, 5))
            missed(cursor, range(4000, 4010, 5))

    steps: list[Callable[[], object]] = [
        lambda: record(database),
        lambda: fold(1800),
        lambda: healed(database),
        go_on,
        lambda: fold(4200),
        lambda: candles.rebuild(database, at(3900)),
        database.checkpoint_when_due,
    ]
    seen = [told(database, settings)]

    for step in steps:
        step()
        seen.append(told(database, settings, at(4010)))

    counters = [key for key in seen[-1] if key[0] in ("tickwell_ticks_stored_total", "tickwell_missed_slots_total")]
    assert seen[-1]["tickwell_ticks_stored_total", ("btc_usd", "observed")] == 720
    for key in counters:
        values = [found[key] for found in seen]
        assert values == sorted(values)


def test_all_metrics_take_one_lease(database: Database, settings: Settings):
    told(database, settings)

    counts, _ = database.meters.reads.read()
    assert sum(counts) == 1


def test_latencies_are_counted_up_to_each_bound(database: Database, settings: Settings):
    for seconds in (0.0005, 0.0015, 0.3, 9):
        database.meters.writes.count(seconds)

    found = told(database, settings)

    buckets = of(found, "tickwell_write_seconds_bucket")
    assert list(buckets) == [(str(bound),) for bound in BOUNDS_S] + [("+Inf",)]
    assert list(buckets.values()) == [1, *[2] * 7, *[3] * 4, 4]
    assert found["tickwell_write_seconds_count", ()] == 4
    assert found["tickwell_write_seconds_sum", ()] == pytest.approx(9.302)


def test_only_a_process_with_a_recorder_has_metrics_of_polls_and_retries(database: Database, settings: Settings):
    elsewhere = told(database, settings)
    database.meters.begin(settings.indexes)
    database.meters.polls["btc_usd", "ok"] += 3
    database.meters.retried()

    here = told(database, settings)

    assert names(here) - names(elsewhere) == {
        "tickwell_polls_total",
        "tickwell_refused_records_total",
        "tickwell_retries_total",
    }
    polls = of(here, "tickwell_polls_total")
    assert polls["btc_usd", "ok"] == 3
    assert polls["eth_usd", "rejected reply"] == 0
    assert here["tickwell_retries_total", ()] == 1


def test_a_running_recorder_shows_with_the_ticks_in_its_memory(database: Database, settings: Settings):
    lock = RecorderLock(database.path)
    lock.acquire(RECORDING)
    working = told(database, settings)
    lock.publish(replace(RECORDING, waiting=3))
    shut_out = told(database, settings)
    lock.release()

    gone = told(database, settings)

    of_recorder = [("tickwell_recorder_up", ()), ("tickwell_waiting_ticks", ())]
    assert [[found[key] for key in of_recorder] for found in (working, shut_out, gone)] == [[1, 0], [1, 3], [0, 0]]


def test_without_a_file_the_other_metrics_are_given(database_file, settings: Settings):
    found = told(Database(database_file), settings)

    assert found[UP] == 0
    assert found["tickwell_database_bytes", ()] == 0
    assert found["tickwell_recorder_up", ()] == 0
    assert names(found) & OF_THE_FILE == set()
    assert list(database_file.parent.iterdir()) == []


def test_without_a_folder_the_other_metrics_are_given(tmp_path, settings: Settings):
    found = told(Database(tmp_path / "nowhere/ticks.duckdb"), settings)

    assert found[UP] == 0
    assert "tickwell_disk_free_bytes" not in names(found)


def test_with_a_damaged_file_the_other_metrics_are_given(database_file, settings: Settings):
    database_file.write_bytes(b"no database " * 1000)

    found = told(Database(database_file), settings)

    assert found[UP] == 0
    assert found["tickwell_database_bytes", ()] == 12_000
    assert names(found) & OF_THE_FILE == set()


def test_with_a_file_that_others_keep_the_other_metrics_are_given_soon(database: Database, settings: Settings):
    with start("hold_like_a_foreign_tool", database.path) as program:
        assert line(program) == "held"

        found = told(database, settings, wait_s=0.1)

    assert found[UP] == 0
    assert found["tickwell_database_bytes", ()] > 0
    assert names(found) & OF_THE_FILE == set()


def test_an_unreadable_notice_counts_as_no_recorder(database: Database, settings: Settings):
    database.path.with_name(f"{database.path.name}.recorder").mkdir()

    found = told(database, settings)

    assert found["tickwell_recorder_up", ()] == 0
    assert found[UP] == 1
