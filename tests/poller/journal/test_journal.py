import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from poller.journal.journal import Journal
from poller.journal.limits import Limits
from poller.journal.storing import Shift
from store.errors import BusyError, StoreError
from store.file import schema
from store.file.aside import list_aside
from store.file.database import Cursor, Database
from store.health import vitals
from store.health.vitals import Vitals
from store.ledger import runs
from store.models import Cause, Exchange, Miss, Run, Source, Tick
from tests.conftest import START, tick
from tests.support.examples import examples
from tests.support.stored import stored

RUN = Run(START, {"btc_usd": 1}, "1.2.3")


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database)


def slot(second: int) -> datetime:
    return START + timedelta(seconds=second)


def miss(
    second: int, cause: Cause = Cause.UNREACHABLE, detail: str = "connection refused", feed: str = "btc_usd"
) -> Miss:
    return Miss(slot(second), feed, cause, detail)


def stored_misses(database: Database) -> list[Miss]:
    with database.read() as cursor:
        return runs.misses(cursor, START, START + timedelta(days=1))


def stored_runs(database: Database) -> list[Run]:
    with database.read() as cursor:
        return runs.runs(cursor)


def test_added_outcomes_are_counted_as_they_were_taken(journal: Journal, database: Database):
    journal.add(slot(0), [tick(0.1)])
    journal.add(slot(1), [miss(1)])
    journal.add(slot(2), [tick(0.1)])  # the exchange repeats its reply

    assert database.meters.polls == {
        ("btc_usd", "ok"): 1,
        ("btc_usd", "unreachable"): 1,
        ("btc_usd", "rejected reply"): 1,
    }


def test_a_flush_stores_added_outcomes(journal: Journal, database: Database):
    journal.add(slot(0), [tick(0.1)])
    journal.add(slot(1), [miss(1)])

    journal.flush(1)

    assert stored(database) == [tick(0.1)]
    assert stored_misses(database) == [miss(1)]
    assert (journal.waiting, journal.written) == (0, True)


def test_ticks_wait_in_memory_while_others_have_the_file_and_are_stored_once(journal: Journal, database: Database):
    with Database(database.path).write():
        for second in range(3):
            journal.add(slot(second), [tick(second + 0.1)])
            with pytest.raises(BusyError):
                journal.flush(0.01)

    assert (journal.waiting, journal.written) == (3, False)
    assert stored(database) == []
    journal.flush(1)
    journal.flush(1)

    assert stored(database) == [tick(0.1), tick(1.1), tick(2.1)]
    assert (journal.waiting, journal.written) == (0, True)


def test_a_long_queue_is_stored_in_portions_oldest_first(
    database: Database,
):
    journal = Journal(database, limits=Limits(portion=2))
    for second in range(3):
        journal.add(slot(second), [tick(second + 0.1)])

    journal.flush(1)
    after_one = stored(database), journal.waiting, journal.written
    journal.flush(1)

    assert after_one == ([tick(0.1), tick(1.1)], 1, True)
    assert stored(database) == [tick(0.1), tick(1.1), tick(2.1)]
    assert (journal.waiting, journal.written) == (0, True)


def test_stored_ticks_are_not_stored_again(journal: Journal, database: Database):
    journal.add(slot(0), [tick(0.1)])
    journal.flush(1)
    second = Journal(database)

    second.add(slot(0), [tick(0.1), miss(0)])
    second.flush(1)

    assert stored(database) == [tick(0.1)]


def test_the_oldest_of_too_many_waiting_ticks_become_misses(
    database: Database,
):
    journal = Journal(database, limits=Limits(most_waiting=3))
    for second in range(5):
        journal.add(slot(second), [tick(second + 0.1)])

    given_up = journal.give_up_oldest("the disk is full")

    assert (given_up, journal.waiting) == (2, 3)
    journal.flush(1)
    assert stored(database) == [tick(2.1), tick(3.1), tick(4.1)]
    assert stored_misses(database) == [miss(second, Cause.STORE_UNAVAILABLE, "the disk is full") for second in (0, 1)]


def test_no_tick_is_given_up_within_the_limit(database: Database):
    journal = Journal(database, limits=Limits(most_waiting=2))
    journal.add(slot(0), [tick(0.1)])
    journal.add(slot(1), [tick(1.1)])

    assert journal.give_up_oldest("the disk is full") == 0
    assert journal.waiting == 2


def test_the_oldest_of_too_many_waiting_misses_are_dropped(
    database: Database,
):
    journal = Journal(database, limits=Limits(most_waiting=2))
    for second in range(4):
        journal.add(slot(second), [miss(second)])

    journal.give_up_oldest("the disk is full")
    journal.flush(1)

    assert stored_misses(database) == [miss(2), miss(3)]


def test_memory_holds_hours_of_ticks():
    seconds = Limits().most_waiting / 2

    assert timedelta(seconds=seconds) > timedelta(hours=6)


def test_a_reply_that_the_exchange_repeats_is_a_miss(journal: Journal, database: Database):
    journal.add(slot(0), [tick(0.25)])

    taken = journal.add(slot(1), [tick(0.25)])

    detail = "the exchange repeated its reply of 12:00:00.250000 UTC"
    assert taken == [miss(1, Cause.REJECTED_REPLY, detail)]
    journal.flush(1)
    assert stored(database) == [tick(0.25)]
    assert stored_misses(database) == taken


def test_the_same_price_at_another_time_is_another_tick(journal: Journal):
    journal.add(slot(0), [tick(0.25, price=100)])

    assert journal.add(slot(1), [tick(1.25, price=100)]) == [tick(1.25, price=100)]


def test_two_indexes_may_have_the_same_time(journal: Journal):
    both = [tick(0.25), tick(0.25, "eth_usd")]

    assert journal.add(slot(0), both) == both


def test_a_run_is_noted_when_it_begins_and_when_it_ends(journal: Journal, database: Database):
    journal.begin_run(RUN)
    journal.flush(1)
    begun = stored_runs(database)
    journal.end_run(RUN, slot(60))
    journal.flush(1)

    assert begun == [RUN]
    assert stored_runs(database) == [Run(START, {"btc_usd": 1}, "1.2.3", slot(60))]


def test_runs_of_two_periods_end_apart(journal: Journal, database: Database):
    slow = Run(slot(5), {"eth_usd": 5}, "1.2.3")
    for run in (RUN, slow):
        journal.begin_run(run)
    journal.end_run(RUN, slot(60))
    journal.flush(1)

    assert stored_runs(database) == [replace(RUN, ended_at=slot(60)), slow]


def test_a_missing_database_is_created(database_file: Path):
    database = Database(database_file)
    journal = Journal(database)
    journal.begin_run(RUN)
    journal.add(slot(0), [tick(0.1)])

    journal.flush(1)

    assert stored(database) == [tick(0.1)]
    assert stored_runs(database) == [RUN]


def test_a_database_that_goes_missing_is_created_again_with_the_run(journal: Journal, database: Database):
    journal.begin_run(RUN)
    journal.add(slot(0), [tick(0.1)])
    journal.flush(1)
    shutil.rmtree(database.path.parent)

    journal.add(slot(1), [tick(1.1)])
    journal.flush(1)
    journal.end_run(RUN, slot(2))
    journal.flush(1)

    assert stored(database) == [tick(1.1)]
    assert [run.ended_at for run in stored_runs(database)] == [slot(2)]


def test_everything_waits_while_the_store_fails(database_file: Path):
    database_file.mkdir()
    journal = Journal(Database(database_file))
    journal.begin_run(RUN)
    journal.add(slot(0), [tick(0.1)])

    with pytest.raises(StoreError, match=database_file.name):
        journal.flush(0.1)

    assert journal.waiting == 1
    database_file.rmdir()
    journal.flush(1)
    assert stored(Database(database_file)) == [tick(0.1)]


def test_another_file_with_the_run_replaces_a_damaged_one(journal: Journal, database: Database):
    journal.begin_run(RUN)
    journal.add(slot(0), [tick(0.1)])
    journal.flush(1)
    os.truncate(database.path, 100)
    journal.add(slot(1), [tick(1.1)])

    journal.flush(1)

    assert stored(database) == [tick(1.1)]
    assert stored_runs(database) == [RUN]
    assert len(list_aside(database.path)) == 2


def stored_minutes(database: Database) -> list[Vitals]:
    with database.read() as cursor:
        return vitals.between(cursor, START, START + timedelta(days=1))


def test_a_journal_is_empty_when_all_is_written(journal: Journal):
    before = journal.empty
    journal.begin_run(RUN)
    journal.add(slot(0), [tick(0.1), miss(0)])
    between = journal.empty
    journal.flush(1)

    assert (before, between, journal.empty) == (True, False, True)


def test_the_next_flush_stores_a_minute_with_the_delays_up_to_the_disk(database: Database):
    journal = Journal(database, lambda: START + timedelta(seconds=2))
    journal.add(slot(0), [tick(0.5)])
    journal.add(slot(1), [tick(1.5)])
    journal.flush(1)

    minute = journal.end_minute(START + timedelta(minutes=1), 0.01)
    journal.flush(1)

    assert (minute.ticks, minute.delay_median_s, minute.delay_p99_s, minute.skew_s) == (2, 1.0, 1.5, 0.01)
    assert stored_minutes(database) == [minute]
    assert journal.end_minute(START + timedelta(minutes=2), None).ticks == 0


def test_minutes_wait_while_others_have_the_file_and_the_oldest_are_given_up(
    database: Database,
):
    journal = Journal(database, limits=Limits(most_minutes=2))
    with Database(database.path).write():
        minutes = [journal.end_minute(START + timedelta(minutes=number), None) for number in range(3)]
        with pytest.raises(BusyError):
            journal.flush(0.01)

    journal.flush(1)

    assert stored_minutes(database) == minutes[1:]


def test_a_file_of_an_older_version_is_updated_by_the_first_flush(database_file: Path, monkeypatch: pytest.MonkeyPatch):
    steps = schema.STEPS
    monkeypatch.setattr(schema, "STEPS", steps[:3])
    database = Database(database_file)
    database.migrate()
    monkeypatch.setattr(schema, "STEPS", steps)
    journal = Journal(database)
    journal.begin_run(RUN)
    journal.add(slot(0), [tick(0.1)])

    journal.flush(1)

    assert stored(database) == [tick(0.1)]
    assert stored_runs(database) == [RUN]


# Records that the database refuses


def refused(database: Database) -> list[dict[str, Any]]:
    """The records that were set aside."""
    path = database.path.with_name("ticks.duckdb.refused.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


AN_HOUR_BEHIND = timezone(timedelta(hours=-1))

ODD: Any = {"price": "high", "detail": object()}

POISON = {
    "code beyond 32 bits": replace(miss(1), code=2**31),
    "code beyond 128 bits": replace(miss(1), code=2**200),
    "code of 20,000 digits": replace(miss(1), code=10**20_000),
    "lone surrogate": replace(miss(1), detail="bad \ud83d name"),
    "an object": replace(miss(1), detail=ODD["detail"]),
    "price that is no number": tick(1.1, price=ODD["price"]),
    "instant beyond the last one": Tick("btc_usd", datetime.max.replace(tzinfo=AN_HOUR_BEHIND), 1.0),
    "run of another kind": Run(slot(1), {"btc_usd": 2**40}, "1.2.3"),
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON.keys())
def test_a_record_that_the_database_refuses_is_set_aside_and_the_rest_is_stored(
    journal: Journal, database: Database, caplog, poison
):
    journal.begin_run(RUN)
    if isinstance(poison, Run):
        journal.begin_run(poison)
    for second in range(4):
        journal.add(slot(second), [tick(second + 0.5), *([poison] if second == 1 and type(poison) is not Run else [])])

    journal.flush(1)
    journal.flush(1)

    assert stored(database) == [tick(second + 0.5) for second in range(4)]
    assert RUN in stored_runs(database)
    (line,) = refused(database)
    assert line["kind"] == type(poison).__name__.lower()
    assert line["reason"].split(":")[0].isidentifier()
    assert line["record"].keys() == asdict(poison).keys()
    assert (journal.refused, database.meters.refused, journal.empty) == (1, 1, True)
    assert [text for text in caplog.messages if text.startswith("the database refused a record, which is set aside in")]


def test_the_slot_of_a_refused_tick_is_a_miss_that_says_why(journal: Journal, database: Database):
    journal.add(slot(1), [tick(1.1, price=ODD["price"])])

    journal.flush(1)
    journal.flush(1)

    (found,) = stored_misses(database)
    assert (found.slot, found.feed, found.cause) == (slot(1), "btc_usd", Cause.STORE_UNAVAILABLE)
    assert found.detail.startswith("the database refused the tick: ConversionException: ")


def test_refused_records_are_logged_once_and_each_is_kept(journal: Journal, database: Database, caplog):
    for second in range(3):
        journal.add(slot(second), [replace(miss(second), code=2**70), tick(second + 0.5)])

    journal.flush(1)

    assert len(refused(database)) == 3
    assert len([text for text in caplog.messages if text.startswith("the database refused a record")]) == 1
    assert len(stored(database)) == 3


def test_nul_is_stored_like_any_other_character(journal: Journal, database: Database):
    odd = miss(1, detail="bad \0 name")
    journal.add(slot(1), [odd])

    journal.flush(1)

    assert stored_misses(database) == [odd]
    assert refused(database) == []


def test_a_refused_record_that_can_not_be_set_aside_waits_and_earlier_ones_are_stored(
    journal: Journal, database: Database
):
    database.path.with_name("ticks.duckdb.refused.jsonl").mkdir()
    journal.add(slot(0), [tick(0.5)])
    journal.add(slot(1), [replace(miss(1), code=2**70)])

    with pytest.raises(StoreError, match=r"refused\.jsonl can't be written: Is a directory"):
        journal.flush(1)

    assert stored(database) == [tick(0.5)]
    assert not journal.empty


def test_a_tick_whose_table_is_missing_is_set_aside_and_a_miss_is_stored(journal: Journal, database: Database):
    with database.write() as cursor:
        cursor.execute("ALTER TABLE ticks RENAME TO taken")
    journal.add(slot(0), [tick(0.5), miss(0, feed="eth_usd")])

    journal.flush(1)
    journal.flush(1)

    (line,) = refused(database)
    assert "ticks does not exist" in line["reason"]
    assert [found.feed for found in stored_misses(database)] == ["btc_usd", "eth_usd"]
    assert journal.empty


# Records that wait at a stop


def waiting_file(database: Database) -> Path:
    return database.path.with_name("ticks.duckdb.waiting.jsonl")


def of(database: Database, exchange: Exchange | None = Exchange.REAL) -> Journal:
    """A journal whose client has replies of an exchange."""
    return Journal(database, exchange=lambda: exchange)


def leave(database: Database, exchange: Exchange | None = Exchange.REAL, first: int = 0) -> Journal:
    """Keep a run that ended, a tick and a miss that could not be written."""
    journal = of(database, exchange)
    journal.begin_run(RUN)
    source: Source = "simulator" if exchange is Exchange.SIMULATOR else "live"
    journal.add(slot(first), [replace(tick(first + 0.5), source=source)])
    journal.add(slot(first + 1), [replace(miss(first + 1), code=7)])
    journal.end_run(RUN, slot(first + 2))
    journal.keep()
    return journal


def test_the_next_start_takes_in_kept_records_before_its_first_slot(database: Database):
    leave(database)
    kept = waiting_file(database).read_text()
    journal = of(database)
    journal.add(slot(5), [tick(5.5)])

    with Database(database.path).write(), pytest.raises(BusyError):
        journal.flush(0.01)
    still = waiting_file(database).read_text()
    journal.flush(1)

    assert kept == still
    assert stored(database) == [tick(0.5), tick(5.5)]
    assert stored_misses(database) == [replace(miss(1), code=7)]
    assert stored_runs(database) == [replace(RUN, ended_at=slot(2))]
    assert not waiting_file(database).exists()


def test_the_kept_file_goes_away_when_the_same_stop_can_write_after_all(database: Database):
    journal = leave(database)

    journal.flush(1)

    assert stored(database) == [tick(0.5)]
    assert not waiting_file(database).exists()


def test_kept_records_that_are_stored_already_are_not_stored_twice(database: Database):
    journal = leave(database)
    kept = waiting_file(database).read_text()
    journal.flush(1)
    waiting_file(database).write_text(kept)

    of(database).flush(1)

    assert stored(database) == [tick(0.5)]
    assert len(stored_misses(database)) == len(stored_runs(database)) == 1


def test_the_kept_file_stays_and_grows_until_a_reply_names_the_exchange(database: Database):
    leave(database)
    journal = of(database, None)
    journal.add(slot(5), [miss(5)])
    journal.flush(1)
    before = stored(database), journal.empty

    journal.add(slot(6), [miss(6)])
    journal.keep()
    of(database).flush(1)

    assert before == ([], False)
    assert stored(database) == [tick(0.5)]
    assert [found.slot for found in stored_misses(database)] == [slot(1), slot(5), slot(6)]


def test_kept_records_of_another_exchange_are_set_aside(database: Database, caplog):
    leave(database, Exchange.SIMULATOR)
    kept = waiting_file(database).read_text()
    journal = of(database)
    journal.add(slot(5), [tick(5.5)])

    journal.flush(1)

    assert stored(database) == [tick(5.5)]
    (name,) = list_aside(database.path)
    assert name.endswith(".waiting.jsonl")
    assert database.path.with_name(name).read_text() == kept
    assert any("it has prices of the simulator, the replies are of Deribit" in line for line in caplog.messages)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "torn",
        "[]\n",
        '{"format": 1, "exchange": "moon"}\n',
        '{"format": 3, "exchange": "REAL"}\n',
        '{"format": 1, "exchange": "REAL"}\n{"tick": {}}\n',
        '{"format": 1, "exchange": "REAL"}\n{"miss": {"slot": "never"}}\n',
    ],
)
def test_a_file_that_can_not_be_understood_is_set_aside_and_recording_goes_on(database: Database, text):
    waiting_file(database).write_text(text)
    journal = of(database)
    journal.add(slot(5), [tick(5.5)])

    journal.flush(1)

    assert stored(database) == [tick(5.5)]
    (name,) = list_aside(database.path)
    assert database.path.with_name(name).read_text() == text


HEAD = {"format": 1, "exchange": "REAL"}
RUN_LINE = {
    "started_at": START.isoformat(),
    "ended_at": None,
    "feeds": {"btc_usd": 1},
    "version": "1.2.3",
}
OLDER_RUN_LINE = {
    "started_at": START.isoformat(),
    "ended_at": None,
    "poll_seconds": 1,
    "indexes": ["btc_usd"],
    "version": "1.2.3",
}
TICK_LINE = {
    "index_name": "btc_usd",
    "ts": START.isoformat(),
    "price": 99,
    "source": "live",
    "received_at": None,
    "resolution_s": 0,
}
FUTURE_ROW = ["BTC-PERPETUAL", None, 90_000, 89_999.5, 90_000.5, None, 1e6, 2.5, 2e5, 0.0, 1e-5]
SNAPSHOT_LINE = {
    "feed": "futures/BTC",
    "ts": START.isoformat(),
    "received_at": START.isoformat(),
    "rows": [FUTURE_ROW],
    "source": "live",
    "index_price": 90_001.0,
    "rejected": 0,
}
MISS_LINE = {"slot": START.isoformat(), "feed": "btc_usd", "cause": "unreachable", "detail": "x", "code": None}
OLDER_MISS_LINE = {
    "slot": START.isoformat(),
    "index_name": "btc_usd",
    "cause": "unreachable",
    "detail": "x",
    "code": None,
}
NAIVE = "2026-11-01T12:00:00"
NO_INSTANT = "is no instant with an offset from UTC in the years from 1970 to 2199"


def lines(*records: object) -> str:
    return "".join(f"{json.dumps(each)}\n" for each in (HEAD, *records))


@pytest.mark.parametrize(
    ("run_line", "miss_line"), [(RUN_LINE, MISS_LINE), (OLDER_RUN_LINE, OLDER_MISS_LINE)], ids=["today", "before feeds"]
)
def test_each_kind_of_line_is_taken_in(database: Database, run_line: object, miss_line: object):
    waiting_file(database).write_text(
        lines({"run": run_line}, {"slot": START.isoformat(), "tick": TICK_LINE}, {"miss": miss_line})
    )

    of(database).flush(1)

    assert stored_runs(database) == [RUN]
    assert [found.price for found in stored(database)] == [99]
    assert stored_misses(database) == [miss(0, detail="x")]


def test_a_snapshot_is_taken_in_although_its_market_is_not_recorded_any_more(database: Database):
    no_price = {**SNAPSHOT_LINE, "ts": (START + timedelta(seconds=1)).isoformat(), "index_price": None}
    waiting_file(database).write_text(
        lines(*({"slot": START.isoformat(), "snapshot": each} for each in (SNAPSHOT_LINE, no_price)))
    )

    of(database).flush(1)

    with database.read() as cursor:
        rows = cursor.execute("SELECT instrument_name, mark_price, last, resolution_s FROM futures").fetchall()
        prices = cursor.execute("SELECT index_price FROM snapshots ORDER BY ts").fetchall()
    assert rows == [("BTC-PERPETUAL", 90_000.0, None, 0)] * 2
    assert prices == [(90_001.0,), (None,)]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"slot": NAIVE, "tick": TICK_LINE}, f"'{NAIVE}' {NO_INSTANT}"),
        ({"slot": START.isoformat(), "tick": {**TICK_LINE, "ts": NAIVE}}, f"'{NAIVE}' {NO_INSTANT}"),
        ({"miss": {**MISS_LINE, "slot": "0001-01-01T00:00:00+23:00"}}, f"'0001-01-01T00:00:00+23:00' {NO_INSTANT}"),
        ({"miss": {**MISS_LINE, "detail": {"a": 1}}}, "{'a': 1} is no text"),
        ({"miss": {**MISS_LINE, "code": [1]}}, "[1] is no code of an exchange's error"),
        ({"miss": {**MISS_LINE, "feed": "BTC"}}, "'BTC' is no name of a feed"),
        ({"miss": {**MISS_LINE, "cause": "weather"}}, "'weather' is not a valid Cause"),
        ({"run": {**RUN_LINE, "feeds": {"options/BTC": 0}}}, "0 is no whole number of seconds from 1 to 86400"),
        ({"run": {**RUN_LINE, "feeds": "btc_usd"}}, "'btc_usd' has no feeds with their seconds"),
        ({"run": {**OLDER_RUN_LINE, "indexes": "btc_usd"}}, "'btc_usd' is no list of feeds"),
        ({"run": {**RUN_LINE, "more": 1}}, "its fields are not started_at, feeds, version, ended_at"),
        *(
            ({"slot": START.isoformat(), "tick": {**TICK_LINE, name: value}}, reason)
            for name, value, reason in [
                ("index_name", "BTC", "'BTC' is no name of an index"),
                ("price", -5.0, "-5.0 is no finite price above 0"),
                ("price", float("nan"), "nan is no finite price above 0"),
                ("price", "abc", "'abc' is no finite price above 0"),
                ("source", "evil", "Deribit has no source 'evil'"),
                ("source", "simulator", "Deribit has no source 'simulator'"),
                ("resolution_s", -3, "resolution -3 is not 0, as an observation has it"),
            ]
        ),
        *(
            ({"slot": START.isoformat(), "snapshot": {**SNAPSHOT_LINE, name: value}}, reason)
            for name, value, reason in [
                ("feed", "moons/JUPITER", "moons/JUPITER has no snapshots"),
                ("feed", "dvol/BTC", "dvol/BTC has no snapshots"),
                ("feed", "smiles/BTC", "smiles/BTC has no snapshots"),
                ("source", "simulator", "Deribit has no source 'simulator'"),
                ("index_price", 0, "0 is no finite price above 0"),
                ("rejected", -1, "-1 is no number of rows"),
                ("rows", None, "'NoneType' object is not iterable"),
                ("rows", [FUTURE_ROW[:-1]], "zip() argument 2 is shorter than argument 1"),
                ("rows", [[7, *FUTURE_ROW[1:]]], "7 is no text"),
                ("rows", [["BTC-PERPETUAL", NAIVE, *FUTURE_ROW[2:]]], f"'{NAIVE}' {NO_INSTANT}"),
                ("rows", [[*FUTURE_ROW[:10], float("inf")]], "inf is no finite number"),
            ]
        ),
    ],
)
def test_a_file_with_a_value_that_no_record_has_is_set_aside_as_a_whole(
    database: Database, caplog: pytest.LogCaptureFixture, record: object, reason: str
):
    text = lines({"miss": MISS_LINE}, record)
    waiting_file(database).write_text(text)
    journal = of(database)
    journal.add(slot(5), [tick(5.5)])

    journal.flush(1)

    assert (stored(database), stored_misses(database), stored_runs(database)) == ([tick(5.5)], [], [])
    (name,) = list_aside(database.path)
    assert database.path.with_name(name).read_text() == text
    (told,) = [line for line in caplog.messages if "is set aside as" in line]
    assert told.endswith(reason)
    assert "line 3: " in told


JSON_VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5)
INSTANTS = st.sampled_from([START.isoformat(), NAIVE, "9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00"])


def spoilt(record: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A record with some of its values replaced by any others."""
    changes = st.dictionaries(st.sampled_from(sorted(record)), JSON_VALUES | INSTANTS, max_size=2)
    return changes.map(lambda change: record | change)


RECORDS = st.one_of(
    st.builds(lambda run: {"run": run}, spoilt(RUN_LINE)),
    st.builds(lambda slot, tick: {"slot": slot, "tick": tick}, INSTANTS, spoilt(TICK_LINE)),
    st.builds(lambda miss: {"miss": miss}, spoilt(MISS_LINE)),
    JSON_VALUES,
)


@given(st.text() | st.lists(RECORDS, max_size=3).map(lambda records: lines(*records)))
@example("[" * 200_000)
@example(lines() + "[" * 200_000)
@examples(60, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_in_the_file_stops_a_flush(database: Database, text: str):
    waiting_file(database).write_text(text, encoding="utf-8", errors="replace")
    journal = of(database)
    journal.add(slot(5), [tick(5.5)])

    journal.flush(1)

    assert journal.empty
    assert tick(5.5) in stored(database)
    assert not waiting_file(database).exists()


def test_stored_records_are_dropped_even_if_a_later_step_fails(database: Database):
    heard = []

    def clock() -> datetime:
        heard.append(START)
        if len(heard) == 2:  # the first call gives the time at which the exchange is noted
            raise ValueError("torn")
        return START

    journal = Journal(database, clock, exchange=lambda: Exchange.REAL)
    journal.add(slot(0), [tick(0.5)])

    with pytest.raises(ValueError, match="torn"):
        journal.flush(1)

    assert stored(database) == [tick(0.5)]
    assert journal.empty


@pytest.mark.parametrize("put", [os.mkfifo, Path.mkdir])
def test_a_path_that_is_no_file_is_set_aside(database: Database, put: Callable[[Path], None]):
    put(waiting_file(database))
    journal = of(database)
    journal.add(slot(5), [tick(5.5)])

    journal.flush(1)

    assert stored(database) == [tick(5.5)]
    assert len(list_aside(database.path)) == 1


def test_a_file_that_can_not_be_read_is_set_aside(database: Database):
    waiting_file(database).symlink_to("/proc/self/mem")  # reading its first byte fails with an input error
    journal = of(database)
    journal.add(slot(5), [tick(5.5)])

    journal.flush(1)

    assert stored(database) == [tick(5.5)]
    assert len(list_aside(database.path)) == 1


def test_a_file_that_can_not_be_set_aside_stays_and_recording_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog
):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    waiting_file(database).write_text("torn")
    monkeypatch.setattr(Path, "rename", refuse)
    journal = of(database)
    journal.add(slot(5), [tick(5.5)])

    journal.flush(1)

    assert stored(database) == [tick(5.5)]
    assert waiting_file(database).read_text() == "torn"
    assert "ticks.duckdb.waiting.jsonl stays, because it can't be renamed: Permission denied" in caplog.messages


def test_a_file_that_can_not_be_kept_is_reported(database: Database):
    journal = of(database)
    journal.add(slot(0), [tick(0.5)])
    waiting_file(database).with_name("ticks.duckdb.waiting.jsonl.new").mkdir()

    with pytest.raises(StoreError, match=r"waiting\.jsonl can't be written: Is a directory"):
        journal.keep()


def test_a_record_that_no_file_can_hold_does_not_prevent_others(database: Database):
    journal = of(database)
    journal.add(slot(0), [replace(miss(0), code=10**20_000), tick(0.5)])
    journal.keep()

    of(database).flush(1)

    assert stored(database) == [tick(0.5)]


@pytest.mark.parametrize("by", [180, -180])
@pytest.mark.parametrize("flushed", [True, False])
def test_a_run_noted_by_a_wrong_clock_is_moved_with_its_misses(journal: Journal, database: Database, by, flushed):
    at = 600
    run = replace(RUN, started_at=slot(at))
    journal.begin_run(RUN)
    journal.add(slot(1), [miss(1)])
    journal.end_run(RUN, slot(2))
    journal.flush(1)
    journal.begin_run(run)
    journal.add(slot(at), [miss(at)])
    if flushed:
        journal.flush(1)
    journal.add(slot(at + 1), [miss(at + 1), tick(at + 1)])

    by_so_much = timedelta(seconds=by)
    moved = journal.move_run(run, by_so_much, [Shift(("btc_usd",), slot(at + 1), by_so_much)])
    assert not journal.empty
    journal.flush(1)

    assert moved == replace(run, started_at=slot(at + by))
    assert stored_runs(database) == [replace(RUN, ended_at=slot(2)), replace(run, started_at=slot(at + by))]
    assert stored_misses(database) == [miss(1), miss(at + by), miss(at + by + 1)]
    assert stored(database) == [tick(at + 1)]
    assert journal.empty


def test_slots_of_a_run_are_moved_by_multiples_of_their_own_periods(journal: Journal, database: Database):
    run = replace(RUN, feeds={"btc_usd": 1, "books/BTC": 300})
    by, none = timedelta(seconds=200), timedelta(0)
    journal.begin_run(run)
    journal.add(slot(300), [miss(300), miss(300, feed="books/BTC")])

    moved = journal.move_run(run, by, [Shift(("btc_usd",), slot(300), by), Shift(("books/BTC",), slot(300), none)])
    journal.flush(1)

    assert stored_runs(database) == [moved] == [replace(run, started_at=slot(200))]
    assert stored_misses(database) == [miss(300, feed="books/BTC"), miss(500)]


def test_a_run_moved_while_it_is_written_in_halves_moves_with_all_its_slots(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    journal = Journal(database)
    by = timedelta(seconds=200)
    refusals = [ValueError("a row that is none")]
    note = runs.note

    def refuse_once(cursor: Cursor, run: Run) -> None:
        if refusals:
            journal.move_run(RUN, by, [Shift(tuple(RUN.feeds), slot(2), by)])
            raise refusals.pop()
        note(cursor, run)

    monkeypatch.setattr(runs, "note", refuse_once)
    journal.begin_run(RUN)
    journal.add(slot(1), [miss(1), miss(2)])
    journal.flush(1)
    journal.flush(1)

    assert stored_runs(database) == [replace(RUN, started_at=RUN.started_at + by)]
    assert stored_misses(database) == [miss(201), miss(202)]


def test_a_run_at_the_right_time_is_not_moved(journal: Journal):
    journal.begin_run(RUN)
    journal.flush(1)

    assert journal.move_run(RUN, timedelta(0), [Shift(("btc_usd",), slot(0), timedelta(0))]) == RUN
    assert journal.empty


def test_runs_misses_and_vitals_get_the_name_of_the_recorder(database):
    journal = Journal(database, recorder="vienna-1")
    journal.begin_run(RUN)
    journal.add(slot(0), [Miss(slot(0), "btc_usd", Cause.UNREACHABLE, "no reply")])
    journal.end_minute(slot(60), None)

    journal.flush(1)

    with database.read() as cursor:
        found = [cursor.execute(f"SELECT recorder FROM {table}").fetchall() for table in ("runs", "misses", "vitals")]
    assert found == [[("vienna-1",)]] * 3
