"""What a shared lake costs, beside bare statements of DuckLake and beside the file.

`make bench-lake` measures it with the DuckDB that has the extensions, a real PostgreSQL and a real server of buckets.
"""

import contextlib
import importlib.util
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from poller.simulator.server import Simulator
from store.errors import StoreError
from store.file.database import Database
from store.file.exchange import admit
from store.file.shared import Readable
from store.instants import DAY, HOUR
from store.lake import extensions
from store.lake.connection import Lake
from store.lake.notice import Desk, desk, read_notice
from store.lake.publish import publish
from store.lake.reader import LakeReader
from store.models import Exchange, Tick, to_column, utc_now
from store.prices import ticks
from store.prices.bars import bars, nice_interval
from tests.bench.charting import MOST_POINTS, end_of
from tests.bench.long_history import history
from tests.bench.recording import memory_until
from tests.bench.row import SECONDS, SMALL, TICKS, Row, medians_ms
from tests.conftest import Program, wait_until
from tests.support.lakes import Place, bucket_server, place_on
from tests.support.servers import postgresql, postgresql_programs

INDEX = "btc_usd"
MINUTES = 5 if SMALL else 20
READS = 5 if SMALL else 15
A_YEAR = 12_614_400
"""Ticks of two indexes at 5 s."""

_COPY = """
INSERT INTO bare
SELECT index_name, ts, received_at, price, source, resolution_s
FROM file.ticks
"""

_BARE = """
CREATE TABLE bare (
    index_name VARCHAR,
    ts TIMESTAMP,
    received_at TIMESTAMP,
    price DOUBLE,
    source VARCHAR,
    resolution_s INTEGER
)
"""


def lacking() -> str:
    """What this machine lacks to measure a lake, in words; empty if it has all."""
    if postgresql_programs() is None:
        return "PostgreSQL is not installed"
    if importlib.util.find_spec("moto") is None:
        return "moto, the server of buckets, is not installed"
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        try:
            for name in extensions.NAMES:
                extensions.load(connection, name)
        except StoreError as error:
            return str(error)
    return ""


def lakes(folder: Path, simulator: Simulator) -> Iterator[Row]:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # the server of buckets tells of each request
    with postgresql() as server, bucket_server() as endpoint:
        with place_on(server, endpoint) as place:
            yield from a_minute(folder, place.make())
        with place_on(server, endpoint) as place:
            lake, source = place.make(), history(min(TICKS, A_YEAR))
            yield from catching_up(source, lake)
            yield from reads(folder, source, lake)
        with place_on(server, endpoint) as place:
            yield from publishing(folder, simulator, place)


def a_minute(folder: Path, lake: Lake) -> Iterator[Row]:
    """The ticks of two indexes at 5 s that a minute brought, and one bare INSERT of as many; each connects anew."""
    database = Database(folder / "minutes.duckdb", threads=1)
    database.migrate()
    begin = utc_now().replace(microsecond=0) - DAY
    with database.write() as cursor:
        admit(cursor, Exchange.SIMULATOR, begin)
    with lake.open() as cursor:
        cursor.execute(_BARE)

    with desk(database.path) as place:

        def record_and_publish(number: int) -> None:
            share_a_minute(database, lake, place, begin + timedelta(minutes=number))

        ours, bare = medians_ms(record_and_publish, lambda number: insert(lake, minute(begin, number)), rounds=MINUTES)
    note = f"{ours:.0f} ms, a bare connection and INSERT {bare:.0f} ms"
    yield Row("lake: a minute published", ours / bare, 3, "×", note)


def minute(begin: datetime, number: int = 0) -> list[Tick]:
    """What a minute brings."""
    instants = [begin + timedelta(minutes=number, seconds=5 * slot) for slot in range(12)]
    return [Tick(name, ts, 100.0, received_at=ts) for ts in instants for name in (INDEX, "eth_usd")]


def share_a_minute(database: Database, lake: Lake, place: Desk, begin: datetime) -> None:
    with database.write() as cursor:
        ticks.append(cursor, minute(begin))
    made = publish(database, lake, place, utc_now())
    assert made.rows == len(minute(begin))


def insert(lake: Lake, some: list[Tick]) -> None:
    """The least that puts ticks into a lake."""
    rows = [[tick.index_name, to_column(tick.ts), to_column(tick.ts), tick.price, "live", 0] for tick in some]
    values = ", ".join(["(?, ?, ?, ?, ?, ?)"] * len(rows))
    with lake.open() as cursor:
        cursor.execute(f"INSERT INTO bare VALUES {values}", [value for row in rows for value in row])


def catching_up(source: Database, lake: Lake) -> Iterator[Row]:
    """A whole history into an empty lake, and one bare INSERT … SELECT of its ticks."""
    with desk(source.path) as place:
        ours_s = seconds(lambda: publish(source, lake, place, utc_now()))
    with lake.open() as cursor:
        cursor.execute(_BARE)
        cursor.execute(f"ATTACH '{source.path}' AS file (READ_ONLY)")
        bare_s = seconds(lambda: cursor.execute(_COPY))
    note = f"{ours_s:.1f} s, a bare INSERT … SELECT {bare_s:.1f} s, {min(TICKS, A_YEAR):,} ticks"
    yield Row("lake: catching up", ours_s / bare_s, None, "×", note)


def reads(folder: Path, source: Database, lake: Lake) -> Iterator[Row]:
    """What a page reads, warm, from the lake and from the file that was published."""
    reader = LakeReader(lake, folder)
    end = end_of(source)
    spans = {"newest price": None, "chart of 1 h": HOUR, "chart of 1 d": DAY, "chart of all": 400 * DAY}
    with source.hold(), contextlib.closing(reader):
        for what, span in spans.items():
            ask = latest if span is None else partial(chart, end, span)
            assert ask(reader) == ask(source)
            in_lake, in_file = medians_ms(lambda _: ask(reader), lambda _: ask(source), rounds=READS)  # noqa: B023
            note = f"{in_lake:.0f} ms, the held file {in_file:.1f} ms"
            yield Row(f"lake to file: {what}", in_lake / in_file, None, "×", note)


def latest(record: Readable) -> Tick | None:
    with record.read() as cursor:
        return ticks.latest(cursor, INDEX)


def chart(end: datetime, span: timedelta, record: Readable) -> list[Any]:
    with record.read() as cursor:
        return bars(cursor, INDEX, end - span, end, nice_interval(span, MOST_POINTS)).to_numpy().tolist()


def publishing(folder: Path, simulator: Simulator, place: Place) -> Iterator[Row]:
    """The memory of a recorder whose publisher shares its record, beside one that shares nothing."""
    path = folder / "publishing.duckdb"
    place.make()
    keys = {
        "AWS_ACCESS_KEY_ID": place.keys.key_id,
        "AWS_SECRET_ACCESS_KEY": place.keys.secret,
        "AWS_REGION": place.keys.region,
        "AWS_ENDPOINT_URL": place.keys.endpoint,
    }
    settings = {"deribit_url": simulator.url, "poll_seconds": 1}
    with pytest.MonkeyPatch.context() as environment:
        for name, value in keys.items():
            environment.setenv(name, value)
        with (
            Program("poller", database=folder / "alone.duckdb", **settings) as alone,
            Program("poller", database=path, lake=place.url, **settings) as sharing,
        ):
            wait_until(lambda: read_notice(path).shared_to is not None, timeout_s=60)
            end = utc_now() + timedelta(seconds=SECONDS)
            alone_mb, ours_mb = (memory_until(each, end) for each in (alone, sharing))
    note = f"{ours_mb:.0f} MB, without {alone_mb:.0f} MB"
    yield Row("lake: memory of a recorder", ours_mb / alone_mb, 1.1, "×", note)


def seconds(work: Callable[[], object]) -> float:
    """How long some work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> int:
    """Print the table; 1 if something is over its budget, 2 if it can't be measured here."""
    if missing := lacking():
        print(f"a lake can't be measured here: {missing}")
        return 2
    within = True
    with tempfile.TemporaryDirectory() as name, Simulator() as simulator:
        for row in lakes(Path(name), simulator):
            print(row, flush=True)
            within = within and row.within
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
