"""Alerts in a browser: marks on charts outlive a refresh, and a reader at the machine acknowledges."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from store.alerts import events
from store.file.database import Database
from store.models import utc_now
from tests.conftest import wait_until
from tests.support.chromium import drawn, seen
from tests.support.dashboard import Dashboard, dashboard_at, free_port
from tests.support.history import with_history

pytestmark = pytest.mark.browser


@pytest.fixture
def alerted(database_file) -> Database:
    with_history(database_file, utc_now() - timedelta(seconds=30))
    return Database(database_file)


@pytest.fixture
def dashboard(alerted):
    """A dashboard without a recorder, on a file with three alerts."""
    with dashboard_at(free_port(), database=alerted.path, poller="external") as dashboard:
        yield dashboard


@pytest.mark.parametrize("path", ["/history?range=15m", "/history?range=15m&chart=Candles", "/alerts?range=1h"])
def test_marks_of_alerts_are_at_their_price_and_outlive_a_refresh(live: Dashboard, open_page, path):
    page = open_page(live.url + path)
    drawn(page)
    wait_until(lambda: "alert" in seen(page).traces)
    end = seen(page).end

    wait_until(lambda: seen(page).end > end)

    assert page.locator(".js-plotly-plot .point").count() >= 3
    assert seen(page).traces["alert"]["x"]


def test_a_reader_at_the_machine_acknowledges_an_alert(dashboard, alerted: Database, open_page):
    page = open_page(dashboard.url + "/alerts")
    button = page.get_by_role("button", name="Acknowledge", exact=True)
    expect(button).to_have_count(3)

    button.first.click()

    expect(button).to_have_count(2)
    expect(page.get_by_text("acknowledged by local")).to_be_visible()
    with alerted.read() as cursor:
        newest, *_ = events.newest(cursor, limit=3)
    assert newest.reader == "local"


def test_a_reader_behind_a_proxy_can_not_acknowledge(dashboard, open_page):
    page = open_page(dashboard.url + "/alerts", headers={"X-Forwarded-For": "192.0.2.7"})

    expect(page.get_by_text("To acknowledge alerts, sign in")).to_be_visible()
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
