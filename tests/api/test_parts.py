"""A file without an end that is read in parts is whole data of one moment, while new ticks come."""

import io
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import certifi
import httpx
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from api.parts import KEPT_S, BegunFiles, Reader
from api.served import Served
from store.export.files import Export
from store.export.query import ExportQuery
from store.file.database import Database
from store.models import to_column
from tests.conftest import START, tick
from tests.support.stored import append

QUERY = {"ticker": "btc_usd"}
SOME = 60_000
"""polars and pyarrow fetch a file with so many ticks in three parts."""

_RECORDED = """
INSERT INTO ticks
SELECT 'btc_usd', $start::TIMESTAMP + to_seconds(second), NULL, random(), 'live', 0
FROM range($some) seconds(second)
"""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recorded(server, client: httpx.Client, make_settings, database: Database, clock: Clock) -> Database:
    with database.write() as cursor:
        cursor.execute(_RECORDED, {"start": to_column(START), "some": SOME})
    app, _ = server
    app.state.served = Served(make_settings(), database, begun=BegunFiles(clock))
    return database


@pytest.fixture
def recording(recorded: Database) -> Iterator[None]:
    """A tick comes between any two requests."""
    over = threading.Event()

    def record() -> None:
        second = SOME
        while not over.wait(0.01):
            append(recorded, tick(second))
            second += 1

    thread = threading.Thread(target=record)
    thread.start()
    yield
    over.set()
    thread.join()


class Remote(io.RawIOBase):
    """A file over HTTP, as DuckDB and pyarrow read it: HEAD for the size, then the ranges that they need."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        head = client.head("/export", params=QUERY)
        self._size, self.tags, self._at = int(head.headers["content-length"]), {head.headers["etag"]}, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = f"bytes={self._at}-{self._at + len(buffer) - 1}"
        part = self._client.get("/export", params=QUERY, headers={"range": wanted})
        assert part.status_code == 206
        self.tags.add(part.headers["etag"])
        buffer[: len(part.content)] = part.content
        self._at += len(part.content)
        return len(part.content)


def is_whole(times: pd.Series) -> bool:
    """Does each second have its tick, from the first one on?"""
    return len(times) >= SOME and bool((times.diff().dropna() == pd.Timedelta(seconds=1)).all())


def test_a_reader_of_ranges_gets_one_file_while_it_records(client: httpx.Client, clock: Clock, recording: None):
    for _ in range(5):
        clock.now += KEPT_S + 1
        file = Remote(client)

        times = pq.read_table(file).column("ts").to_pandas()

        assert len(file.tags) == 1
        assert is_whole(times)


def test_polars_and_pandas_read_whole_data_while_it_records(
    client: httpx.Client, clock: Clock, recording: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())  # polars reads certificates before any request
    address = str(client.build_request("GET", "/export", params=QUERY).url)
    for _ in range(5):
        clock.now += KEPT_S + 1

        scanned = pl.scan_parquet(address).select("ts").collect()["ts"].to_list()

        assert is_whole(pd.Series(scanned))
    assert is_whole(pd.read_parquet(address)["ts"])


def tag(client: httpx.Client, method: str = "GET", wanted: str | None = None, **more: str) -> str:
    headers = more if wanted is None else {"range": f"bytes={wanted}", **more}
    reply = client.request(method, "/export", params=QUERY, headers=headers)
    return str(reply.headers["etag"]) if reply.is_success else f"{reply.status_code} {reply.json()['detail']}"


def test_a_whole_file_and_a_beginning_after_a_minute_are_new_and_a_later_part_goes_on(
    client: httpx.Client, recorded: Database, clock: Clock
):
    first = tag(client, wanted="-8")
    append(recorded, tick(SOME))

    assert {tag(client, wanted="-16"), tag(client, "HEAD"), tag(client, wanted="0-"), tag(client, wanted="9-20")} == {
        first
    }
    assert tag(client, wanted="-8", **{"user-agent": "another"}) != first
    clock.now += KEPT_S + 1
    assert tag(client, wanted="9-20").startswith("412 ")
    second = tag(client, "HEAD")
    assert second != first
    append(recorded, tick(SOME + 1))
    whole = tag(client)
    assert whole not in {first, second}
    assert tag(client, wanted="9-20") == whole


def test_a_later_part_goes_on_for_a_minute_after_the_last_one(client: httpx.Client, recorded: Database, clock: Clock):
    first = tag(client, "HEAD")
    append(recorded, tick(SOME))

    for _ in range(3):
        clock.now += KEPT_S - 1
        assert tag(client, wanted="9-20") == first


def test_a_part_of_a_file_that_is_gone_is_refused_unless_the_reader_says_which(
    client: httpx.Client, recorded: Database, clock: Clock
):
    first = tag(client, "HEAD")
    append(recorded, tick(SOME))
    for made in recorded.path.with_name("exports").glob("*.parquet"):
        made.unlink()

    refused = tag(client, wanted="9-20")
    whole = client.get("/export", params=QUERY, headers={"range": "bytes=9-20", "if-range": first})

    assert refused == "412 the file that this part would be of is gone: read it anew, or give an end"
    assert whole.status_code == 200
    assert is_whole(pd.read_parquet(io.BytesIO(whole.content))["ts"])


def test_with_an_end_each_part_is_of_the_file_up_to_then(client: httpx.Client, recorded: Database):
    until = {**QUERY, "end": "2026-11-01T12:01Z"}
    part = client.get("/export", params=until, headers={"range": "bytes=9-20"})
    append(recorded, tick(SOME))
    again = client.get("/export", params=until, headers={"range": "bytes=9-20"})

    assert (part.status_code, part.headers["etag"]) == (206, again.headers["etag"])


def test_a_file_with_an_end_in_the_future_has_no_end(client: httpx.Client, recorded: Database):
    query = {**QUERY, "end": datetime(2999, 1, 1, tzinfo=UTC).isoformat()}
    head = client.head("/export", params=query)
    append(recorded, tick(SOME))
    part = client.get("/export", params=query, headers={"range": "bytes=9-20"})

    assert part.headers["etag"] == head.headers["etag"]


def test_two_beginnings_at_once_are_of_one_file(client: httpx.Client, recorded: Database):
    tags: list[str] = []
    threads = [threading.Thread(target=lambda: tags.append(tag(client, "HEAD"))) for _ in range(4)]
    for thread in threads:
        thread.start()
        append(recorded, tick(SOME + len(tags)))
    for thread in threads:
        thread.join()

    assert len(set(tags)) == 1


def test_only_the_newest_readers_are_remembered(tmp_path: Path):
    begun, query = BegunFiles(Clock()), ExportQuery(("btc_usd",), START, START)
    made = Export(query, tmp_path, {})
    readers = [Reader("127.0.0.1", f"reader {number}", query) for number in range(101)]

    assert all(begun.begin(reader, "whole", made) is made for reader in readers)

    assert [begun.file(readers[place], "later") for place in (0, 1, 100)] == [None, made, made]
