"""/volatility: the candles of DVOL that were recorded and are over."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from fastapi import FastAPI

from api.served import Served
from poller.simulator.truth.listing import second_of
from poller.simulator.truth.volatility import candle
from settings import Settings
from store.file.database import Database
from store.instants import in_iso
from store.kinds import VOLATILITY_INDEX
from store.market.entries import EntriesOf
from tests.api.conftest import detail
from tests.conftest import START
from tests.support.volatility import dvol, realised_by_hand, record_all_lengths, record_minutes, walk

from .conftest import DAY, HOUR, MINUTE, answered

MIDNIGHT = START - 12 * HOUR


def volatility(client: httpx.Client, **params: Any) -> httpx.Response:
    given = {"currency": "BTC", "start": in_iso(MIDNIGHT), "end": in_iso(MIDNIGHT + 2 * DAY), **params}
    return client.get("/volatility", params=given)


def record(database: Database, interval: timedelta, *numbers: int) -> list[list[float]]:
    length_s = interval // timedelta(seconds=1)
    opened = [MIDNIGHT + number * interval for number in numbers]
    published = [candle("BTC", second_of(at), length_s) for at in opened]
    with database.write() as cursor:
        EntriesOf(VOLATILITY_INDEX, "BTC", length_s).append(
            cursor, [(at, *values) for at, values in zip(opened, published, strict=True)]
        )
    return published


@pytest.mark.parametrize(
    ("name", "interval", "second"),
    [("1m", MINUTE, "00:01:00Z"), ("1h", HOUR, "01:00:00Z"), ("1d", DAY, "00:00:00Z")],
)
def test_candles_are_what_was_published_and_one_that_is_missing_is_absent(client, database, name, interval, second):
    for each in (MINUTE, HOUR, DAY):
        published = record(database, each, 0, 1, 3)
        if each == interval:
            expected = published

    reply = answered(volatility(client, interval=name, end=in_iso(MIDNIGHT + 4 * interval)))

    rows = reply["rows"]
    assert [[row[key] for key in ("open", "high", "low", "close")] for row in rows] == expected
    assert rows[1]["open_time"].endswith(second)
    assert reply.keys() == {"currency", "interval", "start", "end", "rows"}


def test_hours_are_the_default_and_a_candle_that_is_not_over_is_left_out(client, database):
    record(database, HOUR, 0, 1)

    reply = answered(volatility(client, end=in_iso(MIDNIGHT + 2 * HOUR - MINUTE)))

    assert (reply["interval"], len(reply["rows"])) == ("1h", 1)


def test_a_time_of_10_000_candles_is_answered_and_a_longer_one_is_refused_with_a_way_out(client, database):
    just_enough = volatility(client, interval="1m", end=in_iso(MIDNIGHT + 10_000 * MINUTE))
    too_many = volatility(client, interval="1m", end=in_iso(MIDNIGHT + 10_001 * MINUTE))

    assert answered(just_enough)["rows"] == []
    assert detail(too_many).startswith("start, end: 10,001 candles of 1m lie between them, and at most 10,000 are")


def test_an_end_that_is_still_to_come_adds_no_candles(client, database):
    published = record(database, HOUR, 0)

    reply = answered(volatility(client, end="9999-12-31"))

    assert [row["close"] for row in reply["rows"]] == [published[0][-1]]
    assert reply["end"] == "9999-12-31T00:00:00Z"


@pytest.mark.parametrize("start", ["0001-01-01", "9999-12-31T23:59:59Z"])
def test_the_first_and_the_last_instants_are_answered_or_refused(client, database, start):
    assert volatility(client, start=start, end=start).status_code in {200, 422}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"interval": "5m"}, "interval = '5m': must be one of 1m, 1h, 1d"),
        ({"currency": "XRP"}, "currency = 'XRP': must be one of BTC, ETH"),
        ({"start": "x"}, "start = 'x': must be ISO 8601"),
        ({"end": "2026-10-01"}, "end = 2026-10-01T00:00:00Z: must not be before start = 2026-11-01T00:00:00Z"),
    ],
)
def test_what_is_not_allowed_is_said_in_one_line(client, database, params, said):
    assert detail(volatility(client, **params)).startswith(said)


def test_published_candles_need_no_explanation(client, database):
    record(database, HOUR, 0)

    reply = answered(volatility(client, explain="true"))

    assert reply["explain"] == {"numbers": [], "snapshot": None}


def test_a_client_that_has_the_reply_gets_no_second_one(client, database):
    first = volatility(client)

    again = client.get(str(first.url), headers={"if-none-match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")


@pytest.fixture
def with_prices(database: Database) -> pd.Series:
    """All lengths of DVOL up to START, and the closes of 40 days of minutes, of which nine in ten are known."""
    record_all_lengths(database, START + DAY)
    closes = walk(START - 40 * DAY, START + HOUR, known=0.9)
    record_minutes(database, closes)
    return closes


def at(client: httpx.Client, **params: Any) -> dict[str, Any]:
    return answered(client.get("/volatility/at", params={"currency": "BTC", "at": in_iso(START), **params}))


def test_who_was_right_is_told_as_of_an_instant(client: httpx.Client, with_prices: pd.Series):
    found = at(client)

    realised = realised_by_hand(with_prices, START - 30 * DAY, START)
    assert found["realised"] == pytest.approx(realised)
    assert (found["dvol"], found["dvol_ts"]) == (dvol(START - MINUTE), in_iso(START))
    assert found["dvol_30d_before"] == dvol(START - 30 * DAY - MINUTE)
    assert found["premium_now"] == pytest.approx(found["dvol"] - realised)
    assert found["premium_later"] == pytest.approx(found["dvol_30d_before"] - realised)
    midnight = START - 12 * HOUR
    closes = [dvol(midnight - day * DAY - MINUTE) for day in range(365)]
    low, high = min(*closes, found["dvol"]), max(*closes, found["dvol"])
    assert found["rank"] == pytest.approx((found["dvol"] - low) / (high - low))
    assert found["percentile"] == pytest.approx(sum(close < found["dvol"] for close in closes) / 365, abs=0.01)
    assert 0 < found["minutes_known"] < found["minutes_due"] == 30 * 1440
    assert found["cone"] == []


def test_the_cone_is_the_spread_of_what_was_realised(client: httpx.Client, with_prices: pd.Series):
    (week, month) = at(client, cone=True)["cone"]

    midnights = pd.date_range(START - 12 * HOUR - 36 * DAY, START - 12 * HOUR, freq="D")
    weeks = [
        realised_by_hand(with_prices, day - 7 * DAY, day)
        for day in midnights
        if (day - 7 * DAY) >= with_prices.index[0] - 3.5 * DAY
    ]
    assert (week["days"], month["days"]) == (7, 30)
    assert week["low"] <= week["quarter"] <= week["median"] <= week["three_quarters"] <= week["high"]
    assert week["low"] <= min(weeks) * 1.0001
    assert week["high"] >= max(weeks) * 0.9999


def test_the_volatility_of_an_instant_explains_its_numbers(client: httpx.Client, with_prices: pd.Series):
    found = at(client, explain=True, cone=True)

    numbers = {name for each in found["explain"]["numbers"] for name in each["number"].split(", ")}
    assert numbers - set(found["cone"][0]) <= set(found)
    assert "explain" not in at(client)


def test_nothing_is_known_before_anything_was_recorded(client: httpx.Client, with_prices: pd.Series):
    found = at(client, at="0001-01-01")

    assert (found["at"], found["dvol"], found["realised"], found["days"]) == ("0001-01-01T00:00:00Z", None, None, 0)


def test_before_there_is_a_file_the_volatility_of_an_instant_is_absent(
    client: httpx.Client, server: tuple[FastAPI, str], make_settings: Callable[..., Settings], tmp_path: Path
):
    server[0].state.served = Served(make_settings(markets="BTC"), Database(tmp_path / "none.duckdb"))

    nothing = client.get("/volatility/at", params={"currency": "BTC"})

    assert (nothing.status_code, nothing.json()) == (404, {"detail": "dvol/BTC: nothing is recorded yet"})
    assert detail(client.get("/volatility/at", params={"currency": "BTC", "at": "2999-01-01"})).startswith("at = ")
