"""axe-core finds nothing serious on any page: in light and dark, wide and narrow, full and empty."""

import itertools
import time

import pytest
from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]  # it carries no types
from playwright.sync_api import Page, expect

from tests.browser.conftest import PAGES, drawn

pytestmark = pytest.mark.browser

VIEWS = PAGES | {"History": "/history?range=Exact"}
BACKGROUNDS = {"light": "rgb(251, 252, 253)", "dark": "rgb(15, 21, 28)"}

STREAMLITS_OWN = {
    # The names that were chosen are white on the primary colour, which also is the colour of chosen words on the dark
    # background: no colour has enough contrast to both.
    "color-contrast": "[data-testid=stMultiSelect] span[title]",
    # The parts of a time, each of them reached by keyboard too, and the cross that clears all names, 22.5 px wide.
    "target-size": "[data-testid=stDateTimeInput] [role=spinbutton], [data-testid=stMultiSelect] button",
}
"""For each rule the elements that break it and that a page can't change."""

_SERIOUS = """
own => axe
    .run({resultTypes: ["violations"], rules: {"target-size": {enabled: true}}})
    .then(({violations}) => violations
        .filter(({impact}) => ["serious", "critical"].includes(impact))
        .flatMap(({id, nodes}) => nodes
            .filter(({target}) => !(id in own && document.querySelector(target[0])?.matches(own[id])))
            .map(({html, failureSummary}) => `${id}: ${html} ${failureSummary}`)))
"""


def serious(page: Page) -> list[str]:
    """What keeps people from using the page as it stands."""
    found: list[str] = page.evaluate(_SERIOUS, STREAMLITS_OWN)
    return found


def lasting(page: Page) -> list[str]:
    """The same but for what is gone within seconds: colours fade over while a page runs."""
    until = time.monotonic() + 5
    while (found := serious(page)) and time.monotonic() < until:
        continue
    return found


@pytest.mark.parametrize(
    ("state", "view"), [*itertools.product(["live", "empty"], VIEWS), ("stale", "Overview"), ("failed", "History")]
)
def test_nothing_serious_stands_in_anybodys_way(request, open_page, state, view):
    dashboard = request.getfixturevalue(state)
    page = open_page(dashboard.url + VIEWS[view], reduced_motion="reduce")
    if state in {"live", "stale"}:
        drawn(page)
    else:
        expect(page.get_by_test_id("stAlert").first).to_be_visible(timeout=20_000)
    page.evaluate(AXE_SCRIPT)

    found = {}
    for scheme, background in BACKGROUNDS.items():
        page.emulate_media(color_scheme=scheme)
        expect(page.locator(".stApp")).to_have_css("background-color", background)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            found[scheme, width] = lasting(page)

    assert not {where: what for where, what in found.items() if what}


def test_axe_sees_what_it_should(empty, open_page):
    page = open_page(empty.url)
    expect(page.get_by_test_id("stAlert").first).to_be_visible(timeout=20_000)
    page.evaluate(AXE_SCRIPT)

    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<button style=width:30px;height:30px></button>')")

    (found,) = serious(page)
    assert found.startswith("button-name")
