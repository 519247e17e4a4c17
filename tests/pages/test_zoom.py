"""Zooming out leads to a wider range, always."""

from datetime import timedelta

from pages.common.views import EXACT
from pages.common.zoom import Shown, doubled, pop, push
from tests.conftest import START

DAY = timedelta(days=1)


def shown(days: float, span: str = EXACT) -> Shown:
    """A range of this many days, which ends at START."""
    return Shown(span, START - days * DAY, START)


def test_zooming_out_leads_back_step_by_step():
    zooms = push(push((), shown(7, "1w")), shown(3))

    zooms, first = pop(zooms, shown(1))
    zooms, second = pop(zooms, shown(3))

    assert (first, second, zooms) == (shown(3), shown(7, "1w"), ())


def test_zooming_out_passes_over_ranges_that_are_not_wider():
    zooms = push(push((), shown(7)), shown(2))

    assert pop(zooms, shown(2)) == ((), shown(7))


def test_without_a_wider_range_there_is_none_to_go_back_to():
    assert pop(push((), shown(1)), shown(365)) == ((), None)
    assert pop((), shown(1)) == ((), None)


def test_a_doubled_range_has_the_same_middle():
    assert doubled(shown(2)) == (START - 3 * DAY, START + DAY)
