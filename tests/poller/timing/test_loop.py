import asyncio
import socket
import threading
import time

import pytest

from poller.timing.loop import Loop, in_thread


def test_a_name_is_resolved():
    with asyncio.Runner(loop_factory=Loop) as runner:
        found = runner.run(runner.get_loop().getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM))

    assert found == socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)


def test_a_look_up_that_fails_raises_its_error():
    with asyncio.Runner(loop_factory=Loop) as runner:
        look_up = runner.get_loop().getaddrinfo("no-such-host.invalid", 80)

        with pytest.raises(socket.gaierror):
            runner.run(look_up)


class BlockedLookUp:
    """A resolver without a network: it answers only when the test lets it."""

    def __init__(self) -> None:
        self.began, self.let_go = threading.Event(), threading.Event()

    def __call__(self, *_: object, **__: object) -> list[object]:
        self.began.set()
        self.let_go.wait(10)
        return []

    def end(self) -> None:
        self.let_go.set()
        for thread in threading.enumerate():
            if thread.name == "tickwell-lookup":
                thread.join()


@pytest.fixture
def blocked(monkeypatch: pytest.MonkeyPatch):
    look_up = BlockedLookUp()
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield look_up
    look_up.end()


async def give_up(look_up: BlockedLookUp) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await asyncio.get_running_loop().getaddrinfo("exchange.test", 80)
    assert look_up.began.is_set()


def test_closing_does_not_wait_for_a_look_up_that_hangs(blocked: BlockedLookUp):
    started = time.monotonic()

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(give_up(blocked))

    assert time.monotonic() - started < 2
    assert not blocked.let_go.is_set()


def test_a_look_up_that_ends_after_it_was_given_up_changes_nothing(blocked: BlockedLookUp):
    async def give_up_and_go_on() -> str:
        await give_up(blocked)
        blocked.end()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return "went on"

    with asyncio.Runner(loop_factory=Loop) as runner:
        assert runner.run(give_up_and_go_on()) == "went on"


def test_work_in_a_thread_returns_and_leaves_the_loop_to_others():
    let_go = threading.Event()

    def work() -> str:
        let_go.wait(5)
        return threading.current_thread().name

    async def let_it_go_meanwhile() -> str:
        task = asyncio.create_task(in_thread(work, "a-worker"))
        await asyncio.sleep(0)
        let_go.set()
        return await task

    assert asyncio.run(let_it_go_meanwhile()) == "a-worker"


def test_work_in_a_thread_that_fails_raises_its_error():
    def work() -> None:
        raise LookupError("out of luck")

    with pytest.raises(LookupError, match="out of luck"):
        asyncio.run(in_thread(work, "a-worker"))


@pytest.mark.parametrize(
    ("refusal", "raised"),
    [
        ("can't create new thread at interpreter shutdown", asyncio.CancelledError),
        ("can't start new thread", RuntimeError),
    ],
)
def test_work_for_which_no_thread_starts_is_cancelled_when_the_process_ends(
    monkeypatch: pytest.MonkeyPatch, refusal: str, raised: type[BaseException]
):
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError(refusal)

    monkeypatch.setattr(threading.Thread, "start", refuse)

    with pytest.raises(raised):
        asyncio.run(in_thread(threading.active_count, "a-worker"))


def test_work_in_a_thread_is_over_when_its_cancelled_caller_ends():
    began, over = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        over.wait(0.1)
        over.set()

    async def cancel_it() -> bool:
        task = asyncio.create_task(in_thread(work, "a-worker"))
        await asyncio.to_thread(began.wait, 5)
        task.cancel()
        await asyncio.wait([task])
        return over.is_set() and task.cancelled()

    assert asyncio.run(cancel_it())
