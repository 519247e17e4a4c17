"""A real Streamlit server and a real Chromium."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright, sync_playwright

from poller.alerts.judging import EXAMPLE
from poller.simulator.server import Simulator
from store.models import utc_now
from tests.conftest import wait_until
from tests.support.chromium import (
    ARGUMENTS,
    PHONE,
    find_chromium,
)
from tests.support.dashboard import Dashboard, dashboard_at, free_port
from tests.support.history import with_history

SPARING = ["--js-flags=--no-opt,--no-maglev"]
"""Pages are open for seconds: compiling their scripts for speed takes a tenth of Chromium's time, and saves none."""


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
                args=[*ARGUMENTS, *SPARING],
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
