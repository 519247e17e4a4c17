"""Operators ask the API for its metrics and for its health."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

from api.app import create_app
from api.served import Served
from settings import Settings
from store.file.database import Database
from store.models import Tick, utc_now
from store.prices import ticks

Get = Callable[..., httpx.Response]


@pytest.fixture
def get(database_file, make_settings: Callable[..., Settings]) -> Get:
    """Ask the API of the test's file."""

    def ask(path: str, **settings: object) -> httpx.Response:
        app = create_app()
        app.state.served = Served(make_settings(**settings), Database(database_file))

        async def asking() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
                return await client.get(path)

        return asyncio.run(asking())

    return ask


def store(database: Database, age_s: float) -> None:
    """A tick of each index, so old."""
    with database.write() as cursor:
        ts = utc_now() - timedelta(seconds=age_s)
        ticks.append(cursor, [Tick(name, ts, 1.0, received_at=ts) for name in ("btc_usd", "eth_usd")])


def test_metrics_are_prometheus_text(get: Get, database: Database):
    store(database, 100)

    reply = get("/metrics")

    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = reply.text.splitlines()
    assert "# TYPE tickwell_ticks_stored_total counter" in lines
    assert 'tickwell_ticks_stored_total{index_name="btc_usd",kind="observed"} 1.0' in lines
    assert "tickwell_database_up 1.0" in lines
    (age,) = (line for line in lines if line.startswith('tickwell_tick_age_seconds{index_name="eth_usd"}'))
    assert 100 <= float(age.split()[1]) < 110


def test_metrics_are_there_without_a_database(get: Get, database_file):
    missing = get("/metrics")
    database_file.write_text("not a database, but long enough to look like one " * 100)

    damaged = get("/metrics")

    assert (missing.status_code, damaged.status_code) == (200, 200)
    assert "tickwell_database_up 0.0" in missing.text
    assert "tickwell_database_up 0.0" in damaged.text


@pytest.mark.parametrize(
    ("poll_seconds", "age_s", "status_code"),
    [(1, 20, 200), (1, 31, 503), (10, 20, 200), (10, 31, 503), (20, 50, 200), (20, 61, 503), (3600, 10_000, 200)],
)
def test_health_is_red_once_ticks_are_older_than_three_slots_and_half_a_minute(
    get: Get, database: Database, poll_seconds, age_s, status_code
):
    store(database, age_s)

    reply = get("/health", poll_seconds=poll_seconds)

    assert reply.status_code == status_code
    assert reply.json()["status"] == ("ok" if status_code == 200 else "stale")
