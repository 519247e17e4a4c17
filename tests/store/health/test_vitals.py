"""The vitals of each minute of recording are stored and read back."""

from datetime import timedelta

import pytest

from store.file.database import Database
from store.health import vitals
from store.health.vitals import Growth, Vitals
from tests.conftest import START

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def test_a_minute_has_the_middle_and_the_worst_of_its_delays(database: Database):
    minute = vitals.measured(database.path, START, [*range(1, 101)], 0.012)

    assert (minute.ticks, minute.delay_median_s, minute.delay_p99_s, minute.skew_s) == (100, 50.5, 100, 0.012)
    assert minute.database_bytes == database.path.stat().st_size
    assert minute.free_bytes > 0


def test_the_write_ahead_log_counts_too(database: Database):
    before = vitals.measured(database.path, START, [], None).database_bytes
    with database.write() as cursor:
        cursor.execute("INSERT INTO watermark VALUES (now()::TIMESTAMP)")

    assert vitals.measured(database.path, START, [], None).database_bytes > before


@pytest.mark.parametrize("delays_s", [[], [0.5]])
def test_a_minute_with_few_ticks_has_the_delays_of_these(database: Database, delays_s):
    minute = vitals.measured(database.path, START, delays_s, None)

    only = delays_s[0] if delays_s else None
    assert (minute.ticks, minute.delay_median_s, minute.delay_p99_s) == (len(delays_s), only, only)


def test_minutes_come_back_as_they_were_from_a_half_open_range(database: Database):
    minutes = [vitals.measured(database.path, START + number * MINUTE, [], None) for number in range(4)]
    with database.write() as cursor:
        vitals.append(cursor, minutes)

    with database.read() as cursor:
        assert vitals.between(cursor, minutes[1].noted_at, minutes[3].noted_at) == minutes[1:3]


def noted(database: Database, *minutes: Vitals) -> None:
    with database.write() as cursor:
        vitals.append(cursor, minutes)


def minute(number: float, median_s: float | None, p99_s: float | None, skew_s: float | None, **sizes: int) -> Vitals:
    at = START + number * MINUTE
    return Vitals(at, 24, median_s, p99_s, skew_s, sizes.get("database_bytes", 0), sizes.get("free_bytes", 0))


def test_minutes_are_folded_to_the_median_and_the_worst(database: Database):
    noted(
        database,
        minute(0, 0.1, 0.2, 0.01, database_bytes=100, free_bytes=900),
        minute(1, 0.3, 5.0, 0.03, database_bytes=110, free_bytes=890),
        minute(2, None, None, None, database_bytes=120, free_bytes=880),
        minute(60, None, None, None),
    )

    with database.read() as cursor:
        first, second = vitals.folded(cursor, START, START + 2 * HOUR, HOUR)

    assert (first.noted_at, first.ticks, first.database_bytes, first.free_bytes) == (START, 72, 120, 880)
    assert (first.delay_median_s, first.delay_p99_s, first.skew_s) == pytest.approx((0.2, 5.0, 0.02))
    assert (second.noted_at, second.delay_median_s, second.delay_p99_s) == (START + HOUR, None, None)


def test_growth_is_counted_from_the_first_to_the_last_minute_of_a_range(database: Database):
    sizes = [(0, 50), (100, 100), (1540, 300), (2980, 500), (5000, 900)]
    noted(database, *(minute(at, None, None, None, database_bytes=size, free_bytes=4000) for at, size in sizes))

    with database.read() as cursor:
        grown = vitals.growth(cursor, START + 100 * MINUTE, START + 2981 * MINUTE)

    assert grown == Growth(START + 100 * MINUTE, START + 2980 * MINUTE, 400, 500, 4000)
    assert (grown.bytes_a_day, grown.days_left) == (200, 20)


@pytest.mark.parametrize(
    ("hours", "grown_bytes", "a_day", "days_left"), [(23, 100, None, None), (24, 0, 0, None), (48, -200, -100, None)]
)
def test_a_file_without_known_growth_never_fills_the_disk(hours, grown_bytes, a_day, days_left):
    grown = Growth(START, START + hours * HOUR, grown_bytes, 500, 4000)

    assert (grown.bytes_a_day, grown.days_left) == (a_day, days_left)


def test_without_a_minute_no_growth_is_known(database: Database):
    with database.read() as cursor:
        assert vitals.growth(cursor, START, START + HOUR) is None
        assert vitals.folded(cursor, START, START + HOUR, MINUTE) == []
