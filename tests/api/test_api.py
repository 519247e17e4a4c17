"""The API over real HTTP, on a real database."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from api import Served, create_app
from api.instants import from_epoch, to_epoch_ms
from api.prices import MOST_ROWS
from store import Database, Tick, averages, ticks, utc_now
from tests.conftest import START, tick, wait_until

SECOND = int(START.timestamp())


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[FastAPI, str]]:
    """The API on a port of its own, and its address."""
    app = create_app()
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    yield app, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def client(server, make_settings, database_file) -> Iterator[httpx.Client]:
    """A client of the API of an empty folder, with btc_usd and eth_usd configured."""
    app, url = server
    app.state.served = Served(make_settings(), Database(database_file))
    with httpx.Client(base_url=url) as client:
        yield client


def store(database: Database, *new: Tick) -> None:
    with database.write() as cursor:
        ticks.append(cursor, new)


def filtered(client: httpx.Client, **params: Any) -> httpx.Response:
    return client.get("/prices/filter", params={"ticker": "btc_usd", "start_timestamp": SECOND, **params})


def timestamps(reply: httpx.Response) -> list[int]:
    return [item["timestamp"] for item in reply.json()]


def test_an_item_has_the_ticker_the_price_with_8_decimals_and_milliseconds(client, database):
    store(database, tick(0.123456, price=101515.7))

    reply = client.get("/prices/btc_usd/latest")

    assert reply.status_code == 200
    assert reply.json() == {"ticker": "btc_usd", "price": "101515.70000000", "timestamp": SECOND * 1000 + 123}


def test_prices_come_newest_first_ten_unless_told_and_from_an_offset(client, database):
    store(database, *[tick(second) for second in range(20)])

    page = client.get("/prices/", params={"ticker": "btc_usd"})
    next_page = client.get("/prices/", params={"ticker": "btc_usd", "offset": 10, "limit": 3})

    assert timestamps(page) == [(SECOND + second) * 1000 for second in range(19, 9, -1)]
    assert timestamps(next_page) == [(SECOND + second) * 1000 for second in (9, 8, 7)]


@pytest.mark.parametrize("path", ["/prices/?ticker=btc_usd", "/prices/btc_usd/latest"])
def test_a_known_index_without_ticks_is_not_found(client, database, path):
    reply = client.get(path)

    assert reply.status_code == 404
    assert "btc_usd" in reply.json()["detail"]


def test_an_offset_behind_the_last_tick_is_not_found(client, database):
    store(database, tick())

    reply = client.get("/prices/", params={"ticker": "btc_usd", "offset": 1})

    assert reply.status_code == 404


@pytest.mark.parametrize("path", ["/prices/?ticker=btc_usd", "/prices/btc_usd/latest"])
def test_before_anything_is_recorded_a_configured_index_is_not_found(client, path):
    assert client.get(path).status_code == 404


def test_averages_pass_for_prices_nowhere(client, database):
    store(database, tick(3))
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


def test_an_index_that_is_only_stored_is_known(client, database):
    store(database, tick(index_name="sol_usdc", price=150))

    assert client.get("/prices/sol_usdc/latest").json()["price"] == "150.00000000"


@pytest.mark.parametrize(
    "path",
    ["/prices/?ticker=nope_usd", "/prices/nope_usd/latest", f"/prices/filter?ticker=nope_usd&start_timestamp={SECOND}"],
)
@pytest.mark.parametrize("recorded", [True, False])
def test_an_unknown_index_is_refused_by_name(client, database_file, path, recorded):
    if recorded:
        Database(database_file).migrate()

    reply = client.get(path)

    assert reply.status_code == 422
    assert reply.json()["detail"] == "ticker = 'nope_usd': must be one of btc_usd, eth_usd"


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 101}, {"limit": "many"}, {"offset": -1}, {"offset": "x"}])
@pytest.mark.parametrize("path", ["/prices/", "/prices/filter"])
def test_a_limit_outside_1_to_100_and_a_negative_offset_are_refused(client, database, path, params):
    store(database, tick())

    reply = client.get(path, params={"ticker": "btc_usd", "start_timestamp": SECOND, **params})

    assert reply.status_code == 422


def test_a_range_comes_ascending_with_both_ends(client, database):
    store(database, *[tick(second) for second in range(5)])

    reply = filtered(client, start_timestamp=SECOND + 1, end_timestamp=SECOND + 3)

    assert timestamps(reply) == [(SECOND + second) * 1000 for second in (1, 2, 3)]


def test_a_range_may_be_given_in_milliseconds_and_includes_the_tick_of_its_last_one(client, database):
    store(database, tick(0.2), tick(1.2345), tick(1.3))

    reply = filtered(client, start_timestamp=SECOND * 1000 + 200, end_timestamp=SECOND * 1000 + 1234)

    assert timestamps(reply) == [SECOND * 1000 + 200, SECOND * 1000 + 1234]


def test_a_range_ends_now_unless_told(client, database):
    store(database, tick(), Tick("btc_usd", utc_now(), 1.0), Tick("btc_usd", utc_now() + timedelta(hours=1), 2.0))

    assert [Decimal(item["price"]) for item in filtered(client).json()] == [100, 1]


def test_a_range_without_ticks_is_empty(client, database):
    reply = filtered(client)

    assert (reply.status_code, reply.json()) == (200, [])


def test_a_range_is_whole_whatever_its_limit_and_offset(client, database):
    store(database, *[tick(second) for second in range(150)])

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


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"start_timestamp": SECOND * 10**6}, "start_timestamp"),
        ({"end_timestamp": SECOND * 10**6}, "end_timestamp"),
        ({"start_timestamp": -1}, "start_timestamp"),
        ({"start_timestamp": "yesterday"}, "start_timestamp"),
        ({"end_timestamp": SECOND - 1}, "before"),
        ({"start_timestamp": int(utc_now().timestamp()) + 7200}, "future"),
    ],
)
def test_a_range_that_is_none_is_refused_in_words(client, database, params, said):
    reply = filtered(client, **params)

    assert reply.status_code == 422
    assert said in reply.text


def test_a_start_just_ahead_of_our_clock_is_accepted(client, database):
    ahead = int(utc_now().timestamp()) + 30

    assert filtered(client, start_timestamp=ahead, end_timestamp=ahead + 60).status_code == 200


def test_health_is_red_until_ticks_are_fresh(client, database):
    empty = client.get("/health")
    store(database, tick(), tick(index_name="eth_usd"))
    stale = client.get("/health")
    store(database, *[Tick(name, utc_now(), 1.0) for name in ("btc_usd", "eth_usd")])
    fresh = client.get("/health")

    assert [reply.status_code for reply in (empty, stale, fresh)] == [503, 503, 200]
    assert [reply.json()["status"] for reply in (empty, stale, fresh)] == ["empty", "stale", "ok"]
    assert fresh.json()["indexes"]["btc_usd"]["ticks"] == 2


def test_a_database_that_cannot_be_read_is_said_in_one_line(client, database_file):
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
