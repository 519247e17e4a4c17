"""A real Streamlit server and a real Chromium."""

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.conftest import Program, wait_until


@pytest.fixture(scope="module")  # not longer: while playwright is open, no other test can run an event loop
def browser() -> Iterator[Browser]:
    """Chromium; where there is none the test is skipped, or fails if REQUIRE_BROWSER is set."""
    if find_chromium() is None:
        reason = "no Chromium was found on the PATH"
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright, chromium(playwright) as browser:
        yield browser


def find_chromium() -> str | None:
    """The path of a Chromium on this machine."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def chromium(playwright: Playwright) -> Browser:
    """The machine's Chromium, started; close it, or use it as a context manager."""
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    return playwright.chromium.launch(executable_path=find_chromium(), args=arguments)


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens an address in a fresh context of its own."""
    with ExitStack() as stack:

        def go(url: str, **options: Any) -> Page:
            context = browser.new_context(**options)
            stack.callback(context.close)
            page = context.new_page()
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
    """A dashboard in a process of its own."""

    url: str
    program: Program

    def health(self) -> dict[str, Any] | None:
        """What /api/health answers; None while nothing does."""
        try:
            report: dict[str, Any] = httpx.get(f"{self.url}/api/health", timeout=5).json()
        except httpx.TransportError:
            return None
        return report

    def wait_for_ticks(self, count: int = 1) -> dict[str, Any]:
        """The health once each index has so many ticks."""

        def enough() -> dict[str, Any] | None:
            report = self.health()
            indexes = report["indexes"].values() if report else []
            return report if indexes and all(index["ticks"] >= count for index in indexes) else None

        report: dict[str, Any] = wait_until(enough, timeout_s=25)
        return report


@contextmanager
def dashboard_at(port: int, script: str = "dashboard.py", **settings: Any) -> Iterator[Dashboard]:
    """A dashboard that serves, or that has ended already."""
    options = ("--server.address", "localhost", "--server.headless", "true", "--server.port", str(port))
    with Program("streamlit", "run", script, *options, **settings) as program:
        dashboard = Dashboard(f"http://localhost:{port}", program)
        wait_until(lambda: answers(dashboard.url) or program.process.poll() is not None, timeout_s=25)
        yield dashboard


def answers(url: str) -> bool:
    """Is a Streamlit server there?"""
    try:
        return httpx.get(f"{url}/_stcore/health").is_success
    except httpx.TransportError:
        return False


@pytest.fixture
def start_dashboard(database_file, simulator) -> Iterator[Callable[..., Dashboard]]:
    """Starts a dashboard on the test's database and simulator, at one second, unless told otherwise."""
    with ExitStack() as stack:

        def start(script: str = "dashboard.py", **settings: Any) -> Dashboard:
            given = {"database": database_file, "deribit_url": simulator.url, "poll_seconds": 1, **settings}
            return stack.enter_context(dashboard_at(free_port(), script, **given))

        yield start
