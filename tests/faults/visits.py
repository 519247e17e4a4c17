"""Open pages without a browser: sessions over the protocol of Streamlit's browser script."""

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Self

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from tests.conftest import wait_until


class Visit:
    """A reader of a page that refreshes its live parts; `with` ends the visit.

    `page` is the page's path without its slash; the parameters of an address may follow it after a `?`. `runs` counts
    the runs of the page or of a part of it.
    """

    def __init__(self, port: int, page: str) -> None:
        self._port, self._page = port, page
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._stay, daemon=True)
        self.runs = 0

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(lambda: self.runs, timeout_s=30)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _stay(self) -> None:
        address = f"127.0.0.1:{self._port}"
        with connect(
            f"ws://{address}/_stcore/stream",
            origin=Origin(f"http://{address}"),
            subprotocols=[Subprotocol("streamlit")],
            max_size=None,
            proxy=None,
        ) as socket:
            socket.send(order(self._page))
            every: dict[str, float] = {}
            due: dict[str, float] = {}
            while not self._ended.is_set():
                with contextlib.suppress(TimeoutError):
                    self._hear(socket.recv(timeout=0.05), every)
                now = time.monotonic()
                for fragment, interval in every.items():
                    if now >= due.setdefault(fragment, now + interval):
                        due[fragment] = now + interval
                        socket.send(order(self._page, fragment))

    def _hear(self, received: str | bytes, every: dict[str, float]) -> None:
        assert isinstance(received, bytes)
        message = ForwardMsg()
        message.ParseFromString(received)
        kind = message.WhichOneof("type")
        if kind == "auto_rerun":
            every[message.auto_rerun.fragment_id] = message.auto_rerun.interval
        elif kind == "script_finished":
            self.runs += 1


def order(page: str, part: str = "") -> bytes:
    """The message with which a browser runs a page; with a part, the message of the timer that refreshes the part."""
    order = BackMsg()
    order.rerun_script.page_name, _, order.rerun_script.query_string = page.partition("?")
    if part:
        order.rerun_script.fragment_id = part
        order.rerun_script.is_auto_rerun = True
    return bytes(order.SerializeToString())


@contextlib.contextmanager
def open_pages(port: int, *pages: str) -> Iterator[list[Visit]]:
    """Pages of a dashboard, open during the block."""
    with ExitStack() as stack:
        yield [stack.enter_context(Visit(port, page)) for page in pages]
