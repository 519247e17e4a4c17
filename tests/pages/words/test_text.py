"""Prices, changes, ages and times read well, and the same everywhere."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pages.common.words import text

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=-1), "0 s old, 12:00:00"),
        (timedelta(seconds=59), "59 s old, 12:00:00"),
        (timedelta(minutes=2), "2 min old, 12:00:00"),
        (timedelta(hours=3), "3 h old, 12:00:00"),
        (timedelta(hours=12), "12 h old, 2026-11-01 12:00"),
        (timedelta(days=3), "3 d old, 2026-11-01 12:00"),
    ],
)
def test_an_age_is_in_its_largest_unit_with_the_day_from_12_hours_on(age, words):
    assert text.age_at(age, NOON) == words


@pytest.mark.parametrize(
    ("counted", "words"),
    [
        (timedelta(hours=2), "since 13:00"),
        (timedelta(hours=23, minutes=54), "since 1 Nov, 13:00"),
        (timedelta(hours=23, minutes=55), "in 24 h"),
        (timedelta(hours=24), "in 24 h"),
    ],
)
def test_a_change_says_since_when_until_a_day_is_recorded(counted, words):
    assert text.counted_since(NOON, NOON + counted, BERLIN) == words


def test_a_moment_is_shown_in_the_readers_zone():
    late = datetime(2026, 7, 3, 22, 5, 9, tzinfo=UTC)

    assert text.moment(late, ZoneInfo("UTC")) == "3 Jul 2026, 22:05"
    assert text.moment(late, BERLIN, seconds=True) == "4 Jul 2026, 00:05:09"


@pytest.mark.parametrize(
    ("lasts", "words"),
    [
        (timedelta(0), "at 1 Nov 2026, 13:00:00"),
        (timedelta(hours=10), "1 Nov 2026, 13:00:00 to 23:00:00"),
        (timedelta(hours=11), "1 Nov 2026, 13:00:00 to 2 Nov 2026, 00:00:00"),
    ],
)
def test_a_stretch_within_a_day_names_the_day_once(lasts, words):
    assert text.stretch(NOON, NOON + lasts, BERLIN) == words


@pytest.mark.parametrize(
    ("fraction", "signed", "direction", "words"),
    [
        (0.0123, "+1.23 %", "up", "up 1.23 %"),
        (-0.0123, "-1.23 %", "down", "down 1.23 %"),
        (0.0, "0.00 %", "unchanged", "unchanged"),
        (0.00004, "0.00 %", "unchanged", "unchanged"),
        (-0.00004, "0.00 %", "unchanged", "unchanged"),
        (0.00006, "+0.01 %", "up", "up 0.01 %"),
        (12.5, "+1250.00 %", "up", "up 1250.00 %"),
    ],
)
def test_a_change_has_its_sign_and_its_words_agree_with_it(fraction, signed, direction, words):
    assert text.change(fraction) == signed
    assert text.direction(fraction) == direction
    assert text.change_in_words(fraction) == words


def test_foreign_words_are_not_read_as_markdown():
    assert text.escaped("a *b* [c](d) :red[e]") == r"a \*b\* \[c\]\(d\) \:red\[e\]"
    assert text.escaped("`$x$` <b> ~~|# !{_}+\\") == r"\`\$x\$\` \<b\> \~\~\|\# \!\{\_\}\+\\"


def test_words_without_signs_stay_as_they_are():
    assert text.escaped("connection refused, 3 of 5") == "connection refused, 3 of 5"


@pytest.mark.parametrize(
    ("fraction", "words"),
    [
        (1.0, "100 %"),
        (0.999999, "99.99 %"),
        (0.5, "50.00 %"),
        (0.00012, "0.01 %"),
        (0.00001, "under 0.01 %"),
        (0.0, "0.00 %"),
    ],
)
def test_a_share_is_whole_only_when_nothing_is_missing(fraction, words):
    assert text.share(fraction) == words


@pytest.mark.parametrize(("number", "shown"), [(0, "0 gaps"), (1, "1 gap"), (2, "2 gaps"), (12_000, "12,000 gaps")])
def test_a_count_has_its_noun_in_singular_or_plural(number, shown):
    assert text.count(number, "gap") == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0124, "12 ms"), (-0.0124, "-12 ms"), (0.9994, "999 ms"), (0.9996, "1 s"), (1.234, "1.23 s"), (60, "60 s")],
)
def test_a_delay_is_in_milliseconds_below_a_second(seconds, shown):
    assert text.delay(seconds) == shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (-2_160_000, "-2.16 MB"),
        (253_600_000, "254 MB"),
        (999_600_000, "1 GB"),
        (87.5e9, "87.5 GB"),
        (12_345e12, "12345 TB"),
    ],
)
def test_a_size_has_three_digits_and_a_decimal_unit(amount, shown):
    assert text.size(amount) == shown
