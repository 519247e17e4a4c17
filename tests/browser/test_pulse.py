"""The line at the top of a page counts on without the server, and says when the server is silent."""

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from pages.common.pulse import component
from tests.conftest import in_whole, wait_until
from tests.support.chromium import drawn
from tests.support.dashboard import Dashboard
from tests.support.forwarder import Forwarder, forwarder_to

pytestmark = pytest.mark.browser

SCRIPT = Path(component.__file__).with_name("pulse.js")
RECORDING = re.compile(r"recording, \d s old")
COUNTED_ON = re.compile(r"recording, [3-9] s old")
SILENT = re.compile(r"No word from the server for 3\d s; the newest price here is 3\d s old")

FOREVER_S = 1_000
LOAD = """
async source => {
    const timers = new Map();
    let monotonic = 0;
    let clock = 2e12;
    performance.now = () => monotonic;
    Date.now = () => clock;
    window.setInterval = run => (timers.set(timers.size, run), timers.size - 1);
    window.clearInterval = timer => timers.delete(timer);
    window.sleep = seconds => { clock += seconds * 1000; };
    window.pass = seconds => {
        for (; seconds > 0; seconds--) {
            monotonic += 1000;
            clock += 1000;
            timers.forEach(run => run());
        }
    };
    const url = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
    const draw = (await import(url)).default;
    window.hear = data => { window.leave = draw({parentElement: document.body, data}); };
    window.told = [];
    const change = document.querySelector(".change");
    new MutationObserver(() => window.told.push(change.textContent)).observe(change, {childList: true});
}
"""
KEEP = "window.kept = true"
SET_AHEAD = "seconds => { const now = Date.now; Date.now = () => now() + seconds * 1000; }"


@pytest.fixture
def line(open_page: Callable[..., Page]) -> Page:
    """A page with nothing but the line, and with clocks of the test's own."""
    page = open_page("about:blank")
    page.set_content(component._HTML)  # noqa: SLF001 the component's own markup
    page.evaluate(LOAD, SCRIPT.read_text())
    return page


def let_pass(page: Page, seconds: int) -> None:
    page.evaluate("seconds => window.pass(seconds)", seconds)


def hear(page: Page, at_s: float, **changes: Any) -> None:
    """A refresh of the server comes in."""
    told = {"at_s": at_s, "before": "recording, ", "age_s": 2.0, "after": "; eth_usd: refused", "mark": "fresh"}
    limits = {"stale_after_s": 30, "silent_after_s": FOREVER_S, "end": "Times are UTC."}
    page.evaluate("told => window.hear(told)", {**told, **limits, **changes})


def shown(page: Page) -> tuple[str, str]:
    """The mark and the words."""
    root = page.locator(".tickwell-pulse")
    return root.get_attribute("data-kind") or "", root.locator(".words").inner_text()


def test_the_age_goes_on_and_the_mark_turns_without_the_server(line):
    hear(line, 0)
    assert shown(line) == ("fresh", "recording, 2 s old; eth_usd: refused. Times are UTC.")

    let_pass(line, 28)
    assert shown(line) == ("fresh", "recording, 30 s old; eth_usd: refused. Times are UTC.")
    let_pass(line, 1)
    assert shown(line) == ("old", "recording, 31 s old; eth_usd: refused. Times are UTC.")
    let_pass(line, 120)
    assert shown(line) == ("old", "recording, 2 min old; eth_usd: refused. Times are UTC.")


@pytest.mark.parametrize(
    ("changes", "now", "later"),
    [
        ({}, ("fresh", "recording, 2 s old; eth_usd: refused."), "; the newest price here is 42 s old."),
        (
            {"mark": "failing"},
            ("failing", "recording, 2 s old; eth_usd: refused."),
            "; the newest price here is 42 s old.",
        ),
        ({"age_s": 9_000, "after": ""}, ("old", "recording, 2 h old."), "; the newest price here is 2 h old."),
        ({"before": "starting", "age_s": None, "after": "", "mark": "none"}, ("none", "starting."), "."),
        ({"before": "", "after": "", "mark": "none"}, ("quiet", ""), "; the newest price here is 42 s old."),
        ({"before": "", "age_s": None, "after": "", "mark": "none"}, ("quiet", ""), "."),
    ],
)
def test_in_each_state_a_silent_server_is_told_and_word_from_it_ends_that(line, changes, now, later):
    kind, words = now
    hear(line, 0, silent_after_s=30, **changes)
    let_pass(line, 29)
    assert shown(line)[0] != "silent"

    let_pass(line, 11)
    silent = shown(line)
    hear(line, 40, silent_after_s=30, **changes)

    assert silent == ("silent", f"No word from the server for 40 s{later} Times are UTC.")
    assert shown(line) == (kind, f"{words} Times are UTC.".strip())


def test_only_changes_of_the_state_are_told_to_a_screen_reader(line):
    hear(line, 0, silent_after_s=60)
    let_pass(line, 50)
    let_pass(line, 50)
    for second in range(100, 110):
        hear(line, second, silent_after_s=60)
        let_pass(line, 1)

    assert line.evaluate("window.told") == ["The newest price is old.", "The server is silent.", "Prices are fresh."]
    expect(line.get_by_role("status")).to_have_text("Prices are fresh.")


def test_words_that_did_not_change_stay_as_the_browser_translated_them(line):
    hear(line, 0, age_s=9_000)
    line.locator(".words").evaluate("words => { words.textContent = 'übersetzt'; }")

    let_pass(line, 1)
    hear(line, 1, age_s=9_001)
    translated = shown(line)[1]
    hear(line, 2, age_s=12_000)

    assert translated == "übersetzt"
    assert shown(line)[1] == "recording, 3 h old; eth_usd: refused. Times are UTC."


def test_the_same_word_again_is_no_word_from_the_server(line):
    hear(line, 0)
    let_pass(line, 10)

    hear(line, 0)
    again = shown(line)
    line.evaluate("html => { document.body.innerHTML = html; }", component._HTML)  # noqa: SLF001 its own markup
    hear(line, 0)

    assert again == shown(line) == ("fresh", "recording, 12 s old; eth_usd: refused. Times are UTC.")


def test_a_refresh_that_was_held_up_does_not_look_fresh_and_the_next_one_does(line):
    hear(line, 0)
    let_pass(line, 61)

    hear(line, 1)
    held_up = shown(line)
    hear(line, 2)
    held_up_with_it = shown(line)
    hear(line, 61)

    assert held_up == held_up_with_it == ("old", "recording, 1 min old; eth_usd: refused. Times are UTC.")
    assert shown(line)[1].startswith("recording, 2 s old")


def test_a_clock_that_is_set_ahead_ages_the_line_for_one_refresh(line):
    hear(line, 0)
    line.evaluate("window.sleep(3600)")

    hear(line, 1)
    aged = shown(line)
    let_pass(line, 1)
    hear(line, 2)

    assert aged[0] == "silent"
    assert shown(line)[1].startswith("recording, 2 s old")


def test_sleep_counts_which_the_monotonic_clock_leaves_out(line):
    hear(line, 0)

    line.evaluate("window.sleep(3600)")
    line.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    assert shown(line) == (
        "silent",
        "No word from the server for 1 h; the newest price here is 1 h old. Times are UTC.",
    )


def test_a_clock_that_is_set_back_makes_nothing_younger(line):
    hear(line, 0)

    line.evaluate("window.sleep(-3600)")
    let_pass(line, 10)

    assert shown(line)[1].startswith("recording, 12 s old")


def test_a_line_that_left_the_page_counts_no_more_and_one_that_stays_goes_on(line):
    hear(line, 0)
    line.evaluate("window.leave()")
    let_pass(line, 1)
    stayed = shown(line)

    words = line.evaluate_handle("document.querySelector('.words')")
    line.evaluate("document.querySelector('.tickwell-pulse').remove(); window.leave()")
    let_pass(line, 10)

    assert stayed[1].startswith("recording, 3 s old")
    assert words.inner_text().startswith("recording, 3 s old")


@pytest.fixture
def forwarder(live: Dashboard) -> Iterator[Forwarder]:
    with forwarder_to(urlsplit(live.url).port or 80) as forwarder:
        yield forwarder


@pytest.fixture
def page(forwarder: Forwarder, open_page: Callable[..., Page]) -> Page:
    """A page that is reached through the forwarder, and recovers without a reload."""
    page = open_page(f"http://localhost:{forwarder.port}/?range=15m")
    drawn(page)
    expect(page.get_by_text(RECORDING)).to_be_visible()
    page.evaluate(KEEP)
    return page


def recovers(page: Page) -> None:
    """It goes on by itself, without a reload.

    The line may be another one: on a busy machine, Streamlit took all elements of the refreshed part away for 40 ms
    and mounted them anew.
    """
    expect(page.get_by_text(RECORDING)).to_be_visible(timeout=30_000)
    assert page.evaluate("window.kept")


def test_a_page_says_that_its_packets_are_lost_while_its_socket_stays_open(forwarder, page):
    forwarder.hold()
    expect(page.get_by_text(COUNTED_ON)).to_be_visible()
    page.evaluate(SET_AHEAD, 31)

    expect(page.get_by_text(SILENT)).to_be_visible()
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-connection-state", "CONNECTED")
    forwarder.forward()
    recovers(page)


ANSWERS = {
    "no server": "502 Bad Gateway",
    "redirect": "302 Found\r\nLocation: http://localhost:9/sign-in",
    "page to sign in": "200 OK\r\nContent-Type: text/html",
}


@in_whole
@pytest.mark.parametrize("answer", ANSWERS)
def test_a_page_says_that_a_proxy_answers_in_its_servers_place(forwarder, page, answer):
    body = "<h1>Sign in</h1>"
    headers = f"Content-Length: {len(body)}\r\nConnection: close"
    forwarder.answer(f"HTTP/1.1 {ANSWERS[answer]}\r\n{headers}\r\n\r\n{body}".encode())
    expect(page.get_by_text(COUNTED_ON)).to_be_visible()
    page.evaluate(SET_AHEAD, 31)

    expect(page.get_by_text(SILENT)).to_be_attached()
    wait_until(lambda: forwarder.answered >= 8)  # Streamlit tries again and again
    forwarder.forward()
    recovers(page)


@in_whole
def test_a_page_says_within_30_s_that_its_server_was_stopped(start_dashboard, open_page):
    dashboard = start_dashboard()
    dashboard.wait_for_ticks()
    page = open_page(dashboard.url)
    expect(page.get_by_text(RECORDING)).to_be_visible()
    page.evaluate(KEEP)

    dashboard.program.process.send_signal(signal.SIGSTOP)
    try:
        expect(page.get_by_text(COUNTED_ON)).to_be_visible()
        expect(page.get_by_text(SILENT)).to_be_visible(timeout=35_000)
    finally:
        dashboard.program.process.send_signal(signal.SIGCONT)

    recovers(page)
