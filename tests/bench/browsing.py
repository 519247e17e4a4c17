"""What an open dashboard costs its server, and when a visitor sees the first chart."""

import shutil
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from poller.simulator.server import Simulator
from tests.bench.apart import apart, resident
from tests.bench.bare_elements import COPIES
from tests.bench.exporting import export_beside
from tests.bench.long_history import history
from tests.bench.row import SECONDS, SMALL, TICKS, Row
from tests.bench.running import cpu_of, runs_and_refreshes, viewers
from tests.bench.serving import replies
from tests.conftest import wait_until
from tests.support.chromium import PAGES as ALL_PAGES
from tests.support.chromium import chromium
from tests.support.dashboard import Dashboard, dashboard_at, free_port

VISITS = 1 if SMALL else 5
PAGES = {"Overview": "/"} if SMALL else ALL_PAGES
BARE_SCRIPT = Path(__file__).with_name("bare_page.py")


def dashboards(folder: Path, simulator: Simulator) -> Iterator[Row]:
    """Each on a copy of the long history, into which it goes on recording."""
    copies = folder / "copies"
    apart("tests.bench.copying", "copy", history(TICKS).path, copies)
    with bare_server(copies) as bare:
        with (
            sync_playwright() as playwright,
            chromium(playwright) as browser,
            copy_served(folder / "slow.duckdb", simulator, poll_seconds=5) as served,
        ):
            yield from idle(served, browser)
            yield from first_chart(served, bare, browser)
        with copy_served(folder / "fast.duckdb", simulator, poll_seconds=1) as served:
            if not SMALL:
                yield from runs_and_refreshes(served, bare)
                yield from viewers(served, folder / "fast.duckdb")
            yield from replies(served, folder / "fast.duckdb", poll_seconds=1)
            yield from export_beside(served, folder / "fast.duckdb", poll_seconds=1)


@contextmanager
def bare_server(copies: Path) -> Iterator[Dashboard]:
    """A Streamlit server with the bare page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(COPIES, str(copies))
        with dashboard_at(free_port(), str(BARE_SCRIPT)) as bare:
            yield bare


@contextmanager
def copy_served(path: Path, simulator: Simulator, poll_seconds: int) -> Iterator[Dashboard]:
    shutil.copyfile(history(TICKS).path, path)
    port = free_port()
    with dashboard_at(port, database=path, deribit_url=simulator.url, poll_seconds=poll_seconds) as served:
        come_to_rest(served)
        yield served


def come_to_rest(served: Dashboard) -> None:
    """Wait until it has looked for gaps and healed what there were."""
    wait_until(lambda: (served.health() or {}).get("status") == "ok", timeout_s=60)
    wait_until(lambda: cpu_of([served], 1)[0] < 0.15 and quiet(served), timeout_s=180)


def quiet(served: Dashboard) -> bool:
    report = served.health()
    return report is not None and not report["poller"]["backfill"]


def idle(served: Dashboard, browser: Browser) -> Iterator[Row]:
    with open_page(served, browser):
        cpu_of([served], 2)
        (cpu_s,) = cpu_of([served], SECONDS)
        memory = resident(served.program.process.pid) / 1e6
    yield Row("memory, dashboard with recorder, idle", memory, 350, "MB", f"{TICKS:,} ticks, one open page")
    yield Row("idle CPU, one open page, every 5 s", 100 * cpu_s / SECONDS, 5, "% of a core")


def first_chart(ours: Dashboard, bare: Dashboard, browser: Browser) -> Iterator[Row]:
    """When a visitor without a cache sees the first chart, in turn with a bare page of as many charts."""
    counts = {name: charts_of(browser, f"{ours.url}{path}") for name, path in PAGES.items()}
    urls = {f"{count} charts": f"{bare.url}/?charts={count}" for count in sorted(set(counts.values()))}
    urls |= {name: f"{ours.url}{path}" for name, path in PAGES.items()}
    visits: dict[str, list[tuple[float, float]]] = {name: [] for name in urls}
    for _ in range(VISITS + 1):
        for name, url in urls.items():
            visits[name].append(visit(browser, url))
    seen = {name: [statistics.median(part) for part in zip(*its[1:], strict=True)] for name, its in visits.items()}
    for name, count in counts.items():
        (its_ms, its_mb), (bare_ms, bare_mb) = seen[name], seen[f"{count} charts"]
        note = f"{its_ms:.0f} ms and {its_mb:.2f} MB, bare {bare_ms:.0f} ms and {bare_mb:.2f} MB, {count} of them"
        yield Row(f"first chart painted, {name}", its_ms / bare_ms, 1, "×", note)


def charts_of(browser: Browser, url: str) -> int:
    """How many charts a page has, once the first is drawn and nothing more is on its way."""
    with new_page(browser) as page:
        page.goto(url)
        page.wait_for_selector(".tickwell-chart.drawn")
        page.wait_for_function("!document.querySelector('[data-testid=stSkeleton], [data-stale=true]')")
        return page.locator(".tickwell-chart").count()


def visit(browser: Browser, url: str) -> tuple[float, float]:
    """From the request to the first frame with a trace in a chart, in a fresh browser context: ms, and MB received."""
    with new_page(browser) as page:
        page.add_init_script(
            """
            const look = () => document.querySelector(".js-plotly-plot .trace path")
                ? requestAnimationFrame(() => { window.paintedMs = performance.now() }) : requestAnimationFrame(look);
            look();
            """
        )
        network, received = page.context.new_cdp_session(page), []
        network.send("Network.enable")
        network.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
        network.on(
            "Network.webSocketFrameReceived", lambda event: received.append(len(event["response"]["payloadData"]))
        )
        page.goto(url)
        painted: float = page.wait_for_function("window.paintedMs").json_value()
    return painted, sum(received) / 1e6


@contextmanager
def new_page(browser: Browser) -> Iterator[Page]:
    """A page in a fresh context: of a visitor without a cache."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@contextmanager
def open_page(served: Dashboard, browser: Browser, path: str = "/") -> Iterator[None]:
    with new_page(browser) as page:
        page.goto(f"{served.url}{path}")
        page.wait_for_selector(".tickwell-chart.drawn")
        yield
