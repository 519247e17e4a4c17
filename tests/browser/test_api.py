"""The API under the documented start command: its page in the browser, and compression."""

import httpx
import pytest
from playwright.sync_api import expect

from store.models import utc_now

pytestmark = pytest.mark.browser


def test_the_docs_page_shows_and_tries_each_route_without_asking_another_host(live, open_page):
    asked: list[str] = []
    failed: list[str] = []
    page = open_page("about:blank")
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.on("response", lambda response: failed.append(response.url) if response.status >= 400 else None)
    page.on("pageerror", lambda error: failed.append(str(error)))

    page.goto(f"{live.url}/api/docs")
    for path in ("/health", "/prices", "/prices/filter", "/prices/{ticker}/latest", "/candles"):
        expect(page.locator(f'[data-path="{path}"]')).to_be_visible()
    latest = page.locator(".opblock", has=page.locator('[data-path="/prices/{ticker}/latest"]'))
    latest.locator(".opblock-summary-control").click()
    latest.get_by_role("button", name="Try it out").click()
    latest.get_by_placeholder("ticker").fill("btc_usd")
    latest.get_by_role("button", name="Execute").click()

    expect(latest.locator(".live-responses-table .response .response-col_status")).to_contain_text("200")
    expect(latest.locator(".request-url")).to_contain_text(f"{live.url}/api/prices/btc_usd/latest")
    assert {url for url in asked if not url.startswith((f"{live.url}/api/", "data:", "about:"))} == set()
    assert failed == []


def test_json_is_compressed_for_a_client_that_accepts_gzip(live):
    day_ago = int(utc_now().timestamp()) - 86_400
    query: dict[str, str | int] = {
        "ticker": "btc_usd",
        "start_timestamp": day_ago,
        "end_timestamp": int(utc_now().timestamp()) - 5,
    }

    plain, packed = (
        httpx.get(f"{live.url}/api/prices/filter", params=query, headers={"accept-encoding": accepted})
        for accepted in ("identity", "gzip")
    )

    assert (plain.headers.get("content-encoding"), packed.headers["content-encoding"]) == (None, "gzip")
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 5
    assert packed.json() == plain.json()
