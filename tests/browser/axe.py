"""axe-core in a page: the faults that keep people from using it."""

import time

from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]  # it carries no types
from playwright.sync_api import Page

STREAMLITS_OWN = {
    # The chosen names are white on the primary colour. That is also the colour of chosen words on the dark
    # background: no colour has enough contrast to both.
    "color-contrast": "[data-testid=stMultiSelect] span[title]",
    # The parts of a time, which the keyboard reaches too, and the cross that clears all names, 22.5 px wide.
    "target-size": "[data-testid=stDateTimeInput] [role=spinbutton], [data-testid=stMultiSelect] button",
}
"""For each rule, the elements of Streamlit that break it and that a page can't change."""

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
    """Load axe-core into a page."""
    page.evaluate(AXE_SCRIPT)


def serious(page: Page) -> list[str]:
    """The faults that keep people from using the page in its current state."""
    found: list[str] = page.evaluate(_SERIOUS, STREAMLITS_OWN)
    return found


def lasting(page: Page) -> list[str]:
    """The faults that are still there after 20 s: colours fade while a page runs."""
    until = time.monotonic() + 20
    while (found := serious(page)) and time.monotonic() < until:
        continue
    return found
