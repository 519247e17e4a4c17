"""Fixtures of a lake for each test: a database of a real PostgreSQL, and a folder of a bucket of a real server.

Where DuckDB has none of the extensions, the tests that need a lake are skipped with the reason.
"""

import contextlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import httpx
import pytest

from settings import BucketKeys
from store.errors import StoreError
from store.file.database import Database
from store.lake import extensions, tables
from store.lake.connection import Lake, Patience
from store.models import Exchange, utc_now
from tests.store.lake.recordings import new_file
from tests.support.servers import BUCKET, PostgreSQL, absent, postgresql

IMPATIENT = Patience(http_timeout_s=1, http_retries=0)


@pytest.fixture(scope="session")
def lake_extensions() -> None:
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        for name in extensions.NAMES:
            try:
                extensions.load(connection, name)
            except StoreError as error:
                absent(str(error))


@pytest.fixture(scope="session")
def server(lake_extensions: None) -> Iterator[PostgreSQL]:
    with postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def endpoint(lake_extensions: None) -> Iterator[str]:
    """The address of a server of buckets, with one bucket."""
    with bucket_server() as address:
        yield address


@contextlib.contextmanager
def bucket_server() -> Iterator[str]:
    """A server of buckets, with one bucket, during the block."""
    moto = pytest.importorskip("moto.server")
    serving = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    serving.start()
    try:
        host, port = serving.get_host_and_port()
        httpx.put(f"http://{host}:{port}/{BUCKET}").raise_for_status()
        yield f"http://{host}:{port}"
    finally:
        serving.stop()


@dataclass
class Place:
    """Where a lake of a test is.

    Attributes:
        server: has its catalog.
        url: of the catalog.
        keys: of the bucket.
        files: the folder of the bucket.
    """

    server: PostgreSQL
    url: str
    keys: BucketKeys
    files: str

    def lake(self, url: str | None = None, **keys: str) -> Lake:
        its = BucketKeys(**{**vars(self.keys), **keys})
        return Lake(url or self.url, its, patience=IMPATIENT, recorder="unnamed")

    def make(self) -> Lake:
        lake = self.lake()
        with lake.made(self.files) as cursor:
            tables.make(cursor, utc_now())
        return lake


@pytest.fixture
def place(server: PostgreSQL, endpoint: str) -> Iterator[Place]:
    """A database without a lake."""
    with place_on(server, endpoint) as place:
        yield place


@contextlib.contextmanager
def place_on(server: PostgreSQL, endpoint: str) -> Iterator[Place]:
    """A database without a lake, for longer than a test."""
    name = f"lake_{uuid.uuid4().hex}"
    with server.connected() as connection:
        connection.execute(f"CREATE DATABASE {name}")
    keys = BucketKeys("the-key-id", "the secret's key", "", "us-east-1", endpoint)
    yield Place(server, server.url(name), keys, f"s3://{BUCKET}/{name}")
    with server.connected() as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def lake(place: Place) -> Lake:
    """A lake without rows."""
    return place.make()


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Database]:
    """Make the file of a recorder, by name."""

    def make(name: str, exchange: Exchange | None = Exchange.REAL, period_s: int = 5) -> Database:
        return new_file(tmp_path / f"{name}.duckdb", exchange, period_s)

    return make
