"""Background work on the database begins between the slots, one piece at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from poller.feeds.index import index_feeds
from poller.journal.journal import Journal
from poller.recorder.cadence import Cadence
from poller.timing.quiet import QuietTime
from store.file.database import Database
from tests.conftest import START

SECOND = timedelta(seconds=1)


class Scene:
    """Slots at 1 s and at 10 s, and the time of the test."""

    def __init__(self, database: Database) -> None:
        self.now = START + 0.1 * SECOND
        journal = Journal(database)
        self.fast = Cadence(index_feeds(("btc_usd",), SECOND), journal)
        self.slow = Cadence(index_feeds(("eth_usd",), 10 * SECOND), journal)
        self.served, self.written = asyncio.Condition(), asyncio.Event()
        self.written.set()
        self.quiet = QuietTime([self.fast, self.slow], self.served, self.written, self._time)
        self.done: list[datetime] = []

    def _time(self) -> datetime:
        return self.now

    async def work(self) -> None:
        async with self.quiet():
            self.done.append(self.now)
            await asyncio.sleep(0)
            self.done.append(self.now)

    async def serve(self, after_s: float) -> None:
        """A slot is served so many seconds after the start."""
        self.now = START + after_s * SECOND
        async with self.served:
            self.served.notify_all()
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
def play(database: Database) -> Callable[[Callable[[Scene], Awaitable[None]]], list[float]]:
    """Runs what happens beside one piece of work; the seconds at which the work began and ended."""

    def play(act: Callable[[Scene], Awaitable[None]]) -> list[float]:
        async def both() -> list[float]:
            scene = Scene(database)
            await act(scene)
            return [(at - START) / SECOND for at in scene.done]

        return asyncio.run(both())

    return play


def test_work_begins_at_once_while_no_slot_is_near(play):
    assert play(lambda scene: scene.work()) == [0.1, 0.1]


def test_work_waits_for_the_slot_that_is_near_and_not_only_for_any_slot(play):
    async def act(scene: Scene) -> None:
        scene.now = START + 0.6 * SECOND
        task = asyncio.create_task(scene.work())
        await asyncio.sleep(0)
        await scene.serve(0.7)
        await scene.serve(1.1)
        await task

    assert play(act) == [1.1, 1.1]


def test_work_waits_while_a_slot_is_under_way(play):
    async def act(scene: Scene) -> None:
        scene.slow.enter(START)
        scene.slow.begin(START)
        task = asyncio.create_task(scene.work())
        await asyncio.sleep(0)
        await scene.serve(1.1)
        scene.slow.served()
        await scene.serve(2.1)
        await task

    assert play(act) == [2.1, 2.1]


def test_work_begins_after_the_third_slot_if_slots_leave_no_time(play):
    async def act(scene: Scene) -> None:
        scene.slow.enter(START)
        scene.slow.begin(START)
        task = asyncio.create_task(scene.work())
        await asyncio.sleep(0)
        for second in (1.1, 2.1, 3.1):
            await scene.serve(second)
        await task

    assert play(act) == [3.1, 3.1]


def test_pieces_of_work_wait_for_each_other(play):
    async def act(scene: Scene) -> None:
        async def move() -> None:
            scene.now += 0.01 * SECOND

        await asyncio.gather(scene.work(), scene.work(), move())

    assert play(act) == [0.1, 0.11, 0.11, 0.11]


def test_work_waits_a_second_at_most_for_what_is_written_to_the_database(play):
    async def act(scene: Scene) -> None:
        scene.written.clear()
        await scene.work()

    assert play(act) == [0.1, 0.1]
