"""Each part of a page fails by itself, keeps what it showed last, and comes back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, timedelta

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.common.busy import waiting_once
from pages.common.site import PAGES
from pages.common.words import text
from store.errors import BusyError
from store.file.database import Database
from store.instants import DAY, MINUTE
from store.ledger import runs
from store.market import chains
from store.models import Run, Tick, utc_now
from store.prices.candles import floor
from tests.pages.conftest import captions, errors, failed
from tests.support import market
from tests.support.carry import record_funding, record_futures
from tests.support.events import alert, note
from tests.support.stored import append
from tests.support.volatility import record_dvol

SECOND = timedelta(seconds=1)

PARTS = {
    ("overview", "candles_1h"): ["Prices", "The chart"],
    ("overview", "gaps"): ["Gaps", "Errors"],
    ("overview", "misses"): ["Gaps", "Errors"],
    ("overview", "volatility_index"): ["The market"],
    ("overview", "surfaces"): ["The market"],
    ("history", "candles_1h"): ["The chart"],
    ("history", "gaps"): ["Gaps"],
    ("history", "alert_events"): ["Alerts"],
    ("futures", "snapshots"): ["Futures", "The basis"],
    ("futures", "futures"): ["Futures", "The basis"],
    ("futures", "funding"): ["Futures", "Funding", "Funding by hour and day"],
    ("futures", "gaps"): ["The basis"],
    ("volatility", "volatility_index"): ["Volatility", "DVOL"],
    ("volatility", "candles_1m"): ["Volatility", "DVOL", "The cone"],
    ("volatility", "surfaces"): ["Volatility", "Option chains"],
    ("volatility", "gaps"): ["Option chains"],
    ("options", "snapshots"): ["The option chain"],
    ("options", "options_by_snapshot"): ["The option chain"],
    ("contract", "snapshots"): ["The contract"],
    ("contract", "options"): ["The contract"],
    ("contract", "smiles"): ["The contract"],
    ("contract", "deliveries"): ["The contract"],
    ("contract", "gaps"): ["The contract"],
    ("quality", "gaps"): ["Coverage"],
    ("quality", "checks"): ["The market"],
    ("quality", "vitals"): ["How recording went"],
    ("quality", "misses"): ["Coverage", "Errors"],
    ("alerts", "alert_rules"): ["Rules"],
    ("alerts", "candles_1h"): ["The chart"],
    ("alerts", "alert_acknowledgements"): ["Events"],
    ("export", "candles_1h"): ["The preview", "Its size"],
    ("export", "gaps"): ["Gaps"],
}
"""The parts of a page that say that they can't be read while a table is away."""


@pytest.fixture
def recorded(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A minute of btc_usd up to now, of a recorder's run that began two hours ago, an alert, and a market."""
    monkeypatch.setenv("TICKWELL_MARKETS", "BTC")
    now = utc_now()
    append(database, *(Tick("btc_usd", now - number * SECOND, 100.0) for number in range(60)))
    with database.write() as cursor:
        runs.note(cursor, Run(now - timedelta(hours=2), {"btc_usd": 5}, "1"))
        chains.append(cursor, [market.chain("BTC", floor(now - MINUTE, MINUTE))])
    note(database, alert())
    record_dvol(database, floor(now, DAY) - 3 * DAY, now, DAY)
    record_futures(database, floor(now - MINUTE, MINUTE))
    record_funding(database, now, 3)
    return database


@contextmanager
def away(database: Database, table: str) -> Iterator[None]:
    """Give a table another name during the block."""
    rename(database, table, "away")
    yield
    rename(database, "away", table)


def rename(database: Database, table: str, name: str) -> None:
    with database.write() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO {name}")
    st.cache_data.clear()
    st.cache_resource.clear()


def parts_of(page: AppTest) -> list[str]:
    """The parts that say that they can't be read."""
    return [line.partition(" can't be read. ")[0] for line in failed(page)]


def kept(page: AppTest) -> list[str]:
    """What parts say that show what they read before."""
    return [line for line in captions(page) if "As of " in line and "the newest could not be read" in line]


@pytest.mark.parametrize(("name", "table"), PARTS)
def test_a_part_whose_table_is_away_says_so_and_the_others_are_shown(open_page, recorded, name, table):
    whole = open_page(name)

    with away(recorded, table):
        page = open_page(name)

    assert parts_of(whole) == []
    assert parts_of(page) == PARTS[name, table]
    assert all("ticks.duckdb: " in line for line in failed(page))
    assert len(page.main) > 0
    assert not page.exception


@pytest.mark.parametrize("name", [page.name for page in PAGES])
def test_parts_keep_what_they_showed_while_their_tables_are_away_and_come_back(open_page, recorded, name):
    page = open_page(name)
    tables = dict.fromkeys(table for its, table in PARTS if its == name)
    before = shape(page)

    for table in tables:
        with away(recorded, table):
            page.run()
        assert not page.exception
        assert len(kept(page)) == len([part for part in PARTS[name, table] if part not in {"Gaps", "Alerts"}])
        page.run()
        assert (kept(page), parts_of(page), errors(page)) == ([], [], [])
        assert shape(page) == before


@pytest.mark.parametrize("clock", ["monotonic_s", "clock_s"])
def test_what_is_kept_since_another_day_says_so_even_if_the_machine_slept_or_its_clock_was_set(
    open_page, recorded, clock
):
    page = open_page("history")
    last = page.session_state["last The chart"]
    page.session_state["last The chart"] = replace(last, **{clock: getattr(last, clock) - 2 * 86_400})

    with away(recorded, "candles_1h"):
        page.run()

    (line,) = kept(page)
    day, _, _ = text.moment(utc_now() - timedelta(days=2), UTC).partition(",")
    assert f"As of {day}, " in line


def shape(page: AppTest) -> list[int]:
    """How many charts, metrics, headings and tables a page has."""
    found = (page.get("bidi_component"), page.metric, page.header, page.dataframe, page.button)
    return [len(each) for each in found]


def test_a_page_waits_once_for_a_file_that_another_process_keeps(monkeypatch):
    monkeypatch.setattr(st, "session_state", {})
    waits = []

    def kept_file() -> None:
        waits.append(1)
        raise BusyError("kept by PID 812")

    for _ in range(3):
        with pytest.raises(BusyError, match="PID 812"):
            waiting_once(kept_file)

    assert waits == [1]
