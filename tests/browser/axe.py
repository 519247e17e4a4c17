"""axe-core in a page: what keeps people from using it."""

import time

from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]  # it carries no types
from playwright.sync_api import Page

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


def add_axe(page: Page) -> None:
    """Give axe-core to a page that is loaded."""
    page.evaluate(AXE_SCRIPT)


def serious(page: Page) -> list[str]:
    """What keeps people from using the page as it stands."""
    found: list[str] = page.evaluate(_SERIOUS, STREAMLITS_OWN)
    return found


def lasting(page: Page) -> list[str]:
    """The same without what is gone within 5 s: colours fade while a page runs."""
    until = time.monotonic() + 5
    while (found := serious(page)) and time.monotonic() < until:
        continue
    return found
