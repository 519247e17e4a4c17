"""Futures and Volatility in the browser: squares of funding and the cone are read by keyboard, also on a phone."""

import re
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from store.file.database import Database
from store.models import utc_now
from tests.support.carry import record_funding
from tests.support.chromium import axis_range, overflow
from tests.support.dashboard import dashboard_at, free_port
from tests.support.volatility import record_minutes, walk

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def newest() -> datetime:
    """The end of the newest hour of funding."""
    return utc_now().replace(minute=0, second=0, microsecond=0)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory, newest):
    """A dashboard with 70 days of funding and 20 days of minutes, without a recorder."""
    database = Database(tmp_path_factory.mktemp("futures") / "ticks.duckdb")
    database.migrate()
    record_funding(database, newest, 70 * 24)
    record_minutes(database, walk(newest - timedelta(days=20), newest))
    with dashboard_at(free_port(), database=database.path, poller="external", markets="BTC") as dashboard:
        yield dashboard


def squares(page: Page) -> Locator:
    """The squares of funding, once they are drawn."""
    found = page.get_by_label(re.compile("^Funding by hour and day"))
    expect(found).to_have_class(re.compile("drawn"))
    return found


def test_the_arrow_keys_read_the_newest_hour_first_from_the_right(dashboard, open_page, newest):
    found = squares(open_page(f"{dashboard.url}/futures?utc=true"))

    found.press("ArrowLeft")

    begins = newest - timedelta(hours=1)
    heard = found.locator(".reading").inner_text()
    assert heard.startswith(f"{begins:%a} {begins.day} {begins:%b %Y, %H:%M} to {newest:%H:%M}, ")
    found.press("ArrowLeft")
    assert found.locator(".reading").inner_text() != heard


@pytest.mark.parametrize(("phone", "days"), [(False, 60), (True, 14)])
def test_a_phone_shows_the_last_days_and_a_wide_screen_all(dashboard, open_page, phone, days):
    page = open_page(f"{dashboard.url}/futures?utc=true", phone=phone)

    start, end = axis_range(squares(page))

    assert datetime.fromisoformat(end) - datetime.fromisoformat(start) == timedelta(days=days)
    assert overflow(page) <= 0


def test_the_arrow_keys_read_each_number_of_the_cone_by_its_window(dashboard, open_page):
    found = open_page(f"{dashboard.url}/volatility?utc=true").get_by_label(re.compile("^Cone of realised volatility"))
    expect(found).to_have_class(re.compile("drawn"))

    found.press("ArrowRight")
    first = found.locator(".reading").inner_text()

    assert re.match(r"Over 7 d: median [\d.]+ %, lowest [\d.]+, highest [\d.]+, 25 to 75 %: ", first)
    heard = [first]
    for _ in range(6):
        found.press("ArrowRight")
        heard.append(found.locator(".reading").inner_text())
    assert heard[-1].startswith("Over 30 d: median ")
    assert ", few, " in heard[-1]
