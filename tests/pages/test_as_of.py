"""Futures and Volatility as of a moment that the reader chose: nothing later has a part in what they show."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from pages.common.reads import futures, volatility
from store.file.database import Database
from store.file.shared import shared_database
from store.instants import DAY, EPOCH, HOUR, MINUTE
from store.ledger import runs
from store.market import chains
from store.market.reads.volatility import volatility_at
from store.models import Cause, Miss, Run, Snapshot
from store.prices.candles import floor
from tests.pages.conftest import captions, chart, forget_all, pages_of, warnings
from tests.store.market import snapshots as made_up
from tests.support.carry import record_funding, record_futures
from tests.support.examples import examples
from tests.support.market import chain, interpolated_basis
from tests.support.volatility import dvol, realised_by_hand, record_all_lengths, record_minutes, walk

SECOND = timedelta(seconds=1)
AT = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
"""A moment of the past; in the hour before it, each snapshot has an index."""


@pytest.fixture(autouse=True)
def _with_markets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKWELL_MARKETS", "BTC,ETH")


def record_chains(database: Database, *its: Snapshot) -> None:
    with database.write() as cursor:
        chains.append(cursor, its)


def metrics(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def in_url(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def in_words(at: datetime) -> str:
    return f"{at.day} {at:%b %Y, %H:%M:%S}"


def mark(its: Snapshot) -> float:
    return next(float(row[2]) for row in its.rows if row[1] is None)


def last_times(page: AppTest, key: str) -> set[str]:
    """The last time of each trace of a chart."""
    return {trace["x"][-1] for trace in chart(page, key)["figure"]["data"]}


def test_futures_of_a_moment_are_those_of_its_snapshot_and_nothing_later_is_shown(open_page, database):
    its, _ = record_futures(database, AT, AT + MINUTE)
    rates = record_funding(database, AT + DAY, 400)

    page = open_page("futures", at=in_url(AT + 30 * SECOND), range="1w", utc="true")

    week = [rate for end, rate in rates if AT.replace(minute=0) - 7 * DAY < end <= AT]
    assert metrics(page)["BTC-PERPETUAL"] == f"{mark(its):,.2f}"
    assert metrics(page)["Funding, 7 d, a year"] == f"{100 * math.fsum(week) / len(week) * 8760:+.2f} %"
    assert metrics(page)["Basis, 90 d, a year"] == f"{100 * interpolated_basis(its, 90 * DAY):+.2f} %"
    assert f"30 s old then, {in_words(AT)}" in captions(page)[0]
    assert last_times(page, "basis") == {AT.replace(tzinfo=None).isoformat(" ")}
    assert last_times(page, "funding") == {AT.replace(minute=0, tzinfo=None).isoformat(" ")}
    assert [trace["name"] for trace in chart(page, "terms")["figure"]["data"]] == ["Then"]
    assert not page.exception


def test_a_snapshot_that_futures_lack_is_told_with_its_neighbours_and_not_replaced(open_page, database):
    with database.write() as cursor:
        runs.note(cursor, Run(AT - 2 * HOUR, {"futures/BTC": 60}, "1"))
        runs.append_misses(
            cursor, (Miss(AT + each * MINUTE, "futures/BTC", Cause.UNREACHABLE, "no route") for each in range(1, 10))
        )
    record_futures(database, AT, AT + 10 * MINUTE)

    page = open_page("futures", at=in_url(AT + 5 * MINUTE), utc="true")

    assert metrics(page) == {}
    (warning,) = warnings(page)
    assert warning.replace("\\", "").startswith(f"No snapshot of futures at {in_words(AT + 5 * MINUTE)}: unreachable")
    assert [button.label for button in page.button if button.label.startswith("The nearest")] == [
        f"The nearest before: {in_words(AT)}",
        f"The nearest after: {in_words(AT + 10 * MINUTE)}",
    ]


def test_a_link_to_a_neighbour_shows_its_snapshot(open_page, database):
    its, _ = record_futures(database, AT, AT + 10 * MINUTE)
    page = open_page("futures", at=in_url(AT + 5 * MINUTE), utc="true")

    next(button for button in page.button if button.label.startswith("The nearest before")).click().run()

    assert metrics(page)["BTC-PERPETUAL"] == f"{mark(its):,.2f}"


def test_the_cards_of_futures_have_their_change_since_the_moment_to_compare_with(open_page, database):
    now, before = record_futures(database, AT, AT - 7 * DAY)

    page = open_page("futures", at=in_url(AT), vs="7d", utc="true")

    interest = [math.fsum(row[6] for row in its.rows) for its in (now, before)]
    basis = [100 * interpolated_basis(its, 90 * DAY) for its in (now, before)]
    deltas = {metric.label: metric.delta for metric in page.metric}
    assert deltas["BTC-PERPETUAL"] == f"{100 * (mark(now) / mark(before) - 1):+.2f} %"
    assert deltas["Basis, 90 d, a year"] == f"{basis[0] - basis[1]:+.2f} points"
    assert deltas["Open interest, USD"] == f"{100 * (interest[0] / interest[1] - 1):+.2f} %"
    assert not deltas["Funding, 7 d, a year"]


@pytest.mark.parametrize(("late", "there"), [(60, True), (80, False)])
def test_the_moment_to_compare_with_is_found_as_any_other_moment(open_page, database, late, there):
    record_futures(database, AT, AT - DAY - late * SECOND)

    page = open_page("futures", at=in_url(AT), vs="1d", utc="true")

    told = [each.replace("\\", "") for each in captions(page) if "Nothing to compare with" in each]
    assert (not told) == there
    if not there:
        assert f"No snapshot of futures at {in_words(AT - DAY)}" in told[0]
        assert f"The nearest: {in_words(AT - DAY - late * SECOND)} before, {in_words(AT)} after." in told[0]


def test_volatility_of_a_moment_is_that_by_hand(open_page, database):
    record_all_lengths(database, AT + HOUR)
    closes = walk(AT - 31 * DAY, AT + DAY)
    record_minutes(database, closes)
    record_chains(database, *(chain("BTC", at) for at in (AT - 7 * DAY, AT, AT + 5 * MINUTE)))

    page = open_page("volatility", at=in_url(AT), vs="7d", range="1M", utc="true")

    now = dvol(AT - MINUTE)
    realised = realised_by_hand(closes, AT - 30 * DAY, AT)
    assert metrics(page)["DVOL"] == f"{now:.2f} %"
    assert metrics(page)["Realised, 30 d"] == f"{realised:.2f} %"
    assert metrics(page)["Premium now, points"] == f"{now - realised:+.2f}"
    assert captions(page)[0] == f"0 s old then, {in_words(AT)}"
    assert last_times(page, "at-the-money") == {AT.replace(tzinfo=None).isoformat(" ")}
    assert max(last_times(page, "dvol")) <= AT.replace(tzinfo=None).isoformat(" ")
    with database.read() as cursor:
        surface = volatility_at(cursor, "BTC", AT).surface
    assert surface is not None
    assert any(f"Our chain says **{surface.iv_chain_30d:.2f} %**" in each.value for each in page.markdown)
    assert not page.exception


def test_dvol_changes_since_the_moment_to_compare_with(open_page, database):
    record_all_lengths(database, AT)

    page = open_page("volatility", at=in_url(AT), vs="30d", utc="true")

    then = dvol((AT - 30 * DAY).replace(minute=0) - MINUTE)  # minutes are recorded for two days alone
    assert page.metric[0].delta == f"{dvol(AT - MINUTE) - then:+.2f}"


def test_a_chain_that_volatility_lacks_is_told_with_its_neighbours_and_not_replaced(open_page, database):
    record_all_lengths(database, AT)
    record_chains(database, chain("BTC", AT - HOUR), chain("BTC", AT + HOUR))

    page = open_page("volatility", at=in_url(AT), utc="true")

    assert metrics(page)["DVOL"] == f"{dvol(AT - MINUTE):.2f} %"
    (warning,) = warnings(page)
    assert warning.replace("\\", "").startswith(f"No option chain at {in_words(AT)}: ")
    assert not any("Our chain says" in each.value for each in page.markdown)
    assert last_times(page, "at-the-money") == {(AT - HOUR).replace(tzinfo=None).isoformat(" ")}


def test_before_the_first_record_of_a_market_its_pages_say_so(open_page, database):
    record_futures(database, AT)
    record_chains(database, chain("BTC", AT))
    record_all_lengths(database, AT + DAY)
    early = in_url(AT - 500 * DAY)

    first, second = open_page("futures", at=early), open_page("volatility", at=early)

    assert [box.value for box in first.info] == [
        "No futures of BTC are recorded in this range.",
        "No funding of BTC-PERPETUAL is recorded in this range.",
    ]
    assert [box.value for box in second.info] == [
        "No DVOL of BTC is recorded in this range.",
        "No option chain of BTC was recorded before that moment.",
    ]
    assert set(metrics(second).values()) == {"–"}
    assert captions(second)[0] == "No DVOL"


@pytest.mark.parametrize("page", ["futures", "volatility"])
def test_a_moment_that_is_still_to_come_is_not_shown(open_page, database, page):
    record_futures(database, AT)

    found = open_page(page, at="2099-01-01T00:00Z")

    assert "The chosen time is still to come. Now is shown." in warnings(found)


@pytest.mark.parametrize(("at", "told"), [("1999-01-01", True), ("2001-01-01", False)])
def test_a_moment_before_all_that_can_be_shown_is_told(open_page, database, at, told):
    record_futures(database, AT)

    found = open_page("futures", at=at)

    said = "The chosen time is before 2001-01-01, the earliest that can be shown. That day is shown."
    assert (said in warnings(found)) == told
    assert found.datetime_input[0].value.date().isoformat() == "2001-01-01"


SPANS = ("1d", "1y")
OFFSETS = st.integers(-90, 120).map(lambda minutes: minutes * MINUTE)


@examples(6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    at=st.integers(0, 240).map(lambda number: AT + number * 15 * SECOND),
    futures_at=st.lists(OFFSETS, max_size=6, unique=True),
    chains_at=st.lists(OFFSETS, max_size=6, unique=True),
    hours=st.integers(1, 60),
)
def test_no_answer_at_a_moment_changes_when_later_rows_are_added(
    tmp_path_factory: pytest.TempPathFactory,
    at: datetime,
    futures_at: list[timedelta],
    chains_at: list[timedelta],
    hours: int,
):
    path = tmp_path_factory.mktemp("later") / "ticks.duckdb"
    minute = floor(at, MINUTE)
    soon = at + 2 * SECOND
    futures_times, chains_times = ({soon, *(AT + each for each in some)} for some in (futures_at, chains_at))
    closes = walk(minute - 16 * DAY, minute + HOUR)

    def record(end: datetime, start: datetime = EPOCH) -> None:
        """All that was published after `start`, up to `end`."""
        record_futures(database, *(each for each in futures_times if start < each <= end))
        record_chains(database, *(made_up.chain(each) for each in chains_times if start < each <= end))
        record_funding(database, end, hours + 24)
        record_all_lengths(database, end)
        record_minutes(database, closes[(closes.index >= floor(start, MINUTE)) & (closes.index < floor(end, MINUTE))])

    with pages_of(path):
        database = shared_database(path, "256MB")
        database.migrate()
        record(at)
        before = answers(at)
        forget_all()

        record(at + HOUR, start=at)

        assert answers(at) == before


def answers(at: datetime) -> list[object]:
    """What the reads of both pages answer, but for where the next snapshots are: that alone may look later."""
    found = futures.read_futures("BTC", at, 7)
    now = volatility.read_now("BTC", at, 1)
    assert now is not None
    return [
        replace(found, standing=replace(found.standing, after=None), earlier={}, compared=None),
        *(each.its for each in found.earlier.values()),
        *(futures.read_basis("BTC", span, at) for span in SPANS),
        *(futures.read_funding("BTC", span, at) for span in SPANS),
        replace(now, standing=replace(now.standing, after=None), before=None),
        *(volatility.read_past("BTC", span, at) for span in SPANS),
        *(volatility.read_surfaces("BTC", span, at) for span in SPANS),
        volatility.read_cone("BTC", at),
    ]
