"""The route that exports gives the file that the page and the command line give, in parts too."""

import base64
import gzip
import io
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import Result

from api.served import Served
from store.export.query import FORMATS, MEDIA_TYPES, SUFFIXES, Format
from store.file.database import Database
from store.file.disk import sha256_of
from store.file.locks import FileLock
from store.ledger import arrivals
from store.models import Snapshot
from tests.conftest import START, tick, wait_until
from tests.support.stored import append

from .conftest import detail

RANGE = {"start": "2026-11-01T12:00Z", "end": "2026-11-01T13:00"}


@pytest.fixture
def recorded(database: Database) -> Database:
    append(database, *(tick(second, name) for second in range(100) for name in ("btc_usd", "eth_usd")))
    return database


def exported(client: httpx.Client, **params: object) -> httpx.Response:
    return client.get("/export", params={**RANGE, **params})  # type: ignore[dict-item]


def test_the_default_is_ticks_of_all_indexes_as_parquet(client: httpx.Client, recorded: Database):
    reply = client.get("/export")

    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/vnd.apache.parquet"
    found = pd.read_parquet(io.BytesIO(reply.content))
    assert found["index_name"].value_counts().to_dict() == {"btc_usd": 100, "eth_usd": 100}
    assert found["ts"].iloc[0] == START


def test_candles_of_an_index_without_healed_points_as_csv(client: httpx.Client, recorded: Database):
    append(recorded, tick(200.5, source="chart", resolution_s=60, received_at=None))

    reply = exported(client, ticker="btc_usd", interval="1m", healed="false", format="csv")

    assert reply.headers["content-disposition"] == (
        'attachment; filename="btc_usd-1m-without-healed-20261101T120000Z-20261101T130000Z.csv.gz"'
    )
    assert pd.read_csv(io.BytesIO(gzip.decompress(reply.content)))["tick_count"].to_list() == [60, 40]


def test_several_indexes_are_named_one_by_one(client: httpx.Client, recorded: Database):
    append(recorded, tick(0, "sol_usdc"))

    reply = exported(client, ticker=["sol_usdc", "btc_usd"])

    assert set(pd.read_parquet(io.BytesIO(reply.content))["index_name"]) == {"btc_usd", "sol_usdc"}


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_has_its_type_its_hash_and_its_name(client: httpx.Client, recorded: Database, kind: Format):
    reply = exported(client, format=kind)

    sha256 = sha256_of(next(recorded.path.with_name("exports").glob(f"*.{SUFFIXES[kind]}")))
    assert reply.headers["content-type"] == MEDIA_TYPES[kind]
    assert reply.headers["etag"] == f'"{sha256}"'
    digest = base64.b64decode(reply.headers["repr-digest"].removeprefix("sha-256=:").removesuffix(":"))
    assert digest.hex() == sha256


def test_command_line_and_route_give_the_same_bytes(
    client: httpx.Client, recorded: Database, command: Callable[..., Result], tmp_path: Path
):
    path = tmp_path / "mine.parquet"
    words = ("--index", "btc_usd", "--start", RANGE["start"], "--end", RANGE["end"])
    assert command("export", *words, "--to", str(path)).exit_code == 0
    for made in recorded.path.with_name("exports").glob("*.parquet"):
        made.unlink()

    assert exported(client, ticker="btc_usd").content == path.read_bytes()


def test_a_client_that_has_the_file_gets_not_modified(client: httpx.Client, recorded: Database):
    tag = exported(client).headers["etag"]

    again = client.get("/export", params=RANGE, headers={"if-none-match": tag})
    append(recorded, tick(100))
    changed = client.get("/export", params=RANGE, headers={"if-none-match": tag})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert changed.status_code == 200


def test_a_file_is_read_in_parts(client: httpx.Client, recorded: Database):
    whole = exported(client)

    part = client.get("/export", params=RANGE, headers={"range": "bytes=4-99", "if-range": whole.headers["etag"]})
    end = client.get("/export", params=RANGE, headers={"range": "bytes=-4"})
    other = client.get("/export", params=RANGE, headers={"range": "bytes=4-99", "if-range": '"another"'})
    none = client.get("/export", params=RANGE, headers={"range": "bytes=9999999-"})

    assert (part.status_code, part.content) == (206, whole.content[4:100])
    assert part.headers["content-range"] == f"bytes 4-99/{len(whole.content)}"
    assert end.content == b"PAR1"
    assert (other.status_code, other.content) == (200, whole.content)
    assert none.status_code == 416


def test_head_tells_the_size_and_reads_nothing_of_the_file(client: httpx.Client, recorded: Database, monkeypatch):
    whole = exported(client)
    read: list[object] = []
    monkeypatch.setattr("starlette.responses.anyio.open_file", lambda *file, **_: read.append(file))

    head = client.head("/export", params=RANGE)

    assert (head.status_code, head.content, read) == (200, b"", [])
    assert head.headers["content-length"] == str(len(whole.content))
    assert head.headers["etag"] == whole.headers["etag"]


def test_the_manifest_says_what_the_file_holds(client: httpx.Client, recorded: Database):
    reply = client.get("/export/manifest", params={**RANGE, "ticker": "btc_usd"})

    made = exported(client, ticker="btc_usd")
    assert (reply.json()["rows"], reply.json()["sources"]) == (100, {"btc_usd": {"live": 100}})
    assert f'"{reply.json()["sha256"]}"' == made.headers["etag"]
    said = pq.read_schema(io.BytesIO(made.content)).metadata
    assert said[b"tickwell.first"].decode() == f'"{reply.json()["first"]}"'


def test_epoch_times_are_understood(client: httpx.Client, recorded: Database):
    seconds = int(START.timestamp())

    reply = client.get("/export", params={"start": seconds, "end": (seconds + 10) * 1000})

    assert len(pd.read_parquet(io.BytesIO(reply.content))) == 20


def test_a_known_index_without_ticks_gives_a_file_without_rows(client: httpx.Client):
    store_nothing = exported(client, ticker="eth_usd")

    assert store_nothing.status_code == 503
    assert "nothing is recorded yet" in store_nothing.json()["detail"]


def test_a_range_without_ticks_gives_a_file_without_rows(client: httpx.Client, recorded: Database):
    reply = client.get("/export", params={"start": "2020-01-01", "end": "2020-01-02"})

    assert len(pd.read_parquet(io.BytesIO(reply.content))) == 0


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"ticker": "btc"}, "ticker = 'btc': must be one of btc_usd, eth_usd"),
        ({"ticker": ["btc_usd", "x"]}, "ticker = 'x': must be one of btc_usd, eth_usd"),
        ({"start": "2026-11-01", "end": "2026-10-31"}, "must not be before start"),
        ({"start": "2999-01-01"}, "start = 2999-01-01T00:00:00Z: must not be in the future"),
        ({"start": "yesterday"}, "start = 'yesterday': must be ISO 8601"),
        ({"interval": "3m"}, "interval = '3m': must be one of 1s, 2s"),
        ({"format": "orc"}, "format = 'orc': must be 'parquet', 'csv' or 'xlsx'"),
        (
            {"interal": "1m"},
            "'interal': is no parameter; must be one of ticker, series, start, end, at, interval, healed",
        ),
        ({"healed": "perhaps"}, "healed = 'perhaps': must be a valid boolean"),
    ],
)
def test_a_bad_export_is_refused_in_one_line(client: httpx.Client, recorded: Database, params, says: str):
    assert says in detail(client.get("/export", params=params))


def is_taken(places: threading.BoundedSemaphore) -> bool:
    if free := places.acquire(blocking=False):
        places.release()
    return not free


def test_four_requests_wait_for_their_files_and_further_ones_get_retry_after(
    server, client: httpx.Client, recorded: Database, make_settings
):
    app, _ = server
    places = threading.BoundedSemaphore(1)
    app.state.served = Served(make_settings(), recorded, exports=places)
    folder = recorded.path.with_name("exports")
    folder.mkdir()
    lock = FileLock(folder / ".lock")
    assert lock.try_acquire()
    waiting = threading.Thread(target=exported, args=(client,))
    waiting.start()
    wait_until(lambda: is_taken(places))

    refused = exported(client, format="csv")
    lock.release()
    waiting.join()

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "60")
    assert "other exports are being made" in refused.json()["detail"]
    assert exported(client, format="csv").status_code == 200


def test_the_rows_of_a_snapshot_feed_are_asked_by_its_name_and_not_with_prices(client: httpx.Client, moons: Database):
    append(moons, tick(0))
    with moons.write() as cursor:
        arrivals.append(cursor, [Snapshot("moons/JUPITER", START, START, (("Io", 0.5, None),))])

    reply = exported(client, ticker="moons/JUPITER", format="csv")
    all_without_it = client.get("/export/manifest").json()

    assert pd.read_csv(io.BytesIO(gzip.decompress(reply.content)))["moon_name"].to_list() == ["Io"]
    assert 'filename="JUPITER-moons-' in reply.headers["content-disposition"]
    assert all_without_it["indexes"] == ["btc_usd", "eth_usd"]
    assert detail(exported(client, ticker=["btc_usd", "moons/JUPITER"])) == (
        "btc_usd and moons/JUPITER are of two kinds: export each by itself"
    )
    assert detail(exported(client, ticker="moons/SATURN")) == (
        "ticker = 'moons/SATURN': must be one of btc_usd, eth_usd, moons/JUPITER"
    )


def test_a_series_has_the_rows_of_all_its_markets_or_of_those_that_are_named(client: httpx.Client, moons: Database):
    append(moons, tick(0))
    nothing = detail(exported(client, series="moons"))
    with moons.write() as cursor:
        snapshots = [
            Snapshot(f"moons/{planet}", START, START, (("Io", 0.5, None),)) for planet in ("JUPITER", "SATURN")
        ]
        arrivals.append(cursor, snapshots)

    def planets(**more: str) -> list[str]:
        reply = exported(client, series="moons", format="csv", **more)
        return list(pd.read_csv(io.BytesIO(gzip.decompress(reply.content)))["planet"])

    assert nothing == "series = 'moons': no rows of any series are stored"
    assert planets() == ["JUPITER", "SATURN"]
    assert planets(ticker="SATURN") == ["SATURN"]
    assert [planets(**{word: "SATURN"}) for word in ("underlying", "currency", "instrument")] == [["SATURN"]] * 3
    assert detail(exported(client, series="moons/MARS")) == "series = 'moons/MARS': must be one of moons"
    assert detail(exported(client, series="moons/SATURN", ticker="JUPITER")) == (
        "ticker = 'JUPITER': must be one of SATURN"
    )
    assert detail(exported(client, series="options")) == "series = 'options': must be one of moons"
    assert detail(exported(client, series="moons", ticker="btc_usd")) == (
        "ticker = 'btc_usd': must be one of JUPITER, SATURN"
    )


def test_one_feed_of_a_series_is_named_as_elsewhere(client: httpx.Client, moons: Database):
    with moons.write() as cursor:
        arrivals.append(cursor, [Snapshot(f"moons/{name}", START, START, (("Io", 0.5, None),)) for name in "AB"])

    assert exported(client, series="moons/A").content == exported(client, ticker="moons/A").content
    assert exported(client, series="moons/A").content != exported(client, series="moons").content
