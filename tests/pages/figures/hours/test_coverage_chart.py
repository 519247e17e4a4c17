"""The calendar has a square for each hour of each day in which anything was due."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from pages.common.figures.hours.coverage_chart import CLASSES, Hour, calendar, on_the_wall
from tests.pages.ledgers import hour

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 11, 1)


def squares(*hours: Hour) -> dict[str, Any]:
    """The traces of a calendar of one day, by the class of their squares."""
    return {trace.meta["part"]: trace for trace in calendar(hours, DAY, DAY).data}


@pytest.mark.parametrize(
    ("healed", "missing", "looks"),
    [(0, 0, "live"), (1, 0, "healed"), (720, 0, "healed"), (0, 1, "missing"), (9, 360, "missing"), (0, 361, "lost")],
)
def test_the_class_of_an_hour_follows_from_its_slots(healed, missing, looks):
    assert Hour(DAY, 12, 720, healed, missing).looks == looks


def test_each_hour_is_in_the_row_of_its_clock_and_the_column_of_its_day():
    drawn = squares(Hour(DAY, 0, 720, 0, 0), Hour(DAY, 23, 720, 0, 0), Hour(DAY, 12, 720, 9, 0))

    live, healed = drawn["live"], drawn["healed"]
    assert list(np.floor(live.base)) == [0, 23]
    assert list(np.floor(healed.base)) == [12]
    assert {str(at)[:10] for at in (*live.x, *healed.x)} == {"2026-11-01"}
    assert [drawn[each].name for each in CLASSES] == [
        "all live",
        "healed in part",
        "missing in part",
        "mostly missing",
    ]


def test_the_words_of_an_hour_have_its_slots():
    its = Hour(DAY, 23, 720, 20, 3)

    assert its.words == (
        "Sun 1 Nov 2026, 23:00 to 00:00<br>99.58 % of 720 slots known<br>697 live, 20 healed, 3 missing"
    )
    assert Hour(DAY, 9, 1, 0, 0).words == "Sun 1 Nov 2026, 09:00 to 10:00<br>all of 1 slot live"


def test_an_hour_of_several_indexes_has_the_slots_of_all():
    (its,) = on_the_wall([hour(0, missing=3), hour(0, healed=5)], ZoneInfo("UTC"))

    assert its == Hour(DAY, 12, 1440, 5, 3)


def test_hours_that_begin_at_a_midnight_agree_with_clocks_that_are_half_an_hour_off():
    kathmandu = ZoneInfo("Asia/Kathmandu")
    midnight = datetime(2026, 11, 1, tzinfo=kathmandu).astimezone(UTC)

    found = on_the_wall([hour(number, start=midnight) for number in range(24)], kathmandu)

    assert [(its.day, its.hour) for its in found] == [(DAY, number) for number in range(24)]


def test_the_hour_that_autumn_shows_twice_is_one_square_and_loses_no_slot():
    midnight = datetime(2026, 10, 25, tzinfo=BERLIN).astimezone(UTC)

    found = on_the_wall([hour(number, missing=number, start=midnight) for number in range(25)], BERLIN)

    assert [its.hour for its in found] == list(range(24))
    assert [its.due for its in found[1:4]] == [720, 1440, 720]
    assert sum(its.due for its in found) == 25 * 720
    assert sum(its.missing for its in found) == sum(range(25))


def test_the_hour_that_spring_skips_has_no_square():
    midnight = datetime(2026, 3, 29, tzinfo=BERLIN).astimezone(UTC)

    found = on_the_wall([hour(number, start=midnight) for number in range(23)], BERLIN)

    assert [its.hour for its in found] == [0, 1, *range(3, 24)]


def test_after_clocks_changed_by_half_an_hour_squares_say_when_they_begin():
    zone = ZoneInfo("Australia/Lord_Howe")
    midnight = datetime(2026, 4, 5, tzinfo=zone).astimezone(UTC)

    found = on_the_wall([hour(number, start=midnight) for number in range(24)], zone)

    assert [(its.hour, its.minute) for its in found[:4]] == [(0, 0), (1, 0), (1, 30), (2, 30)]
    assert found[-1].words.startswith("Sun 5 Apr 2026, 22:30 to 23:30<br>")
    assert squares(*found)["live"].base[2] == pytest.approx(1.5, abs=0.1)
