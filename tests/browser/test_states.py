"""Every page in the states in which there is less to show, in its own words and never in a traceback's."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PAGES, PHONE, drawn, overflow
from tests.conftest import wait_until

pytestmark = pytest.mark.browser

every_page = pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)


NOTHING = {
    "/": "No data yet",
    "/history": "No ticks of BTC / USD",
    "/quality": "Nothing was due in these",
    "/alerts": "No rules. Copy",
    "/export": "No ticks in this range",
}


def expect_to_be_fit_to_show(page: Page) -> None:
    """Neither Streamlit's box for a traceback nor the words of one, and nothing beyond the edge of a phone."""
    expect(page.get_by_test_id("stException")).to_have_count(0)
    assert not re.search(r"Traceback|File \".+\", line \d+|Stack Trace", page.locator("body").inner_text())
    page.set_viewport_size(PHONE["viewport"])
    wait_until(lambda: overflow(page) == 0)


@every_page
def test_before_the_first_tick_it_says_so(empty, open_page, path):
    page = open_page(empty.url + path)

    expect(page.get_by_text("Not recording: no recorder was started yet")).to_be_visible(timeout=20_000)
    expect(page.get_by_text(NOTHING[path]).first).to_be_visible()
    expect(page.locator(".tickwell-chart")).to_have_count(0)
    expect_to_be_fit_to_show(page)


@every_page
def test_without_a_recorder_it_shows_what_there_is_and_says_so(stale, open_page, path):
    page = open_page(stale.url + path)

    drawn(page)
    expect(page.get_by_text("Not recording: no recorder was started yet")).to_be_visible()
    expect_to_be_fit_to_show(page)


def test_a_price_that_is_old_says_how_old(stale, open_page):
    page = open_page(stale.url)

    expect(page.get_by_text(re.compile(r"Stale, 3 h old, \d\d:\d\d:\d\d"))).to_have_count(2, timeout=20_000)


@every_page
def test_a_file_that_is_no_database_is_named_with_what_is_wrong(failed, open_page, path):
    page = open_page(failed.url + path)

    words = re.compile(r"The database can't be read\. ticks\.duckdb: .+not a valid DuckDB database file")
    expect(page.get_by_text(words)).to_be_visible(timeout=20_000)
    expect(page.get_by_test_id("stAlert")).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_text("No data yet")).to_have_count(0)
    expect_to_be_fit_to_show(page)
