"""Overview in each of its states, on a real database."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.common import text
from settings import ROOT
from store import Database, Tick, ticks, utc_now
from store.recorder import Notice, RecorderLock


@pytest.fixture
def open_page(monkeypatch, database_file) -> Iterator[Callable[[], AppTest]]:
    """Opens the dashboard on the test's database; another process would record."""
    monkeypatch.setenv("TICKWELL_DATABASE", str(database_file))
    monkeypatch.setenv("TICKWELL_POLLER", "external")
    st.cache_data.clear()
    st.cache_resource.clear()

    def run() -> AppTest:
        return AppTest.from_file(str(ROOT / "dashboard.py"), default_timeout=20).run()

    yield run
    st.cache_data.clear()
    st.cache_resource.clear()


def notice(**changes) -> Notice:
    now = utc_now()
    facts = {"pid": 812, "mode": "external", "since": now, "poll_seconds": 5, "indexes": ("btc_usd", "eth_usd")}
    return Notice(**{**facts, "version": "1", "state": "recording", "state_since": now, **changes})


def store(database: Database, *new: Tick) -> None:
    with database.write() as cursor:
        ticks.append(cursor, new)


def captions(page: AppTest) -> list[str]:
    """What stands below the prices."""
    return [caption.value for caption in page.caption if "Times are" not in caption.value]


def test_before_anything_is_recorded_each_index_says_so(open_page):
    page = open_page()

    assert not page.exception
    assert [metric.label for metric in page.metric] == ["BTC / USD", "ETH / USD"]
    assert captions(page) == ["No data yet", "No data yet"]
    assert "no recorder was started yet" in page.warning[0].value


def test_a_card_shows_price_change_and_age(open_page, database):
    now = utc_now()
    store(database, Tick("btc_usd", now - timedelta(hours=1), 100_000.0), Tick("btc_usd", now, 101_000.0))
    lock = RecorderLock(database.path)
    lock.acquire(notice())

    page = open_page()
    lock.release()

    btc = page.metric[0]
    assert (btc.value, btc.delta) == ("101,000.00", "+1.00 %")
    assert re.search(r"recording, \d s old. Times are UTC.", page.caption[0].value)
    assert not page.warning
    assert not page.exception


def test_an_old_price_is_marked_stale(open_page, database):
    store(database, Tick("btc_usd", utc_now() - timedelta(minutes=5), 100_000.0))

    page = open_page()

    assert "Stale, 5 min old" in captions(page)[0]


def test_trouble_with_the_exchange_is_said_in_words_and_the_last_price_stays(open_page, database):
    now = utc_now()
    store(database, Tick("btc_usd", now, 100_000.0))
    lock = RecorderLock(database.path)
    lock.acquire(
        notice(state="unreachable", state_since=now, detail="connection refused", retry_at=now + timedelta(seconds=60))
    )

    page = open_page()
    lock.release()

    assert page.warning[0].value.startswith(f"Exchange unreachable since {now:%H}\\:{now:%M}, retrying in ")
    assert page.warning[0].value.endswith("connection refused")
    assert page.metric[0].value == "100,000.00"


def test_simulated_prices_stand_under_a_banner(open_page, database):
    store(database, Tick("btc_usd", utc_now(), 100_000.0, source="simulator"))

    page = open_page()

    assert any("Simulated prices" in warning.value for warning in page.warning)


def test_an_index_that_is_no_longer_configured_stays_visible(open_page, database):
    store(database, Tick("sol_usdc", utc_now(), 150.0))

    page = open_page()

    assert [metric.label for metric in page.metric] == ["BTC / USD", "ETH / USD", "SOL / USDC"]


def test_a_database_that_cannot_be_read_is_an_error_without_a_traceback(open_page, database_file):
    database_file.write_text("not a database, but long enough to look like one " * 100)

    page = open_page()

    assert "can't be read" in page.error[0].value
    assert not page.exception


def test_a_bad_setting_is_shown_as_its_one_line(open_page, monkeypatch):
    monkeypatch.setenv("TICKWELL_POLL_SECONDS", "0")

    page = open_page()

    assert page.error[0].value == "TICKWELL_POLL_SECONDS = '0': must be a whole number from 1 to 3600"
    assert not page.metric


@pytest.mark.parametrize(
    ("value", "shown"),
    [(101515.7, "101,515.70"), (100, "100.00"), (2.3456, "2.34560"), (0.5, "0.500000"), (0.00001234, "0.0000123400")],
)
def test_a_price_has_digits_that_suit_its_size(value, shown):
    assert text.price(value) == shown


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=-1), "0 s old, 12:00:00"),
        (timedelta(seconds=59), "59 s old, 12:00:00"),
        (timedelta(minutes=2), "2 min old, 12:00:00"),
        (timedelta(hours=3), "3 h old, 12:00:00"),
        (timedelta(days=3), "3 d old, 2026-11-01 12:00"),
    ],
)
def test_an_age_is_told_in_its_largest_unit(age, words):
    assert text.age_at(age, datetime(2026, 11, 1, 12, tzinfo=UTC)) == words


def test_a_change_says_since_when_until_a_day_is_recorded():
    start, zone = datetime(2026, 11, 1, 12, tzinfo=UTC), ZoneInfo("Europe/Berlin")

    assert text.counted_since(start, start + timedelta(hours=2), zone) == "since 13:00"
    assert text.counted_since(start, start + timedelta(hours=24), zone) == "in 24 h"


def test_words_of_others_are_not_read_as_markdown():
    assert text.escaped("a *b* [c](d) :red[e]") == r"a \*b\* \[c\]\(d\) \:red\[e\]"
