"""Starts a real Chromium, and reads what it shows of a page."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser, FloatRect, Locator, Page, Playwright, expect

from pages.common import site
from tests.conftest import wait_until

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


expect.set_options(timeout=20_000)  # a machine may be busy with other tests


_PLACE_IN_VIEW = """element => {
    element.scrollIntoViewIfNeeded();
    const { x, y, width, height } = element.getBoundingClientRect();
    return element.isConnected && { x, y, width, height };
}"""


def find_chromium() -> str | None:
    """The path of a Chromium on this machine. The build without windows is preferred: it is faster."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def chromium(playwright: Playwright) -> Browser:
    """Start the machine's Chromium; close it, or use it as a context manager."""
    return playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)


def drawn(page: Page) -> Locator:
    """The first chart of a page, once it is drawn."""
    chart = page.locator(".tickwell-chart.drawn").first
    expect(chart).to_be_visible()
    return chart


_TO_SEE = """
plot => plot._fullLayout?.xaxis && ({
    range: plot._fullLayout.xaxis.range,
    traces: plot._fullData.map(({meta, x, y, open}) => ({part: meta?.part, x: [...x], y: [...(y ?? open)]})),
})
"""


def axis_range(chart: Locator) -> list[Any]:
    """The ends of a chart's horizontal axis, which may be one of numbers."""
    found: list[Any] = chart.locator(".js-plotly-plot").evaluate("plot => plot._fullLayout.xaxis.range")
    return found


@dataclass(frozen=True)
class Seen:
    """What a chart shows: its range in wall-clock time of the reader's zone, and its traces by `part`."""

    start: datetime
    end: datetime
    traces: dict[str, dict[str, Any]]


def seen(page: Page) -> Seen:
    """Read what the chart shows now, once it shows anything."""
    found = wait_until(lambda: drawn(page).locator(".js-plotly-plot").evaluate(_TO_SEE))
    start, end = map(datetime.fromisoformat, found["range"])
    return Seen(start, end, {trace["part"]: trace for trace in found["traces"]})


def range_in(page: Page, zone: str) -> tuple[datetime, datetime]:
    """The instants of the chart's range, for a reader in that zone."""
    now = seen(page)
    start, end = (at.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for at in (now.start, now.end))
    return start, end


def range_in_address(page: Page) -> tuple[datetime, datetime] | None:
    """The range in the page's URL, both instants in UTC; None if it has none."""
    found = parse_qs(urlsplit(page.evaluate("location.href")).query)
    if not {"start", "end"} <= found.keys():
        return None
    assert found["start"][0].endswith("Z")
    assert found["end"][0].endswith("Z")
    return datetime.fromisoformat(found["start"][0]), datetime.fromisoformat(found["end"][0])


def box(locator: Locator) -> FloatRect:
    """The place of an element in the window, once it is scrolled into view. A refresh may replace it meanwhile."""
    found: FloatRect = wait_until(lambda: locator.evaluate(_PLACE_IN_VIEW))
    return found


def drag(page: Page, start: float, end: float, panel: int = 0) -> None:
    """Drag the mouse over a panel of the chart, from one fraction of its width to another."""
    area = box(drawn(page).locator(".nsewdrag").nth(panel))
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
