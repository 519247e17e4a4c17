"""What readers of a dashboard cost its server: runs of a page, refreshes of its live part, and a hundred readers."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

import psutil
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from poller.timing.slots import next_slot
from store.models import utc_now
from tests.bench.copying import PAGES
from tests.bench.row import SECONDS, SMALL, Row
from tests.bench.serving import missed
from tests.conftest import wait_until
from tests.faults.visits import Visit
from tests.support.dashboard import Dashboard

WATCHED_S = 3 if SMALL else 10
VIEWERS = {50: 2, 100: 10}
"""How many seconds a live part may stand still, by the number of its readers."""

SECOND = timedelta(seconds=1)


class Reloading(Visit):
    """A reader who runs the whole page each second, in place of its live parts."""

    def _hear(self, received: str | bytes, every: dict[str, float]) -> None:
        super()._hear(received, every)
        every.clear()
        every[""] = 1


class Viewer(Visit):
    """A reader who notes how long a live part stood still at most."""

    def __init__(self, port: int, page: str) -> None:
        super().__init__(port, page)
        self.drawn: dict[str, float] = {}
        self.longest_s: dict[str, float] = defaultdict(float)

    def _hear(self, received: str | bytes, every: dict[str, float]) -> None:
        super()._hear(received, every)
        assert isinstance(received, bytes)
        message = ForwardMsg()
        message.ParseFromString(received)
        if message.delta.fragment_id:
            self.note(message.delta.fragment_id)

    def note(self, part: str) -> None:
        now = time.monotonic()
        self.longest_s[part] = max(self.longest_s[part], now - self.drawn.get(part, now))
        self.drawn[part] = now

    def watch(self) -> None:
        """Begin anew."""
        self.longest_s.clear()

    def stood_still_s(self) -> float:
        for part in list(self.drawn):
            self.longest_s[part] = max(self.longest_s[part], time.monotonic() - self.drawn[part])
        return max(self.longest_s.values())


def runs_and_refreshes(ours: Dashboard, bare: Dashboard) -> Iterator[Row]:
    """What the runs and the refreshes of a page in a second cost its server, beside those of its bare copy.

    Both servers are watched at the same time. What ours takes without a reader is not counted.
    """
    servers = ours, bare
    alone_s, _ = cpu_of(servers, WATCHED_S)
    for what, reader in (("run of the script", Reloading), ("refresh of the live part", Visit)):
        costs = {page: beside(servers, page, reader, alone_s) for page in PAGES}
        worst = max(costs, key=lambda page: costs[page][0] / costs[page][1])
        its_ms, bare_ms = costs[worst]
        others = ", ".join(f"{page or 'overview'} {its / other:.1f}" for page, (its, other) in costs.items())
        note = f"{its_ms:.0f} ms, bare {bare_ms:.0f} ms of CPU; {others}"
        yield Row(f"{what}, {worst.partition('?')[0] or 'overview'}", its_ms / bare_ms, 2, "×", note)


def beside(servers: tuple[Dashboard, Dashboard], page: str, reader: type[Visit], alone_s: float) -> tuple[float, float]:
    """The CPU time in ms that a second with a reader takes from our server and from the bare one."""
    ours, bare = servers
    with reader(port(ours), page), reader(port(bare), f"?page={quote(page or 'overview')}"):
        cpu_of(servers, 1)
        ours_s, bare_s = cpu_of(servers, WATCHED_S)
    return 1000 * (ours_s - alone_s) / WATCHED_S, 1000 * bare_s / WATCHED_S


def viewers(served: Dashboard, path: Path) -> Iterator[Row]:
    """How long a live part stands still, at most, for 50 readers and for 100, and what that costs the recorder."""
    for count, budget_s in VIEWERS.items():
        with ExitStack() as stack:
            readers = [stack.enter_context(Viewer(port(served), "")) for _ in range(count)]
            begin = next_slot(utc_now(), SECOND)
            for each in readers:
                each.watch()
            cpu_of([], SECONDS)
            longest_s = max(each.stood_still_s() for each in readers)
            lost = missed(path, begin, 1)
        yield Row(f"a live part stands still, {count} viewers", longest_s, budget_s, "s", "refreshed each second")
        yield Row(f"slots missed beside {count} viewers", *lost)


def port(server: Dashboard) -> int:
    found = urlsplit(server.url).port
    assert found
    return found


def cpu_of(servers: Sequence[Dashboard], seconds: float) -> list[float]:
    """The CPU seconds that the process of each server takes in `seconds` of the clock."""
    processes = [psutil.Process(each.program.process.pid) for each in servers]

    def taken() -> list[float]:
        return [float(sum(process.cpu_times()[:2])) for process in processes]

    before, begin = taken(), time.monotonic()
    wait_until(lambda: time.monotonic() > begin + seconds, timeout_s=seconds + 10)
    return [after - its for after, its in zip(taken(), before, strict=True)]
