"""The cards of the market on Overview: their numbers equal an independent calculation."""

import math
import re
from datetime import datetime, timedelta

import pytest
from streamlit.testing.v1 import AppTest

from store.file.database import Database
from store.instants import DAY, HOUR, MINUTE
from store.kinds import OPTIONS
from store.market import chains
from store.models import utc_now
from store.prices.candles import floor
from tests.pages.conftest import captions, failed, forget_all
from tests.support.carry import record_futures
from tests.support.market import chain, interpolated_basis
from tests.support.volatility import dvol, record_dvol

COLUMNS = [column.name for column in OPTIONS.brought]


@pytest.fixture(autouse=True)
def _with_markets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKWELL_MARKETS", "BTC,ETH")


def cards(page: AppTest) -> dict[str, str]:
    """The value of each card but those of the indexes."""
    return {metric.label: metric.value for metric in page.metric if " / USD" not in metric.label}


def percent(value: float) -> str:
    return f"{value:+.2f} %" if round(value, 2) else "0.00 %"


def record_chain(database: Database, at: datetime, currency: str = "BTC") -> dict[str, float]:
    """Record a chain, and return what puts are of calls, by open interest and by volume."""
    snapshot = chain(currency, at)
    with database.write() as cursor:
        chains.append(cursor, [snapshot])
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in snapshot.rows]

    def known(what: str, option_type: str) -> float:
        return math.fsum(row[what] for row in rows if row["option_type"] == option_type and row[what] is not None)

    return {what: known(what, "put") / known(what, "call") for what in ("open_interest", "volume")}


def links(page: AppTest) -> list[tuple[str, str]]:
    """The page and the parameters of each link on a card."""
    found = (each.proto for each in page.get("page_link"))
    return [(each.page, each.query_string) for each in found if each.query_string]


def test_no_card_is_drawn_of_what_is_not_recorded(open_page, database, minute):
    record_dvol(database, minute - HOUR, minute, MINUTE, "ETH")

    page = open_page()

    assert list(cards(page)) == ["ETH DVOL"]
    assert not page.exception


def test_without_markets_overview_has_no_part_of_them(open_page, database, minute, monkeypatch):
    record_futures(database, minute)
    monkeypatch.setenv("TICKWELL_MARKETS", "none")

    assert cards(open_page()) == {}


def test_the_cards_have_the_numbers_by_hand_and_their_ages(open_page, database, minute):
    (newest,) = record_futures(database, minute)
    record_dvol(database, minute - DAY - HOUR, minute, MINUTE)
    ratios = record_chain(database, minute)

    page = open_page()

    funding = next(row for row in newest.rows if row[0] == "BTC-PERPETUAL")[-2:]
    now, last = (3 * 365 * 100 * rate for rate in funding)
    value, before = (dvol(at - MINUTE) for at in (minute, minute - DAY))
    assert cards(page) == {
        "BTC DVOL": f"{value:.2f} %",
        "BTC basis, 90 d": f"{100 * interpolated_basis(newest, 90 * DAY):+.2f} %",
        "BTC funding, 8 h": percent(last),
        "BTC put / call": f"{ratios['open_interest']:.2f}",
    }
    moved = next(metric for metric in page.metric if metric.label == "BTC DVOL")
    assert float(moved.delta) == pytest.approx(value - before, abs=0.005)
    ages = [caption for caption in captions(page) if caption.endswith(f", {minute:%H:%M:%S}")]
    assert len(ages) == 4
    assert ages[2].startswith(f"Annual rate; now {percent(now)}  \n")
    assert f"By volume {ratios['volume']:.2f}" in ages[3]


def test_each_card_links_to_its_page_and_currency(open_page, database, minute):
    record_futures(database, minute, currency="ETH")
    record_dvol(database, minute - HOUR, minute, MINUTE, "ETH")
    record_chain(database, minute, "ETH")

    assert links(open_page()) == [
        ("volatility", "currency=ETH"),
        ("futures", "currency=ETH"),
        ("futures", "currency=ETH"),
        ("options", "currency=ETH"),
    ]


@pytest.mark.parametrize(("periods", "is_stale"), [(1.5, False), (2.5, True)])
def test_a_card_is_amber_from_two_periods_on(open_page, database, periods, is_stale):
    at = floor(utc_now() - periods * timedelta(minutes=5), timedelta(seconds=2))
    record_chain(database, at)

    (age,) = (caption for caption in captions(open_page()) if caption.startswith("By volume"))

    assert (":orange[" in age and "Stale, " in age) is is_stale


def test_nothing_later_than_the_newest_ten_seconds_is_used(open_page, database, minute):
    record_futures(database, minute)
    record_dvol(database, minute - HOUR, minute, MINUTE)
    before = cards(open_page())
    assert re.fullmatch(r"\d+\.\d\d %", before["BTC DVOL"])

    later = floor(utc_now(), MINUTE) + HOUR
    record_futures(database, later)
    record_dvol(database, later, later + HOUR, MINUTE)

    forget_all()

    assert cards(open_page()) == before


def test_a_market_that_cannot_be_read_says_so_beside_the_prices(open_page, database, minute):
    record_futures(database, minute)
    with database.write() as cursor:
        cursor.execute("ALTER TABLE futures RENAME TO away")

    page = open_page()

    assert [words.partition(" can't be read. ")[0] for words in failed(page)] == ["The market"]
    assert not page.exception
