"""Delays and errors over time."""

from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from pages.common.figures import vitals_charts
from store.health.vitals import Vitals
from store.ledger.runs import Failures
from store.models import Cause
from tests.pages.ledgers import HOUR, NOON

BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)


def minute(number: int, median_s: float | None = 0.1, p99_s: float | None = 0.5) -> Vitals:
    return Vitals(NOON + timedelta(minutes=number), 24, median_s, p99_s, 0.01, 1000, 1000)


def failed(hours: int, slots: int, cause: Cause = Cause.UNREACHABLE, index_name: str = "btc_usd") -> Failures:
    return Failures(NOON + hours * HOUR, index_name, cause, slots)


def test_delays_are_two_lines_that_break_where_nothing_was_measured():
    vitals = [minute(0), minute(1, 0.2), minute(9), minute(10, None, None), minute(11)]

    median, p99 = vitals_charts.delays(vitals, timedelta(minutes=1), UTC).data

    assert (median.name, p99.name) == ("median", "p99")
    assert [str(at)[11:16] for at in median.x] == ["12:00", "12:01", "12:02", "12:09", "12:10", "12:11"]
    np.testing.assert_array_equal(median.y, [0.1, 0.2, np.nan, 0.1, np.nan, 0.1])
    np.testing.assert_array_equal(p99.y, [0.5, 0.5, np.nan, 0.5, np.nan, 0.5])


@pytest.mark.parametrize(("median_s", "scale"), [(0.1, "log"), (-0.1, "linear"), (0.0, "linear")])
def test_a_clock_that_is_behind_does_not_hide_the_delays(median_s, scale):
    figure = vitals_charts.delays([minute(0, median_s)], timedelta(minutes=1), UTC)

    assert figure.layout.yaxis.type == scale


def test_delays_are_described_in_words():
    words = vitals_charts.describe_delays([minute(0, 0.08), minute(1, 0.12, 2.5), minute(2, None, None)])

    assert words.endswith("the median is 80 ms to 120 ms, the highest p99 2.5 s.")
    assert vitals_charts.describe_delays([minute(0, None, None)]) == "No delays in this range."


def test_errors_are_stacked_by_cause_over_the_hours():
    failures = [failed(0, 3), failed(1, 4), failed(1, 5, index_name="eth_usd"), failed(1, 1, Cause.MISSED_SLOT)]

    figure = vitals_charts.errors(failures, HOUR, BERLIN)

    unreachable, missed = figure.data
    assert (unreachable.name, list(unreachable.y)) == ("unreachable", [3, 9])
    assert [f"{at:%H:%M}" for at in unreachable.x] == ["13:00", "14:00"]
    assert (missed.name, list(missed.y)) == ("missed slot", [1])
    assert [*unreachable.customdata, *missed.customdata] == ["slots", "slots", "slot"]
    assert figure.layout.barmode == "stack"


@pytest.mark.parametrize(("slots", "step"), [(1, 1), (2, 1), (3, None)])
def test_few_slots_are_labelled_as_whole_ones(slots, step):
    figure = vitals_charts.errors([failed(0, slots), failed(0, 2, Cause.MISSED_SLOT)], HOUR, UTC)

    assert figure.layout.yaxis.dtick == step


def test_a_cause_has_its_colour_whatever_else_failed():
    (alone,) = vitals_charts.errors([failed(0, 1, Cause.MISSED_SLOT)], HOUR, UTC).data

    assert alone.meta["series"] == list(Cause).index(Cause.MISSED_SLOT)


def test_the_days_of_errors_are_those_of_the_reader():
    failures = [failed(10, 1), failed(11, 2), failed(12, 4)]

    (in_berlin,) = vitals_charts.errors(failures, DAY, BERLIN).data
    (in_utc,) = vitals_charts.errors(failures, DAY, UTC).data

    assert list(in_berlin.y) == [1, 6]
    assert list(in_utc.y) == [3, 4]


def test_errors_are_described_in_words_the_most_frequent_first():
    words = vitals_charts.describe_errors([failed(0, 3), failed(1, 1000, Cause.MISSED_SLOT), failed(2, 4)])

    assert words == "Slots that failed: missed slot 1,000, unreachable 7."


@pytest.mark.parametrize(
    ("minutes", "step", "end"),
    [(0, HOUR, "14:00"), (59, HOUR, "14:00"), (60, HOUR, "15:00"), (0, DAY, "00:00"), (60, DAY, "00:00")],
)
def test_the_last_bar_is_shown_whole_and_nothing_after_it(minutes, step, end):
    at = NOON + timedelta(minutes=minutes)

    found = vitals_charts.end_of(at, NOON - 3 * HOUR, step, BERLIN)

    assert f"{found.astimezone(BERLIN):%H:%M}" == end


def test_hours_end_where_they_were_counted_from():
    start = NOON - timedelta(hours=3, minutes=15)

    assert vitals_charts.end_of(NOON, start, HOUR, UTC) == NOON + timedelta(minutes=45)


def test_delays_have_their_unit_for_readers():
    for line in vitals_charts.delays([minute(0)], timedelta(minutes=1), UTC).data:
        assert line.meta["unit"] == "s"
