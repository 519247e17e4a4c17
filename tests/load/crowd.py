"""Many readers of one page without a browser, over the protocol of Streamlit's browser script."""

import asyncio
import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psutil
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.faults.visits import order
from tests.support.dashboard import Dashboard

_APART_S = 0.05
"""Readers come one after the other."""

_PATIENCE_S = 60.0


@dataclass
class Reader:
    """One reader: the times at which a refresh of the page was over, in seconds of the loop's clock."""

    came: asyncio.Event = field(default_factory=asyncio.Event)
    refreshes: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Crowd:
    """What readers saw of a page over some seconds, and what they cost its server.

    Attributes:
        rates: refreshes a second of each reader.
        longest_s: the longest time that a reader saw no refresh.
        cpu_ms: CPU time of the server a refresh; what the server takes without readers is in it.
        cores: how many cores the server took.
        memory_mb: the server's memory at the end.
    """

    rates: list[float]
    longest_s: float
    cpu_ms: float
    cores: float
    memory_mb: float

    @property
    def rate(self) -> float:
        return statistics.mean(self.rates)


def watched(served: Dashboard, page: str, count: int, seconds: float) -> Crowd:
    """Watch a crowd of readers. `page` is a path without its slash; the parameters of an address may follow a `?`.

    Raises:
        ExceptionGroup: with a TimeoutError; a reader saw no page for 60 s.
    """
    return asyncio.run(_watched(served, page, count, seconds))


async def _watched(served: Dashboard, page: str, count: int, seconds: float) -> Crowd:
    readers = [Reader() for _ in range(count)]
    process, loop = psutil.Process(served.program.process.pid), asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        reading = []
        for reader in readers:
            reading.append(group.create_task(_read(served.url, page, reader)))
            await asyncio.sleep(_APART_S)
        async with asyncio.timeout(_PATIENCE_S):
            for reader in readers:
                await reader.came.wait()
        begin, cpu_s = loop.time(), sum(process.cpu_times()[:2])
        await asyncio.sleep(seconds)
        end, cpu_s = loop.time(), sum(process.cpu_times()[:2]) - cpu_s
        memory_mb = process.memory_info().rss / 1e6
        for task in reading:
            task.cancel()
    within = [[at for at in reader.refreshes if begin < at < end] for reader in readers]
    return Crowd(
        rates=[len(times) / (end - begin) for times in within],
        longest_s=max(_longest([begin, *times, end]) for times in within),
        cpu_ms=1000 * cpu_s / max(1, sum(map(len, within))),
        cores=cpu_s / (end - begin),
        memory_mb=memory_mb,
    )


def _longest(times: Sequence[float]) -> float:
    return max(after - before for before, after in itertools.pairwise(times))


async def _read(url: str, page: str, reader: Reader) -> None:
    """Open a page, and ask for its refreshes as the browser does: by a timer, whether the last has come or not."""
    address = urlsplit(url).netloc
    async with (
        connect(
            f"ws://{address}/_stcore/stream",
            origin=Origin(f"http://{address}"),
            subprotocols=[Subprotocol("streamlit")],
            max_size=None,
            proxy=None,
            open_timeout=_PATIENCE_S,
        ) as socket,
        asyncio.TaskGroup() as timers,
    ):
        await socket.send(order(page))
        every: dict[str, asyncio.Task[None]] = {}
        async for received in socket:
            assert isinstance(received, bytes)
            message = ForwardMsg.FromString(received)
            kind = message.WhichOneof("type")
            if kind == "auto_rerun":
                part, interval_s = message.auto_rerun.fragment_id, message.auto_rerun.interval
                if part not in every:
                    every[part] = timers.create_task(_ask(socket, page, part, interval_s))
            elif kind == "script_finished":
                if reader.came.is_set():
                    reader.refreshes.append(asyncio.get_running_loop().time())
                reader.came.set()


async def _ask(socket: ClientConnection, page: str, part: str, interval_s: float) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        due += interval_s
        await asyncio.sleep(due - loop.time())
        await socket.send(order(page, part))
