"""A real Streamlit server and a real Chromium."""

import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, FloatRect, Locator, Page, Playwright, expect, sync_playwright

from pages.common import site
from poller.alerts.judging import EXAMPLE
from poller.simulator.prices import price
from poller.simulator.server import Simulator
from store.alerts import events
from store.alerts.events import Delivery
from store.alerts.in_force import put_in_force
from store.alerts.rules.rule_file import load_rules
from store.file.database import Cursor, Database
from store.ledger import runs
from store.models import Run, Tick, utc_now
from store.prices import averages, ticks
from tests.conftest import Program, wait_until
from tests.events import alert, note

PAGES = {page.title: f"/{page.name}" if number else "/" for number, page in enumerate(site.PAGES)}
"""The title and the path of each page."""

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
"""The options of a browser context like a phone's."""

RECORDING = re.compile(r"recording, \d+ s old")


@pytest.fixture(scope="package")  # no wider scope: while it is open, no other test can run an event loop
def playwright() -> Iterator[Playwright]:
    """Playwright with a Chromium. Without a Chromium the test is skipped, or fails if REQUIRE_BROWSER is set."""
    if find_chromium() is None:
        reason = "no Chromium was found on the PATH"
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        yield playwright


def find_chromium() -> str | None:
    """The path of a Chromium on this machine. The build without windows is preferred: it is faster."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def chromium(playwright: Playwright) -> Browser:
    """Start the machine's Chromium; close it, or use it as a context manager."""
    return playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)


@pytest.fixture(scope="package")
def contexts(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., BrowserContext]]:
    """The browser of a visitor, by number, at a desk or with a phone. All tests share these browsers.

    Each is a Chromium with a profile of its own. The profile keeps Streamlit's 4 MB of scripts compiled; compiling them
    for each page would take twice the time of everything else.
    """
    with ExitStack() as stack:

        @cache
        def start(number: int, phone: bool) -> BrowserContext:  # noqa: FBT001 the cache counts keywords apart
            context = playwright.chromium.launch_persistent_context(
                tmp_path_factory.mktemp("profile"),
                executable_path=find_chromium(),
                args=ARGUMENTS,
                **(PHONE if phone else {}),
            )
            stack.callback(context.close)
            return context

        yield lambda number=0, *, phone=False: start(number, phone)


@pytest.fixture
def open_page(contexts: Callable[..., BrowserContext]) -> Iterator[Callable[..., Page]]:
    """Opens an address in a new page: in a visitor's browser, in a time zone, with further HTTP headers."""
    with ExitStack() as stack:

        def go(
            url: str,
            *,
            visitor: int = 0,
            phone: bool = False,
            zone: str | None = None,
            headers: dict[str, str] | None = None,
        ) -> Page:
            page = contexts(visitor, phone=phone).new_page()
            stack.callback(page.close)
            if zone:
                page.context.new_cdp_session(page).send("Emulation.setTimezoneOverride", {"timezoneId": zone})
            page.set_extra_http_headers(headers or {})
            page.goto(url)
            return page

        yield go


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Dashboard:
    """A dashboard in a process of its own, and the token for its API."""

    url: str
    program: Program
    token: str = ""

    def health(self) -> dict[str, Any] | None:
        """The answer of /api/health; None while it does not answer."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            report: dict[str, Any] = httpx.get(f"{self.url}/api/health", headers=headers, timeout=5).json()
        except httpx.TransportError:
            return None
        return report

    def wait_for_ticks(self, count: int = 1) -> dict[str, Any]:
        """Wait until each index has this many ticks, and return the health."""

        def enough() -> dict[str, Any] | None:
            report = self.health()
            names = report["poller"].get("indexes", []) if report else []
            ticks = [report["indexes"].get(name, {}).get("ticks", 0) for name in names] if report else []
            return report if ticks and min(ticks) >= count else None

        report: dict[str, Any] = wait_until(enough, timeout_s=25)
        return report


NO_SECRETS = Path("/nonexistent/secrets.toml")


@contextmanager
def dashboard_at(
    port: int, script: str = "dashboard.py", secrets: Path = NO_SECRETS, **settings: Any
) -> Iterator[Dashboard]:
    """A dashboard that serves, or that has ended already. It knows none of this machine's secrets."""
    options = ["--server.address", "localhost", "--server.headless", "true", "--server.port", str(port)]
    options += ["--secrets.files", str(secrets)]
    with Program("streamlit", "run", script, *options, **settings) as program:
        dashboard = Dashboard(f"http://localhost:{port}", program)
        wait_until(lambda: answers(dashboard.url) or program.process.poll() is not None, timeout_s=25)
        yield dashboard


def answers(url: str) -> bool:
    """Does a Streamlit server answer?"""
    try:
        return httpx.get(f"{url}/_stcore/health").is_success
    except httpx.TransportError:
        return False


@pytest.fixture
def start_dashboard(database_file, simulator) -> Iterator[Callable[..., Dashboard]]:
    """Starts a dashboard, by default on the test's database and simulator, at one second."""
    with ExitStack() as stack:

        def start(script: str = "dashboard.py", **settings: Any) -> Dashboard:
            given = {"database": database_file, "deribit_url": simulator.url, "poll_seconds": 1, **settings}
            return stack.enter_context(dashboard_at(free_port(), script, **given))

        yield start


@pytest.fixture(scope="package")
def live(tmp_path_factory) -> Iterator[Dashboard]:
    """A dashboard that records the simulator each second into a file with a year of history. Tests don't change it."""
    file = tmp_path_factory.mktemp("live") / "ticks.duckdb"
    with_history(file, utc_now() - timedelta(seconds=30))
    with (
        Simulator(limits=False) as simulator,
        dashboard_at(
            free_port(), database=file, deribit_url=simulator.url, poll_seconds=1, alerts_file=EXAMPLE
        ) as dashboard,
    ):
        wait_until(lambda: (dashboard.health() or {}).get("status") == "ok", timeout_s=25)
        yield dashboard


@pytest.fixture(scope="package")
def stale(tmp_path_factory) -> Iterator[Dashboard]:
    """A dashboard without a recorder, on a file whose last tick is three hours old."""
    file = tmp_path_factory.mktemp("stale") / "ticks.duckdb"
    with_history(file, utc_now() - timedelta(hours=3))
    with dashboard_at(free_port(), database=file, poller="external") as dashboard:
        yield dashboard


@pytest.fixture(scope="package")
def empty(tmp_path_factory) -> Iterator[Dashboard]:
    """A dashboard without a recorder and without a file."""
    file = tmp_path_factory.mktemp("empty") / "ticks.duckdb"
    with dashboard_at(free_port(), database=file, poller="external") as dashboard:
        yield dashboard


@pytest.fixture(scope="package")
def failed(tmp_path_factory) -> Iterator[Dashboard]:
    """A dashboard whose file is not a database."""
    file = tmp_path_factory.mktemp("failed") / "ticks.duckdb"
    file.write_text("This is no database.\n")
    with dashboard_at(free_port(), database=file, poller="external") as dashboard:
        yield dashboard


def with_history(file: Path, end: datetime, index_names: tuple[str, ...] = ("btc_usd", "eth_usd")) -> None:
    """A file with a year of history up to `end`: averages by the day and the minute, and five minutes of ticks."""
    database = Database(file)
    database.migrate()
    end = end.replace(microsecond=0)
    with database.write() as cursor:
        for name in index_names:
            observe(cursor, name, end - timedelta(minutes=5), seconds=300)
            average(cursor, name, end - timedelta(days=1), minutes=1435)
            days = [end - timedelta(days=day) for day in range(365, 1, -1)]
            averages.append(cursor, name, [(day, price(name, day)) for day in days], 86_400, "simulator")
        put_in_force(cursor, load_rules(EXAMPLE, index_names), "", end)
    with_alerts(database, end - timedelta(minutes=2), index_names[0])


def with_alerts(database: Database, at: datetime, index_name: str) -> None:
    """One alert of each severity at the same time: one was sent, one could not be sent, and one waits."""
    now = price(index_name, at)
    told, failed, waits = (
        alert(f"{severity} at {now:.2f}", ["ntfy"], severity=severity, index_name=index_name, at=at, price=now)
        for severity in ("info", "warning", "critical")
    )
    note(database, told, failed, waits)
    with database.write() as cursor:
        events.note_delivery(cursor, told.id, Delivery("ntfy", "sent", at, "", 1))
        events.note_delivery(cursor, failed.id, Delivery("ntfy", "failed", at, "Connection refused", 1))


def observe(cursor: Cursor, index_name: str, start: datetime, seconds: int) -> None:
    """Store a tick a second, as if a recorder had run."""
    run = Run(start, {index_name: 1}, "0")
    runs.note(cursor, run)
    instants = [start + timedelta(seconds=second) for second in range(seconds)]
    ticks.append(cursor, [Tick(index_name, ts, price(index_name, ts), "simulator", ts) for ts in instants])


def average(cursor: Cursor, index_name: str, start: datetime, minutes: int) -> None:
    """Store an average a minute, as from the exchange's own history."""
    instants = [start + timedelta(minutes=minute) for minute in range(minutes)]
    averages.append(cursor, index_name, [(ts, price(index_name, ts)) for ts in instants], 60, "simulator")


def drawn(page: Page) -> Locator:
    """The first chart of a page, once it is drawn."""
    chart = page.locator(".tickwell-chart.drawn").first
    expect(chart).to_be_visible(timeout=20_000)
    return chart


_TO_SEE = """
plot => ({
    range: plot._fullLayout.xaxis.range,
    traces: plot._fullData.map(({meta, x, y, open}) => ({part: meta?.part, x: [...x], y: [...(y ?? open)]})),
})
"""


@dataclass(frozen=True)
class Seen:
    """What a chart shows: its range in wall-clock time of the reader's zone, and its traces by `part`."""

    start: datetime
    end: datetime
    traces: dict[str, dict[str, Any]]


def seen(page: Page) -> Seen:
    """Read what the chart shows now."""
    found = drawn(page).locator(".js-plotly-plot").evaluate(_TO_SEE)
    start, end = map(datetime.fromisoformat, found["range"])
    return Seen(start, end, {trace["part"]: trace for trace in found["traces"]})


def range_in(page: Page, zone: str) -> tuple[datetime, datetime]:
    """The instants of the chart's range, for a reader in that zone."""
    now = seen(page)
    start, end = (at.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for at in (now.start, now.end))
    return start, end


def range_in_address(page: Page) -> tuple[datetime, datetime] | None:
    """The instants in the page's address, if it has any; both must be UTC."""
    found = parse_qs(urlsplit(page.evaluate("location.href")).query)
    if not {"start", "end"} <= found.keys():
        return None
    assert found["start"][0].endswith("Z")
    assert found["end"][0].endswith("Z")
    return datetime.fromisoformat(found["start"][0]), datetime.fromisoformat(found["end"][0])


def box(locator: Locator) -> FloatRect:
    """The place of an element in the window, once it is scrolled into view."""
    locator.scroll_into_view_if_needed()
    found = locator.bounding_box()
    assert found is not None
    return found


def drag(page: Page, start: float, end: float) -> None:
    """Drag the mouse over the chart, from one fraction of its width to another."""
    area = box(drawn(page).locator(".nsewdrag"))
    y = area["y"] + area["height"] / 2
    page.mouse.move(area["x"] + start * area["width"], y)
    page.mouse.down()
    page.mouse.move(area["x"] + end * area["width"], y, steps=5)
    page.mouse.up()


def overflow(page: Page) -> int:
    """The pixels by which the page is wider than its window."""
    wider: int = page.evaluate(
        "Math.max(...[document.documentElement, document.querySelector('[data-testid=stMain]')]"
        ".map(each => each.scrollWidth - each.clientWidth))"
    )
    return wider
