"""Open pages are refreshed in turn: a few at a time, and equally often. What a reader does never waits."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from server.refreshes import Refreshes, Turns

LONGEST_S = 0.2
NEVER_S = 60.0


def refresh(part: str = "part") -> bytes:
    asked = BackMsg()
    asked.rerun_script.fragment_id, asked.rerun_script.is_auto_rerun = part, True
    return bytes(asked.SerializeToString())


def click(part: str = "part") -> bytes:
    asked = BackMsg()
    asked.rerun_script.fragment_id = part
    return bytes(asked.SerializeToString())


def sent(**content: object) -> Message:
    return {"type": "websocket.send", "bytes": ForwardMsg(**content).SerializeToString()}  # type: ignore[arg-type]


RUN_BEGAN = sent(session_status_changed={"script_is_running": True})
RUN_ENDED = sent(script_finished=ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)
RUN_OVERTAKEN = sent(script_finished=ForwardMsg.FINISHED_EARLY_FOR_RERUN)


class Server:
    """An application behind `Refreshes`, and what reached it: the page's name and the message."""

    def __init__(self, at_once: int = 1, longest_s: float = NEVER_S) -> None:
        self.reached: list[tuple[str, str | bytes]] = []
        self.came: asyncio.Queue[str] = asyncio.Queue()
        self._refreshes = Refreshes(self._app, at_once, longest_s)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        page: Page = scope["page"]
        page.answer = send
        while (message := await receive())["type"] != "websocket.disconnect":
            self.reached.append((page.name, message.get("text") or message["bytes"]))
            self.came.put_nowait(page.name)

    def open(self, name: str) -> "Page":
        return Page(name, self._refreshes)

    def order(self) -> list[str]:
        return [name for name, _ in self.reached]


class Page:
    """An open page: what its browser sends, and the answers of the application."""

    answer: Send

    def __init__(self, name: str, app: Refreshes) -> None:
        self.name, self.answers = name, list[Message]()
        self._to_send: asyncio.Queue[Message] = asyncio.Queue()
        self._task = asyncio.ensure_future(app({"type": "websocket", "page": self}, self._to_send.get, self._heard))

    async def _heard(self, message: Message) -> None:
        self.answers.append(message)

    async def asks(self, *messages: bytes | str) -> None:
        for each in messages:
            kind = "text" if isinstance(each, str) else "bytes"
            self._to_send.put_nowait({"type": "websocket.receive", kind: each})
        await settled()

    async def ends_run(self) -> None:
        await self.hears(RUN_ENDED)

    async def hears(self, *answers: Message) -> None:
        for each in answers:
            await self.answer(each)
        await settled()

    async def closes(self) -> None:
        self._to_send.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await self._task
        await settled()


async def settled() -> None:
    """Let all tasks go on until each waits for something."""
    for _ in range(50):
        await asyncio.sleep(0)


def test_pages_are_refreshed_a_few_at_a_time_in_the_order_in_which_they_ask():
    async def shown() -> None:
        server = Server(at_once=2)
        pages = {name: server.open(name) for name in "abcde"}
        for page in pages.values():
            await page.asks(refresh())
        assert server.order() == ["a", "b"]

        await pages["b"].ends_run()
        assert server.order() == ["a", "b", "c"]

        await pages["b"].asks(refresh())
        for name in "acdeb":
            await pages[name].ends_run()
        assert server.order() == ["a", "b", "c", "d", "e", "b"]

    asyncio.run(shown())


def test_the_page_whose_last_refresh_is_longest_ago_comes_first_though_others_asked_before():
    async def shown() -> None:
        server = Server()
        pages = {name: server.open(name) for name in "abc"}
        for name in "abc":
            await pages[name].asks(refresh())
            await pages[name].ends_run()

        for name in "acb":
            await pages[name].asks(refresh())
        await pages["a"].ends_run()
        await pages["a"].asks(refresh())
        await pages["b"].ends_run()
        assert server.order()[3:] == ["a", "b", "c"]

    asyncio.run(shown())


def test_a_turn_that_comes_when_its_page_is_closed_goes_to_the_next_page():
    async def shown() -> None:
        turns = Turns(1)
        had: list[str] = []

        async def page(name: str, last_s: float) -> None:
            async with turns.one(last_s):
                had.append(name)

        async with turns.one(0):
            closed, following = (asyncio.ensure_future(page(*each)) for each in (("closed", 1), ("following", 2)))
            await settled()
        closed.cancel()
        await settled()
        assert (had, following.done()) == (["following"], True)

    asyncio.run(shown())


def test_only_the_end_of_the_run_gives_the_turn_to_the_next_page():
    async def shown() -> None:
        server = Server()
        first, second = server.open("first"), server.open("second")
        await first.asks(refresh())
        await second.asks(refresh())

        for answer in (sent(session_event={"script_changed_on_disk": True}), sent(hash="x" * 200)):
            await first.answer(answer)
        await settled()
        assert server.order() == ["first"]

        await first.ends_run()
        assert server.order() == ["first", "second"]
        assert len(first.answers) == 3

    asyncio.run(shown())


def test_what_a_reader_does_passes_at_once_and_makes_the_waiting_refresh_of_the_page_void():
    async def shown() -> None:
        server = Server()
        busy, page = server.open("busy"), server.open("page")
        await busy.asks(refresh())
        await page.asks(refresh(), click())
        assert server.reached == [("busy", refresh()), ("page", click())]

        await busy.ends_run()
        await page.ends_run()
        assert server.reached == [("busy", refresh()), ("page", click())]

        await page.asks(refresh())
        assert server.reached[2:] == [("page", refresh())]

    asyncio.run(shown())


def test_a_refresh_waits_for_the_end_of_what_a_reader_did_and_of_each_run_that_follows_from_it():
    async def shown() -> None:
        server = Server(at_once=2)
        page, other = server.open("page"), server.open("other")
        await page.asks(click(), refresh())
        await other.asks(refresh())
        assert server.reached == [("page", click()), ("other", refresh())]

        await page.hears(RUN_BEGAN, RUN_OVERTAKEN, RUN_BEGAN)
        assert len(server.reached) == 2
        await page.hears(RUN_ENDED, RUN_BEGAN)  # a refresh that was under way ended, and what the reader did begins
        assert len(server.reached) == 2

        await page.ends_run()
        assert server.reached[2:] == [("page", refresh())]

    asyncio.run(shown())


def test_a_refresh_whose_turn_comes_while_a_click_is_under_way_waits_on():
    async def shown() -> None:
        server = Server()
        busy, page = server.open("busy"), server.open("page")
        await busy.asks(refresh())
        await page.asks(refresh(), click(), refresh())
        await busy.ends_run()
        assert server.reached[1:] == [("page", click())]

        await page.ends_run()
        assert server.reached[2:] == [("page", refresh())]

    asyncio.run(shown())


def test_a_refresh_waits_for_another_run_for_a_limited_time():
    async def shown() -> None:
        server = Server(longest_s=LONGEST_S)
        begin = asyncio.get_running_loop().time()
        await server.open("page").asks(click(), refresh())
        for _ in range(2):
            await server.came.get()
        assert server.reached[1:] == [("page", refresh())]
        assert asyncio.get_running_loop().time() - begin >= LONGEST_S

    asyncio.run(asyncio.wait_for(shown(), 10))


def test_each_part_of_a_page_is_refreshed_once_however_often_it_asked_while_it_waited():
    async def shown() -> None:
        server = Server()
        busy, page = server.open("busy"), server.open("page")
        await busy.asks(refresh())
        await page.asks(*[refresh("upper"), refresh("lower")] * 3)

        for each in (busy, page, page):
            await each.ends_run()
        assert server.reached[1:] == [("page", refresh("upper")), ("page", refresh("lower"))]

    asyncio.run(shown())


@pytest.mark.parametrize("waits", [True, False])
def test_a_page_that_is_closed_costs_no_other_page_its_turn(waits):
    async def shown() -> None:
        server = Server()
        pages = [server.open(name) for name in ("running", "waiting", "last")]
        for page in pages:
            await page.asks(refresh())

        if waits:
            await pages[1].closes()
            await pages[0].ends_run()
        else:
            await pages[0].closes()
            await pages[1].ends_run()
        assert server.order()[-1] == "last"

    asyncio.run(shown())


def test_a_run_that_does_not_end_keeps_its_turn_for_a_limited_time():
    async def shown() -> None:
        server = Server(longest_s=LONGEST_S)
        first, second = server.open("first"), server.open("second")
        begin = asyncio.get_running_loop().time()
        await first.asks(refresh())
        await second.asks(refresh())
        assert [await server.came.get() for _ in range(2)] == ["first", "second"]
        assert asyncio.get_running_loop().time() - begin >= LONGEST_S

    asyncio.run(asyncio.wait_for(shown(), 10))


@pytest.mark.parametrize("message", [b"\xff\xff\xff", "text"])
def test_what_is_no_message_of_streamlit_passes_as_it_is(message):
    async def shown() -> None:
        server = Server()
        await server.open("page").asks(message)
        assert server.reached == [("page", message)]

    asyncio.run(shown())


def test_requests_pass_as_they_are():
    passed: list[object] = []

    async def app(*request: object) -> None:
        passed.extend(request)

    async def receive() -> Message:
        raise NotImplementedError

    async def send(_: Message) -> None:
        raise NotImplementedError

    request = {"type": "http"}, receive, send
    asyncio.run(Refreshes(app)(*request))

    assert passed == [*request]
