"""docs/market-api.md shows what the API answers, and its examples run."""

import json
import re
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from poller.simulator.truth.funding import funding
from poller.simulator.truth.listing import second_of
from settings import ROOT
from store.file.database import Database
from store.kinds import FUNDING, SMILES, SURFACES
from store.ledger import arrivals, runs
from store.market import chains
from store.market.entries import EntriesOf
from store.market.reads import explained
from store.models import Run, utc_now
from tests.support import market
from tests.support.documents import table

from .conftest import HOUR, SECOND, answered

PAGE = (ROOT / "docs/market-api.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SHOWN = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
FIRST_CHAIN = datetime.fromisoformat("2026-11-25T08:55:02+00:00")


def record(database: Database, *times: datetime) -> None:
    with database.write() as cursor:
        chains.append(cursor, [market.chain("BTC", at) for at in times])
        arrivals.append(cursor, [market.futures("BTC", at) for at in times])


def test_the_shown_snapshot_and_the_shown_refusal_are_answered(client: httpx.Client, database: Database):
    snapshot, refusal, _ = SHOWN
    record(database, FIRST_CHAIN, FIRST_CHAIN + 1800 * SECOND)
    with database.write() as cursor:
        runs.note(cursor, Run(FIRST_CHAIN - HOUR, {"options/BTC": 300}, "0", FIRST_CHAIN + 60 * SECOND))
        runs.note(cursor, Run(FIRST_CHAIN + 1700 * SECOND, {"options/BTC": 300}, "0"))
    asked = {"underlying": "BTC", "at": "2026-11-25T09:26:00Z"}

    there = answered(client.get("/options/chain", params=asked))
    missing = client.get("/options/chain", params={**asked, "at": "2026-11-25T09:10:00Z"})

    assert there["snapshot"] == snapshot
    assert (missing.status_code, missing.json()) == (404, refusal)


def test_the_shown_explanation_is_the_one_that_is_given():
    *_, shown = SHOWN

    (formula,) = (each for each in explained.CARRY if each.number == shown["number"])
    assert {**formula._asdict(), "inputs": list(formula.inputs)} == shown


@pytest.fixture
def now_recorded(client: httpx.Client, database: Database) -> httpx.Client:
    """A client of an API with chains and futures of the last hour, and the funding of a day."""
    now = utc_now().replace(microsecond=0)
    even = now - timedelta(seconds=now.second % 2)
    record(database, even - HOUR, even)
    hours = [(even - hour * HOUR).replace(minute=0, second=0) for hour in range(24)]
    with database.write() as cursor:
        EntriesOf(FUNDING, "BTC-PERPETUAL").append(
            cursor, [(at, 100_000.0, *(funding("BTC", second_of(at), n) for n in (1, 8))) for at in hours]
        )
    return client


@pytest.mark.parametrize(
    ("example", "printed"),
    [(0, ["s old", "BTC-PERPETUAL", "annual_basis", "iv_30d", "rr25_30d"]), (1, ["strike", "bid_iv", "interest_1h"])],
)
def test_the_examples_run(
    now_recorded: httpx.Client, server: tuple[FastAPI, str], capsys: Any, example: int, printed: list[str]
):
    _, url = server
    code = EXAMPLES[example].replace("http://localhost:8501/api", url)

    exec(compile(code, "market-api.md", "exec"), {})  # noqa: S102 our own example, run as a reader would

    said = capsys.readouterr().out
    assert [word for word in printed if word not in said] == []
    assert len(EXAMPLES) == 2


BY_ROUTE = {
    "/api/options/chain": explained.GREEKS,
    "/api/options/smile": (*explained.SMILE, *explained.TERMS),
    "/api/options/interest": explained.INTEREST,
    "/api/options/history": explained.SETTLEMENT,
    "/api/options/surfaces": explained.SURFACE,
    "/api/futures": (*explained.CARRY, *explained.SPREADS),
    "/api/futures/basis": explained.MATURITY,
    "/api/funding": explained.FUNDING,
    "/api/volatility/at": explained.VOLATILITY,
}


def test_each_formula_is_listed_with_its_route_and_unit():
    assert table(PAGE, "## Formulas") == [
        [f"`{route}`", ", ".join(f"`{name}`" for name in each.number.split(", ")), each.formula, each.unit]
        for route, formulas in BY_ROUTE.items()
        for each in formulas
    ]


def test_each_column_that_is_derived_has_a_formula():
    derived = {column.name for kind in (SMILES, SURFACES) for column in kind.columns if column.type == "DOUBLE"}
    listed = {name for formulas in BY_ROUTE.values() for each in formulas for name in each.number.split(", ")}

    assert derived - listed == {"index_price"}
