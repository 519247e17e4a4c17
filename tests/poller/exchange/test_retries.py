"""A retry counts once its request is sent."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest
import stamina
from stamina.instrumentation import set_on_retry_hooks

from poller.exchange.errors import PausedError, UnavailableError
from poller.exchange.retries import count_retries
from store.errors import BusyError
from store.file.meters import Meters


@pytest.fixture
def meters() -> Iterator[Meters]:
    meters = Meters()
    count_retries(meters)
    yield meters
    set_on_retry_hooks(None)


async def fail(error: Exception, attempts: int = 3) -> None:
    caller = stamina.AsyncRetryingCaller(attempts=attempts, timeout=None, wait_initial=1.0)

    async def ask() -> None:
        raise error

    await caller(type(error), ask)


def test_each_further_request_counts(meters: Meters):
    with stamina.set_testing(True, attempts=3), pytest.raises(UnavailableError):
        asyncio.run(fail(UnavailableError("maintenance")))

    assert meters.retries == 2


def test_a_retry_cut_off_by_the_end_of_its_slot_does_not_count(meters: Meters):
    async def until_the_end_of_a_slot() -> None:
        async with asyncio.timeout(0.1):
            await fail(UnavailableError("maintenance"))

    with pytest.raises(TimeoutError):
        asyncio.run(until_the_end_of_a_slot())

    assert meters.retries is None


def test_a_request_that_waited_for_the_end_of_a_pause_does_not_count(meters: Meters):
    with stamina.set_testing(True, attempts=3), pytest.raises(PausedError):
        asyncio.run(fail(PausedError("paused", code=10041, left=timedelta(seconds=2))))

    assert meters.retries is None


def test_a_database_that_is_tried_again_does_not_count_count_count(meters: Meters):
    with stamina.set_testing(True, attempts=3), pytest.raises(BusyError):
        asyncio.run(fail(BusyError("held")))

    assert meters.retries is None
