"""The examples of docs/export.md run, and compute what is stored."""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from poller.simulator.truth.deliveries import delivery_price
from poller.simulator.truth.funding import funding
from poller.simulator.truth.listing import DAY_S, second_of
from poller.simulator.truth.volatility import candle
from settings import ROOT
from store.file.database import Database
from store.kinds import DELIVERIES, FUNDING, KINDS, VOLATILITY_INDEX
from store.ledger import arrivals
from store.market import chains
from store.market.entries import EntriesOf
from store.models import utc_now
from tests.support import market

from .conftest import DAY, HOUR

PAGE = (ROOT / "docs/export.md").read_text()
PANDAS, POLARS = (
    next(code for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if start in code)
    for start in ('def rows(series, **params):\n    """', "def rows(series, **params):\n    return pl.")
)


@pytest.fixture
def now_recorded(client: httpx.Client, database: Database) -> list[float]:
    """Chains and futures of the last hour, a day of funding, and days of DVOL and deliveries: the closes of DVOL."""
    now = utc_now().replace(microsecond=0)
    even, midnight = now - timedelta(seconds=now.second % 2), now.replace(hour=0, minute=0, second=0)
    hours = [(even - hour * HOUR).replace(minute=0, second=0) for hour in range(23)]
    days = [midnight - day * DAY for day in range(20, 0, -1)]
    candles = [candle("BTC", second_of(day), DAY_S) for day in days]
    delivered = [(day + 8 * HOUR, delivery_price("btc_usd", second_of(day) // DAY_S)) for day in days]
    with database.write() as cursor:
        chains.append(cursor, [market.chain("BTC", at) for at in (even - HOUR, even - 2 * timedelta(seconds=1))])
        arrivals.append(cursor, [market.futures("BTC", at) for at in (even - HOUR, even - 2 * timedelta(seconds=1))])
        EntriesOf(VOLATILITY_INDEX, "BTC", DAY_S).append(
            cursor, [(day, *values) for day, values in zip(days, candles, strict=True)]
        )
        EntriesOf(DELIVERIES, "btc_usd").append(cursor, delivered)
        EntriesOf(FUNDING, "BTC-PERPETUAL").append(
            cursor, [(at, 100_000.0, *(funding("BTC", second_of(at), n) for n in (1, 8))) for at in hours]
        )
    return [values[-1] for values in candles]


@pytest.mark.parametrize(("code", "library"), [(PANDAS, "pandas"), (POLARS, "polars")])
def test_the_examples_run(
    now_recorded: list[float], server: tuple[FastAPI, str], monkeypatch: Any, capsys: Any, code: str, library: str
):
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)  # without a certificate polars sends no request
    _, url = server
    names: dict[str, Any] = {}

    exec(compile(code.replace("http://localhost:8501/api", url), "export.md", "exec"), names)  # noqa: S102 our own

    assert {kind.name for kind in KINDS if kind.name} == set(re.findall(r'rows\("(\w+)"', code))
    said = capsys.readouterr().out
    rank = (now_recorded[-1] - min(now_recorded)) / (max(now_recorded) - min(now_recorded))
    assert (f"IV rank {rank:.0%} of 20 days" if library == "pandas" else f"IV rank {rank} days 20") in said
    assert all(word in said for word in ("call", "instrument_name", "a year", "max_pain", "rr25_30d"))
