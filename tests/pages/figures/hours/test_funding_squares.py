"""Funding by hour and day: a square has the class of its rate, and the words of its hour."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pages.common.figures.hours.funding_squares import CLASSES, Paid, calendar, describe, on_the_wall
from store.market.reads.funding import FundingHour

DAY = date(2026, 11, 1)
HOURS_A_YEAR = 8760


def ended(at: datetime, rate: float) -> FundingHour:
    return FundingHour(at, None, rate, None)


@pytest.mark.parametrize(
    ("annual", "looks"),
    [
        *((-0.5, "shorts3"), (-0.2, "shorts2"), (-0.05, "shorts1"), (-0.01, "level")),
        *((0.0, "level"), (0.01, "level"), (0.05, "longs1"), (0.2, "longs2"), (0.5, "longs3")),
    ],
)
def test_the_class_of_an_hour_follows_from_its_rate_a_year(annual, looks):
    assert Paid(DAY, 12, annual / HOURS_A_YEAR).looks == looks
    assert looks in CLASSES


def test_an_hour_stands_where_clocks_show_its_start():
    (its,) = on_the_wall([ended(datetime(2026, 11, 1, 23, tzinfo=UTC), 1e-5)], ZoneInfo("Asia/Kolkata"))

    assert (its.day, its.hour, its.minute) == (date(2026, 11, 2), 3, 30)
    assert its.words == "Mon 2 Nov 2026, 03:30 to 04:30<br>+0.0010 %, +8.76 % a year"


def test_the_hour_that_clocks_show_twice_is_one_square_with_both():
    first = datetime(2026, 10, 25, 1, tzinfo=UTC)
    hours = [ended(first + timedelta(hours=number), rate) for number, rate in ((0, 1e-5), (1, 3e-5))]

    (its,) = on_the_wall(hours, ZoneInfo("Europe/Berlin"))

    assert (its.hour, its.hours) == (2, 2)
    assert its.rate == pytest.approx(4e-5)
    assert its.annual == pytest.approx(2e-5 * HOURS_A_YEAR)


def test_an_hour_that_is_not_known_has_no_square():
    drawn = calendar([Paid(DAY, 3, 0.0), Paid(DAY, 5, 0.001)], DAY, DAY)

    assert {trace.meta["part"]: len(trace.x) for trace in drawn.data if len(trace.x)} == {"level": 1, "longs3": 1}


def test_readers_who_cannot_see_the_squares_hear_of_the_extremes():
    words = describe([Paid(DAY, 3, -2e-5), Paid(DAY, 5, 1e-5)], 60)

    assert words == (
        "Funding by hour and day over 60 days: highest Sun 1 Nov 2026, 05:00 to 06:00, +0.0010 %, +8.76 % a year; "
        "lowest Sun 1 Nov 2026, 03:00 to 04:00, -0.0020 %, -17.52 % a year. 2 hours known."
    )
