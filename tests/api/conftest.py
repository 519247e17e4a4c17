"""The API over real HTTP, on a real database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.served import Served
from store.file.database import Database
from tests.conftest import START

from .servers import serving

SECOND = int(START.timestamp())


@contextmanager
def served_at(app: Any) -> Iterator[str]:
    """The address at which an app is served, on a port of its own."""
    with serving(app) as address:
        yield f"http://{address}"


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[FastAPI, str]]:
    """The API on a port of its own, and its address."""
    app = create_app()
    with served_at(app) as url:
        yield app, url


@pytest.fixture
def client(server, make_settings, database_file) -> Iterator[httpx.Client]:
    """A client of the API of an empty folder, with btc_usd and eth_usd configured."""
    app, url = server
    app.state.served = Served(make_settings(), Database(database_file))
    with httpx.Client(base_url=url) as client:
        yield client


def filtered(client: httpx.Client, **params: Any) -> httpx.Response:
    return client.get("/prices/filter", params={"ticker": "btc_usd", "start_timestamp": SECOND, **params})


def timestamps(reply: httpx.Response) -> list[int]:
    return [item["timestamp"] for item in reply.json()]


def detail(reply: httpx.Response) -> str:
    """The reason of a refusal; the reply has nothing else."""
    assert (reply.status_code, list(reply.json())) == (422, ["detail"])
    return str(reply.json()["detail"])
