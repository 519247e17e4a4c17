"""A view is its address: no refresh and no zoom loses its range, and a chart's node outlives both."""

import os
import random
from collections.abc import Callable
from datetime import timedelta

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from pages.common.views import EARLIEST, LATEST, to_url
from store.models import Tick, utc_now
from tests.conftest import WHOLE, wait_until
from tests.support.chromium import PAGES, drag, drawn, range_in, range_in_address, seen
from tests.support.line import Line
from tests.support.stored import append

pytestmark = pytest.mark.browser

UTC, SECOND, MINUTE = "UTC", timedelta(seconds=1), timedelta(minutes=1)
ZOOMED_PAGES = {title: PAGES[title] for title in ("Overview", "History", "Alerts", "Export")}
"""The pages whose address names the range that the reader dragged over."""

DRAGS = int(os.environ.get("DRAGS") or (10 if WHOLE else 3))


@pytest.fixture
def page(open_page) -> tuple[Page, Line]:
    """A page in UTC, and its connection."""
    page = open_page("about:blank", zone=UTC)
    return page, Line(page)


def address(page: Page) -> str:
    """The address as the browser has it; `page.url` is as it was when Playwright last listened."""
    its: str = page.evaluate("location.href")
    return its


def mark(page: Page) -> None:
    """Mark the first chart, to find out whether it is the same one later."""
    drawn(page)
    page.evaluate("document.querySelector('.js-plotly-plot').mine = true")


def same_chart(page: Page) -> bool:
    same: bool = page.evaluate("document.querySelector('.js-plotly-plot')?.mine === true")
    return same


def shows_its_address(page: Page, zone: str = UTC) -> bool:
    """Do the chart and the address have the same exact range?"""
    found = range_in_address(page)
    return found is not None and all(abs(a - b) < SECOND for a, b in zip(found, range_in(page, zone), strict=True))


def leave_zoom_for(page: Page, span: str) -> None:
    """Choose a range once the choice shows the zoom. For a moment the choice before it may still be there."""
    exact = page.get_by_role("radio", name="Exact")
    wait_until(lambda: exact.evaluate_all("all => all.map(each => each.ariaChecked)") == ["true"])
    page.get_by_text(span, exact=True).click()


def test_a_chart_and_its_focus_outlive_the_first_zoom_and_the_way_back(live, page):
    page, _ = page
    page.goto(f"{live.url}/history")
    mark(page)
    drawn(page).focus()

    page.keyboard.press("+")

    wait_until(lambda: shows_its_address(page))
    expect(page.get_by_role("button", name="Zoom out")).to_be_visible()
    expect(drawn(page)).to_be_focused()
    assert same_chart(page)
    page.keyboard.press("0")
    expect(page.get_by_role("button", name="Zoom out")).to_have_count(0)
    expect(drawn(page)).to_be_focused()
    assert same_chart(page)
    assert range_in_address(page) is None


def test_what_a_refresh_sent_before_it_heard_of_a_zoom_undoes_nothing(live, page):
    page, line = page
    page.goto(f"{live.url}/history?range=6h")
    drawn(page)

    with line.answers_held():
        drag(page, 0.4, 0.8)
        line.wait_for_questions(4)  # the zoom, and refreshes with the address and the widgets of before

    wait_until(lambda: shows_its_address(page))
    line.wait_for_questions(2)
    assert shows_its_address(page)
    expect(page.get_by_role("radio", name="Exact")).to_be_checked()


def test_back_from_a_zoom_and_from_another_page_shows_the_range_of_before(live, page):
    page, line = page
    page.goto(f"{live.url}/history?range=6h")
    drawn(page)
    drag(page, 0.4, 0.8)
    wait_until(lambda: shows_its_address(page))

    page.go_back()

    wait_until(lambda: seen(page).end - seen(page).start > timedelta(hours=5))
    line.wait_for_questions(3)
    assert page.url.endswith("/history?range=6h")
    expect(page.get_by_role("radio", name="6h")).to_be_checked()
    page.get_by_role("link", name="Alerts", exact=True).click()
    expect(page.get_by_role("heading", name="Alerts", exact=True)).to_be_visible()
    page.go_back()
    wait_until(lambda: seen(page).end - seen(page).start > timedelta(hours=5))
    assert page.url.endswith("/history?range=6h")


def test_back_after_links_to_other_pages_leads_through_the_views_that_were_shown(live, page):
    page, line = page
    chosen = f"{live.url}/history?chart=Candles&range=1w"
    page.goto(chosen)
    drawn(page)

    def follow(name: str) -> None:
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
        line.wait_for_questions(1)  # the first refresh completes the address

    follow("Quality")
    follow("History")
    wait_until(lambda: page.evaluate("location.href") == chosen)
    follow("Export")

    for title, address in (("History", chosen), ("Quality", f"{live.url}/quality"), ("History", chosen)):
        page.go_back()
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
        line.wait_for_questions(2)
        assert page.evaluate("location.href") == address
    expect(page.get_by_role("radio", name="Candles")).to_be_checked()
    expect(page.get_by_role("radio", name="1w")).to_be_checked()


def test_bars_that_a_range_does_not_offer_leave_the_address(stale, page):
    page, line = page
    page.goto(f"{stale.url}/history?bars=5m")
    drawn(page)
    line.wait_for_questions(1)  # the next refresh comes in 5 s: none is under way

    page.get_by_text("1y", exact=True).click()

    wait_until(lambda: page.evaluate("location.search") == "?range=1y")
    expect(page.get_by_role("combobox", name="Bars")).to_have_value("Auto")


@pytest.mark.parametrize("path", ZOOMED_PAGES.values(), ids=ZOOMED_PAGES)
def test_a_zoom_can_be_shared_and_left_on_each_page(live, open_page, path):
    tokyo = "Asia/Tokyo"
    page = open_page(f"{live.url}{path}?range=1w", zone=tokyo)
    mark(page)
    drag(page, 0.4, 0.8)
    wait_until(lambda: shows_its_address(page, tokyo))
    its = range_in_address(page)

    other = open_page(address(page), zone=UTC)
    wait_until(lambda: shows_its_address(other))
    assert range_in_address(other) == its
    page.get_by_text("UTC", exact=True).first.click()
    wait_until(lambda: "utc=true" in address(page) and shows_its_address(page, UTC))
    assert range_in_address(page) == its
    page.go_back()
    wait_until(lambda: seen(page).end - seen(page).start > timedelta(days=6, hours=23))
    assert address(page).endswith("?range=1w")
    page.go_forward()
    wait_until(lambda: shows_its_address(page, UTC))
    assert range_in_address(page) == its
    assert same_chart(page)


@pytest.mark.parametrize("path", ZOOMED_PAGES.values(), ids=ZOOMED_PAGES)
def test_a_zoom_is_left_by_the_button_and_by_a_double_click_on_each_page(live, page, path):
    page, _ = page
    page.goto(f"{live.url}{path}?range=1w")
    mark(page)

    def zoom_out_by(way: Callable[[], None]) -> None:
        drag(page, 0.4, 0.8)
        wait_until(lambda: shows_its_address(page))
        way()
        wait_until(lambda: address(page).endswith("?range=1w"))
        wait_until(lambda: seen(page).end - seen(page).start > timedelta(days=6, hours=23))
        expect(page.get_by_role("button", name="Zoom out")).to_have_count(0)

    zoom_out_by(page.get_by_role("button", name="Zoom out").click)
    zoom_out_by(drawn(page).locator(".nsewdrag").dblclick)
    assert same_chart(page)


def test_a_drag_over_the_preview_chooses_what_is_exported(live, page, tmp_path):
    page, _ = page
    page.goto(f"{live.url}/export?range=6h")
    drawn(page)
    drag(page, 0.3, 0.7)
    wait_until(lambda: shows_its_address(page))
    its = range_in_address(page)
    assert its is not None
    start, end = its

    page.get_by_role("button", name="Make the file").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    download.value.save_as(tmp_path / "its.parquet")

    found = pd.read_parquet(tmp_path / "its.parquet")["ts"]
    assert start <= found.min() < found.max() < end
    assert found.max() - found.min() > 0.9 * (end - start)
    assert range_in_address(page) == its
    assert shows_its_address(page)


def test_a_zoom_that_only_the_browser_knows_holds_over_refreshes_and_ends_with_its_view(live, page):
    page, line = page
    page.goto(f"{live.url}/volatility?range=All")
    mark(page)
    line.wait_for_questions(1)
    whole, before = seen(page), address(page)

    drag(page, 0.3, 0.7)
    zoom = seen(page)
    line.wait_for_questions(2)
    held = seen(page)

    assert (held.start, held.end) == (zoom.start, zoom.end)
    assert whole.start < zoom.start < zoom.end < whole.end
    assert address(page) == before
    page.get_by_text("1y", exact=True).click()
    wait_until(lambda: seen(page).start < zoom.start)
    page.get_by_text("All", exact=True).click()
    wait_until(lambda: seen(page).start == whole.start)
    assert same_chart(page)


def test_zooming_out_never_zooms_in(live, page):
    page, _ = page
    page.goto(f"{live.url}/history?range=15m")
    drawn(page)
    drag(page, 0.4, 0.8)
    wait_until(lambda: shows_its_address(page))
    leave_zoom_for(page, "6h")
    wait_until(lambda: seen(page).end - seen(page).start > timedelta(hours=5))

    drawn(page).locator(".nsewdrag").dblclick()

    wait_until(lambda: shows_its_address(page))
    assert seen(page).end - seen(page).start == pytest.approx(timedelta(hours=12), abs=MINUTE)


def test_zooms_in_a_chart_that_is_gone_meanwhile_do_nothing(live, page):
    page, line = page
    now = utc_now()
    page.goto(f"{live.url}/history?start={to_url(now - timedelta(days=3650))}&end={to_url(now + timedelta(days=1))}")
    drawn(page)

    with line.answers_held():
        drag(page, 0.1, 0.4)  # years before the record
        line.wait_for_questions(3)
        drag(page, 0.2, 0.5)
        line.wait_for_questions(1)

    expect(page.get_by_text("No ticks of BTC / USD")).to_be_visible()
    line.wait_for_questions(1)
    expect(page.get_by_text("This page failed")).to_have_count(0)


def test_keys_zoom_out_no_further_than_a_range_reaches(live, page):
    page, line = page
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(f"{live.url}/history?range=1y")
    drawn(page).focus()

    with line.answers_held():
        for _ in range(20):
            page.keyboard.press("-")

    wait_until(lambda: range_in_address(page) == (EARLIEST, LATEST))
    wait_until(lambda: shows_its_address(page))
    assert failures == []


@pytest.mark.parametrize("path", ZOOMED_PAGES.values(), ids=ZOOMED_PAGES)
def test_drags_at_any_moment_keep_their_range_in_the_address(live, page, path):
    page, line = page
    dice = random.Random(27)  # noqa: S311
    page.goto(f"{live.url}{path}?range=6h")
    mark(page)

    for number in range(1, DRAGS + 1):
        page.wait_for_timeout(dice.uniform(0, 1000))  # a drag at any moment of a refresh is what this test is about
        drag(page, dice.uniform(0.1, 0.4), dice.uniform(0.6, 0.9))
        wait_until(lambda: shows_its_address(page))
        its = range_in_address(page)
        if number % 4 == 0 or number == DRAGS:  # a range in the past is refreshed each 5 s
            line.wait_for_questions(1)
        assert shows_its_address(page), number
        assert same_chart(page), number
        if number % 20 == 0 or number == DRAGS:
            page.reload()
            wait_until(lambda: shows_its_address(page))
            assert range_in_address(page) == its
            mark(page)
        leave_zoom_for(page, "6h")
        wait_until(lambda: range_in_address(page) is None)
        expect(page.get_by_role("button", name="Zoom out")).to_have_count(0)  # then the chart moves up no more


def test_a_part_that_cannot_be_read_for_a_while_keeps_its_chart_with_its_zoom(open_page, start_dashboard, database):
    now = utc_now()
    append(database, *(Tick("btc_usd", now - number * SECOND, 100.0 + number % 7) for number in range(600)))
    page = open_page(f"{start_dashboard(poller='external').url}/?range=15m")
    mark(page)
    drag(page, 0.5, 0.9)
    wait_until(lambda: shows_its_address(page))
    zoom = seen(page).start, seen(page).end

    with database.write() as cursor:
        cursor.execute("ALTER TABLE candles_1h RENAME TO away")
    expect(page.get_by_text("the newest could not be read").first).to_be_visible()
    failing = same_chart(page), (seen(page).start, seen(page).end)
    with database.write() as cursor:
        cursor.execute("ALTER TABLE away RENAME TO candles_1h")
    expect(page.get_by_text("the newest could not be read")).to_have_count(0)

    assert failing == (True, zoom)
    assert (same_chart(page), (seen(page).start, seen(page).end)) == (True, zoom)
