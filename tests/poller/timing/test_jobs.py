"""Jobs run by the clock. A job that fails stops no other one, and a clock that jumps delays none."""

import asyncio
import logging
from datetime import datetime, timedelta

import pytest
import schedule

from poller.timing.jobs import Jobs, safely
from tests.conftest import wait_until

NOON = datetime(2026, 11, 1, 12)  # noqa: DTZ001 `schedule` reckons in local time


class Machine:
    """A machine whose clock can be set."""

    def __init__(self) -> None:
        self.set_by, self.passed_s = timedelta(0), 0.0

    def local(self) -> datetime:
        return NOON + self.set_by + timedelta(seconds=self.passed_s)

    def steady(self) -> float:
        return self.passed_s


def test_a_job_runs_when_it_is_due_and_one_that_fails_stops_no_other(caplog: pytest.LogCaptureFixture):
    ran: list[str] = []

    def fail() -> None:
        raise RuntimeError("out of luck")

    def plan(jobs: schedule.Scheduler) -> None:
        jobs.every(1).seconds.do(safely, "failing", fail)
        jobs.every(1).seconds.do(safely, "other", lambda: ran.append("other"))
        jobs.every(1).hours.do(safely, "seldom", lambda: ran.append("seldom"))

    async def until_it_ran_twice() -> None:
        task = asyncio.create_task(Jobs(plan).run())
        await asyncio.to_thread(wait_until, lambda: len(ran) >= 2)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(until_it_ran_twice())

    assert set(ran) == {"other"}
    failures = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.getMessage() for record in failures] == ["the job failing failed"] * len(ran)


@pytest.mark.parametrize("by", [timedelta(hours=-1), timedelta(hours=1)])
def test_local_time_that_jumps_plans_every_job_anew(by: timedelta):
    machine, planned = Machine(), []

    def plan(jobs: schedule.Scheduler) -> None:
        planned.append(jobs.every().hour.do(safely, "seldom", lambda: None))

    jobs = Jobs(plan, local=machine.local, steady=machine.steady)
    machine.passed_s += 1800
    jobs.run_due()
    before = len(planned)
    machine.set_by += by
    jobs.run_due()
    jobs.run_due()

    assert (before, len(planned)) == (1, 2)
