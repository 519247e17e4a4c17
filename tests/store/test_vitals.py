"""How a minute of recording went is kept as it was."""

from datetime import timedelta

import pytest

from store import Database, vitals
from tests.conftest import START

MINUTE = timedelta(minutes=1)


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
def test_few_ticks_have_what_delays_they_have(database: Database, delays_s):
    minute = vitals.measured(database.path, START, delays_s, None)

    only = delays_s[0] if delays_s else None
    assert (minute.ticks, minute.delay_median_s, minute.delay_p99_s) == (len(delays_s), only, only)


def test_minutes_come_back_as_they_were_from_a_half_open_range(database: Database):
    minutes = [vitals.measured(database.path, START + number * MINUTE, [], None) for number in range(4)]
    with database.write() as cursor:
        for minute in minutes:
            vitals.append(cursor, minute)

    with database.read() as cursor:
        assert vitals.between(cursor, minutes[1].noted_at, minutes[3].noted_at) == minutes[1:3]
