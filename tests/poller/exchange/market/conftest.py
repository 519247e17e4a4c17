"""What the tests of the market's methods share: a simulator whose clock can be moved, and questions to it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from poller.exchange.budget import Budget
from poller.exchange.client import DeribitClient
from poller.exchange.errors import ExchangeError
from poller.simulator.server import Simulator
from poller.timing.loop import Loop
from tests.poller.conftest import Clock

T = TypeVar("T")
Question = Callable[[DeribitClient], Awaitable[T]]


def ask(url: str, question: Question[T], clock: Clock) -> T:
    """The answer to one question, by a client of its own."""

    async def asking() -> T:
        async with DeribitClient(url, clock=clock, steady=clock.steady, budget=Budget(1000)) as client:
            return await question(client)

    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(asking())


def failure(url: str, question: Question[object], clock: Clock) -> ExchangeError:
    """The error of one question."""
    with pytest.raises(ExchangeError) as raised:
        ask(url, question, clock)
    return raised.value


@pytest.fixture
def simulator(clock: Clock) -> Iterator[Simulator]:
    """A simulator with the clock of the client, without limits."""
    with Simulator(clock=clock, limits=False) as running:
        yield running
