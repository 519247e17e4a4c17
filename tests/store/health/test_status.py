"""How the recording goes, in one object and in words."""

import json
import os
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings import VERSION
from store.file.aside import log_of
from store.file.database import Database
from store.file.exchange import admit
from store.file.recorder import RecorderLock, note_start
from store.health import checks
from store.health.checks import Result
from store.health.status import health, in_words, words_of
from store.instants import stale_after_s
from store.ledger.logs import Log, note
from store.market.checks import DVOL, Found
from store.models import Cause, Exchange
from store.prices import averages
from store.prices.indexes import known_indexes
from tests.conftest import START, tick
from tests.store.processes import line, start
from tests.support.notices import OTHER_PID, RECORDING
from tests.support.stored import append

NOW = START + timedelta(minutes=2)
UNREACHABLE = replace(
    RECORDING,
    state="unreachable",
    detail="connection refused",
    retry_at=NOW + timedelta(seconds=8),
    state_since=START.replace(hour=10, minute=42),
)


def after(second: float) -> datetime:
    return START + timedelta(seconds=second)


@pytest.mark.parametrize(
    ("notice", "age_s", "words"),
    [
        (None, None, "not recording: no recorder was started yet"),
        (None, 5, "not recording: no recorder was started yet"),
        (RECORDING, 2, "recording, 2 s old"),
        (RECORDING, 0.4, "recording, 0 s old"),
        (RECORDING, -3, "recording, 0 s old"),
        (RECORDING, 86400, "recording, 1 d old"),
        (RECORDING, None, "recording, no data yet"),
        (
            replace(RECORDING, refused=2),
            2,
            "recording, 2 s old; records that the database refused: 2, see the file .refused.jsonl",
        ),
        (replace(RECORDING, state="starting"), None, "starting, no data yet"),
        (replace(RECORDING, state="starting"), 7, "starting, 7 s old"),
        (
            replace(RECORDING, failing={"eth_usd": "exchange error, code 500", "x_y": "rejected reply, no price"}),
            2,
            "recording, 2 s old; eth_usd: exchange error, code 500; x_y: rejected reply, no price",
        ),
        (replace(RECORDING, backfill="loading history, 5 of 12"), 2, "recording, 2 s old; loading history, 5 of 12"),
        (
            replace(RECORDING, backfill="loading history, 5 of 12", failing={"x_y": "rejected reply, no price"}),
            2,
            "recording, 2 s old; x_y: rejected reply, no price; loading history, 5 of 12",
        ),
        (
            replace(UNREACHABLE, backfill="loading history, 5 of 12"),
            99,
            "exchange unreachable since 10:42, retrying in 8 s: connection refused",
        ),
        (UNREACHABLE, 99, "exchange unreachable since 10:42, retrying in 8 s: connection refused"),
        (UNREACHABLE, None, "exchange unreachable since 10:42, retrying in 8 s: connection refused"),
        (
            replace(UNREACHABLE, retry_at=NOW - timedelta(seconds=3)),
            99,
            "exchange unreachable since 10:42, retrying now: connection refused",
        ),
        (
            replace(UNREACHABLE, retry_at=None),
            99,
            "exchange unreachable since 10:42, retrying now: connection refused",
        ),
        (
            replace(UNREACHABLE, state="exchange error", detail="code 10028"),
            99,
            "exchange error since 10:42, retrying in 8 s: code 10028",
        ),
        (
            replace(UNREACHABLE, state="rejected reply", detail="no price"),
            99,
            "exchange reply rejected since 10:42, retrying in 8 s: no price",
        ),
        (
            replace(UNREACHABLE, state="missed slot", detail="too late"),
            99,
            "slots missed since 10:42, retrying in 8 s: too late",
        ),
        (
            replace(UNREACHABLE, state="store unavailable", detail="held by duckdb, PID 5", waiting=12),
            99,
            "database not writable since 10:42, retrying in 8 s, 12 ticks wait in memory: held by duckdb, PID 5",
        ),
        (
            replace(UNREACHABLE, state="store unavailable", detail="held by duckdb, PID 5", waiting=1),
            99,
            "database not writable since 10:42, retrying in 8 s, 1 tick waits in memory: held by duckdb, PID 5",
        ),
        (
            replace(RECORDING, state="refused", detail="xyz_usd is not an index"),
            5,
            "not recording: xyz_usd is not an index",
        ),
        (
            replace(RECORDING, state="refused", detail="xyz_usd is not an index", alive=False),
            5,
            "not recording: xyz_usd is not an index",
        ),
        (replace(RECORDING, state="stopped", alive=False), 5, "not recording: the recorder was stopped at 12:00"),
        (replace(RECORDING, alive=False), 5, "not recording: the recorder, PID 812, is gone without a word"),
        (replace(UNREACHABLE, alive=False), 5, "not recording: the recorder, PID 812, is gone without a word"),
    ],
)
def test_each_state_has_its_words(notice, age_s, words):
    assert in_words(notice, age_s, NOW) == words


@pytest.mark.parametrize("cause", list(Cause))
def test_each_cause_of_trouble_has_words_of_its_own(cause):
    others = {in_words(replace(UNREACHABLE, state=each.value), 0, NOW) for each in Cause if each != cause}

    words = in_words(replace(UNREACHABLE, state=cause.value), 0, NOW)

    assert words.endswith(" since 10:42, retrying in 8 s: connection refused")
    assert words not in others


@pytest.mark.parametrize(
    ("notice", "words"),
    [
        (RECORDING, "recorded by another process, PID 812: recording, 2 s old"),
        (
            replace(UNREACHABLE, detail="timeout"),
            "recorded by another process, PID 812: exchange unreachable since 10:42, retrying in 8 s: timeout",
        ),
        (replace(RECORDING, alive=False), "not recording: the recorder, PID 812, is gone without a word"),
    ],
)
def test_a_dashboard_that_was_to_record_says_that_another_process_records(notice, words):
    assert in_words(notice, 2, NOW, embedded=True) == words


def test_a_dashboard_that_records_says_nothing_about_other_processes():
    assert in_words(replace(RECORDING, pid=os.getpid()), 2, NOW, embedded=True) == "recording, 2 s old"


@pytest.mark.parametrize(
    ("now", "zone", "since"),
    [
        (START, "UTC", "10:42"),
        (START, "Asia/Kathmandu", "16:27"),
        (START, "America/New_York", "05:42"),
        (START.replace(hour=23, minute=59), "UTC", "10:42"),
        (START + timedelta(days=1), "UTC", "2026-11-01 10:42"),
        (START.replace(hour=19), "Asia/Kathmandu", "2026-11-01 16:27"),  # midnight is over there
        (START + timedelta(hours=15), "America/New_York", "05:42"),  # and not yet there
    ],
)
def test_times_are_in_the_readers_zone_with_their_date_when_it_is_not_today(now, zone, since):
    words = in_words(UNREACHABLE, None, now, ZoneInfo(zone))

    assert words.startswith(f"exchange unreachable since {since}, ")


@given(poll_seconds=st.integers(1, 3600))
def test_a_tick_is_stale_after_three_slots_and_never_before_half_a_minute(poll_seconds):
    assert stale_after_s(poll_seconds) >= 30
    assert stale_after_s(poll_seconds) in (30, 3 * poll_seconds)
    assert stale_after_s(poll_seconds) >= 3 * poll_seconds


def test_indexes_with_history_only_are_listed_after_configured_ones():
    known = known_indexes(["eth_usd", "btc_usd"], ["xrp_usd", "btc_usd", "ada_usd"])

    assert known == ["eth_usd", "btc_usd", "ada_usd", "xrp_usd"]


def test_without_a_file_the_status_is_empty_and_no_file_is_made(database_file, make_settings):
    report = health(Database(database_file), make_settings(), START)

    assert report == {
        "status": "empty",
        "version": VERSION,
        "now": "2026-11-01T12:00:00+00:00",
        "database": {"path": str(database_file), "bytes": None, "exchange": None, "error": None, "set_aside": []},
        "poller": {
            "alive": False,
            "starting": False,
            "state": "never started",
            "words": "not recording: no recorder was started yet",
        },
        "indexes": {},
        "feeds": {},
        "checks": [],
        "lake": None,
    }
    assert list(database_file.parent.iterdir()) == []


@pytest.mark.parametrize("notice", [None, replace(RECORDING, alive=False)])
def test_a_recorder_that_could_not_begin_says_why(database_file, make_settings, notice):
    settings = make_settings(poller="embedded")
    note_start(database_file, "the folder can't be written")
    failed = words_of(settings, notice, None, NOW)
    by_another = words_of(settings, RECORDING, 2, NOW)
    note_start(database_file)

    assert failed == "not recording: the folder can't be written"
    assert by_another == "recorded by another process, PID 812: recording, 2 s old"
    assert words_of(settings, None, None, NOW) == "not recording: no recorder was started yet"


def test_a_path_below_a_file_is_empty(tmp_path, make_settings):
    (tmp_path / "file").touch()

    report = health(Database(tmp_path / "file/ticks.duckdb"), make_settings(), START)

    assert report["status"] == "empty"
    assert report["poller"]["state"] == "never started"


def test_a_database_without_ticks_is_empty(database, make_settings):
    report = health(database, make_settings(), START)

    assert (report["status"], report["indexes"]) == ("empty", {})
    assert report["database"] == {
        "path": str(database.path),
        "bytes": database.path.stat().st_size,
        "exchange": None,
        "error": None,
        "set_aside": [],
    }


def test_the_size_of_the_file_includes_its_log(database, make_settings):
    append(database, tick(0))

    told = health(database, make_settings(), START)["database"]["bytes"]

    assert told == database.path.stat().st_size + log_of(database.path).stat().st_size


@pytest.mark.parametrize("exchange", list(Exchange))
def test_health_names_the_exchange_of_the_files_prices(database, make_settings, exchange):
    with database.write() as cursor:
        admit(cursor, exchange, START)

    assert health(database, make_settings(), START)["database"]["exchange"] == exchange


def test_fresh_ticks_of_each_index_are_ok(database, make_settings):
    append(database, tick(0), tick(3), tick(2, "eth_usd", price=7.5, source="simulator"))

    report = health(database, make_settings(), after(4.25))

    assert report["status"] == "ok"
    assert report["indexes"] == {
        "btc_usd": {
            "ticks": 2,
            "first": "2026-11-01T12:00:00+00:00",
            "last": "2026-11-01T12:00:03+00:00",
            "price": 100.0,
            "age_s": 1.25,
            "source": "live",
        },
        "eth_usd": {
            "ticks": 1,
            "first": "2026-11-01T12:00:02+00:00",
            "last": "2026-11-01T12:00:02+00:00",
            "price": 7.5,
            "age_s": 2.25,
            "source": "simulator",
        },
    }
    assert json.loads(json.dumps(report)) == report


def test_the_newest_observation_counts_although_averages_are_newer_and_older(database, make_settings):
    append(database, tick(3, price=7.5))
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(after(second), 5.0) for second in (-6, 6)], 6)

    report = health(database, make_settings(indexes="btc_usd"), after(14))

    assert report["indexes"]["btc_usd"] == {
        "ticks": 3,
        "first": "2026-11-01T11:59:54+00:00",
        "last": "2026-11-01T12:00:03+00:00",
        "price": 7.5,
        "age_s": 11,
        "source": "live",
    }


@pytest.mark.parametrize(
    ("poll_seconds", "age_s", "status"),
    [(5, 30, "ok"), (5, 30.001, "stale"), (60, 180, "ok"), (60, 180.001, "stale")],
)
def test_a_tick_older_than_the_limit_is_stale(database, make_settings, poll_seconds, age_s, status):
    append(database, tick(0), tick(0, "eth_usd"))

    report = health(database, make_settings(poll_seconds=poll_seconds), after(age_s))

    assert report["status"] == status


def test_one_stale_index_makes_all_stale(database, make_settings):
    append(database, tick(0), tick(60, "eth_usd"))

    report = health(database, make_settings(), after(61))

    assert report["status"] == "stale"
    assert {name: index["age_s"] for name, index in report["indexes"].items()} == {"btc_usd": 61, "eth_usd": 1}


def test_a_configured_index_without_ticks_beside_one_with_ticks_is_stale(database, make_settings):
    append(database, tick(0))

    report = health(database, make_settings(), after(1))

    assert (report["status"], list(report["indexes"])) == ("stale", ["btc_usd"])


def test_an_index_that_is_not_recorded_any_more_is_listed_last_and_may_be_old(database, make_settings):
    append(database, tick(-9999, "ada_usd"), tick(0), tick(0, "eth_usd"))

    report = health(database, make_settings(indexes="eth_usd,btc_usd"), after(1))

    assert report["status"] == "ok"
    assert list(report["indexes"]) == ["eth_usd", "btc_usd", "ada_usd"]


def test_a_file_with_history_only_has_the_status_empty(database, make_settings):
    append(database, tick(0, "ada_usd"))

    report = health(database, make_settings(), after(1))

    assert (report["status"], list(report["indexes"])) == ("empty", ["ada_usd"])


def test_a_file_that_cannot_be_read_is_failed_and_says_why(database_file, make_settings):
    database_file.write_bytes(b"no database " * 1000)

    report = health(Database(database_file), make_settings(), START)

    assert (report["status"], report["indexes"]) == ("failed", {})
    assert "is not a valid DuckDB database file" in report["database"]["error"]
    assert report["database"]["bytes"] == 12000


def test_the_recorder_of_another_process_is_described_with_the_age_of_the_newest_tick(database, make_settings):
    append(database, tick(0), tick(3, "eth_usd"), tick(4, "ada_usd"))
    with start("record", database.path) as program:
        line(program)

        report = health(database, make_settings(poller="external"), after(5))
        to_embedded = health(database, make_settings(), after(5))

    assert report["poller"]["words"] == "recording, 2 s old"
    assert report["poller"]["alive"] is True
    assert report["poller"]["state"] == "recording"
    assert report["poller"]["pid"] == program.process.pid
    assert to_embedded["poller"]["words"] == (
        f"recorded by another process, PID {program.process.pid}: recording, 2 s old"
    )


def test_the_trouble_of_a_recorder_is_described_in_json(database, make_settings):
    backfill = "loading history, 5 of 12"
    notice = replace(UNREACHABLE, waiting=3, failing={"eth_usd": "no price"}, backfill=backfill)
    lock = RecorderLock(database.path)
    lock.acquire(notice)

    report = health(database, make_settings(poller="external"), NOW)

    lock.release()
    assert report["poller"] == {
        "alive": True,
        "starting": False,
        "state": "unreachable",
        "words": ("exchange unreachable since 10:42, retrying in 8 s, 3 ticks wait in memory: connection refused"),
        "detail": "connection refused",
        "since": "2026-11-01T10:42:00+00:00",
        "retry_at": "2026-11-01T12:02:08+00:00",
        "waiting_ticks": 3,
        "refused_records": 0,
        "failing": {"eth_usd": "no price"},
        "backfill": "loading history, 5 of 12",
        "clock": "",
        "clock_off_s": 0.0,
        "pid": OTHER_PID,
        "mode": "external",
        "started_at": "2026-11-01T12:00:00+00:00",
        "poll_seconds": 5,
        "indexes": ["btc_usd", "eth_usd"],
    }
    assert json.loads(json.dumps(report)) == report


@pytest.mark.parametrize(
    ("state", "poll_seconds", "age_s", "starting"),
    [
        ("starting", 300, 0, True),
        ("starting", 300, 359, True),
        ("starting", 300, 360, False),
        ("starting", 300, -60, True),
        ("recording", 300, 10, False),
        ("unreachable", 300, 10, False),
    ],
)
def test_a_recorder_counts_as_starting_until_its_first_slot_or_a_minute_after_it_was_due(
    database, make_settings, state, poll_seconds, age_s, starting
):
    lock = RecorderLock(database.path)
    lock.acquire(replace(RECORDING, state=state, poll_seconds=poll_seconds))

    report = health(database, make_settings(), after(age_s))

    lock.release()
    assert report["poller"]["starting"] is starting


def test_a_recorder_that_is_gone_or_never_started_does_not_count_as_starting(database, make_settings):
    never = health(database, make_settings(), START)
    lock = RecorderLock(database.path)
    lock.acquire(replace(RECORDING, state="starting"))
    lock.release()

    gone = health(database, make_settings(), START)

    assert (never["poller"]["starting"], gone["poller"]["starting"]) == (False, False)


def test_a_recorder_that_is_gone_is_described_as_gone(database, make_settings):
    lock = RecorderLock(database.path)
    lock.acquire(replace(RECORDING, backfill="loading history, 5 of 12"))
    lock.release()

    report = health(database, make_settings(), NOW)

    assert report["poller"]["alive"] is False
    assert report["poller"]["state"] == "gone"
    assert report["poller"]["words"] == "not recording: the recorder, PID 812, is gone without a word"
    assert report["poller"]["retry_at"] is None
    assert report["poller"]["backfill"] == ""


@pytest.mark.parametrize(
    ("skew_s", "words", "off_s"),
    [
        (0.0, "", 0.0),
        (1.9, "", 0.0),
        (182.0, "this machine's clock is 3 min 2 s behind the exchange's", -182.0),
        (-3600.0, "this machine's clock is 1 h ahead of the exchange's", 3600.0),
    ],
)
def test_a_wrong_clock_is_reported(database, make_settings, skew_s, words, off_s):
    lock = RecorderLock(database.path)
    lock.acquire(replace(RECORDING, skew_s=skew_s))

    alive = health(database, make_settings(), NOW)["poller"]
    lock.release()
    gone = health(database, make_settings(), NOW)["poller"]

    assert (alive["clock"], alive["clock_off_s"]) == (words, off_s)
    assert (gone["clock"], gone["clock_off_s"]) == ("", 0.0)


def test_health_has_the_newest_result_of_each_check(database, make_settings):
    with database.write() as cursor:
        checks.note(cursor, [Result(DVOL, "options/BTC", START, Found(2.0))])

    (told,) = health(database, make_settings(), NOW)["checks"]

    assert (told["check"], told["feed"], told["state"]) == ("chain_against_dvol", "options/BTC", "note")
    assert (told["value"], told["warn_above"], told["age_s"]) == (2.0, 3.0, 120.0)


def test_no_tick_has_a_negative_age(database, make_settings):
    append(database, tick(1.5))

    assert health(database, make_settings(), after(0))["indexes"]["btc_usd"]["age_s"] == 0


def test_a_log_is_loading_while_the_recorder_that_loads_its_history_lives(database: Database, make_settings):
    with database.write() as cursor:
        note(cursor, Log("dvol/BTC-1h", START - timedelta(days=1000), period_s=3600))
        note(cursor, Log("dvol/ETH-1h", START - timedelta(days=1000), period_s=3600))
    lock = RecorderLock(database.path)
    lock.acquire(replace(RECORDING, loading=("dvol/BTC-1h",)))

    during = health(database, make_settings(), NOW)["feeds"]
    lock.release()
    after_it = health(database, make_settings(), NOW)["feeds"]

    last = (START - timedelta(days=1000)).isoformat()
    assert during["dvol/BTC-1h"] == {"last": last, "age_s": 86_400_120.0, "state": "loading"}
    assert during["dvol/ETH-1h"]["state"] == "stale"
    assert after_it["dvol/BTC-1h"]["state"] == "stale"
