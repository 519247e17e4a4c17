"""Options in the browser: charts whose axes are not of times are read, zoomed and clicked; a view is its address."""

import re
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from store.file.database import Database
from store.market import chains
from store.models import utc_now
from tests.conftest import wait_until
from tests.support.chromium import axis_range, box, overflow
from tests.support.dashboard import dashboard_at, free_port
from tests.support.market import chain

pytestmark = pytest.mark.browser

NAMES = {
    "calendar": "Notional of",
    "smile": "Smile of",
    "by-strike": "Open interest of",
    "terms": "IV at the money",
    "surface": "Surface of",
}


@pytest.fixture(scope="module")
def times() -> list[datetime]:
    """The times of two chains: a day ago, and a minute ago."""
    now = utc_now().replace(second=0, microsecond=0) - timedelta(minutes=1)
    return [now - timedelta(days=1), now]


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory, times):
    """A dashboard with two chains, without a recorder."""
    database = Database(tmp_path_factory.mktemp("options") / "ticks.duckdb")
    database.migrate()
    with database.write() as cursor:
        chains.append(cursor, [chain("BTC", at) for at in times])
    with dashboard_at(free_port(), database=database.path, poller="external", markets="BTC") as dashboard:
        yield dashboard


def chart(page: Page, key: str) -> Locator:
    """A chart of the page by the start of its description, once it is drawn."""
    found = page.get_by_label(re.compile(f"^{NAMES[key]}"))
    expect(found).to_have_class(re.compile("drawn"))
    return found


def read(of: Locator, key: str) -> str:
    """What a screen reader hears after a key."""
    of.press(key)
    return of.locator(".reading").inner_text()


def parameter(page: Page, name: str) -> str | None:
    found: str | None = page.evaluate(f"new URL(location.href).searchParams.get('{name}')")
    return found


def test_the_arrow_keys_read_strikes_from_left_to_right_on_each_axis(dashboard, open_page):
    heard = {}
    for by in ("strike", "delta", "moneyness"):
        page = open_page(f"{dashboard.url}/options?x={by}")
        smile = chart(page, "smile")
        heard[by] = [read(smile, "ArrowRight") for _ in range(3)]

    assert heard["strike"] == heard["delta"] == heard["moneyness"]
    assert re.fullmatch(
        r"Strike [\d,]+, IV of the marks [\d.]+ %, Bid .+, ask .+, Delta .+, ln\(K/F\) .+", heard["strike"][0]
    )
    strikes = [float(re.findall(r"Strike ([\d,]+)", each)[0].replace(",", "")) for each in heard["strike"]]
    assert strikes == sorted(set(strikes))


@pytest.mark.parametrize("key", ["smile", "by-strike", "terms"])
def test_the_keys_zoom_charts_of_numbers_and_lead_back(dashboard, open_page, key):
    found = chart(open_page(f"{dashboard.url}/options"), key)
    start, end = axis_range(found)

    found.press("+")

    quarter = (end - start) / 4
    wait_until(lambda: axis_range(found) == pytest.approx([start + quarter, end - quarter]))
    found.press("0")
    wait_until(lambda: axis_range(found) == pytest.approx([start, end]))


def test_a_click_on_a_bar_and_enter_on_a_read_point_choose_an_expiry(dashboard, open_page):
    page = open_page(f"{dashboard.url}/options")
    place = box(chart(page, "calendar").locator(".bars .point path").last)

    page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)

    wait_until(lambda: parameter(page, "expiry"))
    clicked = parameter(page, "expiry")
    expect(page.get_by_label(re.compile("^Smile of"))).to_be_visible()
    calendar = chart(page, "calendar")
    first = read(calendar, "ArrowRight")
    calendar.press("Enter")

    wait_until(lambda: parameter(page, "expiry") not in {None, clicked})
    expect(page.get_by_label(f"Smile of {first.partition(',')[0]}")).to_be_visible()
    page.go_back()
    wait_until(lambda: parameter(page, "expiry") == clicked)


def test_the_bar_leads_to_the_snapshot_before_and_its_address_shows_the_same(dashboard, open_page, times):
    page = open_page(f"{dashboard.url}/options")
    chart(page, "smile")

    page.get_by_role("button", name="Earlier").click()

    then = f"as of {times[0].day} {times[0]:%b %Y, %H:%M:%S}"
    expect(page.get_by_text(then)).to_be_visible()
    assert parameter(page, "at") == f"{times[0]:%Y-%m-%dT%H:%M:%SZ}"
    again = open_page(page.url)
    expect(again.get_by_text(then)).to_be_visible()
    again.get_by_role("button", name="Now", exact=True).click()
    expect(again.get_by_text(f"as of {times[1].day} {times[1]:%b %Y, %H:%M:%S}")).to_be_visible()
    assert parameter(again, "at") is None


def test_a_chosen_expiry_stays_from_snapshot_to_snapshot(dashboard, open_page, times):
    expiry = sorted({row[0] for row in chain("BTC", times[1]).rows})[5]
    named = f"{expiry:%Y-%m-%d}"
    page = open_page(f"{dashboard.url}/options?expiry={named}&at={times[0]:%Y-%m-%dT%H:%M:%SZ}")

    for step, at in (("Later", times[1]), ("Later", times[1]), ("Earlier", times[0])):
        chart(page, "smile")
        page.get_by_role("button", name=step, exact=True).click()
        expect(page.get_by_text(f"as of {at.day} {at:%b %Y, %H:%M:%S}")).to_be_visible()
        expect(page.get_by_label(f"Smile of {expiry.day} {expiry:%b %Y}")).to_be_visible()
        assert parameter(page, "expiry") == named


def test_a_click_on_a_cell_leads_to_the_contracts_of_its_strike_and_back_to_the_chain(dashboard, open_page):
    page = open_page(f"{dashboard.url}/options")
    chart(page, "terms")
    links = page.get_by_role("link", name=re.compile("The life of"))
    expect(links).to_have_count(2)
    at_the_money = links.first.inner_text().rpartition(" ")[2]
    table = box(page.get_by_test_id("stDataFrame").last.locator("canvas").first)

    page.mouse.click(table["x"] + 250, table["y"] + 88)  # the second row

    expect(links.first).not_to_have_text(re.compile(at_the_money))
    name = links.first.inner_text().rpartition(" ")[2]
    links.first.click()
    expect(page.get_by_role("heading", name="Contract", level=1)).to_be_visible()
    expect(page.get_by_label(re.compile(f"^IV of the mark of {name} from "))).to_have_class(re.compile("drawn"))
    assert parameter(page, "name") == name
    page.go_back()
    expect(page.get_by_role("heading", name="Options", level=1)).to_be_visible()
    chart(page, "smile")


def test_squares_are_read_by_expiry_and_delta_chosen_by_enter_and_scroll_in_their_own_box(dashboard, open_page):
    page = open_page(f"{dashboard.url}/options")
    page.set_viewport_size({"width": 390, "height": 844})
    squares = chart(page, "surface")

    first, second = read(squares, "ArrowRight"), read(squares, "ArrowRight")
    for _ in range(6):
        read(squares, "ArrowRight")

    assert re.fullmatch(r"\d+ \w+ \d{4}, 5 put: [\d.]+ %", first)
    assert second.startswith(first.partition(",")[0])
    assert ", 10 put: " in second
    wait_until(lambda: squares.evaluate("box => box.scrollLeft") > 0)
    assert overflow(page) == 0
    squares.press("Enter")
    wait_until(lambda: parameter(page, "expiry"))
    expect(page.get_by_label(f"Smile of {first.partition(',')[0]}")).to_be_visible()


def test_where_the_script_of_charts_is_not_served_streamlits_own_charts_show_the_same(dashboard, open_page):
    page = open_page("about:blank")
    page.route("**/api/plotly.js*", lambda route: route.abort())

    page.goto(f"{dashboard.url}/options?x=delta&vs=1d")

    expect(page.locator(".stPlotlyChart .js-plotly-plot")).to_have_count(len(NAMES))
    expect(page.locator(".stPlotlyChart .bars .point path").first).to_be_visible()
    expect(page.locator(".stPlotlyChart .scatterlayer .js-line[d*=L]").last).to_be_visible()
