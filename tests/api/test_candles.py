"""/candles: the bars of the store, half-open, as JSON."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from api.candles import MOST_CANDLES
from api.instants import INTERVALS, interval_of
from store.models import utc_now
from store.prices import averages, candles
from store.prices.bars import NICE_INTERVALS
from tests.conftest import START, tick
from tests.support.stored import append

from .conftest import SECOND, detail

MINUTE_MS = 60_000


def asked(client: httpx.Client, **params: Any) -> httpx.Response:
    given = {"ticker": "btc_usd", "start": "2026-11-01T12:00:00Z", "end": "2026-11-01T13:00:00Z", **params}
    return client.get("/candles", params=given)


def opened(reply: httpx.Response) -> list[str]:
    return [candle["open_time"][11:] for candle in reply.json()]


def test_a_candle_has_its_prices_as_numbers_its_counts_and_its_time_in_utc(client, database):
    append(database, tick(0, price=3.5), tick(20, price=5), tick(40, price=1.25), tick(59, price=2))

    reply = asked(client)

    assert reply.json() == [
        {
            "open_time": "2026-11-01T12:00:00Z",
            "open": 3.5,
            "high": 5.0,
            "low": 1.25,
            "close": 2.0,
            "tick_count": 4,
            "observed_count": 4,
            "resolution_s": 0,
            "averaged": False,
        }
    ]


def test_candles_ascend_and_minutes_without_ticks_are_absent(client, database):
    append(database, tick(0), tick(200), tick(61))

    assert opened(asked(client)) == ["12:00:00Z", "12:01:00Z", "12:03:00Z"]


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        ("12:01", "12:03", ["12:01:00Z", "12:02:00Z"]),
        ("12:00:30", "12:02:30", ["12:01:00Z", "12:02:00Z"]),  # each that is there is whole
        ("12:01", "12:01", []),
        ("12:01", "12:01:00.000001", ["12:01:00Z"]),
        ("12:01:00.000001", "12:02", []),
    ],
)
@pytest.mark.parametrize("closed", [True, False])
def test_a_candle_is_in_the_range_that_it_opens_in(client, database, start, end, found, closed):
    append(database, *[tick(second) for second in range(0, 300, 20)])
    with database.write() as cursor:
        candles.close(cursor, START + timedelta(seconds=300 if closed else 0))

    reply = asked(client, start=f"2026-11-01T{start}", end=f"2026-11-01T{end}")

    assert opened(reply) == found
    assert all(candle["tick_count"] == 3 for candle in reply.json())


def test_a_range_without_an_end_ends_now(client, database):
    start = utc_now() - timedelta(minutes=2)
    append(database, tick(start.timestamp() + 90 - SECOND), tick(start.timestamp() + 3600 - SECOND))

    reply = client.get("/candles", params={"ticker": "btc_usd", "start": int(start.timestamp()), "interval": "1s"})

    assert len(reply.json()) == 1


@pytest.mark.parametrize(
    "start", ["2026-11-01T12:01:00", "2026-11-01T14:01:00+02:00", str(SECOND + 60), str(SECOND * 1000 + MINUTE_MS)]
)
def test_a_time_may_be_written_in_each_way(client, database, start):
    append(database, tick(0), tick(60))

    assert opened(asked(client, start=start)) == ["12:01:00Z"]


@pytest.mark.parametrize(("interval", "count"), [("1s", 12), ("5s", 12), ("1m", 6), ("5m", 2), ("1h", 1), ("1d", 0)])
def test_candles_are_as_long_as_asked_for(client, database, interval, count):
    append(database, *[tick(second) for second in range(0, 360, 30)])

    reply = asked(client, interval=interval)

    assert len(reply.json()) == count


def test_a_week_opens_on_monday(client, database):
    append(database, tick(0))

    reply = asked(client, interval="1w", start="2026-10-20", end="2026-11-20")

    assert [candle["open_time"] for candle in reply.json()] == ["2026-10-26T00:00:00Z"]


def test_every_interval_that_the_store_folds_into_has_a_name():
    assert [interval_of(name) for name in INTERVALS] == list(NICE_INTERVALS)
    assert list(INTERVALS)[::6] == ["1s", "1m", "2h", "1w"]


def test_averages_are_marked_and_none_from_outside_the_range_is_included(client, database):
    append(database, tick(0, price=7))
    with database.write() as cursor:
        hours = [(START + timedelta(hours=hour), 50.0) for hour in (-1, 1, 2)]
        averages.append(cursor, "btc_usd", hours, 3600)

    reply = asked(client, start="2026-11-01T11:30:00Z", end="2026-11-01T13:30:00Z", interval="30m")

    assert [(candle["close"], candle["averaged"], candle["resolution_s"]) for candle in reply.json()] == [
        (7.0, False, 0),
        (50.0, True, 3600),
    ]


def test_a_range_of_10_000_candles_is_answered_and_a_longer_one_is_refused_with_a_way_out(client, database):
    append(database, *[tick(second) for second in range(3)])
    just_enough = asked(client, interval="1s", end=SECOND + MOST_CANDLES)
    too_many = asked(client, interval="1s", end=SECOND + MOST_CANDLES + 1)

    assert len(just_enough.json()) == 3
    assert detail(too_many).startswith(
        "start, end: 10,001 candles of 1s lie between them, and at most 10,000 are given"
    )
    assert "export" in detail(too_many)


def test_an_index_that_is_neither_configured_nor_stored_is_refused(client, database):
    assert detail(asked(client, ticker="nope_usd")) == "ticker = 'nope_usd': must be one of btc_usd, eth_usd"


def test_before_anything_is_recorded_there_are_no_candles(client):
    reply = asked(client)

    assert (reply.status_code, reply.json()) == (200, [])


def test_a_length_that_no_candle_has_is_refused(client, database):
    assert detail(asked(client, interval="7m")).startswith("interval = '7m': must be one of 1s, 2s, 5s, ")


def test_an_end_before_the_start_is_refused(client, database):
    reply = asked(client, end="2026-11-01T11:59:59.5Z")

    assert detail(reply) == "end = 2026-11-01T11:59:59.500000Z: must not be before start = 2026-11-01T12:00:00Z"


def test_a_start_in_the_future_is_refused(client, database):
    assert detail(asked(client, start="9999-12-31T23:59:59Z")).startswith("start = 9999-12-31T23:59:59Z: must not be")


def test_a_start_just_ahead_of_our_clock_is_accepted(client, database):
    ahead = int(utc_now().timestamp()) + 30

    reply = client.get("/candles", params={"ticker": "btc_usd", "start": ahead})

    assert (reply.status_code, reply.json()) == (200, [])


def test_a_range_from_the_first_to_the_last_year_is_refused(client, database):
    assert "candles of 1w" in detail(asked(client, interval="1w", start="0001-01-01", end="9999-12-31T23:59:59.999999"))


def test_a_misspelt_parameter_is_named_and_not_answered_without_it(client, database):
    append(database, tick(0))

    assert detail(asked(client, intervall="1h")) == (
        "'intervall': is no parameter; must be one of ticker, start, end, interval"
    )
