"""The API of a file of the simulator that records the markets of BTC and ETH."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.served import Served
from settings import Settings
from store.file.database import Database
from store.file.exchange import admit
from store.ledger import arrivals
from store.market import chains
from store.models import Exchange, Snapshot
from tests.conftest import START
from tests.support import market

SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=seconds) for seconds in (1, 60, 3600, 86_400))


@pytest.fixture
def client(
    server: tuple[FastAPI, str], make_settings: Callable[..., Settings], database: Database
) -> Iterator[httpx.Client]:
    """A client of the API with the markets of BTC and ETH configured."""
    app, url = server
    with database.write() as cursor:
        admit(cursor, Exchange.SIMULATOR, START)
    app.state.served = Served(make_settings(markets="BTC,ETH"), Database(database.path))
    with httpx.Client(base_url=url) as client:
        yield client


def record_futures(database: Database, *seconds: float, currency: str = "BTC") -> list[Snapshot]:
    """Store the simulator's futures at these seconds after START."""
    snapshots = [market.futures(currency, START + second * SECOND) for second in seconds]
    with database.write() as cursor:
        arrivals.append(cursor, snapshots)
    return snapshots


def record_chains(database: Database, *seconds: float, underlying: str = "BTC") -> list[Snapshot]:
    """Store the simulator's chains at these seconds after START, with their smiles and surfaces."""
    snapshots = [market.chain(underlying, START + second * SECOND) for second in seconds]
    with database.write() as cursor:
        chains.append(cursor, snapshots)
    return snapshots


def answered(reply: httpx.Response) -> dict[str, Any]:
    """What a request that can be answered is answered with."""
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found
