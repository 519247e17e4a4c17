"""The OpenAPI document matches the API: schemathesis tries all that it allows and forbids."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from api.app import create_app
from api.instants import INTERVALS
from api.served import Served
from settings import ROOT
from store.file.database import Database
from store.ledger import arrivals
from store.market import chains
from store.models import utc_now
from store.prices import averages, ticks
from tests.conftest import START, WHOLE, tick
from tests.support import market

from .conftest import SECOND, served_at

EXAMPLES = 6
PHASES = "coverage,fuzzing" if WHOLE else "fuzzing"
"""A short run leaves out the phase that goes through all boundaries of each parameter."""
TICKERS = {"enum": ["btc_usd", "eth_usd"]}

# What no document can say: that a start is before its end, and a range short. Within these any two fit.
STARTS = {"type": "integer", "minimum": SECOND - 1000, "maximum": SECOND}
ENDS = {"type": "integer", "minimum": SECOND, "maximum": SECOND + 5000}
MARKETS = {"enum": ["BTC", "ETH"]}
EXPIRIES = {"enum": ["2026-11-06", "2026-11-27"]}
NAMES = {"ticker": TICKERS, "underlying": MARKETS, "currency": MARKETS, "series": {"enum": ["options/BTC"]}}
FITTING = {
    **NAMES,
    "start_timestamp": STARTS,
    "end_timestamp": ENDS,
    "start": STARTS,
    "end": ENDS,
    "at": ENDS,
    "expiry": EXPIRIES,
}
INSTRUMENTS = {
    "/options/history": {"enum": ["BTC-27NOV26-100000-C", "ETH-27NOV26-3000-P"]},
    "/funding": {"enum": ["BTC-PERPETUAL"]},
}


@pytest.fixture
def url(database: Database, make_settings: Callable[..., Any]) -> Iterator[str]:
    """The API where the dashboard mounts it, with fresh ticks, averages, and a snapshot of each market."""
    fresh = (utc_now() - START).total_seconds() + 600
    with database.write() as cursor:
        ticks.append(cursor, [tick(second, name) for second in (*range(200), fresh) for name in TICKERS["enum"]])
        averages.append(cursor, "btc_usd", [(START - timedelta(days=day), 50.0) for day in range(1, 50)], 86_400)
        chains.append(cursor, [market.chain(currency, START) for currency in MARKETS["enum"]])
        arrivals.append(cursor, [market.futures(currency, START) for currency in MARKETS["enum"]])
    api = create_app()
    api.state.served = Served(make_settings(markets="BTC,ETH"), database)
    with served_at(Starlette(routes=[Mount("/api", api)])) as url:
        yield f"{url}/api"


def document(url: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{url}/openapi.json").raise_for_status().json()
    return found


def narrowed(document: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """The document with other schemas for some of its parameters; ends of a range are then always given.

    An export is without `series`, `columns` and `at`, because the tickers of prices are no markets.
    """
    for path, operation in by_path(document):
        its = {**schemas, **({"instrument": INSTRUMENTS[path]} if path in INSTRUMENTS else {})}
        of_markets = {"series", "columns", "at"} if "export" in path else set()
        kept = [each for each in operation.get("parameters", []) if each["name"] not in of_markets]
        operation["parameters"] = kept
        for parameter in kept:
            if (name := parameter["name"]) in its:
                several = "anyOf" in parameter["schema"] and name == "ticker"
                parameter["schema"] = {"type": "array", "items": its[name]} if several else its[name]
                parameter["required"] = parameter.get("required", False) or name not in {"ticker", "expiry"}
    return document


def by_path(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(path, operation) for path, its in document["paths"].items() for operation in its.values()]


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for _, operation in by_path(document)]


def schemathesis(folder: Path, document: dict[str, Any], url: str, mode: str, phases: str) -> str:
    """What schemathesis says after it has made requests of a document, with all its checks on."""
    file = folder / "openapi.json"
    file.write_text(json.dumps(document))
    # An address may be forbidden and too long.
    (folder / "schemathesis.toml").write_text('[checks.negative_data_rejection]\nexpected-statuses = ["4xx", "503"]\n')
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        file.name,
        "--url",
        url,
        "--mode",
        mode,
        "--phases",
        phases,
    ]
    options = ["--checks", "all", "--max-examples", str(EXAMPLES), "--no-color", "--generation-database", "none"]
    return subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True, check=False).stdout


def test_each_request_that_the_document_allows_is_answered_as_documented(url, tmp_path):
    fitting = narrowed(document(url), FITTING)

    said = schemathesis(tmp_path, fitting, url, "positive", PHASES + ",stateful")

    assert re.search(r"No issues found in [\d.]+s", said), said
    assert f"Tested: {len(operations(fitting))}" in said


def test_each_request_that_the_document_forbids_is_refused_as_documented(url, tmp_path):
    said = schemathesis(tmp_path, narrowed(document(url), NAMES), url, "negative", PHASES)

    assert re.search(r"No issues found in [\d.]+s", said), said


def test_each_route_documents_its_errors_and_each_parameter_its_meaning(url):
    for operation in operations(document(url)):
        assert operation["description"]
        parameters = operation.get("parameters", [])
        assert all(parameter["description"] for parameter in parameters)
        assert not parameters or {"401", "403", "422", "503"} <= operation["responses"].keys()


def test_the_document_names_where_the_routes_are(url):
    assert document(url)["servers"] == [{"url": "/api"}]


def test_the_docs_list_each_route_parameter_and_field(url):
    said, found = "".join((ROOT / f"docs/{page}.md").read_text() for page in ("api", "market-api")), document(url)
    parameters = {each["name"] for operation in operations(found) for each in operation.get("parameters", [])}
    fields = {name for model in ("Price", "Candle") for name in found["components"]["schemas"][model]["properties"]}

    listed = set(re.findall(r"(?<!`)`([^`\n]+)`", said))

    assert {f"/api{path}" for path in found["paths"]} <= listed
    assert parameters | fields | set(INTERVALS) <= listed
