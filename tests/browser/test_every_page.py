"""Every page in every state. A visit opens a page once and notes what it sees; each test reads the notes."""

import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, FloatRect, Page, Route, expect

from tests.browser.axe import add_axe, lasting, serious
from tests.conftest import WHOLE, wait_until
from tests.support.chromium import PAGES, drawn, overflow
from tests.support.dashboard import Dashboard

pytestmark = pytest.mark.browser

Visits = Callable[[str, str], "Visit"]
Look = tuple[Literal["light", "dark"], int]

VIEWS = PAGES | {"History": "/history?range=Exact"}
BACKGROUNDS = {"light": "rgb(251, 252, 253)", "dark": "rgb(15, 21, 28)"}
WIDE, NARROW = 1280, 320
LOOKS: list[Look] = [("light", WIDE), ("light", NARROW), ("dark", WIDE), ("dark", NARROW)]
"""axe checks each page in all of these looks; in a short run in two of fresh ticks, and in one of the other states."""
NOTHING = {
    "Overview": "No data yet",
    "History": "No ticks of BTC / USD",
    "Futures": "No market is recorded",
    "Volatility": "No market is recorded",
    "Options": "No market is recorded",
    "Contract": "No market is recorded",
    "Quality": "Nothing was due in these",
    "Alerts": "No rules. Copy",
    "Export": "No ticks in this range",
}
NO_RECORDER = "Not recording: no recorder was started yet"

IN_OTHER_STATES = list(PAGES) if WHOLE else ["Overview", "Quality"]
"""A short run opens all pages with fresh ticks, but these alone in other states: tests/pages has the others' words."""

every_page = pytest.mark.parametrize("title", PAGES)
pages_in_other_states = pytest.mark.parametrize("title", IN_OTHER_STATES)
every_state = pytest.mark.parametrize(
    ("state", "title"),
    [("live", title) for title in PAGES]
    + [(state, title) for state in ("stale", "empty", "failed") for title in IN_OTHER_STATES],
)


@dataclass(frozen=True)
class Visit:
    """What a visit to a page saw.

    text: all words of the page.
    headings: the headings of the first level.
    boxes: the words of each box for information, warnings and errors.
    tracebacks: the number of boxes with a traceback.
    charts: the number of our charts.
    asked: the addresses of all requests and sockets.
    kept, filled: the place of the chart before its script came, and of the drawn chart; None without a chart.
    overflow: pixels by which the page is wider than a narrow window.
    serious: the findings of axe, by colour scheme and width.
    """

    text: str
    headings: list[str]
    boxes: list[str]
    tracebacks: int
    charts: int
    asked: list[str]
    kept: FloatRect | None
    filled: FloatRect | None
    overflow: int
    serious: dict[Look, list[str]]


@pytest.fixture(scope="module")
def visits(request: pytest.FixtureRequest, contexts: Callable[..., BrowserContext]) -> Visits:
    """The visit to a page, by its title, of the dashboard in a state; made on first use."""

    @cache
    def visit(state: str, title: str) -> Visit:
        dashboard: Dashboard = request.getfixturevalue(state)
        page = contexts().new_page()
        try:
            looks = LOOKS if WHOLE else [LOOKS[0], LOOKS[-1]] if state == "live" else LOOKS[-1:]
            return visited(page, dashboard.url + VIEWS[title], looks, with_chart=state in {"live", "stale"})
        finally:
            page.close()

    return visit


def visited(page: Page, url: str, looks: Sequence[Look], *, with_chart: bool) -> Visit:
    page.emulate_media(reduced_motion="reduce")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    kept = filled = None
    if with_chart:
        kept = place_without_its_script(page, url)
        filled = drawn(page).bounding_box()
    else:
        page.goto(url)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_test_id("stAlert").first).to_be_visible()
        expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    notes: dict[str, Any] = {
        "text": page.locator("body").inner_text(),
        "headings": page.get_by_role("heading", level=1).all_inner_texts(),
        "boxes": page.get_by_test_id("stAlert").all_inner_texts(),
        "tracebacks": page.get_by_test_id("stException").count(),
        "charts": page.locator(".tickwell-chart").count(),
    }
    return Visit(**notes, asked=asked, kept=kept, filled=filled, **looked_at(page, looks))


def place_without_its_script(page: Page, url: str) -> FloatRect | None:
    """Open a page and note the place of its first chart before the charts' script is let through."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/plotly.js*", hold)
    page.goto(url, wait_until="commit")
    chart = page.locator(".tickwell-chart:not(.drawn)").first
    expect(chart).to_be_visible()
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)  # these and other fonts have other heights
    page.evaluate("document.fonts.ready.then(() => 0)")
    place = chart.bounding_box()
    for route in held:
        route.continue_()
    return place


def looked_at(page: Page, looks: Sequence[Look]) -> dict[str, Any]:
    """The findings of axe in each look, and the overflow of the page in a narrow window."""
    add_axe(page)
    found = {}
    for scheme, width in looks:
        page.emulate_media(color_scheme=scheme)
        expect(page.locator(".stApp")).to_have_css("background-color", BACKGROUNDS[scheme])
        page.set_viewport_size({"width": width, "height": 900})
        found[scheme, width] = lasting(page)
    return {"serious": found, "overflow": lasting_overflow(page)}


def lasting_overflow(page: Page) -> int:
    """The pixels by which the page is too wide, once it fits the window or 5 s have passed."""
    with contextlib.suppress(AssertionError):
        wait_until(lambda: overflow(page) == 0, timeout_s=5)
    return overflow(page)


@every_state
def test_a_page_is_whole_without_a_traceback_and_no_wider_than_a_narrow_phone(visits: Visits, state, title):
    seen = visits(state, title)

    assert len(seen.headings) == 1
    assert seen.tracebacks == 0
    assert not re.search(r"Traceback|File \".+\", line \d+|Stack Trace", seen.text)
    assert seen.overflow == 0


@every_state
def test_axe_finds_no_serious_fault(visits: Visits, state, title):
    seen = visits(state, title)

    assert {where: found for where, found in seen.serious.items() if found} == {}


@pages_in_other_states
def test_before_the_first_tick_a_page_says_so(visits: Visits, title):
    seen = visits("empty", title)

    assert NO_RECORDER in seen.text
    assert NOTHING[title] in seen.text
    assert seen.charts == 0


@pages_in_other_states
def test_without_a_recorder_a_page_shows_the_record_and_says_so(visits: Visits, title):
    seen = visits("stale", title)

    assert NO_RECORDER in seen.text
    assert seen.charts > 0


def test_an_old_price_shows_its_age(visits: Visits):
    seen = visits("stale", "Overview")

    assert len(re.findall(r"Stale, 3 h old, \d\d:\d\d:\d\d", seen.text)) == 2


@pages_in_other_states
def test_a_file_that_is_no_database_is_named_with_its_fault(visits: Visits, title):
    seen = visits("failed", title)

    (box,) = seen.boxes
    assert re.search(r"The database can't be read\. ticks\.duckdb: .+not a valid DuckDB database file", box)
    assert "No data yet" not in seen.text


@pages_in_other_states
def test_the_place_of_a_chart_is_kept_until_its_script_arrives(visits: Visits, title):
    seen = visits("stale", title)

    assert seen.kept is not None
    assert seen.kept["height"] > 300
    assert seen.filled == pytest.approx(seen.kept, abs=3)


@every_page
def test_no_page_sends_a_request_to_another_host(visits: Visits, title):
    seen = visits("live", title)

    assert {urlsplit(url).hostname for url in seen.asked if not url.startswith(("data:", "blob:"))} == {"localhost"}
    assert any(url.startswith("ws:") for url in seen.asked)
    assert any("plotly" in url for url in seen.asked)


def test_axe_finds_a_fault_that_was_put_into_a_page(empty: Dashboard, open_page: Callable[..., Page]):
    page = open_page(empty.url)
    expect(page.get_by_test_id("stAlert").first).to_be_visible()
    add_axe(page)

    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<button style=width:30px;height:30px></button>')")

    wait_until(lambda: [found for found in serious(page) if found.startswith("button-name")])
