"""A recorder keeps the exchange's time if the machine's clock is wrong or is set while it records."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from poller.exchange.client import DeribitClient
from poller.recorder.limits import Limits
from poller.recorder.recorder import Recorder
from poller.simulator.faults import Fault
from poller.simulator.server import Simulator
from settings import Settings
from store.file.clock import exchange_now
from store.file.database import Database
from store.health.status import health
from store.instants import EPOCH
from store.ledger import gaps
from store.ledger.due import slots
from store.ledger.gaps import ledger
from store.prices import averages, candles
from tests.conftest import wait_until
from tests.poller.conftest import MovedClock
from tests.support.notices import notice
from tests.support.stored import missed, noted, stored

MINUTES = [180, -180]
SECOND = timedelta(seconds=1)
USUAL = Limits()
EVER = (EPOCH, datetime(2100, 1, 1, tzinfo=UTC))

Start = Callable[..., Recorder]


@pytest.fixture
def machine() -> MovedClock:
    """The clock of the recorder's machine."""
    return MovedClock()


@pytest.fixture
def exchange() -> MovedClock:
    return MovedClock()


@pytest.fixture
def simulator(exchange: MovedClock) -> Iterator[Simulator]:
    with Simulator(limits=False, clock=exchange) as simulator:
        yield simulator


@pytest.fixture
def start(
    database: Database, machine: MovedClock, simulator: Simulator, make_settings: Callable[..., Settings]
) -> Iterator[Start]:
    """Starts a recorder of btc_usd at 1 s; the file has history already."""
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(datetime(2019, 1, 1, tzinfo=UTC), 1.0)], 86_400, "simulator")
    started: list[Recorder] = []

    def begin(limits: Limits = USUAL) -> Recorder:
        settings = make_settings(deribit_url=simulator.url, poll_seconds=1, indexes=("btc_usd",))
        recorder = Recorder(settings, database, "external", clock=machine, limits=limits)
        recorder.start()
        started.append(recorder)
        return recorder

    yield begin
    for recorder in started:
        recorder.stop()


def more_ticks(database: Database, count: int) -> None:
    """Wait for `count` more ticks."""
    wanted = len(stored(database)) + count
    wait_until(lambda: len(stored(database)) >= wanted, timeout_s=20)


def each_slot_counts_once(database: Database) -> bool:
    """Do ticks and misses together equal the slots of the runs?"""
    due = sum(len(slots(run.started_at, run.ended_at, 1)) for run in noted(database) if run.ended_at)
    return len(stored(database)) + len(missed(database)) == due


@pytest.mark.parametrize("seconds", MINUTES)
def test_each_slot_counts_once_and_makes_no_gap_when_the_clock_is_minutes_off(
    start: Start, database: Database, machine: MovedClock, exchange: MovedClock, make_settings, seconds
):
    machine.ahead_s = seconds
    began = exchange()
    recorder = start()
    more_ticks(database, 3)
    wait_until(lambda: closed_to(database))

    report = health(
        database, make_settings(poll_seconds=1, indexes=("btc_usd",)), exchange_now(database.path, machine())
    )
    recorder.stop()

    assert report["status"] == "ok"
    assert 0 <= report["indexes"]["btc_usd"]["age_s"] < 3
    assert report["poller"]["clock_off_s"] == seconds
    assert began - SECOND < notice(database).since < exchange()
    (run,) = noted(database)
    assert began - SECOND < run.started_at < exchange()
    assert missed(database) == []
    assert each_slot_counts_once(database)
    with database.read() as cursor:
        assert ledger(cursor, *EVER, exchange()) == []
    # Ticks that are older than stored candles would fold them again: there are none.
    assert (closed_to(database) or exchange()) <= stored(database)[0].ts
    received = [tick.received_at for tick in stored(database) if tick.received_at]
    assert all(abs(seconds - (at - exchange()).total_seconds()) < 20 for at in received)  # the machine's own clock


def closed_to(database: Database) -> datetime | None:
    with database.read() as cursor:
        return candles.closed_to(cursor)


@pytest.mark.parametrize("seconds", [300, -300])
def test_a_clock_that_is_set_during_recording_makes_no_gap_and_no_second_run(
    start: Start, database: Database, machine: MovedClock, exchange: MovedClock, caplog, seconds
):
    recorder = start()
    more_ticks(database, 2)

    machine.ahead_s += seconds
    wait_until(lambda: notice(database).skew_s == -seconds)
    more_ticks(database, 2)
    now = exchange_now(database.path, machine())
    recorder.stop()

    assert abs(now - exchange()) < SECOND
    assert len(noted(database)) == 1
    assert missed(database) == []
    assert each_slot_counts_once(database)
    with database.read() as cursor:
        assert ledger(cursor, *EVER, exchange()) == []
    off = "ahead of" if seconds > 0 else "behind"
    assert [line for line in caplog.messages if "clock" in line] == [
        f"this machine's clock is 5 min {off} the exchange's: slots keep the exchange's time"
    ]


def test_misses_before_the_exchange_tells_the_time_are_moved_to_their_slots(
    start: Start, simulator: Simulator, database: Database, machine: MovedClock, exchange: MovedClock
):
    machine.ahead_s = 180
    simulator.stop()
    began = exchange()
    recorder = start()
    wait_until(lambda: len(missed(database)) >= 2)

    simulator.start()
    more_ticks(database, 2)
    recorder.stop()

    (run,) = noted(database)
    assert began - SECOND < run.started_at < exchange()
    assert {run.started_at <= miss.slot < exchange() for miss in missed(database)} == {True}
    assert each_slot_counts_once(database)
    with database.read() as cursor:
        assert {gap.cause for gap in ledger(cursor, *EVER, exchange())} == {"unreachable"}


def test_a_clock_that_is_set_while_the_exchange_is_unreachable_leaves_no_rows_in_the_future(
    start: Start, simulator: Simulator, database: Database, machine: MovedClock, exchange: MovedClock
):
    recorder = start()
    more_ticks(database, 1)
    simulator.stop()
    wait_until(lambda: missed(database))

    machine.ahead_s += 300
    wait_until(lambda: missed(database)[-1].slot > exchange() + 200 * SECOND)
    with database.read() as cursor:
        assert gaps.watermark(cursor) is None  # the recorder looks for no gap while nobody confirms its clock
    simulator.start()
    more_ticks(database, 2)
    recorder.stop()

    assert [run.started_at < exchange() for run in noted(database)] == [True, True]
    assert [miss for miss in missed(database) if miss.slot > exchange()] == []
    assert each_slot_counts_once(database)


def test_another_run_begins_when_the_clocks_of_machine_and_exchange_go_back_together(
    start: Start, database: Database, machine: MovedClock, exchange: MovedClock
):
    recorder = start()
    more_ticks(database, 1)

    exchange.ahead_s = machine.ahead_s = -100
    wait_until(lambda: len(noted(database)) == 2)
    more_ticks(database, 1)
    recorder.stop()

    assert missed(database) == []
    assert notice(database).skew_s == 0


def test_another_run_begins_when_the_clock_of_the_exchange_stays_different(
    start: Start, simulator: Simulator, database: Database, exchange: MovedClock
):
    simulator.faults.add(Fault("slow", delay_s=0.3, seconds=3.0))  # later replies are quicker, so they count
    recorder = start(Limits(doubt_s=1.0))
    more_ticks(database, 1)
    wait_until(lambda: not simulator.faults.listing())

    exchange.ahead_s = 30
    wait_until(lambda: len(noted(database)) == 2, timeout_s=20)
    more_ticks(database, 1)
    recorder.stop()

    assert each_slot_counts_once(database)
    assert abs(noted(database)[1].started_at - exchange()) < 5 * SECOND


def test_recording_goes_on_however_the_request_for_the_time_ends(
    start: Start, database: Database, machine: MovedClock, monkeypatch: pytest.MonkeyPatch, caplog
):
    async def fail(_: DeribitClient) -> datetime:
        raise RuntimeError("the connection was torn")

    monkeypatch.setattr(DeribitClient, "time", fail)
    start()
    more_ticks(database, 1)

    machine.ahead_s += 300
    more_ticks(database, 2)

    assert "the job clock failed" in caplog.messages
    wait_until(lambda: notice(database).skew_s == -300)  # other replies have the time too
