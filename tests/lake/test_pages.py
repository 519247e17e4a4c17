"""The pages of a dashboard that reads a lake."""

from datetime import timedelta

import pytest

from pages.common import site
from store.instants import HOUR, MINUTE
from store.lake.connection import Lake
from store.market import chains
from store.models import Exchange, Tick, utc_now
from store.prices import ticks
from store.prices.candles import floor
from tests.pages.conftest import errors, pages_of, told
from tests.store.lake.recordings import share
from tests.support import market
from tests.support.lakes import Place


@pytest.fixture
def open_page(place: Place, lake: Lake, tmp_path, monkeypatch):
    monkeypatch.setenv("TICKWELL_LAKE", place.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", place.keys.key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", place.keys.secret)
    monkeypatch.setenv("AWS_REGION", place.keys.region)
    monkeypatch.setenv("AWS_ENDPOINT_URL", place.keys.endpoint)
    with pages_of(tmp_path / "dashboard" / "ticks.duckdb", poller="lake") as open_page:
        yield open_page


@pytest.fixture
def published(file, lake) -> float:
    """A lake with an hour of ticks and a chain. The price of the newest tick."""
    now = utc_now()
    begin = floor(now - HOUR, MINUTE)
    database = file("recorder", Exchange.SIMULATOR)
    with database.write() as cursor:
        instants = [begin + timedelta(seconds=5 * number) for number in range(700)]
        prices = [Tick("btc_usd", at, 95_000.0 + number, received_at=at) for number, at in enumerate(instants)]
        ticks.append(cursor, prices)
        chains.append(cursor, [market.chain("BTC", begin + 57 * MINUTE)])
    share(database, lake)
    return prices[-1].price


def test_a_page_says_that_it_reads_a_lake_and_how_old_the_newest_price_is(open_page, published):
    page = open_page()

    line = told(page)
    assert (line["before"], line["after"], line["mark"]) == ("reading a shared lake, newest price ", "", "fresh")
    assert 95 <= line["age_s"] <= 240
    assert line["stale_after_s"] == 180
    assert page.metric[0].value == f"{published:,.2f}"
    assert [box.value for box in page.warning] == ["**Simulated prices.** The built-in simulator makes them up."]


@pytest.mark.parametrize("name", [page.name for page in site.PAGES])
def test_each_page_reads_the_lake(open_page, published, name):
    page = open_page(name)

    assert not page.exception
    assert errors(page) == []


def test_alerts_say_that_they_stay_with_each_recorder(open_page, published):
    page = open_page("alerts")

    assert [box.value for box in page.info] == [
        "Alerts stay with each recorder: the dashboard beside a recorder shows its rules and what they fired."
    ]


def test_quality_counts_what_the_runs_of_recorders_made_due(open_page, published):
    page = open_page("quality")

    assert "BTC / USD" in [metric.label for metric in page.metric]


def test_quality_of_a_lake_without_runs_says_that_nobody_knows_what_was_due(open_page):
    page = open_page("quality")

    assert [box.value for box in page.info] == [
        "The lake has no runs of recorders in these 30 days, so nobody knows what was due."
    ]


def test_an_export_of_a_lake_names_no_command_for_a_file(open_page, published):
    page = open_page("export")

    assert [tab.label for tab in page.tabs] == ["curl", "pandas", "polars", "duckdb"]


def test_a_lake_without_rows_is_an_empty_dashboard(open_page):
    page = open_page()

    assert told(page)["before"] == "reading a shared lake, no data yet"
    assert not page.exception


def test_a_lake_out_of_reach_is_told_on_the_page_without_a_secret(open_page, place, monkeypatch):
    monkeypatch.setenv("TICKWELL_LAKE", "postgresql://tickwell:hidden-word@127.0.0.1:1/lake")

    page = open_page()

    assert not page.exception
    (error,) = errors(page)
    assert error.startswith("The lake can't be read. lake 127.0.0.1/lake: ")
    assert "hidden-word" not in str(page)
