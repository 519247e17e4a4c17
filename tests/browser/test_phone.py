"""A phone: 390 px wide, touched with a finger."""

import pytest
from playwright.sync_api import Page, expect

from poller.simulator.replies import INDEX_NAMES
from store.models import utc_now
from tests.conftest import WHOLE, wait_until
from tests.support.chromium import PAGES, drawn, overflow, range_in_address
from tests.support.dashboard import dashboard_at, free_port
from tests.support.history import with_history

pytestmark = pytest.mark.browser

SHOWN = PAGES if WHOLE else {name: PAGES[name] for name in ("Overview", "History")}


@pytest.fixture(scope="module")
def dozens(tmp_path_factory):
    """A dashboard of thirty indexes, without a recorder."""
    file = tmp_path_factory.mktemp("dozens") / "ticks.duckdb"
    names = INDEX_NAMES[:30]
    with_history(file, utc_now(), names)
    settings = {"database": file, "poller": "external", "indexes": ",".join(names), "poll_seconds": 10}
    with dashboard_at(free_port(), **settings) as dashboard:
        yield dashboard


@pytest.fixture(scope="module", params=list(SHOWN.values()), ids=list(SHOWN))
def page(request, dozens, contexts):
    """A page with thirty indexes, drawn on a phone. The tests share it."""
    page = contexts(phone=True).new_page()
    page.goto(dozens.url + request.param)
    drawn(page)
    yield page
    page.close()


def test_dozens_of_indexes_fit_on_a_phone(page):
    assert overflow(page) == 0


def test_every_choice_is_in_sight_on_a_phone(page):
    choices = page.get_by_test_id("stButtonGroup").get_by_role("radio")
    expect(choices.first).to_be_visible()  # the browser may load the code of choices after that of the chart

    cut = choices.evaluate_all(
        """
        each => each
            .filter(one => one.getBoundingClientRect().right > one.parentElement.getBoundingClientRect().right + 1)
            .map(one => one.innerText)
        """
    )

    assert cut == []


def test_a_finger_on_the_chart_scrolls_the_page_and_does_not_zoom(page):
    before = shown(page)
    main = page.get_by_test_id("stMain")
    main.evaluate("each => each.scrollTo(0, each.scrollHeight)")
    bottom = main.evaluate("each => each.scrollTop")
    chart = drawn(page).bounding_box()
    assert chart is not None

    swipe(page, x=chart["x"] + chart["width"] / 2, y=max(chart["y"], 0) + 100, by=200)

    wait_until(lambda: main.evaluate("each => each.scrollTop") < bottom - 100)
    assert shown(page) == before
    assert range_in_address(page) is None


def shown(page: Page) -> float:
    """How much of its axis the first chart shows, in the unit of the axis; where it ends now, both its ends move."""
    plot = drawn(page).locator(".js-plotly-plot")
    length: float = plot.evaluate("({_fullLayout: {xaxis}}) => xaxis.r2l(xaxis.range[1]) - xaxis.r2l(xaxis.range[0])")
    return length


def swipe(page: Page, x: float, y: float, by: int) -> None:
    """Swipe a finger down over the screen, by this many pixels."""
    finger = page.context.new_cdp_session(page)
    touches = [("touchStart", y), *(("touchMove", y + by * step / 10) for step in range(1, 11))]
    for kind, at in touches:
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": at}]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_dozens_of_indexes_are_one_table_and_one_chart(dozens, open_page):
    page = open_page(dozens.url)

    chart = drawn(page)

    expect(page.get_by_test_id("stDataFrame")).to_have_count(1)
    expect(page.get_by_test_id("stMetric")).to_have_count(0)
    lines = chart.locator(".js-plotly-plot").evaluate(
        "plot => [...new Set(plot._fullData.map(each => each.legendgroup).filter(Boolean))]"
    )
    assert len(lines) == 30
    assert overflow(page) == 0
