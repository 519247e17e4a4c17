"""Each route answers with and without a slash at its end, and sends no client elsewhere."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from api.app import create_app
from api.served import Served
from server.base_path import BelowPath
from settings import Settings
from store.file.database import Database
from store.ledger import arrivals
from store.market import chains
from tests.conftest import START, tick
from tests.support import market
from tests.support.stored import append

from .conftest import served_at

SECOND = int(START.timestamp())
BTC = "ticker=btc_usd"


@pytest.fixture
def client(database: Database, make_settings: Callable[..., Settings]) -> Iterator[httpx.Client]:
    """A client of the API where the dashboard mounts it."""
    append(database, tick())
    with database.write() as cursor:
        chains.append(cursor, [market.chain("BTC", START)])
        arrivals.append(cursor, [market.futures("BTC", START)])
    api = create_app()
    api.state.served = Served(make_settings(markets="BTC"), database)
    middleware = [Middleware(BelowPath, base="tickwell", ours="/api")]
    app = Starlette(routes=[Mount("/api", api)], middleware=middleware)
    with served_at(app) as url, httpx.Client(base_url=url) as client:
        yield client


def test_each_route_answers_both_spellings_alike(client: httpx.Client):
    routes = {
        "health": "",
        "metrics": "",
        "prices": BTC,
        "prices/btc_usd/latest": "",
        "prices/filter": f"{BTC}&start_timestamp={SECOND}",
        "candles": f"{BTC}&start={SECOND}&end={SECOND + 60}",
        "alerts": f"start={SECOND}",
        "export": f"{BTC}&end={SECOND + 60}",
        "export/manifest": f"{BTC}&end={SECOND + 60}",
        "options/chain": f"underlying=BTC&at={SECOND}",
        "options/smile": f"underlying=BTC&at={SECOND}",
        "options/interest": f"underlying=BTC&at={SECOND}",
        "options/history": f"instrument=BTC-27NOV26-100000-C&start={SECOND}",
        "options/surfaces": f"underlying=BTC&start={SECOND}",
        "futures": f"currency=BTC&at={SECOND}",
        "futures/basis": f"currency=BTC&start={SECOND}",
        "funding": f"instrument=BTC-PERPETUAL&start={SECOND}",
        "volatility": f"currency=BTC&start={SECOND}",
        "volatility/at": f"currency=BTC&at={SECOND}",
        "market/snapshots": f"series=options/BTC&start={SECOND}",
        "openapi.json": "",
        "docs": "",
    }
    documented = {path.strip("/").format(ticker="btc_usd") for path in client.get("/api/openapi.json").json()["paths"]}
    assert documented == routes.keys() - {"openapi.json", "docs"}

    for path, query in routes.items():
        for method in ("GET", "HEAD"):
            replies = [client.request(method, f"/api/{path}{slash}?{query}") for slash in ("", "/")]
            expected = 503 if path == "health" else 200  # nothing records
            assert [reply.status_code for reply in replies] == [expected, expected], path
            assert replies[0].headers["content-type"] == replies[1].headers["content-type"]


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/nothing/", "/api/prices//", "/tickwell/api"])
def test_a_path_that_is_no_route_is_named_with_the_page_that_has_them(client: httpx.Client, path: str):
    reply = client.get(path)

    assert reply.status_code == 404
    assert reply.json()["detail"].endswith("is no route; /api/docs shows the routes")
