"""Turns for the refreshes of open pages: the more readers there are, the rarer each page is refreshed."""

import asyncio
import contextlib
import heapq
import itertools
import time
from collections.abc import AsyncIterator

from google.protobuf.message import DecodeError
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

_READ_AHEAD = 16
_MOST_BYTES_ABOUT_RUNS = 100
"""A message that starts or ends a run is no longer. Longer messages are not read."""


class Turns:
    """Turns for a few pages at a time. The page whose last turn is longest ago comes first.

    In the order in which they ask, a page would wait for its timer and then for all that asked meanwhile. Of 50 pages
    one then stood still for 3.0 s, although each had a turn in 1.65 s on average.
    """

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    @contextlib.asynccontextmanager
    async def one(self, last_s: float) -> AsyncIterator[None]:
        """A turn for a page that had its last one at `last_s`, on the clock of `time.monotonic`."""
        if self._free:
            self._free -= 1
        else:
            await self._comes(last_s)
        try:
            yield
        finally:
            self._pass_on()

    async def _comes(self, last_s: float) -> None:
        its = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (last_s, next(self._numbers), its))
        try:
            await its
        except asyncio.CancelledError:
            if not its.cancelled():  # the turn came just when the page was closed
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            *_, its = heapq.heappop(self._waiting)
            if not its.cancelled():
                its.set_result(None)
                return
        self._free += 1


class Refreshes:
    """Lets few refreshes run at a time, and all pages have their turns equally often.

    Streamlit runs all refreshes at once. Beyond some 25 readers each run then takes longer than the time until the
    next, and all pages stand still together. Clicks and first runs pass at once.
    """

    def __init__(self, app: ASGIApp, at_once: int = 2, longest_s: float = 2.0) -> None:
        self._app = app
        self._turns = Turns(at_once)
        self._longest_s = longest_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        page = _Page(receive, send, self._turns, self._longest_s)
        async with page.at_work():
            await self._app(scope, page.receive, page.send)


class _Page:
    """The socket of an open page. Its refreshes wait for their turns, and all other messages pass.

    No refresh passes while another run of the page is under way. Streamlit would begin the refresh right after that run
    and drop what the run had drawn in the refreshed part and not sent yet. The browser would hear that the run ended,
    and remove what it did not hear of: a chart would be mounted anew, and lose its hover and its focus.
    """

    def __init__(self, receive: Receive, send: Send, turns: Turns, longest_s: float) -> None:
        self._receive, self._send, self._turns, self._longest_s = receive, send, turns, longest_s
        self._last_s = time.monotonic()
        self._passed: asyncio.Queue[Message] = asyncio.Queue(_READ_AHEAD)
        self._waiting: dict[str, Message] = {}
        self._asked, self._run_ended, self._at_rest = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._at_rest.set()

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        tasks = [asyncio.ensure_future(work()) for work in (self._read, self._refresh)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()

    async def receive(self) -> Message:
        return await self._passed.get()

    async def send(self, message: Message) -> None:
        await self._send(message)
        content = message.get("bytes") or b""
        if len(content) < _MOST_BYTES_ABOUT_RUNS:
            self._note(ForwardMsg.FromString(content))

    def _note(self, told: ForwardMsg) -> None:
        """Note whether a run is under way. A run that ends early is followed by another one."""
        kind = told.WhichOneof("type")
        if kind == "session_status_changed" and told.session_status_changed.script_is_running:
            self._at_rest.clear()
        elif kind == "script_finished":
            self._run_ended.set()
            if told.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                self._at_rest.set()

    async def _read(self) -> None:
        """Pass on what the browser sends. What the reader does makes a waiting refresh out of date."""
        while True:
            message = await self._receive()
            asked = _asked(message)
            if asked is not None and asked.is_auto_rerun:
                self._waiting[asked.fragment_id] = message
                self._asked.set()
            else:
                self._waiting.clear()
                if asked is not None:
                    self._at_rest.clear()
                await self._passed.put(message)

    async def _refresh(self) -> None:
        """Give each refresh a turn: until its run ends, or for the longest time."""
        while True:
            await self._asked.wait()
            await self._rest()
            async with self._turns.one(self._last_s):
                self._last_s = time.monotonic()
                self._run_ended.clear()
                if self._waiting and self._at_rest.is_set():
                    await self._passed.put(self._waiting.pop(next(iter(self._waiting))))
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._run_ended.wait(), self._longest_s)
            if not self._waiting:
                self._asked.clear()

    async def _rest(self) -> None:
        """Wait until no run is under way, or for the longest time."""
        try:
            await asyncio.wait_for(self._at_rest.wait(), self._longest_s)
        except TimeoutError:
            self._at_rest.set()


def _asked(message: Message) -> ClientState | None:
    """The run that a message asks for, if it does: for a refresh if the browser's timer sent it."""
    try:
        asked = BackMsg.FromString(message.get("bytes") or b"")
    except DecodeError:
        return None
    return asked.rerun_script if asked.HasField("rerun_script") else None
