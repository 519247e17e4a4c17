"""An index name that the exchange does not publish is refused, unless it was recorded before."""

import asyncio
import json
import threading

import pytest
from pytest_httpx import HTTPXMock

from poller.exchange.client import DeribitClient
from poller.exchange.errors import UnreachableError
from poller.feeds.names import check_names, unpublished
from poller.simulator.server import Simulator
from settings import SettingsError
from store.file.database import Database
from store.ledger import arrivals
from store.models import Snapshot
from tests.conftest import START
from tests.poller.conftest import envelope, http

URL = "http://exchange.test/api/v2"
BOTH = ("btc_usd", "eth_usd")


def not_published(url: str, *index_names: str, wait_s: float = 5) -> dict[str, str]:
    async def asking() -> dict[str, str]:
        async with DeribitClient(url) as client:
            return await unpublished(client, index_names, wait_s=wait_s)

    return asyncio.run(asking())


def test_a_name_in_either_list_is_published(httpx_mock: HTTPXMock):
    httpx_mock.add_response(url=f"{URL}/public/get_supported_index_names", json=envelope(["eth_usd"]))
    httpx_mock.add_response(url=f"{URL}/public/get_index_price_names", json=envelope(["btc_usd"]))

    assert not_published(URL, *BOTH) == {}
    assert len(httpx_mock.get_requests()) == 2


def test_each_unpublished_name_comes_with_the_nearest_published_one(simulator: Simulator):
    assert not_published(simulator.url, "btc_usdd", "btc_usd", "qqqqqqqq_z") == {
        "btc_usdd": "TICKWELL_INDEXES names btc_usdd, which the exchange does not publish, did you mean btc_usd?",
        "qqqqqqqq_z": "TICKWELL_INDEXES names qqqqqqqq_z, which the exchange does not publish",
    }


def test_a_missing_list_of_names_is_an_error_after_the_timeout(serve):
    over = threading.Event()

    def answer(_: str) -> bytes:
        over.wait(5)
        return http(json.dumps(envelope([])).encode())

    server = serve(answer)

    with pytest.raises(UnreachableError, match=r"^no list of index names within 0\.1 s$"):
        not_published(server.url, "btc_usd", wait_s=0.1)
    over.set()


def test_an_unpublished_name_is_refused_if_nothing_is_recorded_yet(simulator: Simulator, database_file):
    async def check() -> None:
        async with DeribitClient(simulator.url) as client:
            await check_names(client, Database(database_file), ["nope_usd"], wait_s=5, store_wait_s=1)

    with pytest.raises(SettingsError, match="TICKWELL_INDEXES names nope_usd, which the exchange does not publish"):
        asyncio.run(check())


def check(url: str, database: Database, *currencies: str) -> dict[str, str]:
    async def checking() -> dict[str, str]:
        async with DeribitClient(url) as client:
            return await check_names(client, database, BOTH, currencies, wait_s=5, store_wait_s=1)

    return asyncio.run(checking())


def test_a_currency_without_a_market_is_refused_in_one_line(simulator: Simulator, database: Database):
    with pytest.raises(SettingsError) as refused:
        check(simulator.url, database, "BTC", "BTX", "QQQQQQQQ")

    assert str(refused.value) == (
        "TICKWELL_MARKETS names BTX, which the exchange does not publish, did you mean BTC?; "
        "TICKWELL_MARKETS names QQQQQQQQ, which the exchange does not publish"
    )


def test_a_currency_that_was_recorded_before_is_told_and_not_refused(simulator: Simulator, database: Database):
    with database.write() as cursor:
        arrivals.append(cursor, [Snapshot("futures/QQQ", START, START, (), "simulator")])

    found = check(simulator.url, database, "BTC", "QQQ")

    assert found == {"futures/QQQ": "TICKWELL_MARKETS names QQQ, which the exchange does not publish"}
