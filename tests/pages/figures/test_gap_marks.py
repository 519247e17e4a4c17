"""Gaps are marked on the time axis, so that even the shortest is seen."""

from datetime import UTC, datetime, timedelta, timezone

import plotly.graph_objects as go

from pages.common.figures.gap_marks import add_marks, marks
from tests.pages.ledgers import HOUR, NOON, gap

DAY = timedelta(days=1)
SHORTEST = DAY / 240


def marked(*gaps, zone: timezone = UTC) -> go.Figure:
    figure = go.Figure()
    add_marks(figure, gaps, NOON, NOON + DAY, zone)
    return figure


def test_a_gap_is_marked_from_its_start_to_its_end():
    (trace,) = marked(gap(3600, 7200)).data

    assert trace.meta["part"] == "missing"
    assert list(trace.x) == [datetime(2026, 11, 1, 14)]  # noqa: DTZ001 its middle, on a wall's clock
    assert list(trace.width) == [2 * HOUR / timedelta(milliseconds=1)]


def test_marks_are_at_wall_clock_times_of_the_zone():
    (trace,) = marked(gap(3600, 7200), zone=timezone(timedelta(hours=5, minutes=45))).data

    assert list(trace.x) == [datetime(2026, 11, 1, 19, 45)]  # noqa: DTZ001


def test_healed_and_missing_gaps_have_marks_of_their_own():
    healed, missing = marked(gap(0, state="open"), gap(3600, state="healed"), gap(7200, state="unfillable")).data

    assert (healed.meta["part"], len(healed.x)) == ("healed", 1)
    assert (missing.meta["part"], len(missing.x)) == ("missing", 2)
    assert healed.hovertext == (
        "BTC / USD, 1 Nov 2026, 13:00:00 to 13:05:00, unreachable: 5 min, healed with 6 s averages",
    )


def test_a_short_gap_has_a_visible_mark():
    (mark,) = marks([gap(3600, 5)], NOON, NOON + DAY)

    assert (mark.start, mark.end) == (NOON + HOUR, NOON + HOUR + SHORTEST)


def test_marks_that_would_touch_become_one_that_describes_all():
    first, second = marks([gap(0, 5), gap(100, 5), gap(7200, 5)], NOON, NOON + DAY)

    assert (len(first.gaps), len(second.gaps)) == (2, 1)
    assert first.end == NOON + timedelta(seconds=100) + SHORTEST
    (trace,) = marked(gap(0, 5), gap(100, 5)).data
    assert trace.hovertext == ("2 gaps of 10 s in all are open",)


def test_a_mark_ends_where_the_range_does():
    (mark,) = marks([gap(-3600, 100 * 3600)], NOON, NOON + DAY)

    assert (mark.start, mark.end) == (NOON, NOON + DAY)


def test_a_chart_without_gaps_stays_as_it_was():
    figure = marked()

    assert not figure.data
    assert figure.layout == go.Figure().layout
