"""The page History: zooming into a range and out of it, by mouse, keyboard, address and clock."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from store.file.database import Database
from store.models import Tick
from store.prices import ticks
from tests.conftest import START, wait_until
from tests.support.chromium import drag, drawn, range_in, range_in_address, seen
from tests.support.dashboard import dashboard_at, free_port
from tests.support.events import alert, note
from tests.support.history import average, observe
from tests.support.volatility import record_dvol

pytestmark = pytest.mark.browser

NEW_YORK, TOKYO = "America/New_York", "Asia/Tokyo"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
EXACTLY = timedelta(milliseconds=2)  # the chart counts in fractions of them
OUTAGE = START + 30 * MINUTE, START + 35 * MINUTE
WHOLE = START - HOUR, START + 2 * HOUR
BACK = datetime(2026, 10, 25, 1, tzinfo=UTC)
"""When clocks go back in Berlin."""


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """The address of the page on a file of an hour of averages and two hours of ticks with an outage."""
    file = tmp_path_factory.mktemp("history") / "ticks.duckdb"
    database = Database(file)
    database.migrate()
    with database.write() as cursor:
        average(cursor, "btc_usd", WHOLE[0], minutes=60)
        observe(cursor, "btc_usd", START, seconds=30 * 60)
        observe(cursor, "btc_usd", OUTAGE[1], seconds=85 * 60)
        observe(cursor, "eth_usd", START, seconds=60)
        minutes = [BACK + minute * MINUTE for minute in range(-60, 60)]
        ticks.append(cursor, [Tick("shib_usd", ts, 1.234e-5, "simulator", ts) for ts in minutes])
    record_dvol(database, START - HOUR, START + 2 * HOUR, MINUTE)
    note(database, alert("a < b", rule='"R & D"', index_name="shib_usd", at=BACK + 20 * MINUTE, price=1.234e-5))
    with dashboard_at(free_port(), database=file, poller="external", poll_seconds=1) as dashboard:
        yield f"{dashboard.url}/history"


def address(history: str, start: datetime, end: datetime, **more: str) -> str:
    """Of a range."""
    query = {"range": "Exact", "start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{end:%Y-%m-%dT%H:%M:%SZ}", **more}
    return f"{history}?{'&'.join(f'{name}={value}' for name, value in query.items())}"


def wait_for_range(page: Page, start: datetime, end: datetime, zone: str = NEW_YORK) -> None:
    """Wait until the chart and the address show a range, as exactly as a mouse can be led, with its ticks."""

    def there():
        shown = range_in(page, zone)
        times = [datetime.fromisoformat(x) for trace in seen(page).traces.values() for x in trace["x"]]
        drawn = [at.replace(tzinfo=ZoneInfo(zone)) for at in (min(times), max(times))]
        return (
            near(shown, (start, end), MINUTE)
            and near(shown, drawn, MINUTE)
            and near(range_in_address(page), shown, EXACTLY)
        )

    wait_until(there)


def near(one, other, by: timedelta) -> bool:
    return one is not None and all(abs(a - b) <= by for a, b in zip(one, other, strict=True))


def part(start: float, end: float) -> tuple[datetime, datetime]:
    """The instants at these fractions of the whole range."""
    length = WHOLE[1] - WHOLE[0]
    return WHOLE[0] + start * length, WHOLE[0] + end * length


def in_new_york(wall: str) -> datetime:
    """The instant at which a clock in New York shows a time."""
    return datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(NEW_YORK))


def caption(page: Page):
    return page.get_by_text(re.compile(r"2026, .+ to .+ 2026, "))


def test_drags_zoom_to_finer_bars_and_finally_to_single_ticks(history, open_page):
    page = open_page(address(history, *WHOLE), zone=NEW_YORK)
    drawn(page)
    expect(caption(page)).to_contain_text("bars of 10 s")

    drag(page, 0.5, 0.95)
    wait_for_range(page, *part(0.5, 0.95))
    expect(caption(page)).to_contain_text("bars of 5 s")
    drag(page, 0.4, 0.6)
    wait_for_range(page, *part(0.5 + 0.4 * 0.45, 0.5 + 0.6 * 0.45))

    expect(caption(page)).to_contain_text("single ticks")
    start, end = range_in(page, NEW_YORK)
    assert len(seen(page).traces["line"]["x"]) == pytest.approx((end - start).total_seconds(), abs=2)


def test_a_drag_over_a_panel_of_the_market_zooms_the_prices_too(history, open_page):
    page = open_page(address(history, *WHOLE, beside="BTC%20DVOL"), zone=NEW_YORK)

    drag(page, 0.5, 0.95, panel=1)

    wait_for_range(page, *part(0.5, 0.95))
    expect(caption(page)).to_contain_text("Series have a value each 1 min.")
    expect(drawn(page)).to_have_attribute("aria-label", re.compile("BTC DVOL from "))
    assert "beside=BTC+DVOL" in page.url


@pytest.mark.parametrize("way", ["button", "double click", "browser"])
def test_back_and_double_click_return_to_earlier_ranges(history, open_page, way):
    page = open_page(address(history, *WHOLE), zone=NEW_YORK)
    drag(page, 0.4, 0.8)
    wait_for_range(page, *part(0.4, 0.8))
    drag(page, 0.5, 0.75)
    wait_for_range(page, *part(0.6, 0.7))

    for earlier in (part(0.4, 0.8), WHOLE):
        if way == "button":
            page.get_by_role("button", name="Zoom out").click()
        elif way == "double click":
            drawn(page).locator(".nsewdrag").dblclick()
        else:
            page.go_back()
        wait_for_range(page, *earlier)

    expect(caption(page)).to_contain_text("bars of 10 s")


def test_back_before_a_zoom_is_answered_shows_the_earlier_range(history, open_page):
    page = open_page(address(history, *WHOLE), zone=NEW_YORK)
    drag(page, 0.4, 0.8)
    wait_for_range(page, *part(0.4, 0.8))
    first = range_in_address(page)
    drag(page, 0.5, 0.75)
    wait_until(lambda: range_in_address(page) != first)

    page.go_back()

    wait_for_range(page, *part(0.4, 0.8))
    assert range_in_address(page) == first


def test_an_address_shows_the_same_range_in_another_time_zone(history, open_page):
    page = open_page(address(history, *WHOLE), zone=NEW_YORK)
    drag(page, 0.4, 0.8)
    wait_for_range(page, *part(0.4, 0.8))

    elsewhere = open_page(page.url, zone=TOKYO)

    wait_for_range(elsewhere, *part(0.4, 0.8), zone=TOKYO)
    assert range_in(elsewhere, TOKYO) == range_in(page, NEW_YORK)
    expect(elsewhere.get_by_role("spinbutton", name="hour, From")).to_have_text("21")
    expect(page.get_by_role("spinbutton", name="hour, From")).to_have_text("07")


def test_typing_another_start_moves_nothing_but_the_start(history, open_page):
    page = open_page(address(history, *WHOLE), zone=NEW_YORK)
    drag(page, 0.4, 0.8)
    wait_for_range(page, *part(0.4, 0.8))
    _, end = range_in(page, NEW_YORK)
    words = page.locator("[data-testid=stMain] [data-testid=stMarkdown]").count()

    page.get_by_role("spinbutton", name="minute, From").click()
    page.keyboard.type("05")
    page.keyboard.press("Enter")

    wait_for_range(page, START + 5 * MINUTE, end)
    assert near(range_in(page, NEW_YORK), (START + 5 * MINUTE, end), EXACTLY)
    assert page.locator("[data-testid=stMain] [data-testid=stMarkdown]").count() == words
    expect(page.get_by_role("spinbutton", name="minute, From")).to_have_text("05")


def test_the_keyboard_reads_points_and_zooms(history, open_page):
    page = open_page(address(history, *WHOLE), zone=NEW_YORK)
    chart = drawn(page)
    reading = chart.locator("[aria-live=polite]")
    chart.focus()

    page.keyboard.press("ArrowLeft")
    expect(reading).to_contain_text(re.compile(r"BTC / USD, 1 Nov 2026, 08:59:50: [\d,]+\.\d\d$"))
    page.keyboard.press("ArrowLeft")
    expect(reading).to_contain_text("08:59:40")
    page.keyboard.press("ArrowRight")
    expect(reading).to_contain_text("08:59:50")
    page.keyboard.press("+")
    wait_for_range(page, *part(0.25, 0.75))
    expect(chart).to_be_focused()
    page.keyboard.press("0")
    wait_for_range(page, *WHOLE)


def test_in_the_hour_that_clocks_repeat_a_drag_opens_what_it_went_over_and_keys_read_what_is_shown(history, open_page):
    page = open_page(address(history, BACK - HOUR, BACK + HOUR, index="shib_usd"), zone="Europe/Berlin")
    chart = drawn(page)
    taken = chart.evaluate(
        """
        chart => ["-", "+", "0", "ArrowLeft"].flatMap(key => ["ctrlKey", "metaKey", "altKey"]
            .map(with_ => new KeyboardEvent("keydown", {key, [with_]: true, bubbles: true, cancelable: true}))
            .filter(pressed => !chart.dispatchEvent(pressed))
            .map(() => key))
        """
    )
    chart.focus()
    read = []
    for _ in range(41):
        page.keyboard.press("ArrowLeft")
        read.append(chart.locator(".reading").inner_text())

    drag(page, 0.25, 0.75)

    wait_until(lambda: near(range_in_address(page), (BACK - HOUR / 2, BACK + HOUR / 2), MINUTE))
    assert taken == []
    assert read[0] == "SHIB / USD, 25 Oct 2026, 02:59:00: 0.0000123400"
    assert '"R & D", critical, a < b' in read
    expect(caption(page)).to_contain_text("times of the chart are UTC+1.")
