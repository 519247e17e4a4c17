"""What an open dashboard costs its server, and when a visitor sees the first chart."""

import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import Browser, sync_playwright

from poller.simulator.server import Simulator
from tests.bench.exporting import export_beside
from tests.bench.long_history import history
from tests.bench.row import SECONDS, SMALL, TICKS, Row
from tests.bench.serving import replies
from tests.browser.conftest import Dashboard, chromium, dashboard_at, free_port
from tests.conftest import wait_until

REFRESHES = max(5, SECONDS // 3)
VISITS = 1 if SMALL else 9
PAGES = {"Overview": "/"} if SMALL else {"Overview": "/", "History": "/history"}
BARE_SCRIPT = Path(__file__).with_name("bare_page.py")


def dashboards(folder: Path, simulator: Simulator) -> Iterator[Row]:
    """Each on a copy of the long history, into which it goes on recording."""
    with sync_playwright() as playwright, chromium(playwright) as browser:
        with (
            copy_served(folder / "slow.duckdb", simulator, poll_seconds=5) as served,
            dashboard_at(free_port(), str(BARE_SCRIPT)) as bare,
        ):
            yield from idle(served, browser)
            yield from first_chart(served, bare, browser)
            if SMALL:
                yield from replies(served, folder / "slow.duckdb", poll_seconds=5)
                yield from export_beside(served, folder / "slow.duckdb", poll_seconds=5)
        if not SMALL:
            with copy_served(folder / "fast.duckdb", simulator, poll_seconds=1) as served:
                yield from refreshes(served, browser)
                yield from replies(served, folder / "fast.duckdb", poll_seconds=1)
                yield from export_beside(served, folder / "fast.duckdb", poll_seconds=1)


@contextmanager
def copy_served(path: Path, simulator: Simulator, poll_seconds: int) -> Iterator[Dashboard]:
    shutil.copyfile(history(TICKS).path, path)
    port = free_port()
    with dashboard_at(port, database=path, deribit_url=simulator.url, poll_seconds=poll_seconds) as served:
        settle(served)
        yield served


def settle(served: Dashboard) -> None:
    """Wait until it has looked for gaps and healed what there were."""
    process = psutil.Process(served.program.process.pid)
    wait_until(lambda: (served.health() or {}).get("status") == "ok", timeout_s=30)
    wait_until(lambda: cpu_s(process, 1) < 0.15 and quiet(served), timeout_s=180)


def quiet(served: Dashboard) -> bool:
    report = served.health()
    return report is not None and not report["poller"]["backfill"]


def idle(served: Dashboard, browser: Browser) -> Iterator[Row]:
    process = psutil.Process(served.program.process.pid)
    with open_page(served, browser):
        cpu_s(process, 2)
        cpu = 100 * cpu_s(process, SECONDS) / SECONDS
        memory = process.memory_info().rss / 1e6
    yield Row("memory, dashboard with recorder, idle", memory, 350, "MB", f"{TICKS:,} ticks, one open page")
    yield Row("idle CPU, one open page, every 5 s", cpu, 5, "% of a core")


def refreshes(served: Dashboard, browser: Browser) -> Iterator[Row]:
    """What a page that refreshes each second costs its server, beyond what recording costs."""
    process = psutil.Process(served.program.process.pid)
    alone_s = cpu_s(process, REFRESHES)
    for name, page in PAGES.items():
        with open_page(served, browser, page):
            cpu_s(process, 3)
            shown_s = cpu_s(process, REFRESHES)
        cost_ms = 1000 * (shown_s - alone_s) / REFRESHES
        yield Row(f"server time of a refresh at 1 s, {name}", cost_ms, 100, "ms", "CPU, all of Streamlit's work")


def cpu_s(process: psutil.Process, seconds: int) -> float:
    """The CPU seconds that a process takes in so many seconds."""
    before, begin = sum(process.cpu_times()[:2]), time.monotonic()
    wait_until(lambda: time.monotonic() > begin + seconds, timeout_s=seconds + 10)
    return float(sum(process.cpu_times()[:2]) - before)


def first_chart(ours: Dashboard, bare: Dashboard, browser: Browser) -> Iterator[Row]:
    """When a visitor without a cache sees the first chart, in turn with a bare page that has one st.plotly_chart."""
    urls = {**{name: f"{ours.url}{page}" for name, page in PAGES.items()}, "bare": bare.url}
    visits: dict[str, list[tuple[float, float]]] = {name: [] for name in urls}
    for _ in range(VISITS + 1):
        for name, url in urls.items():
            visits[name].append(visit(browser, url))
    painted, megabytes = (
        {name: statistics.median(each[part] for each in its[1:]) for name, its in visits.items()} for part in (0, 1)
    )
    for name in PAGES:
        note = (
            f"{painted[name]:.0f} ms and {megabytes[name]:.2f} MB, bare page {painted['bare']:.0f} ms and "
            f"{megabytes['bare']:.2f} MB"
        )
        yield Row(f"first chart painted, {name}", painted[name] / painted["bare"], 1, "×", note)


def visit(browser: Browser, url: str) -> tuple[float, float]:
    """From the request to the first frame with a line in a chart, in a fresh browser context: ms, and MB received."""
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(
        """
        const look = () => document.querySelector(".js-plotly-plot .scatterlayer .trace path")
            ? requestAnimationFrame(() => { window.paintedMs = performance.now() }) : requestAnimationFrame(look);
        look();
        """
    )
    network, received = context.new_cdp_session(page), []
    network.send("Network.enable")
    network.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    network.on("Network.webSocketFrameReceived", lambda event: received.append(len(event["response"]["payloadData"])))
    page.goto(url)
    painted: float = page.wait_for_function("window.paintedMs").json_value()
    context.close()
    return painted, sum(received) / 1e6


@contextmanager
def open_page(served: Dashboard, browser: Browser, path: str = "/") -> Iterator[None]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{served.url}{path}")
    page.wait_for_selector(".tickwell-chart.drawn")
    yield
    context.close()
