"""A chart has one clock for all of its range."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pages.common.words import text
from pages.common.words.clock import Clock

BERLIN = ZoneInfo("Europe/Berlin")
BACK = datetime(2026, 10, 25, 1, tzinfo=UTC)
"""When clocks go back in Berlin."""

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("start", "end", "note"),
    [
        (BACK - HOUR, BACK + HOUR, "UTC+1"),
        (BACK - 365 * 24 * HOUR, BACK - HOUR, "UTC+2"),
        (datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 30, tzinfo=UTC), "UTC+2"),
        (BACK - HOUR, BACK, ""),
        (BACK, BACK + HOUR, ""),
        (BACK, BACK, ""),
    ],
    ids=["autumn", "a year", "spring", "until the change", "from the change on", "no length"],
)
def test_a_chart_says_its_offset_if_clocks_change_in_its_range(start, end, note):
    clock = Clock.over(start, end, BERLIN)

    assert clock.note == (f"Clocks change in this range: times of the chart are {note}." if note else "")


@pytest.mark.parametrize(
    ("zone", "at", "offset"),
    [
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC), "UTC+10:30"),
        ("America/St_Johns", datetime(2026, 11, 1, 4, 30, tzinfo=UTC), "UTC-3:30"),
        ("Europe/London", BACK, "UTC"),
    ],
)
def test_an_offset_is_named_by_its_hours_and_minutes(zone, at, offset):
    assert Clock.over(at - HOUR, at + HOUR, ZoneInfo(zone)).note.endswith(f"are {offset}.")


@pytest.mark.parametrize(
    ("minutes", "clock"),
    [(-61, "01:59:00"), (-60, "02:00:00 UTC+2"), (-1, "02:59:00 UTC+2"), (0, "02:00:00 UTC+1"), (60, "03:00:00")],
)
def test_a_time_that_clocks_show_twice_has_its_offset(minutes, clock):
    at = BACK + timedelta(minutes=minutes)

    assert text.stamp(at, BERLIN) == f"2026-10-25 {clock}"
    assert text.moment(at, BERLIN, seconds=True) == f"25 Oct 2026, {clock}"
    assert text.stretch(at - timedelta(days=1), at, BERLIN).endswith(f"to 25 Oct 2026, {clock}")


def test_both_ends_of_a_stretch_within_the_repeated_hour_have_their_offsets():
    assert text.stretch(BACK - HOUR, BACK, BERLIN) == "25 Oct 2026, 02:00:00 UTC+2 to 02:00:00 UTC+1"


def test_the_age_of_a_tick_and_the_start_of_a_change_tell_the_hours_apart():
    assert text.age_at(timedelta(seconds=5), BACK.astimezone(BERLIN)) == "5 s old, 02:00:00 UTC+1"
    assert text.counted_since(BACK, BACK + HOUR, BERLIN) == "since 02:00 UTC+1"
