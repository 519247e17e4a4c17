import asyncio
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from poller.timing.runner import Runner
from tests.poller.conftest import Clock

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Stop(threading.Event):
    """A stop event on which waiting takes no time: it moves the clock instead, and is set when that reaches the end."""

    def __init__(self, clock: Clock, end_s: float) -> None:
        super().__init__()
        self.clock, self.end_s = clock, end_s
        self.longest_wait_s = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None, "a runner that waits without end can't notice a clock that was set"
        self.longest_wait_s = max(self.longest_wait_s, timeout)
        self.clock.move(timeout)
        self.end_s -= timeout
        if self.end_s <= 0:
            self.set()
        return self.is_set()


class Ran:
    """A job that notes when it ran, in seconds after noon, and does what it was told to besides."""

    def __init__(self, clock: Clock, does: Callable[[int], None] = lambda _: None) -> None:
        self.clock, self.does = clock, does
        self.at: list[float] = []

    def __call__(self) -> None:
        self.at.append((self.clock.now - NOON).total_seconds())
        self.does(len(self.at))


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON + timedelta(seconds=0.3))


def test_a_job_runs_at_the_exact_multiples_of_its_interval(clock: Clock):
    job = Ran(clock)
    runner = Runner(Stop(clock, 31), clock)

    runner.every(5, "poll", job)
    runner.run()

    assert job.at == [5, 10, 15, 20, 25, 30]


def test_a_job_that_takes_time_does_not_drift(clock: Clock):
    job = Ran(clock, lambda _: clock.move(0.08))
    runner = Runner(Stop(clock, 19), clock)

    runner.every(1, "poll", job)
    runner.run()

    assert job.at == list(range(1, len(job.at) + 1))
    assert len(job.at) >= 20


def test_a_job_that_overruns_its_slot_is_only_late_for_the_next_one(clock: Clock):
    job = Ran(clock, lambda run: clock.move(5.25 if run == 2 else 0))
    runner = Runner(Stop(clock, 20), clock)

    runner.every(5, "poll", job)
    runner.run()

    assert job.at == [5, 10, 15.25, 20, 25]


def test_slots_that_a_job_overruns_are_not_made_up(clock: Clock):
    job = Ran(clock, lambda run: clock.move(12.5 if run == 2 else 0))
    runner = Runner(Stop(clock, 18), clock)

    runner.every(5, "poll", job)
    runner.run()

    assert job.at == [5, 10, 22.5, 25, 30]


def test_a_job_that_is_late_runs_once_and_at_once(clock: Clock):
    slow = Ran(clock, lambda run: clock.move(13 if run == 1 else 0))
    late = Ran(clock)
    runner = Runner(Stop(clock, 15), clock)

    runner.every(5, "slow", slow)
    runner.every(5, "late", late)
    runner.run()

    assert slow.at == [5, 18, 20, 25]
    assert late.at == [18, 20, 25]


def test_of_jobs_that_are_due_together_the_first_one_added_runs_first(clock: Clock):
    order = []
    runner = Runner(Stop(clock, 60), clock)

    runner.every(60, "first", lambda: order.append("first"))
    runner.every(20, "second", lambda: order.append("second"))
    runner.run()

    assert order == ["second", "second", "first", "second"]


def test_a_job_that_fails_is_logged_and_stops_neither_itself_nor_the_others(
    clock: Clock, caplog: pytest.LogCaptureFixture
):
    def fail(_: int) -> None:
        raise RuntimeError("out of luck")

    failing, other = Ran(clock, fail), Ran(clock)
    runner = Runner(Stop(clock, 11), clock)

    runner.every(5, "failing", failing)
    runner.every(5, "other", other)
    runner.run()

    assert failing.at == other.at == [5, 10]
    assert [record.getMessage() for record in caplog.records] == ["the job failing failed"] * 2
    assert "RuntimeError: out of luck" in caplog.text


def test_a_job_that_is_cancelled_is_no_failure(clock: Clock, caplog: pytest.LogCaptureFixture):
    def cancelled(_: int) -> None:
        raise asyncio.CancelledError

    caplog.set_level(logging.DEBUG, logger="tickwell")
    job = Ran(clock, cancelled)
    runner = Runner(Stop(clock, 11), clock)

    runner.every(5, "poll", job)
    runner.run()

    ours = [record.getMessage() for record in caplog.records if record.name == "tickwell.runner"]
    assert job.at == [5, 10]
    assert ours == ["stopped during poll"] * 2


@pytest.mark.parametrize("back_s", [3, 3600])
def test_a_clock_that_is_set_back_delays_a_job_by_no_more_than_a_period(clock: Clock, back_s):
    job = Ran(clock, lambda run: clock.move(-back_s if run == 2 else 0))
    stop = Stop(clock, 22)
    runner = Runner(stop, clock)

    runner.every(5, "poll", job)
    runner.run()

    after = 10 - back_s
    assert job.at[:2] == [5, 10]
    assert after < job.at[2] <= after + 5
    assert all(at % 5 == 0 for at in job.at)
    assert len(job.at) >= 4


def test_a_clock_that_is_set_back_while_nothing_runs_is_noticed_within_a_second(clock: Clock):
    stop = Stop(clock, 20)
    job = Ran(clock)
    reads = []

    def read() -> datetime:
        reads.append(clock.now)
        if len(reads) == 4:
            clock.move(-3600)
        return clock.now

    runner = Runner(stop, read)

    runner.every(5, "poll", job)
    runner.run()

    assert job.at[0] == -3595
    assert stop.longest_wait_s <= 1


def test_a_clock_that_is_set_forward_and_at_once_back_holds_up_no_job(clock: Clock):
    job = Ran(clock, lambda run: clock.move(-3600 if run == 2 else 0))
    ahead = iter([3600])

    def read() -> datetime:
        if clock.now > NOON + timedelta(seconds=8):
            clock.move(next(ahead, 0))
        return clock.now

    runner = Runner(Stop(clock, 30), read)

    runner.every(5, "poll", job)
    runner.every(60, "seldom", Ran(clock))
    runner.run()

    assert job.at[0] == 5
    assert 3600 < job.at[1] <= 3610
    assert job.at[2:5] == [10, 15, 20]


def test_a_clock_that_is_set_forward_runs_a_job_once_and_goes_on(clock: Clock):
    job = Ran(clock, lambda run: clock.move(3601 if run == 2 else 0))
    runner = Runner(Stop(clock, 24), clock)

    runner.every(5, "poll", job)
    runner.run()

    assert job.at == [5, 10, 3611, 3615, 3620, 3625]


def test_a_runner_that_is_stopped_ends_at_once():
    stop = threading.Event()
    runner = Runner(stop, lambda: datetime.now(UTC))
    runner.every(3600, "poll", lambda: None)
    thread = threading.Thread(target=runner.run)
    thread.start()

    stop.set()

    thread.join(0.5)
    assert not thread.is_alive()


def test_a_job_may_stop_its_runner(clock: Clock):
    stop = Stop(clock, 100)
    job, other = Ran(clock, lambda _: stop.set()), Ran(clock)
    runner = Runner(stop, clock)

    runner.every(5, "poll", job)
    runner.every(5, "other", other)
    runner.run()

    assert (job.at, other.at) == ([5], [])


def test_a_runner_waits_the_way_it_was_told(clock: Clock):
    stop, waits = threading.Event(), []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        clock.move(seconds)

    job = Ran(clock, lambda run: stop.set() if run == 2 else None)
    runner = Runner(stop, clock, wait)

    runner.every(5, "poll", job)
    runner.run()

    assert job.at == [5, 10]
    assert sum(waits) == pytest.approx(9.7)
    assert 0 < min(waits) <= max(waits) <= 1
