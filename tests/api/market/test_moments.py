"""No route answers anything later than the moment that it is asked about; it may add the answer of some days before."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from store.file.database import Database
from store.instants import in_iso
from store.kinds import DELIVERIES, FUNDING, VOLATILITY_INDEX
from store.ledger import arrivals
from store.market.entries import EntriesOf
from store.market.instruments import Option, option_name
from store.models import utc_now
from tests.api.conftest import detail
from tests.conftest import START, tick
from tests.support import market
from tests.support.examples import examples
from tests.support.stored import append

from .conftest import DAY, MINUTE, SECOND, answered, record_chains, record_futures

SERIES = ("options", "futures", "dvol", "funding", "deliveries", "smiles", "surfaces")
NAMES: dict[str, Any] = {
    "underlying": "BTC",
    "currency": "BTC",
    "instrument": "BTC-PERPETUAL",
    "start": in_iso(START - 2 * DAY),
    "vs": "1d",
    "greeks": "true",
    "cone": "true",
}


def option() -> str:
    return option_name(Option("BTC", *market.chain("BTC", START).rows[0][:3]))


def asked(client: httpx.Client) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each route that has `at` in its document, with parameters."""
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        names = {each["name"] for each in operations["get"].get("parameters", [])}
        if "at" not in names:
            continue
        its = {name: value for name, value in NAMES.items() if name in names}
        if path == "/options/history":
            its["instrument"] = option()
        if "series" not in names:
            yield path, its
        elif path == "/market/snapshots":
            yield from ((path, its | {"series": f"{kind}/BTC"}) for kind in ("options", "futures"))
        else:
            yield from ((path, its | {"series": series}) for series in SERIES)


def answers(client: httpx.Client, at: datetime) -> dict[str, bytes]:
    """What each route answers as of a moment: of an export its file, too."""
    found = {}
    for path, parameters in asked(client):
        reply = client.get(path, params={**parameters, "at": in_iso(at)})
        assert reply.status_code == 200, (path, parameters, reply.text)
        found[f"{path} {parameters.get('series', '')}"] = reply.content
    return found


def record_entries(database: Database, minute: int) -> None:
    """Store a candle of DVOL, an hour of funding, a delivery price and a tick."""
    at = START + minute * MINUTE
    with database.write() as cursor:
        EntriesOf(VOLATILITY_INDEX, "BTC", 60).append(cursor, [(at, 40.0, 42.5, 39.25, 41.5)])
        EntriesOf(VOLATILITY_INDEX, "BTC", 86_400).append(cursor, [(at, 40.0, 42.5, 39.25, 41.5)])
        EntriesOf(FUNDING, "BTC-PERPETUAL").append(cursor, [(at, 100_000.5, 0.00001 * minute, -0.0001)])
        EntriesOf(DELIVERIES, "btc_usd").append(cursor, [(at, 99_000.25 + minute)])
    append(database, tick(60 * minute))


def record(database: Database, *minutes: int) -> None:
    for minute in minutes:
        record_chains(database, 60 * minute)
        record_futures(database, 60 * minute)
        record_entries(database, minute)


@given(at_s=st.integers(0, 59), later=st.sets(st.integers(0, 50), min_size=1, max_size=2))
@examples(3, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_answer_as_of_a_moment_changes_when_later_rows_are_added(
    client: httpx.Client, database: Database, at_s: int, later: set[int]
):
    with database.write() as cursor:
        for table in ("options_by_snapshot", "futures", "volatility_index", "funding", "deliveries", "snapshots"):
            cursor.execute(f"DELETE FROM {table}")
        for table in ("smiles", "surfaces", "ticks"):
            cursor.execute(f"DELETE FROM {table}")
    record(database, -1440, -60, 0)
    at = START + at_s * SECOND
    before = answers(client, at)

    record(database, *(at_s // 60 + 1 + minute for minute in later))

    assert answers(client, at) == before
    assert {path.split()[0] for path in before} >= {"/options/surfaces", "/futures/basis", "/export/manifest"}


@pytest.fixture
def recorded(database: Database) -> Database:
    record(database, -1440, -1440 + 5, 0, 5)
    return database


@pytest.mark.parametrize(
    ("path", "parameters", "rows"),
    [
        ("/options/surfaces", {"underlying": "BTC"}, "rows"),
        ("/options/history", {"instrument": option()}, "rows"),
        ("/futures/basis", {"currency": "BTC"}, "rows"),
        ("/market/snapshots", {"series": "options/BTC"}, "snapshots"),
    ],
)
def test_the_moment_itself_is_a_part_of_a_time(client: httpx.Client, recorded, path: str, parameters, rows: str):
    def times(**more: Any) -> list[str]:
        reply = client.get(path, params={**parameters, "start": in_iso(START), **more})
        return [row["ts"] for row in answered(reply)[rows]]

    first, second = in_iso(START), in_iso(START + 5 * MINUTE)

    assert times() == times(at=second) == [first, second]
    assert times(end=second) == times(at=in_iso(START + 4 * MINUTE)) == [first]
    assert times(end=second, at=second) == times(end=second, at=first) == [first]


def test_an_export_of_a_market_has_the_moment_and_nothing_later(client: httpx.Client, recorded):
    def manifest(**more: Any) -> dict[str, Any]:
        return answered(client.get("/export/manifest", params={"series": "surfaces", "ticker": "BTC", **more}))

    found = manifest(at=in_iso(START))

    assert (found["rows"], found["last"]) == (3, START.isoformat())
    assert manifest(end=in_iso(START))["rows"] == 2
    assert manifest(start=in_iso(START), at=in_iso(START))["rows"] == 1


def test_a_moment_that_is_not_in_the_time_is_refused(client: httpx.Client, recorded):
    surfaces = {"underlying": "BTC", "start": in_iso(START)}

    early = client.get("/options/surfaces", params={**surfaces, "at": in_iso(START - SECOND)})
    coming = client.get("/options/surfaces", params={**surfaces, "at": "2101-01-01"})
    prices = client.get("/export", params={"ticker": "btc_usd", "at": in_iso(START)})

    assert detail(early).startswith(f"at = {in_iso(START - SECOND)}: must not be before start = ")
    assert "at = 2101-01-01T00:00:00Z: must not be in the future" in detail(coming)
    assert "goes with series" in detail(prices)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/options/chain", {"underlying": "BTC", "greeks": "true"}),
        ("/options/chain", {"underlying": "BTC", "expiry": f"{START + 26 * DAY:%Y-%m-%d}"}),
        ("/options/smile", {"underlying": "BTC"}),
        ("/options/smile", {"underlying": "BTC", "expiry": f"{START + 26 * DAY:%Y-%m-%d}"}),
        ("/options/interest", {"underlying": "BTC"}),
        ("/futures", {"currency": "BTC"}),
        ("/volatility/at", {"currency": "BTC"}),
    ],
)
def test_the_answer_of_a_day_before_stands_beside_the_one_that_is_asked_for(
    client: httpx.Client, recorded, path: str, parameters: dict[str, str]
):
    at = START + 6 * MINUTE
    both = answered(client.get(path, params={**parameters, "at": in_iso(at), "vs": "1d"}))

    now, then = (
        answered(client.get(path, params={**parameters, "at": in_iso(each)})) for each in (at, at - timedelta(days=1))
    )
    assert both == {**now, "compared": then}


def test_without_a_moment_the_days_count_from_the_newest_snapshot(client: httpx.Client, database: Database):
    newest = (utc_now() - 4 * SECOND).replace(microsecond=0)
    newest -= timedelta(seconds=newest.second % 2)
    with database.write() as cursor:
        arrivals.append(cursor, [market.futures("BTC", at) for at in (newest - DAY, newest)])

    both = answered(client.get("/futures", params={"currency": "BTC", "vs": "1d"}))

    assert both["snapshot"]["ts"] == in_iso(newest)
    assert both["compared"]["snapshot"]["ts"] == both["compared"]["at"] == in_iso(newest - DAY)
    assert "compared" not in answered(client.get("/futures", params={"currency": "BTC"}))


@pytest.mark.parametrize("path", ["/options/chain", "/options/smile", "/options/interest", "/futures"])
def test_an_earlier_answer_that_is_missing_is_told_with_its_neighbours(client: httpx.Client, recorded, path: str):
    found = answered(client.get(path, params={"currency": "BTC", "at": in_iso(START), "vs": "7d"}))

    missing = found["compared"]
    assert missing["detail"].startswith(f"at = {in_iso(START - 7 * DAY)}: ")
    assert (missing["before"], missing["after"]) == (None, in_iso(START - DAY))


def test_an_expiry_that_was_not_listed_then_has_no_options_there(client: httpx.Client, recorded):
    chain = answered(client.get("/options/chain", params={"underlying": "BTC", "at": in_iso(START)}))
    listed = {row["expiry"] for row in chain["options"]}
    before = answered(client.get("/options/chain", params={"underlying": "BTC", "at": in_iso(START - DAY)}))
    (new, *_) = sorted(listed - {row["expiry"] for row in before["options"]})

    found = answered(
        client.get("/options/chain", params={"underlying": "BTC", "at": in_iso(START), "vs": "1d", "expiry": new[:10]})
    )

    assert found["options"]
    assert found["compared"]["options"] == []
