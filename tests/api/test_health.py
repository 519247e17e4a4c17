"""/health says how the recording goes: every fact with access, and status and ages to a stranger."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest

from api.recent import Recent
from api.served import Served
from settings import Settings
from store.file.database import Database
from store.file.recorder import RecorderLock
from store.lake.notice import Notice, desk
from store.models import Tick, utc_now
from tests.conftest import tick
from tests.support.notices import RECORDING
from tests.support.sign_in import AUTH, EMAILS
from tests.support.stored import append

TOKEN = "a-token-of-these-tests"


class Watched(Recent):
    """Counts how often the answer is read. Each read lasts until it may end."""

    def __init__(self, kept_s: float) -> None:
        super().__init__(kept_s)
        self.reads = 0
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.may_end.set()

    async def get(self, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        def watched() -> dict[str, Any]:
            self.reads += 1
            self.begun.set()
            assert self.may_end.wait(20)
            return read()

        return await super().get(watched)


@pytest.fixture(params=["token", "sign-in", "both"])
def closed(request, make_settings, tmp_path, monkeypatch) -> Settings:
    """Settings that ask programs for a token, or let no program in."""
    if request.param != "token":
        secrets = tmp_path / "secrets.toml"
        secrets.write_text(EMAILS + AUTH)
        monkeypatch.setitem(Settings.model_config, "toml_file", [secrets])
    settings: Settings = make_settings(**{} if request.param == "sign-in" else {"api_token": TOKEN})
    return settings


@pytest.fixture
def serve(server, database: Database) -> Iterator[Callable[..., httpx.Client]]:
    """A client of a server with fresh and stale ticks and a running recorder."""
    app, url = server
    append(database, Tick("btc_usd", utc_now() - timedelta(seconds=3), 101_515.7), tick(index_name="eth_usd"))
    lock = RecorderLock(database.path)
    lock.acquire(RECORDING)
    with httpx.Client(base_url=url) as client:

        def serving(settings: Settings, health: Recent | None = None) -> httpx.Client:
            app.state.served = Served(settings, database, health=health or Recent())
            return client

        yield serving
    lock.release()


@pytest.mark.parametrize("sent", [None, "", TOKEN, f"Bearer {TOKEN}x", "Bearer", "Bearer None"])
def test_a_stranger_gets_only_the_status_and_the_ages(serve, closed, sent):
    reply = serve(closed).get("/health", headers={} if sent is None else {"authorization": sent})

    said = reply.json()
    ages = {name: index.pop("age_s") for name, index in said["indexes"].items()}
    assert reply.status_code == 503
    assert said == {"status": "stale", "poller": {"starting": False}, "indexes": {"btc_usd": {}, "eth_usd": {}}}
    assert 3 <= ages["btc_usd"] < 60 < ages["eth_usd"]


def test_a_request_with_the_token_gets_everything(serve, make_settings):
    client = serve(make_settings(api_token=TOKEN))

    said = client.get("/health", headers={"authorization": f"Bearer {TOKEN}"}).json()

    assert said.keys() == {"status", "version", "now", "database", "poller", "indexes", "feeds", "checks", "lake"}
    assert said["indexes"]["btc_usd"]["price"] == 101_515.7
    assert said["poller"]["pid"] == RECORDING.pid


def test_it_says_how_far_a_file_is_shared_and_why_no_further(serve, make_settings, database):
    with desk(database.path) as place:
        place.put(Notice("an id", {}, utc_now() - timedelta(hours=1), 12, 3, "no network"))

    said = serve(make_settings(lake="postgresql://user:hidden@db/lake")).get("/health")

    lake = said.json()["lake"]
    assert (lake["state"], lake["rows"], lake["conflicts"], lake["trouble"]) == ("lagging", 12, 3, "no network")
    assert 3600 <= lake["lag_s"] < 3660
    assert lake["words"].endswith(", 1 h ago: no network")
    assert "hidden" not in said.text


def test_where_the_api_is_open_every_request_gets_everything(serve, make_settings, database):
    assert serve(make_settings()).get("/health").json()["database"]["path"] == str(database.path)


def test_one_read_answers_all_requests_of_a_second(serve, make_settings):
    health = Watched(kept_s=600)
    client = serve(make_settings(api_token=TOKEN), health=health)

    told = [client.get("/health", headers=headers) for headers in ({}, {"authorization": f"Bearer {TOKEN}"}) * 10]

    assert {len(reply.json()) for reply in told} == {3, 9}
    assert health.reads == 1


def test_once_the_second_is_over_it_is_read_anew(serve, make_settings):
    health = Watched(kept_s=0)
    client = serve(make_settings(), health=health)

    ages = [client.get("/health").json()["indexes"]["btc_usd"]["age_s"] for _ in range(3)]

    assert health.reads == 3
    assert sorted(set(ages)) == ages


def test_all_who_ask_during_a_read_share_it_and_take_no_thread(serve, make_settings):
    health = Watched(kept_s=600)
    health.may_end.clear()
    client = serve(make_settings(), health=health)
    with ThreadPoolExecutor(60) as pool:
        asked = [pool.submit(httpx.get, client.base_url.join("/health"), timeout=30) for _ in range(60)]
        assert health.begun.wait(20)
        meanwhile = client.get("/prices/btc_usd/latest")
        health.may_end.set()
        answers = [each.result() for each in asked]

    assert meanwhile.json()["price"] == "101515.70000000"
    assert {reply.status_code for reply in answers} == {503}
    assert health.reads == 1


def test_a_read_that_failed_is_not_kept():
    def broken() -> dict[str, Any]:
        raise ZeroDivisionError

    async def asked() -> dict[str, Any]:
        kept = Recent()
        with pytest.raises(ZeroDivisionError):
            await kept.get(broken)
        return await kept.get(lambda: {"status": "ok"})

    assert asyncio.run(asked()) == {"status": "ok"}
