"""Volatility in each of its states: its numbers equal an independent calculation."""

import base64
import math
import re
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from store.file.database import Database
from store.instants import DAY, HOUR, MINUTE
from store.ledger import gaps
from store.market import chains
from store.market.reads import as_of
from store.models import Cause, Gap, utc_now
from store.prices.candles import floor
from tests.pages.conftest import captions, chart, failed, parts, recorder
from tests.support import market
from tests.support.volatility import dvol, realised_by_hand, record_all_lengths, record_dvol, record_minutes, walk

NEVER = ["No DVOL of BTC is recorded in this range yet.", "No option chain yet."]


@pytest.fixture(autouse=True)
def _with_markets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKWELL_MARKETS", "BTC,ETH")


@pytest.fixture
def minute() -> datetime:
    """The minute that the page opens in. The next one is too near to wait for its end."""
    return floor(utc_now(), MINUTE)


def record_chains(database: Database, *times: datetime, currency: str = "BTC") -> None:
    """Chains of the simulator."""
    with database.write() as cursor:
        chains.append(cursor, [market.chain(currency, at) for at in times])


def metrics(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def words(page: AppTest) -> str:
    """All Markdown of the page, as is the text of what opens."""
    return "\n".join(each.value for each in page.markdown)


def traces(page: AppTest, key: str) -> dict[str, Any]:
    return {trace["name"]: trace for trace in chart(page, key)["figure"]["data"]}


def test_before_anything_is_recorded_the_page_says_so(open_page):
    page = open_page("volatility")

    assert metrics(page) == {}
    assert [box.value for box in page.info] == ["No market is recorded yet.", *NEVER]
    assert not page.exception


def test_an_empty_market_has_empty_cards(open_page, database):
    page = open_page("volatility")

    assert set(metrics(page).values()) == {"–"}
    assert captions(page)[:4] == [
        "No DVOL yet: the exchange's history comes within minutes of the first start",
        "No day yet",
        "0 of 43,200 minutes known; half of them are needed",
        "Needs realised volatility",
    ]
    assert [box.value for box in page.info] == NEVER


def test_a_chain_is_due_only_beside_a_recorder(open_page, database):
    with recorder(database):
        page = open_page("volatility")

    assert "No option chain yet. One is due every 5 min." in [box.value for box in page.info]


def test_the_numbers_of_the_cards_are_those_by_hand(open_page, database, minute):
    record_all_lengths(database, minute)
    closes = walk(minute - 31 * DAY, minute, known=0.9)
    record_minutes(database, closes)

    page = open_page("volatility")

    now, midnight = dvol(minute - MINUTE), floor(minute, DAY)
    days = np.array([dvol(midnight - number * DAY - MINUTE) for number in range(364)])
    low, high = min(now, *days), max(now, *days)
    realised = realised_by_hand(closes, minute - 30 * DAY, minute)
    before = dvol(floor(minute - 30 * DAY, HOUR) - MINUTE)
    assert metrics(page) == {
        "DVOL": f"{now:.2f} %",
        "IV rank": f"{math.floor(1e4 * (now - low) / (high - low)) / 100:.2f} %",
        "Realised, 30 d": f"{realised:.2f} %",
        "Premium now, points": signed(now - realised),
    }
    assert page.metric[0].delta == signed(now - dvol(minute - DAY - MINUTE))
    age, percentile, known, later = captions(page)[:4]
    assert age.endswith(f"old, {minute:%H:%M:%S}")
    assert "Stale" not in age
    assert percentile == f"Percentile {math.floor(1e4 * np.mean(days < now)) / 100:.2f} %, of 364 days"
    assert known.endswith(" of 43,200 minutes known")
    assert later == f"Premium of 30 d ago: {signed(before - realised)}"


def signed(points: float) -> str:
    """A difference with its sign; none has no sign."""
    return f"{points:+.2f}" if round(points, 2) else "0.00"


def test_each_number_opens_to_its_formula_its_source_and_its_version(open_page, database, minute):
    record_all_lengths(database, minute)
    record_chains(database, minute - timedelta(minutes=2))

    page = open_page("volatility")

    opened = [each for each in words(page).split("\n\n") if each.startswith("Source: ")]
    assert [line.partition("`")[2].partition("`")[0] for line in opened] == [
        *("volatility_index", "volatility_index", "candles_1m", "volatility_index"),
        *("surfaces", "surfaces", "surfaces"),
    ]
    assert sum("Method version 1." in line for line in opened) == len(opened) - 1  # DVOL is not ours
    for formula in ("(now - min) / (max - min)", "√(525,600 / n × Σ r²)", "∫ q(K) / K² dK", "IV(put of 25 delta)"):
        assert formula in words(page)


def test_surfaces_of_an_older_method_say_so(open_page, database, minute):
    record_all_lengths(database, minute)
    record_chains(database, minute - timedelta(minutes=7), minute - timedelta(minutes=2))
    with database.write() as cursor:
        cursor.execute("UPDATE surfaces SET method = 7 WHERE ts = (SELECT max(ts) FROM surfaces)")

    page = open_page("volatility")

    assert "column `iv_chain_30d`. Method version 7." in words(page)
    assert "columns `iv_7d` to `iv_180d`. Method versions 1, 7." in words(page)


def test_our_chain_stands_beside_the_dvol_of_its_moment(open_page, database, minute):
    made = minute - timedelta(minutes=2)
    record_all_lengths(database, minute)
    record_chains(database, made)

    page = open_page("volatility")

    with database.read() as cursor:
        ((_, *columns),) = as_of.surfaces(cursor, "BTC", made, minute)
    chain, beside = columns[21], dvol(made - MINUTE)
    (line,) = [each.value for each in page.markdown if "Our chain says" in each.value]
    assert f"**{chain:.2f} %** for 30 days, DVOL **{beside:.2f} %**: {signed(chain - beside)} points." in line
    assert ("green" in line) == (abs(chain - beside) <= 1.5)


@pytest.mark.parametrize(("span", "step"), [("1d", 15 * MINUTE), ("1w", HOUR), ("1M", 4 * HOUR), ("1y", DAY)])
def test_the_chart_of_dvol_has_the_candles_of_the_range_and_the_realised_volatility_beside(
    open_page, database, minute, span, step
):
    record_all_lengths(database, minute)
    closes = walk(minute - 33 * DAY, minute)
    record_minutes(database, closes)

    page = open_page("volatility", range=span, utc="true")

    found = traces(page, "dvol")
    at = [datetime.fromisoformat(each).replace(tzinfo=minute.tzinfo) for each in found["DVOL"]["x"]]
    assert {later - before for before, later in pairwise(at)} == {step}
    assert at[-1] == floor(minute - MINUTE, step)
    assert parts(page, "dvol")[:2] == ["candles", "line"]
    assert found["Realised, 30 d"]["x"][-1] == floor(minute, step).replace(tzinfo=None).isoformat(" ")
    assert any(line.startswith("Candles of ") for line in captions(page))


def test_constant_maturities_and_skews_are_those_of_the_chains(open_page, database, minute):
    record_all_lengths(database, minute)
    times = [minute - timedelta(minutes=each) for each in (15, 10, 5)]
    record_chains(database, *times)

    page = open_page("volatility", utc="true")

    with database.read() as cursor:
        rows = as_of.surfaces(cursor, "BTC", times[0], minute)
    shown = {**traces(page, "at-the-money"), **traces(page, "skews")}
    places = {"7 d": 1, "30 d": 3, "90 d": 5, "180 d": 6, "Risk reversal": 10, "Butterfly": 17}
    assert list(shown) == list(places)
    for name, place in places.items():
        assert shown[name]["x"] == [at.replace(tzinfo=None).isoformat(" ") for at in times]
        assert numbers(shown[name]) == pytest.approx([row[place] for row in rows])
    assert f"Chains are recorded since {times[0].day} {times[0]:%b %Y, %H:%M}." in captions(page)[-1]


def numbers(trace: dict[str, Any]) -> list[float]:
    return list(np.frombuffer(base64.b64decode(trace["y"]["bdata"])))


def test_a_line_breaks_where_chains_are_missing_and_the_caption_says_so(open_page, database, minute):
    start = floor(minute, 5 * MINUTE) - timedelta(minutes=30)
    first, last = start + timedelta(minutes=10), start + timedelta(minutes=20)
    with database.write() as cursor:
        gaps.note(cursor, [Gap("options/BTC", first, last, 2, 300, Cause.UNREACHABLE, "refused")], minute)
    record_chains(database, *(start + timedelta(minutes=each, seconds=2) for each in (0, 5, 20, 25)))

    page = open_page("volatility")

    assert np.isnan(numbers(traces(page, "at-the-money")["30 d"])).tolist() == [False, False, True, False, False]
    assert "gap" in captions(page)[-1]


def test_a_single_chain_is_a_dot(open_page, database, minute):
    record_chains(database, minute - timedelta(minutes=2))

    page = open_page("volatility")

    assert "alone" in parts(page, "at-the-money")


def test_an_old_dvol_and_an_old_chain_are_marked_stale(open_page, database, minute):
    record_all_lengths(database, minute - 2 * HOUR)
    record_chains(database, minute - 2 * HOUR - 2 * MINUTE)

    page = open_page("volatility")

    stale = [line for line in captions(page) if ":orange[:material/schedule:] Stale, 2 h old" in line]
    assert len(stale) == 2


def test_a_recorder_that_asks_seldom_has_no_stale_dvol(open_page, database, minute, monkeypatch):
    monkeypatch.setenv("TICKWELL_MARKET_SECONDS", "3600")
    record_all_lengths(database, minute - HOUR)

    page = open_page("volatility")

    assert captions(page)[0].startswith("1 h old")


def test_without_an_old_dvol_nothing_is_known_later(open_page, database, minute):
    record_dvol(database, minute - HOUR, minute, MINUTE)
    record_minutes(database, walk(minute - 20 * DAY, minute))

    page = open_page("volatility")

    assert metrics(page)["Premium now, points"] != "–"
    assert captions(page)[3] == "Premium of 30 d ago needs DVOL of that day"


def test_a_premium_is_never_computed_from_what_is_not_known(open_page, database, minute):
    record_all_lengths(database, minute)
    record_minutes(database, walk(minute - 10 * DAY, minute))

    page = open_page("volatility")

    assert (metrics(page)["Realised, 30 d"], metrics(page)["Premium now, points"]) == ("–", "–")
    assert any("Realised volatility begins once half" in line for line in captions(page))


def test_realised_volatility_says_since_when_minutes_are_known_and_when_it_is_there_at_the_earliest(
    open_page, database, minute
):
    closes = walk(minute - 10 * DAY, minute)
    record_minutes(database, closes)

    page = open_page("volatility", utc="true")

    missing = 21_600 - (len(closes) - 1)
    since = minute - 10 * DAY
    told = re.search(r"Known since (.+); there on (.+) at the earliest", captions(page)[2])
    assert told is not None
    assert told[1] == f"{since.day} {since:%b %Y}"
    there = datetime.strptime(told[2], "%d %b %Y, %H:%M").replace(tzinfo=minute.tzinfo)
    assert abs(there - (minute + missing * MINUTE)) <= MINUTE


def test_chains_that_are_switched_off_are_told_with_the_setting(open_page, database, monkeypatch, minute):
    monkeypatch.setenv("TICKWELL_OPTIONS_SECONDS", "0")
    off = "Option chains aren't recorded: TICKWELL_OPTIONS_SECONDS=0."
    never = open_page("volatility")
    record_chains(database, minute - timedelta(minutes=2))

    page = open_page("volatility", currency="ETH")
    recorded_before = open_page("volatility", currency="BTC", range="1d")

    assert off in [box.value for box in never.info]
    assert off in [box.value for box in page.info]
    assert "TICKWELL_OPTIONS_SECONDS=0" in captions(recorded_before)[-1]


def test_a_server_without_a_market_says_so(open_page, database, monkeypatch):
    monkeypatch.setenv("TICKWELL_MARKETS", "none")

    page = open_page("volatility")

    assert [box.value for box in page.info] == ["No market is recorded: TICKWELL_MARKETS=none."]
    assert not page.segmented_control


def test_a_list_of_markets_that_cannot_be_read_is_not_taken_for_none(open_page, database, monkeypatch):
    monkeypatch.setenv("TICKWELL_MARKETS", "none")
    with database.write() as cursor:
        cursor.execute("ALTER TABLE surfaces RENAME TO away")

    page = open_page("volatility")

    assert [line.partition(" can't be read.")[0] for line in failed(page)] == ["The list of markets"]
    assert not page.info


def test_a_market_that_was_recorded_before_stays_visible(open_page, database, monkeypatch, minute):
    monkeypatch.setenv("TICKWELL_MARKETS", "none")
    record_dvol(database, minute - 3 * DAY, minute, HOUR, "ETH")

    page = open_page("volatility")

    assert page.segmented_control[0].options == ["ETH"]
    assert metrics(page)["DVOL"] != "–"
    assert captions(page)[0] == "ETH is not in TICKWELL_MARKETS: this is what was recorded before."
    assert [box.value for box in page.info] == ["No option chain of ETH was recorded."]


def test_no_dvol_is_promised_of_a_market_that_is_not_recorded_any_more(open_page, database, monkeypatch, minute):
    monkeypatch.setenv("TICKWELL_MARKETS", "none")
    record_chains(database, minute - timedelta(minutes=2))

    page = open_page("volatility")

    assert captions(page)[:2] == ["BTC is not in TICKWELL_MARKETS: this is what was recorded before.", "No DVOL"]


def test_the_address_chooses_currency_and_range(open_page, database, minute):
    record_all_lengths(database, minute)
    record_dvol(database, minute - 3 * DAY, minute, HOUR, "ETH")

    page = open_page("volatility", currency="ETH", range="1w")

    assert [control.value for control in page.segmented_control] == ["ETH", "1w", "Nothing"]
    assert "DVOL from" in chart(page, "dvol")["alt"]


def test_the_cone_has_what_was_realised_over_each_length_beside_the_iv_of_now(open_page, database, minute):
    record_all_lengths(database, minute)
    record_chains(database, minute - timedelta(minutes=2))
    closes = walk(floor(minute, DAY) - 16 * DAY, minute)
    record_minutes(database, closes)

    page = open_page("volatility")

    table = page.dataframe[0].value
    midnight = floor(minute, DAY)
    of_weeks = [
        realised_by_hand(closes, end - 7 * DAY, end) for end in (midnight - number * DAY for number in range(13))
    ]
    assert list(table["Over"]) == ["7 d", "30 d"]
    assert table.iloc[0, 1:6].tolist() == pytest.approx(np.quantile(of_weeks, [0, 0.25, 0.5, 0.75, 1]).tolist())
    assert list(table["Days known"]) == [13, 1]
    with database.read() as cursor:
        ((_, week, _, month, *_),) = as_of.surfaces(cursor, "BTC", minute - HOUR, minute)
    assert table["IV at the money"].tolist() == pytest.approx([week, month])


def test_the_chart_of_the_cone_has_a_box_and_the_dots_of_each_window(open_page, database, minute):
    record_all_lengths(database, minute)
    before, made = minute - DAY - timedelta(minutes=2), minute - timedelta(minutes=2)
    record_chains(database, before, made)
    closes = walk(floor(minute, DAY) - 30 * DAY, minute)
    record_minutes(database, closes)

    page = open_page("volatility", vs="1d")

    midnight = floor(minute, DAY)
    ends = [midnight - number * DAY for number in range(27)]  # half of the minutes of 7 days are known
    of_weeks = [realised_by_hand(closes, end - 7 * DAY, end) for end in ends]
    of_months = [realised_by_hand(closes, end - 30 * DAY, end) for end in ends[:15]]
    low, quarter, median, three_quarters, high = np.quantile(of_weeks, [0, 0.25, 0.5, 0.75, 1])
    drawn = {trace["meta"]["part"]: trace for trace in chart(page, "cone")["figure"]["data"]}
    hollow = next(each for each in chart(page, "cone")["figure"]["data"] if each["meta"]["part"] == "few")
    assert drawn["reach"]["base"] == [pytest.approx(low)]
    assert numbers(drawn["reach"]) == [pytest.approx(high - low)]
    assert drawn["middle"]["base"] == [pytest.approx(quarter)]
    assert numbers(drawn["middle"]) == [pytest.approx(three_quarters - quarter)]
    assert hollow["base"] == [pytest.approx(min(of_months))]
    assert numbers(drawn["median"]) == pytest.approx([median, np.median(of_months)])
    assert numbers(drawn["now"]) == pytest.approx(
        [realised_by_hand(closes, minute - days * DAY, minute) for days in (7, 30)], rel=1e-3
    )
    with database.read() as cursor:
        then, now = as_of.surfaces(cursor, "BTC", before, minute)
    assert numbers(drawn["implied"]) == pytest.approx([now[1], now[3]])
    assert numbers(drawn["implied-before"]) == pytest.approx([then[1], then[3]])
    assert any("rest on few windows, most of which overlap: 30 d on 15 days." in each for each in captions(page))
    assert "Over 30 d: median" in chart(page, "cone")["alt"]


def test_without_realised_volatility_there_is_no_cone(open_page, database, minute):
    record_all_lengths(database, minute)

    page = open_page("volatility")

    assert not page.dataframe


def test_all_begins_with_the_first_candle(open_page, database, minute):
    record_all_lengths(database, minute)

    page = open_page("volatility", range="All", utc="true")

    start, _ = chart(page, "dvol")["figure"]["layout"]["xaxis"]["range"]
    assert minute - 410 * DAY < datetime.fromisoformat(start).replace(tzinfo=minute.tzinfo) < minute - 399 * DAY
