"""What readers of a dashboard cost its server: runs of a page, refreshes of its live part, and a hundred readers."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

import psutil

from poller.timing.slots import next_slot
from store.models import utc_now
from tests.bench.copying import PAGES
from tests.bench.row import SECONDS, Row
from tests.bench.serving import missed
from tests.conftest import wait_until
from tests.faults.visits import Visit
from tests.load.crowd import watched
from tests.support.dashboard import Dashboard

WATCHED_S = 20
READERS = {50: 2, 100: 10}
"""How many seconds a reader may see no refresh, by the number of readers."""

SECOND = timedelta(seconds=1)


class Reloading(Visit):
    """A reader who runs the whole page each second, in place of its live parts."""

    def _hear(self, received: str | bytes, every: dict[str, float]) -> None:
        super()._hear(received, every)
        every.clear()
        every[""] = 1


def runs_and_refreshes(ours: Dashboard, bare: Dashboard) -> Iterator[Row]:
    """What the runs and the refreshes of a page in a second cost its server, beside those of its bare copy.

    Both servers are watched at the same time. What ours takes without a reader is not counted. Neither are the first
    visits, for which a server loads libraries, and what it does after them.
    """
    servers = ours, bare
    for page in PAGES:
        with read(servers, page, Visit):
            pass
    cpu_of(servers, WATCHED_S)
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
    with read(servers, page, reader):
        cpu_of(servers, 1)
        ours_s, bare_s = cpu_of(servers, WATCHED_S)
    return 1000 * (ours_s - alone_s) / WATCHED_S, 1000 * bare_s / WATCHED_S


@contextmanager
def read(servers: tuple[Dashboard, Dashboard], page: str, reader: type[Visit]) -> Iterator[None]:
    """A reader of a page and one of its bare copy."""
    ours, bare = servers
    with reader(port(ours), page), reader(port(bare), f"?page={quote(page or 'overview')}"):
        yield


def viewers(served: Dashboard, path: Path) -> Iterator[Row]:
    """How long a reader sees no refresh, at most, for 50 readers and for 100, and what that costs the recorder."""
    for count, budget_s in READERS.items():
        begin = next_slot(utc_now(), SECOND)
        crowd = watched(served, "", count, SECONDS)
        note = f"{crowd.rate:.2f} a second each, {crowd.cpu_ms:.1f} ms of CPU"
        yield Row(f"no refresh of the page, {count} readers", crowd.longest_s, budget_s, "s", note)
        yield Row(f"slots missed beside {count} readers", *missed(path, begin, 1))


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
