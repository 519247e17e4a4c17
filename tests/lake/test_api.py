"""The API of a server that reads a lake answers as that of a server beside the file."""

from collections.abc import Iterator

import httpx
import pytest

from api.app import create_app
from api.served import Served
from store.file.database import Database
from store.instants import DAY, in_iso
from store.kinds import FUNDING, VOLATILITY_INDEX
from store.lake.reader import LakeReader
from store.ledger import arrivals
from store.market import chains
from store.market.entries import append_new
from store.models import Exchange, to_column
from tests.api.conftest import SECOND, served_at
from tests.conftest import START
from tests.store.histories import averaged
from tests.store.lake.recordings import new_file, observe, share
from tests.support import market
from tests.support.lakes import place_on
from tests.support.servers import IN_URL, PASSWORD

RANGE = f"start={in_iso(START)}&end={in_iso(START + DAY)}"
AT = in_iso(START)

ROUTES = [
    "/prices/?ticker=btc_usd&limit=20",
    "/prices/btc_usd/latest",
    f"/prices/filter?ticker=btc_usd&start_timestamp={SECOND}",
    f"/candles?ticker=btc_usd&interval=1m&{RANGE}",
    f"/options/chain?underlying=BTC&at={AT}&greeks=true",
    f"/options/smile?underlying=BTC&at={AT}",
    f"/options/history?instrument=BTC-25DEC26-95000-C&{RANGE}",
    f"/options/surfaces?underlying=BTC&{RANGE}",
    f"/futures?currency=BTC&at={in_iso(START)}",
    f"/futures/basis?currency=BTC&days=30&{RANGE}",
    f"/funding?instrument=BTC-PERPETUAL&{RANGE}",
    f"/volatility?currency=BTC&interval=1m&{RANGE}",
    f"/export?ticker=btc_usd&{RANGE}&format=csv",
    f"/export?series=options&ticker=BTC&{RANGE}&format=csv",
]


@pytest.fixture(scope="module")
def clients(server, endpoint, tmp_path_factory) -> Iterator[tuple[httpx.Client, httpx.Client, Served]]:
    """A client of the API beside a file, one of the API that reads the lake, and what the latter reads."""
    from settings import Settings

    folder = tmp_path_factory.mktemp("served")
    database = new_file(folder / "a.duckdb", Exchange.SIMULATOR)
    _record(database)
    with place_on(server, endpoint) as place:
        lake = place.make()
        share(database, lake)
        reader = LakeReader(lake, folder / "of lake", try_again_s=0.0)
        of_file, of_lake = create_app(), create_app()
        of_file.state.served = Served(Settings(), database)
        of_lake.state.served = Served(Settings(poller="lake", lake=place.url), reader)
        with (
            served_at(of_file) as file_url,
            served_at(of_lake) as lake_url,
            httpx.Client(base_url=file_url, timeout=30) as file_client,
            httpx.Client(base_url=lake_url, timeout=30) as lake_client,
        ):
            yield file_client, lake_client, of_lake.state.served
        reader.close()


def _record(database: Database) -> None:
    observe(database, [*range(60), *range(90, 200)])
    with database.write() as cursor:
        averaged(cursor, 1_200, 7_200, 60)
        chains.append(cursor, [market.chain("BTC", START)])
        arrivals.append(cursor, [market.futures("BTC", START)])
        append_new(cursor, VOLATILITY_INDEX, [("BTC", to_column(START), 40.0, 42.0, 39.0, 41.0, "simulator", 60)])
        append_new(cursor, FUNDING, [("BTC-PERPETUAL", to_column(START), 100.0, 1e-4, 8e-4, "simulator")])


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_answers_of_the_lake_as_of_the_file(clients, route):
    of_file, of_lake, _ = clients

    expected = of_file.get(route)
    found = of_lake.get(route)

    assert (expected.status_code, found.status_code) == (200, 200), (expected.text[:300], found.text[:300])
    assert found.content == expected.content


def test_alerts_are_asked_of_a_server_beside_a_recorder(clients):
    _, of_lake, _ = clients

    reply = of_lake.get(f"/alerts?{RANGE}")

    assert reply.status_code == 404
    assert reply.json() == {
        "detail": "alerts stay with each recorder: ask a server beside one, as this one reads a lake"
    }


def test_a_lake_that_is_out_of_reach_is_503_and_one_line_and_comes_back(clients, server):
    _, of_lake, _ = clients
    assert of_lake.get("/prices/btc_usd/latest").status_code == 200
    server.stop()
    try:
        replies = [of_lake.get(ROUTES[0]) for _ in range(2)]
        health = of_lake.get("/health").json()
    finally:
        server.start()

    for reply in replies:
        assert reply.status_code == 503
        (detail,) = reply.json().values()
        assert detail.startswith("lake 127.0.0.1/")
        assert "\n" not in detail
        assert not any(secret in detail for secret in (PASSWORD, IN_URL))
    assert health["status"] == "failed"
    assert of_lake.get(ROUTES[0]).status_code == 200
