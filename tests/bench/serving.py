"""How fast the API answers beside a recorder: the newest price over kept connections, and a day of ticks."""

import asyncio
import json
import statistics
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from poller.timing.slots import next_slot, slot_of
from store.file.database import Database
from store.ledger import runs
from store.models import utc_now
from store.prices import ticks
from tests.bench.apart import apart, do
from tests.bench.long_history import history
from tests.bench.row import SMALL, TICKS, Row, medians_ms
from tests.conftest import wait_until
from tests.support.dashboard import Dashboard

CONNECTIONS = 8
ROUNDS = 2 if SMALL else 5
ROUND_S = 1.0 if SMALL else 2.0
LATEST, CONSTANT = "/api/prices/btc_usd/latest", "/api/docs"
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def replies(served: Dashboard, path: Path, poll_seconds: int) -> Iterator[Row]:
    """What a dashboard that records into a file answers in a second, and how many slots it missed meanwhile."""
    begin = next_slot(utc_now(), poll_seconds * SECOND)
    said, _ = apart("tests.bench.serving", "load", Path(str(urlsplit(served.url).port)))
    latest, constant = json.loads(said)
    yield from day_of_ticks(served)
    note = f"newest price {latest:.0f} a second over {CONNECTIONS} connections, constant route {constant:.0f}"
    yield Row("a constant route's replies to the newest price's", constant / latest, 2, "×", note)
    yield Row("slots missed beside those replies", *missed(path, begin, poll_seconds))


def missed(path: Path, begin: datetime, poll_seconds: int) -> tuple[int, float, str, str]:
    """How many slots since `begin` have no tick, three at least, and why: the measure and the rest of a row.

    All of them are over and accounted for: a later slot has its tick.
    """
    step = timedelta(seconds=poll_seconds)
    end = max(slot_of(utc_now(), step), begin + 3 * step)
    database = Database(path)
    wait_until(lambda: _newest(database) >= end, timeout_s=3 * poll_seconds + 30)
    with database.read() as cursor:
        found = ticks.history(cursor, "btc_usd", begin, end)
        why = {miss.cause: miss.detail for miss in runs.misses(cursor, begin, end) if miss.feed == "btc_usd"}
    slots = (end - begin) // step
    return slots - len(found), 0, "", f"of {slots}" + "".join(f", {cause}: {detail}" for cause, detail in why.items())


def _newest(database: Database) -> datetime:
    with database.read() as cursor:
        newest = ticks.latest(cursor, "btc_usd")
    assert newest is not None
    return newest.ts


def day_of_ticks(served: Dashboard) -> Iterator[Row]:
    """The reply with a day of ticks, beside making the same bytes of objects in memory."""
    with history(TICKS).read() as cursor:
        newest = ticks.latest(cursor, "btc_usd")
    assert newest is not None
    last = int(newest.ts.timestamp())
    query: dict[str, str | int] = {
        "ticker": "btc_usd",
        "start_timestamp": last + 1 - DAY // SECOND,
        "end_timestamp": last + 1,
    }
    with httpx.Client(base_url=served.url, headers={"accept-encoding": "identity"}) as client:

        def fetch(_: int) -> bytes:
            return client.get("/api/prices/filter", params=query).raise_for_status().content

        body = fetch(0)
        items = json.loads(body)

        def serialise(_: int) -> bytes:
            return json.dumps(items, ensure_ascii=False, separators=(",", ":")).encode()

        assert (len(items), serialise(0)) == (DAY // SECOND, body)
        fetched, serialised = medians_ms(fetch, serialise, rounds=ROUNDS * 3)
    note = f"{fetched:.0f} ms over HTTP, {serialised:.0f} ms as JSON alone"
    yield Row("a day of ticks by filter to its JSON", fetched / serialised, 3, "×", note)


def load(port: Path) -> str:
    """Replies a second, of the newest price and of the constant route in turn, as JSON. For a process of its own."""
    rates: dict[str, list[float]] = {LATEST: [], CONSTANT: []}
    for number in range(ROUNDS + 1):
        for route, its in rates.items():
            its.append(asyncio.run(rate(int(port.name), route, 0.5 if number == 0 else ROUND_S)))
    return json.dumps([statistics.median(its[1:]) for its in rates.values()])


async def rate(port: int, route: str, seconds: float) -> float:
    started = time.monotonic()
    counts = await asyncio.gather(*(ask(port, route, started + seconds) for _ in range(CONNECTIONS)))
    return sum(counts) / (time.monotonic() - started)


async def ask(port: int, route: str, until: float) -> int:
    """Ask again and again over one connection, without a client library's own time; how often it was answered."""
    reader, writer = await asyncio.open_connection("localhost", port)
    request = f"GET {route} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    count = 0
    while time.monotonic() < until:
        writer.write(request)
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        assert status == "http/1.1 200 ok", status
        (length,) = (int(line.removeprefix("content-length:")) for line in lines if line.startswith("content-length:"))
        await reader.readexactly(length)
        count += 1
    writer.close()
    return count


if __name__ == "__main__":
    do({"load": load})
