"""Closes are never taken for ticks at the opening of their candles: the distances of the rows are looked at."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.store.histories import at
from tests.store.intake.test_kinds import BTC, OHLC, imported, stored
from tests.store.intake.test_look import look, refusal
from tests.support.foreign_files import written

DAY = datetime(2026, 3, 14)  # noqa: DTZ001 files have times without a zone


def closes(path: Path, *times: object, header: str = "Datum,Zuletzt") -> Path:
    return written(path, header, *((time, 100 + number % 3) for number, time in enumerate(times)))


FOREIGN = BTC | {"time": "Datum", "price": "Zuletzt"}

DAYS = [DAY + timedelta(days=number) for number in (0, 1, 2, 5, 6)]
"""Days with a weekend between them."""


@pytest.mark.parametrize(
    ("times", "says"),
    [
        ([f"{day:%Y-%m-%d}" for day in DAYS], "its times are days without a time of day: say --candle 1d if"),
        ([f"{DAY:%Y-%m-%d}"], "its times are days without a time of day: say --candle 1d if"),
        ([f"{day:%Y-%m-%dT00:00:00Z}" for day in DAYS], "its times are days without a time of day: say --candle 1d if"),
        ([*DAYS, "2026-03-21 11:22:33"], "its times are days without a time of day: say --candle 1d if"),
        ([day + timedelta(hours=17, minutes=35) for day in DAYS], "whole minutes, 1 d apart: say --candle 1d if"),
        ([DAY + timedelta(hours=1 + n) for n in range(5)], "whole minutes, 1 h apart: say --candle 1h if"),
        ([DAY + timedelta(minutes=3 * n) for n in range(5)], "whole minutes, 3 min apart: say --candle 180 if"),
    ],
)
def test_a_price_of_any_name_at_days_or_whole_minutes_is_asked_of(database, tmp_path, times, says):
    path = closes(tmp_path / "a.csv", *times)

    refused = refusal(database, path, **FOREIGN)

    assert refused.startswith(f"{path}: its times are ")
    assert says in refused
    assert "or --average 0 if it was seen" in refused


@pytest.mark.parametrize(
    ("said", "expected"),
    [({"candle_s": 86_400}, DAYS[0] + timedelta(days=1)), ({"resolution_s": 0}, DAYS[0])],
)
def test_the_user_says_what_prices_of_days_are(database, tmp_path, said, expected):
    imported(database, closes(tmp_path / "a.csv", *DAYS), **FOREIGN, **said)

    assert next(ts.replace(tzinfo=None) for ts, _ in stored(database)) == expected


@pytest.mark.parametrize(
    ("times", "header"),
    [
        ([DAY + timedelta(seconds=7 + 60 * n) for n in range(5)], "ts,price"),
        ([DAY + timedelta(hours=12)], "ts,price"),
        ([f"{DAY + timedelta(minutes=n)},0" for n in range(5)], "ts,resolution_s,price"),
        ([f"{DAY + timedelta(minutes=n)},{DAY}" for n in range(5)], "ts,received_at,price"),
        (["soon", "later"], "ts,price"),
    ],
)
def test_times_that_no_candle_has_or_whose_file_says_what_they_are_are_ticks(database, tmp_path, times, header):
    found = look(database, closes(tmp_path / "a.csv", *times, header=header), **BTC)

    assert sum(each.rows for each in found.instruments) + found.bad == len(times)


@pytest.mark.parametrize(
    ("apart", "candle_s", "says"),
    [
        (timedelta(days=1), 3600, "you say candles of 1 h, and its rows are 1 d apart: say --candle 1d"),
        (timedelta(minutes=1), 3600, "you say candles of 1 h, and its rows are 1 min apart: say --candle 1m"),
        (timedelta(minutes=3), 60, "you say candles of 1 min, and its rows are 3 min apart: say --candle 180"),
        (timedelta(days=30), 86_400, "its rows are 30 d apart; a candle that is longer than a week is not read"),
    ],
)
@pytest.mark.parametrize("header", ["ts,price", f"ts,{OHLC}"])
def test_candles_of_another_length_than_the_user_says_are_refused(database, tmp_path, apart, candle_s, says, header):
    more = ",9,1,5" if "open" in header else ""
    path = written(tmp_path / "a.csv", header, *((DAY + n * apart, f"5{more}") for n in range(4)))

    assert says in refusal(database, path, candle_s=candle_s, **BTC)


def test_candles_that_are_longer_than_a_week_are_refused(database, tmp_path):
    path = written(tmp_path / "a.csv", f"ts,{OHLC}", ("2026-01-01", 1, 3, 1, 2), ("2026-02-01", 1, 3, 1, 2))

    assert "its rows are 31 d apart; a candle that is longer than a week is not read" in refusal(database, path, **BTC)


@pytest.mark.parametrize(
    "hours",
    [
        [0, 24, 47, 71, 95],  # a day of summer time that begins has 23 hours
        [0, 72, 96, 168, 240],  # most candles had no trade
        [0],
    ],
)
def test_candles_of_the_length_that_the_user_says_are_read_where_some_distances_differ(database, tmp_path, hours):
    times: list[Any] = [at(3600 * hour).isoformat() for hour in hours]

    imported(database, closes(tmp_path / "a.csv", *times), candle_s=86_400, **FOREIGN)

    assert [ts for ts, _ in stored(database)] == [at(3600 * hour + 86_400) for hour in hours]
