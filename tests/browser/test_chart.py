"""The chart in the browser: drawn in place, in the theme's colours, with a substitute where its script is missing."""

import itertools
import re

import pytest
from playwright.sync_api import Page, Route, expect

from pages.common.views import to_url
from store.instants import MINUTE
from store.models import utc_now
from tests.conftest import wait_until
from tests.support.chromium import PAGES, box, drag, drawn, seen

pytestmark = pytest.mark.browser

PRICES = {title: PAGES[title] for title in ("Overview", "History")}

_WATCH = """
() => {
    const root = document.querySelector(".tickwell-chart"), plot = root.querySelector(".js-plotly-plot");
    const watched = (window.watched = { root, plot, refreshes: 0, frames: 0, blank: 0, withoutHover: 0 });
    plot.on("plotly_afterplot", () => watched.refreshes++);
    const look = () => {
        const line = document.querySelector(".tickwell-chart .scatterlayer .js-line");
        watched.frames++;
        if (!line?.getAttribute("d") || !line.getBoundingClientRect().width) watched.blank++;
        if (!document.querySelector(".tickwell-chart .hoverlayer")?.textContent) watched.withoutHover++;
        requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
}
"""


def test_zoom_and_hover_outlive_refreshes_without_a_blank_frame(live, open_page):
    now = utc_now()  # the zoomed range ends two minutes from now: until then its chart goes on
    page = open_page(f"{live.url}/?start={to_url(now - 12 * MINUTE)}&end={to_url(now + 3 * MINUTE)}")
    drawn(page)
    drag(page, 0.3, 0.95)
    wait_until(lambda: seen(page).end - seen(page).start < 11 * MINUTE)
    point_at_ticks(page)
    before = seen(page)
    page.evaluate(_WATCH)

    page.wait_for_function("window.watched.refreshes >= 12", timeout=50_000)

    after = seen(page)
    assert after.traces["line"]["x"][-1] > before.traces["line"]["x"][-1]
    assert (after.start, after.end) == (before.start, before.end)
    watched = page.evaluate("(({frames, blank, withoutHover}) => ({frames, blank, withoutHover}))(window.watched)")
    assert watched["frames"] > 120
    assert (watched["blank"], watched["withoutHover"]) == (0, 0)
    assert page.evaluate(
        "watched.root === document.querySelector('.tickwell-chart') &&"
        " watched.plot === document.querySelector('.js-plotly-plot')"
    )


def point_at_ticks(page: Page) -> None:
    """Move the mouse over the newer half until the chart shows prices; right after a drag it ignores the mouse."""
    chart = box(drawn(page))
    steps = itertools.cycle([0, 1])

    def told() -> bool:
        page.mouse.move(chart["x"] + 0.75 * chart["width"] + next(steps), chart["y"] + chart["height"] / 2)
        return "BTC / USD" in (page.locator(".tickwell-chart .hoverlayer").text_content() or "")

    wait_until(told)


@pytest.mark.parametrize("path", PRICES.values(), ids=PRICES)
def test_the_chart_follows_a_change_of_theme_without_a_reload(stale, open_page, path):
    page = open_page(stale.url + path)
    line = drawn(page).locator(".scatterlayer .js-line").first
    expect(line).to_have_css("stroke", "rgb(15, 103, 177)")
    label = page.locator(".tickwell-chart .xtick text").first
    light = label.evaluate("each => getComputedStyle(each).fill")
    page.evaluate("window.kept = true")

    page.emulate_media(color_scheme="dark")

    expect(line).to_have_css("stroke", "rgb(86, 168, 240)")
    expect(label).not_to_have_css("fill", light)
    expect(page.locator(".stApp")).to_have_css("background-color", "rgb(15, 21, 28)")
    assert page.evaluate("window.kept")


def test_the_line_at_the_mouse_covers_no_more_in_the_dark_than_in_the_light(live, open_page):
    page = open_page(f"{live.url}/?range=15m")
    page.emulate_media(color_scheme="dark")
    expect(drawn(page).locator(".scatterlayer .js-line").first).to_have_css("stroke", "rgb(86, 168, 240)")

    point_at_ticks(page)

    # Plotly draws the line on a wider one, which is to look like the background. A refresh draws both anew.
    assert wait_until(lambda: lines_at_the_mouse(page))[0] == "rgb(15, 21, 28)"


def lines_at_the_mouse(page: Page) -> list[str]:
    """The colours of the two lines at the mouse, the wider one first; none while they are not both drawn."""
    drawn_as = page.evaluate(
        "[...document.querySelectorAll('.tickwell-chart .spikeline')].map(line => getComputedStyle(line))"
        ".map(({stroke, strokeWidth}) => [parseFloat(strokeWidth), stroke])"
    )
    return [colour for _, colour in sorted(drawn_as, reverse=True)] if len(drawn_as) == 2 else []


@pytest.mark.parametrize("path", PRICES.values(), ids=PRICES)
def test_where_its_script_is_not_served_streamlits_own_chart_replaces_it_until_a_reload(stale, open_page, path):
    page = open_page("about:blank")
    page.route("**/api/plotly.js*", lambda route: route.abort())

    page.goto(stale.url + path)

    line = page.locator(".stPlotlyChart .scatterlayer .js-line[d*=L]").first
    expect(line).to_be_visible()
    expect(line).to_have_css("stroke", "rgb(15, 103, 177)")
    expect(page.locator(".tickwell-chart")).to_have_count(0)
    page.unroute("**/api/plotly.js*")
    page.reload()
    drawn(page)


def test_a_load_of_its_script_that_fails_in_passing_is_tried_again(stale, open_page):
    page = open_page("about:blank")
    asked: list[Route] = []

    def fail_once(route: Route) -> None:
        asked.append(route)
        if len(asked) > 1:
            route.continue_()
        else:
            route.abort()

    page.route("**/api/plotly.js*", fail_once)

    page.goto(stale.url)

    drawn(page)
    assert len(asked) == 2
    assert page.locator(".stPlotlyChart").count() == 0


@pytest.mark.parametrize("served", [True, False], ids=["our chart", "Streamlit's chart"])
def test_dates_below_a_chart_are_written_as_on_the_rest_of_the_page(stale, open_page, served):
    page = open_page("about:blank")
    if not served:
        page.route("**/api/plotly.js*", lambda route: route.abort())

    page.goto(f"{stale.url}/history?range=1w")

    first = page.locator(".js-plotly-plot .xtick text").first
    expect(first).to_have_text(re.compile(r"^\d{1,2} [A-Z][a-z]{2}"))
