"""Quality in a browser: a healed outage and an open one, in the calendar, the ledger and the charts."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from poller.simulator.truth.prices import price
from store.file.database import Database
from store.health import vitals
from store.health.vitals import Vitals
from store.ledger import gaps, runs
from store.models import Cause, Gap, Miss, Run, Tick, to_column, utc_now
from store.prices import averages, ticks
from tests.conftest import wait_until
from tests.support.chromium import drawn, overflow, seen
from tests.support.dashboard import dashboard_at, free_port

pytestmark = pytest.mark.browser

POLL_SECONDS = 5
MINUTE = timedelta(minutes=1)
OUTAGE = 5 * MINUTE


@pytest.fixture(scope="module")
def outages(tmp_path_factory):
    """A dashboard without a recorder, of a day with a healed and an open outage of five minutes."""
    file = tmp_path_factory.mktemp("outages") / "ticks.duckdb"
    with_outages(Database(file))
    with dashboard_at(free_port(), database=file, poller="external", indexes="btc_usd") as dashboard:
        yield dashboard


def with_outages(database: Database) -> None:
    database.migrate()
    now = utc_now().replace(second=0, microsecond=0)
    start = now - timedelta(hours=20)
    begins = [now - timedelta(hours=hours) for hours in (9, 3)]
    found = [
        Gap("btc_usd", begin, begin + OUTAGE, 60, POLL_SECONDS, "unreachable", "refused", gap=begin) for begin in begins
    ]
    healed = found[0]._replace(state="healed", source="chart", resolution_s=6, round=1)
    slots = [start + timedelta(seconds=second) for second in range(0, 20 * 3600, POLL_SECONDS)]
    missed = [slot for slot in slots if any(begin <= slot < begin + OUTAGE for begin in begins)]
    with database.write() as cursor:
        runs.note(cursor, Run(start, {"btc_usd": POLL_SECONDS}, "0"))
        live = sorted(set(slots) - set(missed))
        ticks.append(cursor, (Tick("btc_usd", slot, price("btc_usd", slot), received_at=slot) for slot in live))
        points = [begins[0] + timedelta(seconds=second) for second in range(0, 300, 6)]
        averages.append(cursor, "btc_usd", [(at, price("btc_usd", at)) for at in points], 6)
        runs.append_misses(cursor, [Miss(slot, "btc_usd", Cause.UNREACHABLE, "refused") for slot in missed])
        gaps.note(cursor, found, now)
        gaps.note(cursor, [healed], now)
        cursor.execute("INSERT INTO watermark VALUES (?)", [to_column(now + timedelta(days=1))])
        for number in range(60):
            vitals.append(cursor, [Vitals(now - 10 * number * MINUTE, 12, 0.08, 0.2, 0.01, 10**8, 10**11)])


def test_the_calendar_shows_each_kind_of_hour_in_a_colour_of_its_own(outages, open_page):
    page = open_page(f"{outages.url}/quality?days=7d")

    expect(page.get_by_role("heading", name="Coverage by day and hour")).to_be_visible()
    chart = drawn(page)

    def colours() -> dict[str, str]:
        found: dict[str, str] = chart.locator(".js-plotly-plot").evaluate(
            "plot => Object.fromEntries(plot._fullData.filter(each => each.x.length && each.marker)"
            ".map(each => [each.meta.part, JSON.stringify(each.marker.color)]))"
        )
        return found

    wait_until(lambda: set(colours()) == {"live", "healed", "missing"})
    assert len(set(colours().values())) == 3
    assert "1 gap is open: BTC / USD" in (chart.get_attribute("aria-label") or "")


def test_its_charts_follow_a_change_of_theme_without_a_reload(outages, open_page):
    page = open_page(f"{outages.url}/quality?days=7d")
    square = drawn(page).locator(".barlayer .point path").first
    light = square.evaluate("each => getComputedStyle(each).fill")
    page.evaluate("window.kept = true")

    page.emulate_media(color_scheme="dark")

    expect(square).not_to_have_css("fill", light)
    assert page.evaluate("window.kept")


def test_where_the_charts_script_is_not_served_streamlits_own_charts_replace_them(outages, open_page):
    page = open_page("about:blank")
    page.route("**/api/plotly.js*", lambda route: route.abort())

    page.goto(f"{outages.url}/quality?days=7d")

    expect(page.locator(".stPlotlyChart .barlayer .point path").first).to_be_visible()
    expect(page.locator(".tickwell-chart")).to_have_count(0)


def test_the_squares_can_be_read_by_keyboard(outages, open_page):
    page = open_page(f"{outages.url}/quality?days=7d")
    chart = drawn(page)

    chart.focus()
    page.keyboard.press("ArrowLeft")
    last = chart.locator(".reading").inner_text()
    page.keyboard.press("ArrowLeft")

    assert "slots" in last
    before = chart.locator(".reading").inner_text()
    assert "slots" in before
    assert before != last


def test_the_ledger_is_filtered_and_the_filter_is_in_the_address(outages, open_page):
    page = open_page(f"{outages.url}/quality?days=7d")
    both = page.get_by_text("1 gap of 5 min is open; 1 gap of 5 min is healed with 6 s averages.")
    expect(both).to_be_visible()

    page.get_by_role("radio", name="Healed").click()

    expect(page.get_by_text("1 gap of 5 min is healed with 6 s averages.", exact=True)).to_be_visible()
    expect(both).to_have_count(0)
    expect(page).to_have_url(re.compile("state=Healed"))
    page.reload()
    expect(page.get_by_text("1 gap of 5 min is healed with 6 s averages.", exact=True)).to_be_visible()
    expect(both).to_have_count(0)


@pytest.mark.parametrize("chart", ["Line", "Candles"])
def test_a_day_of_history_marks_healed_and_missing_gaps(outages, open_page, chart):
    page = open_page(f"{outages.url}/history?range=1d&chart={chart}")

    drawn(page)

    marks = seen(page).traces
    assert {"healed", "missing"} <= set(marks)
    expect(page.get_by_text("1 gap of 5 min is open; 1 gap of 5 min is healed with 6 s averages.")).to_be_visible()
    widths = (
        drawn(page)
        .locator(".barlayer .point path")
        .evaluate_all("paths => paths.map(each => each.getBoundingClientRect().width)")
    )
    assert len(widths) == 2
    assert min(widths) >= 3


def test_the_page_fits_on_a_phone(outages, open_page):
    page = open_page(f"{outages.url}/quality?days=90d", phone=True)
    expect(page.locator(".tickwell-chart.drawn")).to_have_count(3)

    assert overflow(page) == 0
