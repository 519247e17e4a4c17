"""A page that the browser translates goes on telling what is new."""

import re
from functools import partial

import pytest
from playwright.sync_api import expect

from tests.conftest import in_whole, wait_until
from tests.support.chromium import drawn

pytestmark = pytest.mark.browser

_TRANSLATE = """
() => {
    const translate = (root) => {
        const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT), found = [];
        while (walker.nextNode()) found.push(walker.currentNode);
        found.filter(text => text.data.trim() && text.parentElement)
            .filter(text => !text.parentElement.closest("script, style, svg, font, [translate=no], .notranslate"))
            .forEach(text => {
                const font = document.createElement("font");
                font.append(document.createElement("font"));
                font.firstChild.textContent = `«${text.data}»`;
                text.parentNode.replaceChild(font, text);
            });
    };
    translate(document.body);
    new MutationObserver(changes => changes.forEach(({target}) => target.isConnected && translate(target)))
        .observe(document.body, {childList: true, subtree: true});
}
"""
"""Puts each text into <font> in <font>, and new texts too, as Chrome's translation does."""


AGE = r"\d s old, \d\d:\d\d:\d\d"


def test_a_translated_page_follows_refreshes_switches_and_changes_of_page_and_stays_translated(live, open_page):
    page = open_page("about:blank")
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(live.url)
    drawn(page)
    card = page.locator(".st-key-card-btc_usd")
    expect(card.get_by_text(re.compile(AGE))).to_be_visible()

    def age() -> str:
        (found,) = re.findall(AGE, re.sub("[«»]", "", card.inner_text()))
        return str(found)

    def later(before: str) -> bool:
        return age() != before

    page.evaluate(_TRANSLATE)
    for _ in range(2):  # each refresh changes what was translated after the one before
        wait_until(partial(later, age()))
    expect(page.get_by_role("heading", level=1)).to_have_text("«Overview»")
    page.get_by_text("Quality", exact=False).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("«Quality»")
    page.get_by_text("Overview", exact=False).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("«Overview»")
    drawn(page)
    expect(card).to_contain_text("«BTC / USD»")
    assert page.locator(".tickwell-chart .plot font").count() == 0
    assert failures == []


@in_whole
def test_react_may_remove_a_translated_text_and_put_others_before_it(live, open_page):
    page = open_page(live.url)
    drawn(page)

    left = page.evaluate(
        """
        async () => {
            const [line, one, two] = [document.createElement("p"), new Text("one"), new Text("two")];
            line.append(one, two);
            document.body.append(line);
            for (const text of [one, two]) {
                const font = document.createElement("font");
                font.textContent = `«${text.data}»`;
                line.replaceChild(font, text);
            }
            await null;
            line.insertBefore(new Text("before "), two);
            line.removeChild(one);
            return line.textContent;
        }
        """
    )

    assert left == "before two"
