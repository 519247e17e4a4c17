"""A view has a range and bars; times are unchanged by the way into a URL and back."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.common.views import (
    EARLIEST,
    EXACT,
    LATEST,
    MOST_POINTS,
    SPANS,
    View,
    first_midnight,
    from_chart,
    intervals_for,
    to_url,
    within_reach,
)
from pages.common.words.clock import Clock
from store.instants import from_text

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
FIRST = datetime(2016, 8, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

instants = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe"]).map(
    ZoneInfo
)


@pytest.mark.parametrize(("span", "length"), [(span, length) for span, length in SPANS.items() if length])
def test_a_span_ends_now(span, length):
    assert View(span).bounds(NOW, FIRST) == (NOW - length, NOW)


def test_a_capital_letter_distinguishes_a_month_from_a_minute():
    assert (SPANS["1M"], SPANS["15m"]) == (timedelta(days=30), timedelta(minutes=15))


def test_all_begins_with_the_first_tick():
    assert View("All").bounds(NOW, FIRST) == (FIRST, NOW)


def test_an_exact_range_is_what_was_given():
    start, end = NOW - timedelta(days=9), NOW - timedelta(days=8)

    assert View(EXACT, start, end).bounds(NOW, FIRST) == (start, end)


@pytest.mark.parametrize(
    ("view", "lives"),
    [
        (View("1d"), True),
        (View("All"), True),
        (View(EXACT, FIRST, NOW - timedelta(seconds=1)), False),
        (View(EXACT, FIRST, NOW), False),
        (View(EXACT, FIRST, NOW + timedelta(seconds=1)), True),
    ],
)
def test_a_range_lives_until_its_end_is_over(view, lives):
    assert view.lives(NOW) is lives


@pytest.mark.parametrize(
    ("view", "seconds"),
    [
        (View("15m"), 1),
        (View("1h"), 1),
        (View("6h"), 5),
        (View("1y"), 5),
        (View("All"), 5),
        (View(EXACT, FIRST, FIRST + timedelta(hours=2.5)), 2),
    ],
)
def test_a_range_is_read_again_before_its_line_can_show_a_change_and_at_least_each_five_seconds(view, seconds):
    assert view.step() == timedelta(seconds=seconds)


@pytest.mark.parametrize("span", [length for length in SPANS.values() if length])
def test_a_line_has_no_more_points_than_a_screen_can_show(span):
    assert span / View("1d").auto_interval(span, poll_seconds=5) <= MOST_POINTS


def test_a_range_has_fewer_candles_than_bars_and_several_ticks_in_each():
    line, candles = View("1d"), View("1d", candles=True)

    assert line.auto_interval(timedelta(days=1), poll_seconds=5) == timedelta(minutes=1)
    assert candles.auto_interval(timedelta(days=1), poll_seconds=5) == timedelta(minutes=15)
    assert candles.auto_interval(timedelta(minutes=15), poll_seconds=5) == timedelta(seconds=30)
    assert candles.auto_interval(timedelta(minutes=15), poll_seconds=60) == timedelta(minutes=5)


def test_a_reader_can_choose_bar_lengths_with_two_to_five_thousand_bars():
    day = intervals_for(timedelta(days=1))

    assert (day[0], day[-1]) == (timedelta(seconds=30), timedelta(hours=12))
    assert intervals_for(timedelta(seconds=1)) == []
    assert intervals_for(timedelta(seconds=2)) == [timedelta(seconds=1)]
    assert intervals_for(timedelta(days=3650))[-1] == timedelta(weeks=1)


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (NOW, "2026-11-01T12:00:00Z"),
        (NOW.replace(microsecond=5000), "2026-11-01T12:00:00.005Z"),
        (NOW.astimezone(ZoneInfo("Asia/Kathmandu")), "2026-11-01T12:00:00Z"),
    ],
)
def test_a_time_stands_in_a_url_in_utc(at, written):
    assert to_url(at) == written


@given(at=instants)
def test_a_time_survives_a_url_to_the_millisecond(at):
    back = from_text(to_url(at))

    assert timedelta(0) <= at - back < MILLISECOND


@given(at=instants, zone=zones)
def test_a_time_on_a_chart_is_read_back_exactly_also_in_an_hour_that_clocks_show_twice(at, zone):
    offset = Clock.over(at - timedelta(hours=3), at + timedelta(hours=3), zone).zone
    drawn = at.astimezone(offset).replace(tzinfo=None)

    assert from_chart(f"{drawn.isoformat(sep=' ')}{at.astimezone(offset):%z}") == at


def test_a_range_of_a_second_or_more_is_left_alone():
    assert within_reach(NOW, NOW + timedelta(seconds=1)) == (NOW, NOW + timedelta(seconds=1))


@given(microseconds=st.integers(0, 999_999))
def test_a_shorter_range_becomes_a_second_around_its_middle(microseconds):
    end = NOW + timedelta(microseconds=microseconds)

    start_of_it, end_of_it = within_reach(NOW, end)

    assert end_of_it - start_of_it == timedelta(seconds=1)
    assert abs((NOW - start_of_it) - (end_of_it - end)) <= timedelta(microseconds=1)


@given(
    start=st.datetimes(timezones=st.just(UTC)),
    end=st.datetimes(timezones=st.just(UTC)),
)
def test_any_range_is_brought_within_reach(start, end):
    first, last = within_reach(*sorted((start, end)))

    assert first >= EARLIEST
    assert last <= LATEST
    assert last - first >= timedelta(seconds=1)


@pytest.mark.parametrize(
    ("zone", "days", "begins"),
    [
        ("UTC", 1, datetime(2026, 11, 1, tzinfo=UTC)),
        ("UTC", 7, datetime(2026, 10, 26, tzinfo=UTC)),
        ("Asia/Kathmandu", 1, datetime(2026, 11, 1, 18, 15, tzinfo=UTC)),
        ("Europe/Berlin", 1, datetime(2026, 10, 31, 23, tzinfo=UTC)),
        ("Europe/Berlin", 8, datetime(2026, 10, 24, 22, tzinfo=UTC)),
    ],
)
def test_days_begin_at_a_midnight_of_the_zone_in_summer_and_winter_time(zone, days, begins):
    found = first_midnight(datetime(2026, 11, 1, 21, tzinfo=UTC), days, ZoneInfo(zone))

    assert found == begins
    assert found.tzinfo is UTC  # adding an hour to a time in Berlin may add two hours
