import contextlib
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import stamina

from poller.history.backfill import Backfill
from poller.history.limits import Limits as HistoryLimits
from poller.journal.limits import Limits as JournalLimits
from poller.recorder.limits import Limits
from poller.recorder.recorder import Recorder
from poller.simulator.faults import Fault
from poller.simulator.server import Simulator
from poller.simulator.truth.prices import price
from poller.timing.slots import slot_of
from settings import Settings, SettingsError
from store.errors import BusyError, NewerSchemaError, NoDatabaseError, RecorderError, StoreError
from store.file.database import Database
from store.file.locks import beside
from store.file.recorder import Notice, RecorderLock, read_notice
from store.health.status import in_words
from store.ledger.gaps import ledger
from store.models import Cause, Tick, utc_now
from store.prices import averages, candles, ticks
from tests.conftest import wait_until
from tests.poller.conftest import MovedClock, envelope, http, price_reply, refusal, reply, us_of
from tests.store.processes import held_by_a_tool
from tests.support.notices import notice
from tests.support.slots import in_a_row, seconds
from tests.support.stored import EVER, missed, noted, stored

SECOND = timedelta(seconds=1)
USUAL = Limits()
BOTH = ("btc_usd", "eth_usd")

Start = Callable[..., Recorder]


@pytest.fixture
def clock() -> MovedClock:
    """A clock whose next second begins soon."""
    clock = MovedClock()
    clock.slot_in(0.25, 1)
    return clock


@pytest.fixture
def simulator(clock: MovedClock) -> Iterator[Simulator]:
    with Simulator(limits=False, clock=clock) as simulator:
        yield simulator


@pytest.fixture
def start(
    database: Database, clock: MovedClock, simulator: Simulator, make_settings: Callable[..., Settings]
) -> Iterator[Start]:
    """Starts a recorder of btc_usd from the simulator, at 1 s by default."""
    started = []

    def begin(
        mode: Any = "external",
        *,
        into: Database = database,
        limits: Limits = USUAL,
        **changes: Any,
    ) -> Recorder:
        settings = {"deribit_url": simulator.url, "poll_seconds": 1, "indexes": ("btc_usd",)}
        recorder = Recorder(make_settings(**{**settings, **changes}), into, mode, clock=clock, limits=limits)
        recorder.start()
        started.append(recorder)
        return recorder

    yield begin
    for recorder in started:
        recorder.stop()


def wait_for_state(database: Database, state: str) -> Notice:
    wait_until(lambda: notice(database).state == state)
    return notice(database)


def wait_for_ticks(database: Database, count: int) -> list[Tick]:
    return list(wait_until(lambda: (found := stored(database))[count - 1 :] and found))


def fill(database: Database) -> None:
    """Give btc_usd some history, so that a recorder loads none."""
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(datetime(2019, 1, 1, tzinfo=UTC), 1.0)], 86_400, "simulator")


# Recording


def test_every_slot_has_the_price_of_its_time(start: Start, database: Database):
    recorder = start(indexes=BOTH)
    wait_for_ticks(database, 3)

    recorder.stop()

    for name in BOTH:
        found = stored(database, name)
        slots = seconds([tick.ts for tick in found])
        assert len(slots) >= 3
        assert slots == in_a_row(slots)
        assert [tick.price for tick in found] == [price(name, tick.ts) for tick in found]
        assert {(tick.source, tick.resolution_s) for tick in found} == {("simulator", 0)}
        assert all(tick.received_at is not None and tick.ts <= tick.received_at for tick in found)
    assert missed(database) == []


def test_a_run_lasts_from_its_first_slot_to_the_stop(start: Start, database: Database, clock: MovedClock):
    clock.slot_in(1.5, 3600)
    began = clock()
    recorder = start(poll_seconds=3600, indexes=BOTH)
    wait_for_ticks(database, 1)
    recorder.stop()

    (run,) = noted(database)
    assert run.feeds == dict.fromkeys(BOTH, 3600)
    assert run.ended_at is not None
    assert began < run.started_at <= run.ended_at <= clock()
    assert (run.started_at.timestamp() % 3600) == 0
    assert (notice(database).state, notice(database).alive) == ("stopped", False)
    assert recorder.failure is None


def test_the_demo_records_from_its_own_simulator(start: Start, database: Database):
    start(demo=True, deribit_url="http://127.0.0.1:9")

    tick = wait_for_ticks(database, 1)[0]

    assert (tick.source, tick.price) == ("simulator", price("btc_usd", tick.ts))


def test_the_log_says_so_if_the_indexes_leave_no_room_for_the_default_markets(
    start: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("TICKWELL_MARKETS")
    start(indexes=(*BOTH, "sol_usdc", "xrp_usdc", "ada_usdc"))

    wait_until(lambda: [line for line in caplog.messages if "DVOL and funding are not recorded" in line])


def test_a_minute_without_a_tick_is_summed_up_as_such(start: Start, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, logger="tickwell")
    start(deribit_url="http://127.0.0.1:9", limits=Limits(minute_s=1))

    wait_until(lambda: "no tick in the last minute" in caplog.messages)

    assert "nothing recorded, unreachable: 127.0.0.1:9: connection refused" in caplog.messages


def test_the_log_has_a_summary_of_each_minute(start: Start, database: Database, caplog: pytest.LogCaptureFixture):
    fill(database)
    caplog.set_level(logging.INFO, logger="tickwell")
    start(limits=Limits(minute_s=1))

    summed_up = re.compile(r"[1-9]\d* ticks in the last minute, written in \d+\.\d ms \(median\)")
    wait_until(lambda: [line for line in caplog.messages if summed_up.fullmatch(line)])

    assert not [record for record in caplog.records if record.levelno > logging.INFO]


def test_an_index_that_fails_is_named_while_the_others_are_recorded(
    serve, start: Start, database: Database, clock: MovedClock
):
    def answer(target: str) -> bytes:
        if "names" in target:
            return http(json.dumps(envelope(BOTH, usOut=us_of(clock()))).encode())
        if "eth_usd" in target:
            return http(b"", "502 Bad Gateway")
        return price_reply(sent_at=clock())

    start(deribit_url=serve(answer).url, indexes=BOTH)
    wait_until(lambda: notice(database).failing)

    assert notice(database).state == "recording"
    detail = "get_index_price eth_usd: HTTP 502 Bad Gateway"
    assert notice(database).failing == {"eth_usd": f"exchange error, {detail}"}
    assert {(miss.feed, miss.cause, miss.detail) for miss in missed(database)} == {
        ("eth_usd", Cause.EXCHANGE_ERROR, detail)
    }


# Trouble with the exchange


def test_an_outage_is_reported_and_ends_by_itself(
    start: Start, simulator: Simulator, database: Database, clock: MovedClock
):
    recorder = start()
    wait_for_ticks(database, 1)

    simulator.faults.add(Fault("outage", seconds=2.5))
    back_at = clock() + timedelta(seconds=2.5)
    trouble = wait_for_state(database, "unreachable")
    recording = wait_for_state(database, "recording")
    recorder.stop()

    assert trouble.detail.endswith((": connection refused", ": connection reset by peer"))
    assert trouble.retry_at is not None
    assert trouble.state_since < trouble.retry_at <= trouble.state_since + 2 * SECOND
    assert in_words(trouble, None, trouble.state_since).startswith("exchange unreachable since ")
    assert recording.state_since <= back_at + 2 * SECOND
    gap = missed(database)
    assert gap
    assert {miss.cause for miss in gap} == {Cause.UNREACHABLE}
    slots = seconds([miss.slot for miss in gap] + [tick.ts for tick in stored(database)])
    assert slots == in_a_row(slots)


def test_an_exchange_that_is_slow_once_costs_one_slot(start: Start, simulator: Simulator, database: Database):
    start()
    wait_for_ticks(database, 1)

    simulator.faults.add(Fault("slow", method="get_index_price", delay_s=1.5, times=1))
    wait_for_ticks(database, 2)

    (miss,) = missed(database)
    assert miss.cause is Cause.UNREACHABLE
    assert miss.detail.startswith("no reply within 0.")
    assert stored(database)[1].ts - miss.slot < 2 * SECOND


def test_an_unreachable_exchange_is_reported_at_once_at_the_start(start: Start, database: Database):
    start(deribit_url="http://127.0.0.1:9", poll_seconds=3600)

    trouble = wait_for_state(database, "unreachable")

    assert trouble.detail.endswith(": connection refused")
    assert trouble.retry_at is not None
    assert trouble.retry_at.timestamp() % 3600 == 0


def test_the_next_try_comes_after_the_pause_that_the_exchange_asked_for(
    start: Start, simulator: Simulator, database: Database, clock: MovedClock
):
    simulator.faults.add(Fault("rate_limit", retry_after=50))
    began = clock()

    start()
    trouble = wait_for_state(database, "exchange error")

    assert "too many requests" in trouble.detail
    assert trouble.retry_at is not None
    assert began + 50 * SECOND <= trouble.retry_at <= clock() + 50 * SECOND


def test_an_unknown_index_is_refused(start: Start, database: Database):
    recorder = start(indexes=("btc_usd", "etc_usdx"))

    assert recorder.wait(5)

    assert isinstance(recorder.failure, SettingsError)
    told = notice(database)
    assert (told.state, told.detail, told.alive) == ("refused", str(recorder.failure), False)
    assert in_words(told, None, utc_now()).startswith("not recording: TICKWELL_INDEXES names etc_usdx, which ")
    recorder.stop()
    assert notice(database).state == "refused"
    assert stored(database) == []


def without(name: str, clock: MovedClock) -> Callable[[str], bytes]:
    """An exchange that no longer publishes one of BOTH."""
    left = [each for each in BOTH if each != name]

    def answer(target: str) -> bytes:
        if "names" in target:
            return reply(left, clock())
        if name in target:
            return http(json.dumps(refusal(-32602, "Invalid params")).encode(), "400 Bad Request")
        return price_reply(sent_at=clock())

    return answer


@pytest.mark.parametrize("readable", [True, False], ids=["", "while others have the file"])
def test_a_recorded_index_that_is_no_longer_published_is_named_and_the_others_are_recorded(
    serve, start: Start, database: Database, clock: MovedClock, caplog, readable
):
    with database.write() as cursor:
        ticks.append(cursor, [Tick("eth_usd", datetime(2026, 1, 1, tzinfo=UTC), 1.0)])

    with contextlib.nullcontext() if readable else Database(database.path).write():
        url = serve(without("eth_usd", clock)).url
        recorder = start(deribit_url=url, indexes=BOTH, limits=Limits(store_wait_s=0.1))
        early = wait_until(lambda: notice(database).failing)

    assert wait_for_ticks(database, 2)
    assert recorder.failure is None
    assert early.keys() == {"eth_usd"}
    assert any(line.startswith("eth_usd: TICKWELL_INDEXES names eth_usd, which the exch") for line in caplog.messages)
    assert {miss.feed for miss in missed(database)} == {"eth_usd"}


@pytest.mark.parametrize("published", [["eth_usd"], []], ids=["missing", "an empty list"])
def test_an_index_that_is_missing_from_the_list_once_is_still_recorded(
    serve, start: Start, database: Database, clock: MovedClock, published
):
    def answer(target: str) -> bytes:
        return reply(published, clock()) if "names" in target else price_reply(sent_at=clock())

    with database.write() as cursor:
        ticks.append(cursor, [Tick("btc_usd", datetime(2026, 1, 1, tzinfo=UTC), 1.0)])
    start(deribit_url=serve(answer).url)

    assert wait_for_ticks(database, 2)
    wait_until(lambda: notice(database).failing == {})


# Trouble with the database


def test_ticks_wait_while_a_foreign_program_holds_the_file(start: Start, database: Database):
    recorder = start(indexes=BOTH)
    wait_for_ticks(database, 1)

    with held_by_a_tool(database.path) as program:
        trouble = wait_until(lambda: (told := notice(database)).waiting >= 2 * 3 and told)
    wait_for_state(database, "recording")
    recorder.stop()

    assert trouble.state == "store unavailable"
    assert f"PID {program.process.pid}" in trouble.detail
    assert in_words(trouble, None, utc_now()).startswith("database not writable since ")
    assert missed(database) == []
    for name in BOTH:
        slots = seconds([tick.ts for tick in stored(database, name)])
        assert len(slots) >= 1 + 3
        assert slots == in_a_row(slots)


def test_ticks_without_their_table_are_set_aside_and_ticks_are_stored_once_it_is_back(start: Start, database: Database):
    fill(database)
    start()
    wait_for_ticks(database, 1)
    with database.write() as cursor:
        cursor.execute("ALTER TABLE ticks RENAME TO taken")

    wait_until(lambda: notice(database).refused)
    with database.write() as cursor:
        cursor.execute("ALTER TABLE taken RENAME TO ticks")
    number = len(stored(database))

    wait_for_ticks(database, number + 2)
    assert "ticks does not exist" in missed(database)[0].detail


def test_a_stop_waits_for_a_write_that_waits_for_the_file(start: Start, database: Database):
    recorder = start()
    wait_for_ticks(database, 1)
    with held_by_a_tool(database.path):
        wait_until(lambda: notice(database).waiting)
        stopping = threading.Thread(target=recorder.stop)
        stopping.start()
    stopping.join()

    slots = seconds([tick.ts for tick in stored(database)])
    assert len(slots) >= 2
    assert slots == in_a_row(slots)


def test_a_file_held_by_others_costs_no_slot_when_replies_come_one_by_one(
    serve, start: Start, database: Database, clock: MovedClock
):
    apart = threading.Event()

    def answer(target: str) -> bytes:
        if "names" in target:
            return http(json.dumps(envelope(BOTH, usOut=us_of(clock()))).encode())
        if "eth_usd" in target:
            apart.wait(0.1)
        return price_reply(sent_at=clock())

    recorder = start(deribit_url=serve(answer).url, indexes=BOTH)
    wait_for_ticks(database, 1)

    with Database(database.path).write():
        wait_until(lambda: notice(database).waiting >= 2 * 2)
    wait_for_state(database, "recording")
    recorder.stop()

    assert missed(database) == []


def test_a_start_waits_for_a_file_held_by_others(start: Start, database: Database, caplog):
    with Database(database.path).write():
        start(limits=Limits(store_wait_s=0.2))
        wait_until(lambda: notice(database).waiting)

    assert wait_for_ticks(database, 2)
    assert len(noted(database)) == 1
    assert any(line.startswith("the database can't be written yet, ticks wait in memory: ") for line in caplog.messages)


def test_ticks_that_can_not_be_written_at_the_end_are_kept_and_the_next_start_takes_them_in(
    start: Start, database: Database, caplog
):
    fill(database)
    recorder = start(limits=Limits(journal=JournalLimits(last_s=0.2)))
    before = wait_for_ticks(database, 1)
    with Database(database.path).write():
        wait_until(lambda: notice(database).waiting >= 2)
        recorder.stop()
    left = notice(database)
    between = stored(database)

    second = start()
    wait_until(lambda: len(stored(database)) >= len(before) + left.waiting + 1)
    second.stop()

    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert " ticks could not be written: " in line
    assert line.endswith("; kept in ticks.duckdb.waiting.jsonl for the next start")
    assert len(between) < len(before) + left.waiting
    assert f", {left.waiting} ticks wait in a file for its next start" in in_words(left, None, utc_now())
    assert not database.path.with_name("ticks.duckdb.waiting.jsonl").exists()
    assert [run.ended_at is None for run in noted(database)] == [False, False]
    assert [gap for gap in ledger_of(database) if gap[0] != "recorder down"] == []


def test_a_stop_waits_for_the_holder_of_the_file_and_names_it_until_it_is_hurried(
    start: Start, database: Database, caplog
):
    recorder = start()
    wait_for_ticks(database, 1)
    enough = threading.Event()
    with held_by_a_tool(database.path) as program:
        wait_until(lambda: notice(database).waiting)
        stopping = threading.Thread(target=recorder.stop, args=(enough.is_set,))
        stopping.start()
        wait_until(lambda: [line for line in caplog.messages if line.startswith("waiting for up to 20 s, Ctrl+C ends")])
        kept = database.path.with_name("ticks.duckdb.waiting.jsonl").read_text()
        enough.set()
        stopping.join()

    (line,) = [line for line in caplog.messages if line.startswith("waiting for up to 20 s")]
    assert f"PID {program.process.pid}" in line
    assert '"tick": {"index_name": "btc_usd"' in kept
    assert database.path.with_name("ticks.duckdb.waiting.jsonl").exists()


def test_a_stop_writes_the_whole_of_a_long_queue(start: Start, database: Database):
    recorder = start(limits=Limits(journal=JournalLimits(portion=1)))
    with Database(database.path).write():
        wait_until(lambda: notice(database).waiting >= 4)

    recorder.stop()

    received = [int(tick.received_at.timestamp()) for tick in stored(database) if tick.received_at]
    assert len(received) >= 4
    assert received == list(range(received[0], received[-1] + 1))


def test_a_newer_database_is_refused_and_left_alone(start: Start, database: Database):
    with database.write() as cursor:
        cursor.execute("INSERT INTO migrations (number, name) VALUES (9999, 'later')")
    before = database.path.read_bytes()

    recorder = start()

    assert recorder.wait(5)
    assert isinstance(recorder.failure, NewerSchemaError)
    assert notice(database).state == "refused"
    assert database.path.read_bytes() == before


def test_a_missing_database_is_created(start: Start, database_file: Path):
    database = Database(database_file.with_name("another.duckdb"))
    with pytest.raises(NoDatabaseError):
        stored(database)

    start(into=database)

    assert wait_until(lambda: database.path.exists() and wait_for_ticks(database, 1))


# Time


def test_skipped_slots_are_misses(start: Start, database: Database, clock: MovedClock):
    start()
    wait_for_ticks(database, 1)

    clock.ahead_s += 5
    skipped = wait_until(lambda: missed(database))

    assert 4 <= len(skipped) <= 5
    assert {(miss.cause, miss.detail) for miss in skipped} == {(Cause.MISSED_SLOT, "the slot before it took too long")}
    assert [miss.slot for miss in skipped] == in_a_row([miss.slot for miss in skipped])
    assert len(noted(database)) == 1


def test_another_run_begins_after_a_stall(start: Start, database: Database, clock: MovedClock, caplog):
    recorder = start()
    wait_for_ticks(database, 1)

    clock.ahead_s += 100
    wait_until(lambda: len(noted(database)) == 2)
    recorder.stop()

    first, second = noted(database)
    assert first.ended_at is not None
    assert second.ended_at is not None
    assert first.ended_at.microsecond == second.started_at.microsecond == 0
    assert timedelta(seconds=60) < second.started_at - first.ended_at <= timedelta(seconds=100)
    assert second.started_at < second.ended_at
    assert [miss for miss in missed(database) if first.ended_at <= miss.slot < second.started_at] == []
    assert any(line.startswith("no poll between ") for line in caplog.messages)


# History


def averages_of(database: Database, index_name: str = "btc_usd") -> list[int]:
    """The resolution of each average."""
    with database.read() as cursor:
        rows = cursor.execute(
            "SELECT resolution_s FROM ticks WHERE resolution_s > 0 AND index_name = ?", [index_name]
        ).fetchall()
    return [resolution_s for (resolution_s,) in rows]


def charts_asked_for(simulator: Simulator) -> int:
    """The number of charts that a simulator with the fault COUNTED was asked for."""
    return 1000 - sum(fault.times or 0 for fault in simulator.faults.listing() if fault.kind == "slow")


COUNTED_NAMES = Fault("slow", method="get_supported_index_names", delay_s=1e-6, times=1000)
COUNTED = Fault("slow", method="get_index_chart_data", delay_s=1e-6, times=1000)


SHORT_HISTORY = Limits(history=HistoryLimits(ranges=("1h",)))
"""The recorder asks for one hour of history only."""


@pytest.mark.parametrize("mode", ["external", "embedded"])
def test_loading_history_costs_no_slot(start: Start, database: Database, mode, caplog):
    caplog.set_level(logging.INFO, logger="tickwell")
    recorder = start(mode)

    loading = wait_until(lambda: (told := notice(database)).backfill and told)
    wait_until(lambda: notice(database).backfill == "", timeout_s=30)
    recorder.stop()

    assert loading.state == "recording"
    assert loading.backfill == "loading history, 1 of 6"
    assert set(averages_of(database)) == {6, 60, 3600, 86_400}
    slots = seconds([tick.ts for tick in stored(database)])
    assert slots == in_a_row(slots)
    assert missed(database) == []
    assert "history is loaded" in caplog.messages


def test_a_second_start_loads_no_history(start: Start, simulator: Simulator, database: Database):
    fill(database)
    simulator.faults.add(COUNTED)

    start()
    wait_for_ticks(database, 3)

    assert charts_asked_for(simulator) == 0
    assert averages_of(database) == [86_400]


def test_a_file_has_no_history_before_it_has_a_tick(start: Start, simulator: Simulator, database: Database):
    simulator.faults.add(COUNTED)
    simulator.faults.add(Fault("bad_price"))
    start(limits=SHORT_HISTORY)
    wait_until(lambda: len(missed(database)) >= 2)
    before = charts_asked_for(simulator), notice(database).backfill

    simulator.faults.clear()
    wait_until(lambda: averages_of(database), timeout_s=30)

    assert before == (0, "")
    assert stored(database)


def test_an_exchange_that_is_unreachable_at_the_first_start_brings_its_history_later(
    start: Start, simulator: Simulator, database: Database
):
    simulator.faults.add(Fault("outage", seconds=1.5))
    start(limits=SHORT_HISTORY)
    wait_for_state(database, "unreachable")

    wait_until(lambda: averages_of(database), timeout_s=30)

    assert set(averages_of(database)) == {6}


def test_history_is_written_at_once_when_slots_are_far_apart(
    serve, start: Start, database: Database, clock: MovedClock
):
    hours_ms = [1000 * (int(clock().timestamp()) - 3600 * number) for number in (9, 8, 7)]

    def answer(target: str) -> bytes:
        if "names" in target:
            return reply(BOTH, clock())
        if "chart" in target:
            return reply([[hour_ms, 100.0] for hour_ms in hours_ms], clock())
        return price_reply(sent_at=clock())

    clock.slot_in(0.5, 10)
    start(deribit_url=serve(answer).url, poll_seconds=10)

    wait_until(lambda: averages_of(database), timeout_s=30)

    assert averages_of(database) == [3600] * 3
    assert len(stored(database)) == 1


def test_a_stop_while_history_loads_is_prompt_and_stores_none_of_it(
    start: Start, simulator: Simulator, database: Database, caplog
):
    simulator.faults.add(Fault("slow", method="get_index_chart_data", delay_s=60))
    recorder = start()
    wait_until(lambda: notice(database).backfill)
    wait_for_ticks(database, 2)

    asked_at = time.monotonic()
    recorder.stop()

    assert time.monotonic() - asked_at < 2
    assert (notice(database).state, notice(database).backfill) == ("stopped", "")
    assert averages_of(database) == []
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == []


def test_an_unexpected_error_in_loading_history_does_not_affect_recording(
    start: Start, database: Database, monkeypatch: pytest.MonkeyPatch, caplog
):
    async def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(Backfill, "heal", fail)

    start()
    wait_for_ticks(database, 3)

    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "the job backfill failed"
    ]
    assert "RuntimeError: out of luck" in caplog.text
    assert missed(database) == []


def test_candles_are_stored_during_recording_when_their_time_is_over(
    start: Start, database: Database, clock: MovedClock
):
    fill(database)
    clock.slot_in(2.5, 60)

    start(limits=Limits(history=HistoryLimits(close_candles_s=0.1)))
    live, minute = wait_until(lambda: (found := in_candles(database))[0] and found)

    assert live == sum(tick.ts < minute for tick in stored(database))
    assert missed(database) == []


def in_candles(database: Database) -> tuple[int, datetime | None]:
    """The number of observations in candles, and the time up to which candles are stored."""
    with database.read() as cursor:
        ((live,),) = cursor.execute("SELECT sum(observed_count) FROM candles_1m").fetchall()
        return live or 0, candles.closed_to(cursor)


# Gaps


def ledger_of(database: Database) -> list[tuple[str, str, str | None]]:
    """Cause, state and healer of each gap."""
    with database.read() as cursor:
        return [(gap.cause, gap.state, gap.healed_by) for gap in ledger(cursor, *EVER, utc_now())]


QUICK = Limits(history=HistoryLimits(look_for_gaps_s=0.5, ripe=4 * SECOND))
"""The limits of a recorder that heals soon."""


@pytest.fixture
def averages_of_two_seconds(simulator: Simulator, database: Database) -> None:
    simulator.faults.add(Fault("other_step", window="1h", step_s=2))
    fill(database)


@pytest.mark.usefixtures("averages_of_two_seconds")
def test_an_outage_is_healed_when_it_is_over(start: Start, simulator: Simulator, database: Database):
    start(limits=QUICK)
    wait_for_ticks(database, 1)
    simulator.faults.add(Fault("outage", seconds=6))
    wait_for_state(database, "unreachable")

    wait_until(lambda: any(state == "healed" for _, state, _ in ledger_of(database)), timeout_s=60)

    assert ("unreachable", "healed", "simulator, 2 s") in ledger_of(database)


@pytest.mark.usefixtures("averages_of_two_seconds")
@pytest.mark.parametrize("mode", ["embedded", "external"])
def test_a_recorder_heals_the_time_in_which_it_was_down(start: Start, database: Database, clock: MovedClock, mode):
    first = start(mode, limits=QUICK)
    wait_for_ticks(database, 1)
    first.stop()
    clock.ahead_s += 600

    start(mode, limits=QUICK)
    wait_until(lambda: any(state == "healed" for _, state, _ in ledger_of(database)), timeout_s=60)

    assert ("recorder down", "healed", "simulator, 2 s") in ledger_of(database)
    assert missed(database) == []


@pytest.mark.usefixtures("averages_of_two_seconds")
def test_gaps_are_found_while_a_chart_is_on_its_way(start: Start, simulator: Simulator, database: Database):
    simulator.faults.add(Fault("slow", method="get_index_chart_data", delay_s=60))
    start(indexes=BOTH, limits=QUICK)
    wait_for_ticks(database, 2)
    wait_until(lambda: notice(database).backfill)

    simulator.faults.add(Fault("error", method="get_index_price", code=-32602, seconds=2.5))

    wait_until(lambda: found_gaps(database) >= len(BOTH), timeout_s=30)
    assert notice(database).backfill == "loading history, 1 of 6"


def found_gaps(database: Database) -> int:
    with database.read() as cursor:
        ((count,),) = cursor.execute("SELECT count(*) FROM gap_events WHERE event = 'found'").fetchall()
        return int(count)


def test_gaps_are_looked_for_as_soon_as_nothing_waits_for_the_database(
    serve, start: Start, database: Database, clock: MovedClock
):
    taken, asked = threading.Event(), threading.Event()

    def answer(target: str) -> bytes:
        if "names" in target:
            return http(json.dumps(envelope(BOTH, usOut=us_of(clock()))).encode())
        if "chart" in target:
            asked.set()
            return http(json.dumps(envelope([], usOut=us_of(clock()))).encode())
        if "eth_usd" in target:
            taken.wait(5)
        return price_reply(sent_at=clock())

    start(deribit_url=serve(answer).url, indexes=BOTH)
    wait_for_ticks(database, 1)

    with Database(database.path).write():
        taken.set()
        wait_until(lambda: notice(database).waiting >= 3)
        asked_too_early = asked.is_set()

    assert not asked_too_early
    assert asked.wait(10)


# The end


def test_stopping_does_not_wait_for_a_request_that_hangs(serve, start: Start, database: Database, clock: MovedClock):
    over = threading.Event()

    def answer(target: str) -> bytes:
        if "names" in target:
            return reply(BOTH, clock())
        over.wait(10)
        return price_reply(sent_at=clock())

    clock.slot_in(1.5, 3600)
    server = serve(answer)
    recorder = start(deribit_url=server.url, poll_seconds=3600)
    wait_until(lambda: any("get_index_price?" in target for target in server.targets))
    slot = slot_of(clock(), timedelta(hours=1))

    asked_at = time.monotonic()
    recorder.stop()
    took_s = time.monotonic() - asked_at
    over.set()

    assert took_s < 2
    (run,) = noted(database)
    assert run.ended_at == slot
    assert missed(database) == []


def test_a_recorder_can_be_stopped_before_its_first_slot(start: Start, simulator: Simulator, database: Database):
    simulator.faults.add(Fault("slow", delay_s=60))
    asked_at = time.monotonic()

    start().stop()

    assert time.monotonic() - asked_at < 2
    assert notice(database).state == "stopped"
    assert noted(database) == []


def test_a_recorder_can_be_stopped_while_it_waits_for_the_file(start: Start, simulator: Simulator, database: Database):
    simulator.faults.add(COUNTED_NAMES)
    with Database(database.path).write():
        start().stop()

    assert notice(database).state == "stopped"
    assert [fault.times for fault in simulator.faults.listing()] == [COUNTED_NAMES.times]


def test_wait_returns_whether_the_recorder_has_ended(start: Start):
    recorder = start(poll_seconds=3600)

    assert not recorder.wait(0)
    recorder.stop()
    assert recorder.wait(0)


def test_an_unexpected_error_ends_the_recorder_with_a_reason(
    start: Start, database: Database, monkeypatch: pytest.MonkeyPatch, caplog
):
    def fail(_: Simulator) -> None:
        raise OSError("too many open files")

    monkeypatch.setattr(Simulator, "start", fail)

    recorder = start(demo=True)

    assert recorder.wait(5)
    assert str(recorder.failure) == "the recorder failed: OSError: too many open files"
    assert (notice(database).state, notice(database).detail) == ("refused", str(recorder.failure))
    assert "Traceback" in caplog.text


# One recorder


def test_a_file_has_one_recorder(start: Start, database: Database):
    first = start(poll_seconds=3600)

    with pytest.raises(RecorderError, match=r"is already being recorded by PID \d+ \(external, since "):
        start(poll_seconds=3600)

    assert not first.wait(0)
    assert notice(database).alive


def test_polls_are_counted_by_outcome_and_retries_are_counted(start: Start, database: Database, simulator: Simulator):
    polls, ok, failed = database.meters.polls, ("btc_usd", "ok"), ("btc_usd", "exchange error")
    start()
    wait_until(lambda: polls[ok])
    with stamina.set_testing(True, attempts=10, cap=True):  # without the wait
        simulator.faults.add(Fault("error", method="get_index_price", code=13028, times=2))
        wait_until(lambda: database.meters.retries == 2)
        simulator.faults.add(Fault("error", method="get_index_price", code=-32602, times=1))
        wait_until(lambda: polls[failed])
    after_it = polls[ok]

    wait_until(lambda: polls[ok] > after_it)

    assert polls[failed] == len(missed(database)) == 1
    assert database.meters.retries == 2
    assert polls["btc_usd", "unreachable"] == 0


def test_skipped_slots_count_as_polls_that_missed_their_slot(start: Start, database: Database, clock: MovedClock):
    start()
    wait_for_ticks(database, 1)
    clock.ahead_s += 5

    wait_until(lambda: database.meters.polls["btc_usd", "missed slot"] >= 4)

    wait_for_ticks(database, 2)
    assert database.meters.polls["btc_usd", "missed slot"] == len(missed(database))


def test_a_lock_file_that_was_deleted_is_made_again_and_keeps_others_out(start: Start, database: Database):
    start()
    wait_for_ticks(database, 1)
    told = notice(database)

    beside(database.path, "recorder").unlink()

    wait_until(lambda: read_notice(database.path) is not None)
    assert replace(notice(database), backfill="") == replace(told, backfill="")
    with pytest.raises(RecorderError):
        start()


def test_a_recorder_ends_and_names_the_recorder_that_took_its_place(start: Start, database: Database):
    recorder = start()
    count = len(wait_for_ticks(database, 1))
    other = RecorderLock(database.path)

    beside(database.path, "recorder").unlink()
    other.acquire(Notice(4711, "external", utc_now(), 1, ("btc_usd",), "0", "recording", utc_now()))

    wait_until(lambda: recorder.wait(0))
    assert "is already being recorded by PID 4711 (external, since " in str(recorder.failure)
    assert notice(database).pid == 4711
    assert len(stored(database)) >= count
    other.release()


def test_a_recorder_warns_while_its_folder_can_not_be_made_and_recovers(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    folder = tmp_path / "folder"
    database = Database(folder / "ticks.duckdb")
    database.migrate()
    start(into=database, database=database.path)
    wait_for_ticks(database, 1)

    folder.rename(tmp_path / "away")
    folder.write_text("in the way")
    wait_until(lambda: [line for line in caplog.messages if line.startswith(f"{folder} can't be made")])
    folder.unlink()

    wait_until(database.path.exists)
    assert wait_for_ticks(database, 1)
    assert wait_until(lambda: read_notice(database.path)).alive


def test_checkpoints_that_fail_are_one_line_in_the_log_until_one_succeeds(
    start: Start, database: Database, monkeypatch: pytest.MonkeyPatch, caplog
):
    caplog.set_level(logging.WARNING, "tickwell.recorder")
    outcomes = iter([False, False, True, False, False])
    tried: list[bool] = []

    def checkpoint(_: Database, wait_s: float) -> None:
        tried.append(next(outcomes, True))
        if not tried[-1]:
            raise StoreError(f"no space left after {wait_s} s")

    monkeypatch.setattr(Database, "checkpoint_when_due", checkpoint)
    start(limits=replace(USUAL, history=HistoryLimits(checkpoint_s=0.05)))

    wait_until(lambda: len(tried) > 5)
    assert [line for line in caplog.messages if "checkpoint" in line] == 2 * [
        "no checkpoint for now: no space left after 0.9 s"
    ]


def test_an_embedded_recorder_steps_aside_for_readers(start: Start, database: Database):
    recorder = start("embedded")
    reader = Database(database.path)
    wait_until(lambda: notice(database).state == "recording")

    found = [len(stored(reader)) for _ in range(10)]
    grown = wait_until(lambda: len(stored(reader)) > found[-1])
    with pytest.raises(BusyError), reader.write(), Database(database.path).read(wait_s=0.01):
        pass
    recorder.stop()

    assert found[0] >= 1
    assert grown
    assert missed(database) == []
    assert notice(database).mode == "embedded"


def test_an_embedded_recorder_that_fails_says_so_in_the_log(start: Start, caplog):
    recorder = start("embedded", indexes=("etc_usdx",))

    assert recorder.wait(5)

    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == f"not recording: {recorder.failure}"
    assert record.exc_info is None
