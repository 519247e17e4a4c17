"""/prices and /health, rule by rule."""

import json
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from fastapi import HTTPException
from hypothesis import given
from hypothesis import strategies as st

from api.instants import from_epoch, to_epoch_ms
from api.prices import MOST_ROWS
from api.recent import Recent
from api.served import Served, ask
from store.file.database import Cursor, Database
from store.file.recorder import Notice, RecorderLock
from store.models import Tick, utc_now
from store.prices import averages
from tests.conftest import START, tick
from tests.support.stored import append

from .conftest import SECOND, detail, filtered, timestamps

ROUTES = ["/prices/?ticker={}", "/prices/{}/latest", f"/prices/filter?ticker={{}}&start_timestamp={SECOND}"]
NUMBERS = ["limit", "offset", "start_timestamp", "end_timestamp"]


def test_an_item_has_the_ticker_the_price_with_8_decimals_and_milliseconds(client, database):
    append(database, tick(0.123456, price=101515.7))

    reply = client.get("/prices/btc_usd/latest")

    assert reply.status_code == 200
    assert reply.json() == {"ticker": "btc_usd", "price": "101515.70000000", "timestamp": SECOND * 1000 + 123}


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (0.123456789, "0.12345679"),
        (0.001953125, "0.00195312"),  # a tie goes to the even digit
        (4e-9, "0.00000000"),
        (123456789.12345678, "123456789.12345678"),
        (1e22, "10000000000000000000000.00000000"),
    ],
)
def test_a_price_is_rounded_to_8_decimals_and_never_written_with_an_exponent(client, database, price, text):
    append(database, tick(price=price))

    replies = [client.get(route.format("btc_usd")).json() for route in ROUTES]

    item = {"ticker": "btc_usd", "price": text, "timestamp": SECOND * 1000}
    assert replies == [[item], item, [item]]


def test_a_timestamp_is_rounded_down_to_its_millisecond(client, database):
    append(database, tick(0.9996))

    replies = [client.get(route.format("btc_usd")).json() for route in ROUTES]

    assert replies[0][0]["timestamp"] == replies[1]["timestamp"] == replies[2][0]["timestamp"] == SECOND * 1000 + 999


@pytest.mark.parametrize("route", [ROUTES[0], ROUTES[2]])
def test_a_list_is_json_without_spaces_whatever_is_in_the_name_of_the_index(client, database, route):
    name = 'ö"\\_usd'
    append(database, tick(1, name), tick(2, name))

    reply = client.get(route.format('ö"\\_usd'))

    assert reply.content == json.dumps(reply.json(), ensure_ascii=False, separators=(",", ":")).encode()
    assert [item["ticker"] for item in reply.json()] == [name, name]


def test_prices_come_newest_first_ten_by_default_and_from_an_offset(client, database):
    append(database, *[tick(second) for second in range(20)])

    page = client.get("/prices/", params={"ticker": "btc_usd"})
    next_page = client.get("/prices/", params={"ticker": "btc_usd", "offset": 10, "limit": 3})

    assert timestamps(page) == [(SECOND + second) * 1000 for second in range(19, 9, -1)]
    assert timestamps(next_page) == [(SECOND + second) * 1000 for second in (9, 8, 7)]


@pytest.mark.parametrize("path", ["/prices/?ticker=btc_usd", "/prices/btc_usd/latest"])
def test_a_known_index_without_ticks_is_not_found(client, database, path):
    reply = client.get(path)

    assert reply.status_code == 404
    assert "btc_usd" in reply.json()["detail"]


def test_an_offset_beyond_the_last_tick_is_not_found(client, database):
    append(database, tick())

    reply = client.get("/prices/", params={"ticker": "btc_usd", "offset": 1})

    assert reply.status_code == 404


def test_even_the_largest_offset_is_answered_with_not_found(client, database):
    append(database, tick())

    assert client.get("/prices/", params={"ticker": "btc_usd", "offset": 10**40}).status_code == 404


@pytest.mark.parametrize("path", ["/prices/?ticker=btc_usd", "/prices/btc_usd/latest"])
def test_before_anything_is_recorded_a_configured_index_is_not_found(client, path):
    assert client.get(path).status_code == 404


def test_before_anything_is_recorded_a_range_of_a_configured_index_is_empty(client):
    reply = filtered(client)

    assert (reply.status_code, reply.json()) == (200, [])


def test_averages_are_nowhere_among_the_prices(client, database):
    append(database, tick(3))
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(START + timedelta(seconds=second), 50.0) for second in (-6, 6)], 6)

    page = client.get("/prices/", params={"ticker": "btc_usd"})
    behind = client.get("/prices/", params={"ticker": "btc_usd", "offset": 1})
    newest = client.get("/prices/btc_usd/latest")
    in_range = filtered(client, start_timestamp=SECOND - 60, end_timestamp=SECOND + 60)

    assert page.json() == in_range.json() == [newest.json()]
    assert timestamps(page) == [(SECOND + 3) * 1000]
    assert behind.status_code == 404


def test_an_index_with_nothing_but_averages_is_known_and_has_no_price(client, database):
    with database.write() as cursor:
        averages.append(cursor, "sol_usdc", [(START, 150.0)], 86_400)

    assert client.get("/prices/sol_usdc/latest").status_code == 404
    assert client.get("/prices/?ticker=sol_usdc").status_code == 404
    assert filtered(client, ticker="sol_usdc").json() == []


@pytest.mark.parametrize("route", ROUTES)
def test_an_index_that_is_only_stored_is_known(client, database, route):
    append(database, tick(index_name="sol_usdc", price=150))

    reply = client.get(route.format("sol_usdc"))

    assert reply.status_code == 200
    assert "150.00000000" in reply.text


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("recorded", [True, False])
def test_an_unknown_index_is_refused_by_name(client, request, route, recorded):
    if recorded:
        request.getfixturevalue("database")

    reply = client.get(route.format("nope_usd"))

    assert detail(reply) == "ticker = 'nope_usd': must be one of btc_usd, eth_usd"


@pytest.mark.parametrize("route", [*ROUTES, f"/candles?ticker={{}}&start={SECOND}&end={SECOND}"])
def test_the_refusal_of_an_unknown_index_lists_the_known_ones(client, database, route):
    append(database, tick(index_name="sol_usdc"))

    reply = client.get(route.format("nope_usd"))

    assert detail(reply) == "ticker = 'nope_usd': must be one of btc_usd, eth_usd, sol_usdc"


def test_an_unknown_index_is_refused_without_reading_ticks(database, make_settings):
    asked: list[Cursor] = []

    with pytest.raises(HTTPException, match="nope_usd"):
        ask(Served(make_settings(), database), "nope_usd", asked.append)

    assert asked == []


@pytest.mark.parametrize("path", ["/prices/", "/prices/filter"])
@pytest.mark.parametrize(
    ("limit", "allowed"),
    [(0, "greater than or equal to 1"), (-5, "greater than or equal to 1"), (101, "less than or equal to 100")],
)
def test_a_limit_outside_1_to_100_is_refused(client, database, path, limit, allowed):
    reply = client.get(path, params={"ticker": "btc_usd", "start_timestamp": SECOND, "limit": limit})

    assert detail(reply) == f"limit = '{limit}': must be {allowed}"


@pytest.mark.parametrize("path", ["/prices/", "/prices/filter"])
@pytest.mark.parametrize("limit", [1, 100])
def test_a_limit_of_1_and_of_100_are_accepted(client, database, path, limit):
    append(database, tick())

    reply = client.get(path, params={"ticker": "btc_usd", "start_timestamp": SECOND, "limit": limit})

    assert reply.status_code == 200


@pytest.mark.parametrize("path", ["/prices/", "/prices/filter"])
def test_a_negative_offset_is_refused(client, database, path):
    reply = client.get(path, params={"ticker": "btc_usd", "start_timestamp": SECOND, "offset": -1})

    assert detail(reply) == "offset = '-1': must be greater than or equal to 0"


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", ["many", "", "1.5", "12:00", "\x00"])
def test_text_for_a_number_is_refused(client, database, name, text):
    reply = filtered(client, **{name: text})

    assert detail(reply).startswith(f"{name} = {text!r}: must be a valid integer")


def test_a_range_comes_ascending_with_both_ends(client, database):
    append(database, *[tick(second) for second in range(5)])

    reply = filtered(client, start_timestamp=SECOND + 1, end_timestamp=SECOND + 3)

    assert timestamps(reply) == [(SECOND + second) * 1000 for second in (1, 2, 3)]


def test_a_range_may_be_given_in_milliseconds_and_includes_the_tick_of_its_last_one(client, database):
    append(database, tick(0.2), tick(1.2345), tick(1.3))

    reply = filtered(client, start_timestamp=SECOND * 1000 + 200, end_timestamp=SECOND * 1000 + 1234)

    assert timestamps(reply) == [SECOND * 1000 + 200, SECOND * 1000 + 1234]


def test_a_range_without_an_end_ends_now(client, database):
    append(database, tick(), Tick("btc_usd", utc_now(), 1.0), Tick("btc_usd", utc_now() + timedelta(hours=1), 2.0))

    assert [Decimal(item["price"]) for item in filtered(client).json()] == [100, 1]


def test_a_range_without_ticks_is_empty(client, database):
    reply = filtered(client)

    assert (reply.status_code, reply.json()) == (200, [])


@pytest.mark.parametrize("path", ["/prices?ticker=btc_usd", "/prices/btc_usd/latest", "/prices/filter?ticker=btc_usd"])
def test_a_parameter_that_a_route_of_prices_does_not_have_is_ignored(client, database, path):
    append(database, *(tick(second) for second in range(3)))
    start = f"&start_timestamp={SECOND}" if "filter" in path else ""

    known = client.get(f"{path}{start}")
    more = client.get(f"{path}{start}{'&' if '?' in path else '?'}limt=3")

    assert (more.status_code, more.json()) == (200, known.json())


def test_limit_and_offset_do_not_shorten_a_range(client, database):
    append(database, *[tick(second) for second in range(150)])

    assert len(filtered(client, limit=1, offset=5).json()) == 150


def test_more_than_100_000_ticks_are_refused_with_a_way_out(client, database):
    with database.write() as cursor:
        cursor.execute(
            """
            INSERT INTO ticks (index_name, ts, price, source, resolution_s)
            SELECT 'btc_usd', to_timestamp($start + i)::TIMESTAMP, 1, 'import', 0
            FROM range($count) AS made (i)
            """,
            {"start": SECOND - 3600, "count": MOST_ROWS + 1},
        )
    start = SECOND - 86_400

    too_many = filtered(client, start_timestamp=start, end_timestamp=SECOND + MOST_ROWS)
    just_enough = filtered(client, start_timestamp=start, end_timestamp=SECOND - 3600 + MOST_ROWS - 1)

    assert too_many.status_code == 422
    assert "export" in too_many.json()["detail"]
    assert len(just_enough.json()) == MOST_ROWS


@pytest.mark.parametrize("name", ["start_timestamp", "end_timestamp"])
@pytest.mark.parametrize("number", [10**14 + 1, SECOND * 10**6, 10**40, -1])
def test_a_number_that_is_neither_seconds_nor_milliseconds_is_refused(client, database, name, number):
    reply = filtered(client, **{name: number})

    assert detail(reply) == f"{name} = {number}: must be seconds or milliseconds since 1970"


def test_the_last_millisecond_before_microseconds_begin_is_accepted(client, database):
    append(database, tick())

    assert len(filtered(client, end_timestamp=10**14).json()) == 1


def test_an_end_before_the_start_is_refused(client, database):
    reply = filtered(client, end_timestamp=SECOND - 1)

    assert detail(reply) == (
        "end_timestamp = 2026-11-01T11:59:59Z: must not be before start_timestamp = 2026-11-01T12:00:00Z"
    )


@pytest.mark.parametrize("seconds", [90, 7200])
def test_a_start_in_the_future_is_refused(client, database, seconds):
    reply = filtered(client, start_timestamp=int(utc_now().timestamp()) + seconds)

    assert ": must not be in the future, it is 20" in detail(reply)


def test_a_start_just_ahead_of_our_clock_is_accepted(client, database):
    ahead = int(utc_now().timestamp()) + 30

    assert filtered(client, start_timestamp=ahead, end_timestamp=ahead + 60).status_code == 200
    assert filtered(client, start_timestamp=ahead).json() == []


def test_health_is_red_until_ticks_are_fresh(server, client, database, make_settings):
    app, _ = server
    app.state.served = Served(make_settings(), database, health=Recent(kept_s=0))
    empty = client.get("/health")
    append(database, tick(), tick(index_name="eth_usd"))
    stale = client.get("/health")
    append(database, *[Tick(name, utc_now(), 1.0) for name in ("btc_usd", "eth_usd")])
    fresh = client.get("/health")

    assert [reply.status_code for reply in (empty, stale, fresh)] == [503, 503, 200]
    assert [reply.json()["status"] for reply in (empty, stale, fresh)] == ["empty", "stale", "ok"]
    assert fresh.json()["indexes"]["btc_usd"]["ticks"] == 2


def test_an_unreadable_database_is_reported_in_one_line(client, database_file):
    database_file.write_text("not a database, but long enough to look like one " * 100)

    prices, health = client.get("/prices/btc_usd/latest"), client.get("/health")

    assert (prices.status_code, health.status_code) == (503, 503)
    assert prices.json()["detail"].startswith("ticks.duckdb: ")
    assert health.json()["status"] == "failed"
    assert "\n" not in health.json()["database"]["error"]


@given(st.integers(10**8, 10**11 - 1))
def test_seconds_and_the_same_time_in_milliseconds_are_one_instant(seconds):
    assert from_epoch(seconds, "x") == from_epoch(seconds * 1000, "x")


@given(st.integers(10**11, 10**14))
def test_milliseconds_survive_the_way_there_and_back(milliseconds):
    assert to_epoch_ms(from_epoch(milliseconds, "x")) == milliseconds


def behind(database: Database, seconds: float) -> RecorderLock:
    """A running recorder that found this machine's clock to be `skew_s` behind the exchange's."""
    lock, now = RecorderLock(database.path), utc_now()
    lock.acquire(Notice(812, "external", now, 5, ("btc_usd",), "1", "recording", now, skew_s=seconds))
    return lock


def test_a_tick_that_is_minutes_ahead_of_the_clock_is_answered(client, database):
    newest = utc_now() + timedelta(minutes=3)
    append(database, Tick("btc_usd", newest, 2.0))

    found = filtered(client).json()
    candles = client.get("/candles", params={"ticker": "btc_usd", "start": utc_now().isoformat()}).json()
    health = client.get("/health").json()

    assert [Decimal(item["price"]) for item in found] == [2]
    assert [candle["close"] for candle in candles] == [2]
    assert health["indexes"]["btc_usd"]["age_s"] == 0


def test_with_a_slow_clock_now_is_the_exchanges_now(client, database):
    newest = utc_now() + timedelta(minutes=30)
    append(database, Tick("btc_usd", newest, 2.0), Tick("eth_usd", newest, 3.0))
    lock = behind(database, 1801)

    found = filtered(client, start_timestamp=int(newest.timestamp())).json()
    reply = client.get("/health")

    lock.release()
    assert [Decimal(item["price"]) for item in found] == [2]
    assert reply.status_code == 200
    assert 1 <= reply.json()["indexes"]["btc_usd"]["age_s"] < 10
    assert reply.json()["poller"]["clock_off_s"] == -1801
    assert abs(datetime.fromisoformat(reply.json()["now"]) - newest) < timedelta(seconds=10)
