"""Choices stand in the address, and that of indexes follows the reader from page to page."""

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.common import choices
from store.models import Tick, utc_now
from tests.pages.conftest import Open
from tests.support.stored import append


@pytest.fixture
def page(open_page: Open, database) -> AppTest:
    append(database, Tick("btc_usd", utc_now(), 100.0), Tick("eth_usd", utc_now(), 100.0))
    return open_page("history")


def chosen(page: AppTest, name: str) -> list[str] | str:
    """What is chosen on another page, after the reader went there."""
    page.switch_page(f"pages/{name}.py").run()
    assert not page.exception
    value: list[str] | str = page.session_state["index"]
    return value


@pytest.mark.parametrize(
    ("several", "one", "then"),
    [
        (["btc_usd"], "All", ["btc_usd"]),
        (["eth_usd"], "eth_usd", ["eth_usd"]),
        (["btc_usd", "eth_usd"], "All", ["btc_usd", "eth_usd"]),
        ([], "All", ["btc_usd"]),
    ],
)
def test_a_choice_of_one_stays_and_others_are_all_where_one_is_chosen(page, several, one, then):
    page.multiselect(key="index").set_value(several).run()

    assert chosen(page, "quality") == one
    assert chosen(page, "alerts") == one
    assert chosen(page, "history") == then
    assert chosen(page, "export") == then


def test_a_choice_of_one_takes_the_place_of_several(page):
    page.multiselect(key="index").set_value(["btc_usd", "eth_usd"]).run()
    page.switch_page("pages/quality.py").run()

    page.selectbox(key="index").set_value("eth_usd").run()

    assert chosen(page, "history") == ["eth_usd"]


@pytest.mark.parametrize(
    ("name", "key", "default"),
    [
        ("history", "chart", "Line"),
        ("quality", "days", "30d"),
        ("alerts", "severity", "All"),
        ("export", "rows", "Ticks"),
        ("export", "format", "Parquet"),
    ],
)
def test_an_empty_choice_in_the_address_is_the_default(open_page, database, name, key, default):
    append(database, Tick("btc_usd", utc_now(), 100.0))

    page = open_page(name, **{key: ""})
    first = bool(page.exception or page.error)
    page.run()

    assert not first
    assert page.segmented_control(key=key).value == default
    assert not page.exception


def test_bars_of_history_and_the_interval_of_an_export_are_apart(page):
    page.selectbox(key="bars").set_value("5m").run()
    page.switch_page("pages/export.py").run()

    page.segmented_control(key="rows").set_value("Candles").run()

    assert page.selectbox(key="interval").value == "1m"
    page.selectbox(key="interval").set_value("1h").run()
    page.switch_page("pages/history.py").run()
    assert page.selectbox(key="bars").value == "5m"


def test_the_series_of_history_and_the_market_of_an_export_are_apart(open_page, database, monkeypatch):
    monkeypatch.setenv("TICKWELL_MARKETS", "BTC")
    page = open_page("history")
    page.multiselect(key="beside").set_value(["BTC DVOL"]).run()
    page.switch_page("pages/export.py").run()
    page.session_state["market"] = ["BTC"]

    page.switch_page("pages/history.py").run()

    assert page.multiselect(key="beside").value == ["BTC DVOL"]
    assert not page.exception


def test_a_list_that_was_replaced_meanwhile_chooses_nothing(monkeypatch):
    monkeypatch.setattr(st, "session_state", {"expiry a": "a", "expiry b": "c"})
    taken: list[str] = []

    choices.taken("expiry a", "a", taken.append)
    choices.taken("expiry b", "b", taken.append)

    assert taken == ["c"]
