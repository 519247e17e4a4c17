"""History with series of the market: what it draws equals an independent calculation."""

import base64
import math
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from store.file.database import Database
from store.instants import DAY, HOUR, MINUTE
from store.ledger import gaps
from store.market import chains
from store.models import Cause, Gap, Tick
from tests.pages.conftest import captions, chart, failed
from tests.pages.history.conftest import HOUR_OF_TICKS, NOON
from tests.store.market.snapshots import chain
from tests.support.carry import record_funding, record_futures
from tests.support.market import interpolated_basis
from tests.support.stored import append
from tests.support.volatility import dvol, record_dvol

HOUR_OF_MINUTES = {**HOUR_OF_TICKS, "bars": "1m"}
WEEK = {"start": "2026-11-01T12:00Z", "end": "2026-11-08T12:00Z"}


@pytest.fixture(autouse=True)
def _with_markets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKWELL_MARKETS", "BTC,ETH")


def traces(page: AppTest, key: str = "history") -> dict[str, dict[str, Any]]:
    """The lines of a chart by name."""
    return {each["name"]: each for each in chart(page, key)["figure"]["data"] if each["meta"]["part"] == "line"}


def line(page: AppTest, name: str, key: str = "history") -> dict[datetime, float]:
    """A line by its times; nan where it breaks."""
    its = traces(page, key)[name]
    times = (datetime.fromisoformat(f"{at}+00:00") for at in its["x"])
    return dict(zip(times, np.frombuffer(base64.b64decode(its["y"]["bdata"])), strict=True))


def known(values: dict[datetime, float]) -> dict[datetime, float]:
    return {at: value for at, value in values.items() if not math.isnan(value)}


def axis_of(page: AppTest, name: str) -> dict[str, Any]:
    """The axis of a line's values."""
    found: dict[str, Any] = chart(page, "history")["figure"]["layout"][f"yaxis{traces(page)[name]['yaxis'][1:]}"]
    return found


def titles(page: AppTest, key: str = "history") -> list[str]:
    return [each["text"] for each in chart(page, key)["figure"]["layout"]["annotations"]]


def record_hours(database: Database, hours: int) -> tuple[pd.Series, pd.Series]:
    """Prices of btc_usd and DVOL at the ends of the hours from noon on."""
    ends = pd.date_range(NOON + HOUR, periods=hours, freq="h")
    prices = pd.Series([100_000 + 5000 * math.sin(number) + 10 * number for number in range(hours)], ends)
    ticks = (
        Tick("btc_usd", at - timedelta(seconds=30), price) for at, price in zip(ends, prices.tolist(), strict=True)
    )
    append(database, *ticks)
    record_dvol(database, NOON, NOON + hours * HOUR, HOUR)
    return prices, pd.Series([dvol(at - MINUTE) for at in ends], ends)


def test_the_market_is_offered_and_nothing_of_it_is_drawn_unless_asked_for(open_page, seeded):
    page = open_page("history", **HOUR_OF_TICKS)

    offered = page.multiselect(key="beside")
    assert offered.value == []
    assert offered.options[:2] == ["BTC DVOL", "BTC basis 30 d"]
    assert len(offered.options) == 2 * 12
    assert list(traces(page)) == ["BTC / USD"]
    assert "annotations" not in chart(page, "history")["figure"]["layout"]


def test_without_a_market_there_is_no_choice_of_series(open_page, seeded, monkeypatch):
    monkeypatch.setenv("TICKWELL_MARKETS", "none")

    page = open_page("history", **HOUR_OF_TICKS)

    assert [box.key for box in page.multiselect] == ["index"]
    assert not page.exception


def test_series_are_drawn_below_the_index_each_scale_on_an_axis_of_its_own(open_page, seeded):
    record_dvol(seeded, NOON, NOON + HOUR, MINUTE)
    times = [NOON + number * 10 * MINUTE for number in range(6)]
    snapshots = record_futures(seeded, *times)
    rates = record_funding(seeded, NOON + HOUR, 3)
    with seeded.write() as cursor:
        chains.append(cursor, [chain(at, iv=40.0 + number) for number, at in enumerate(times)])

    page = open_page("history", beside=["BTC DVOL", "BTC IV 30 d", "BTC basis 90 d", "BTC funding"], **HOUR_OF_MINUTES)

    assert known(line(page, "BTC DVOL")) == {at: dvol(at) for at in (NOON + number * MINUTE for number in range(60))}
    assert known(line(page, "BTC basis 90 d")) == pytest.approx(
        {at: 100 * interpolated_basis(its, 90 * DAY) for at, its in zip(times, snapshots, strict=True)}
    )
    iv = known(line(page, "BTC IV 30 d"))
    assert list(iv) == times
    assert list(np.diff(list(iv.values()))) == pytest.approx([1.0] * 5, abs=0.05)
    alone = next(each for each in chart(page, "history")["figure"]["data"] if each["name"] == "BTC funding")
    assert list(np.frombuffer(base64.b64decode(alone["y"]["bdata"]))) == pytest.approx([876_000 * rates[-1][1]])
    assert titles(page) == ["Volatility, % a year", "Basis, % a year", "Funding, % a year"]
    assert traces(page)["BTC DVOL"]["yaxis"] == traces(page)["BTC IV 30 d"]["yaxis"] != "y"
    assert axis_of(page, "BTC DVOL")["ticksuffix"] == " %"
    assert axis_of(page, "BTC / USD")["domain"][0] > axis_of(page, "BTC DVOL")["domain"][1]
    assert "BTC DVOL from " in chart(page, "history")["alt"]
    assert any("Series have a value each 1 min." in words for words in captions(page))
    assert not page.exception


def test_a_table_says_the_names_units_and_numbers_of_the_series(open_page, seeded):
    record_dvol(seeded, NOON, NOON + HOUR, MINUTE)

    page = open_page("history", beside=["BTC DVOL"], **HOUR_OF_MINUTES)

    values = [dvol(NOON + number * MINUTE) for number in range(60)]
    (row,) = page.dataframe[0].value.to_dict("records")
    assert (row.pop("Series"), row.pop("Unit")) == ("BTC DVOL", "%")
    assert row == pytest.approx(
        {
            "First": values[0],
            "Last": values[-1],
            "Change": values[-1] - values[0],
            "Lowest": min(values),
            "Highest": max(values),
        },
        abs=0.005,
    )


def test_a_series_can_stand_without_an_index(open_page, database):
    record_dvol(database, NOON, NOON + HOUR, MINUTE)

    page = open_page("history", index=[], beside=["BTC DVOL"], **HOUR_OF_MINUTES)
    page.multiselect(key="index").set_value([]).run()

    assert list(traces(page)) == ["BTC DVOL"]
    assert axis_of(page, "BTC DVOL")["domain"] == [0, 1]
    assert not page.metric
    assert not page.exception


def test_all_begins_with_the_record_of_a_series(open_page, database):
    record_dvol(database, NOON - 30 * DAY, NOON, DAY)

    page = open_page("history", beside=["BTC DVOL"], range="All")

    first, _ = chart(page, "history")["figure"]["layout"]["xaxis"]["range"]
    assert first.startswith(f"{NOON - 30 * DAY:%Y-%m-%d}")


def test_a_gap_stays_a_gap(open_page, seeded):
    times = [NOON + number * 5 * MINUTE for number in (0, 1, 5, 6)]
    with seeded.write() as cursor:
        chains.append(cursor, [chain(at) for at in times])
        lost = Gap("options/BTC", times[1] + 5 * MINUTE, times[2], 3, 300, Cause.UNREACHABLE, "refused", "unfillable")
        gaps.note(cursor, [lost], NOON + HOUR)

    page = open_page("history", beside=["BTC IV 30 d"], **HOUR_OF_TICKS, bars="5m")

    its = line(page, "BTC IV 30 d")
    assert list(known(its)) == times
    (broken,) = its.keys() - set(times)
    assert times[1] < broken < times[2]
    assert "1 gap of 15 min is unfillable" in " ".join(captions(page))


def test_what_is_not_known_of_a_series_is_said(open_page, seeded):
    record_dvol(seeded, NOON + 30 * MINUTE, NOON + HOUR, MINUTE)

    page = open_page("history", beside=["BTC DVOL", "BTC IV 365 d"], **HOUR_OF_MINUTES)

    words = " ".join(captions(page))
    assert "No BTC IV 365 d is known in this range." in words
    assert "BTC DVOL is recorded since 1 Nov 2026, 12:30." in words


def test_an_empty_range_of_everything_says_so(open_page, seeded):
    page = open_page("history", beside=["BTC DVOL"], start="2026-10-01T12:00Z", end="2026-10-01T13:00Z")

    assert page.info[0].value.startswith("No ticks of BTC / USD, BTC DVOL from ")
    assert not page.exception


@pytest.mark.parametrize(("how", "unit"), [("A - B", "USD"), ("A / B", "")])
def test_a_spread_and_a_ratio_of_two_indexes_are_known_where_both_are(open_page, seeded, how, unit):
    append(seeded, *(Tick("eth_usd", NOON + minute * MINUTE, 50.0 + 2 * minute) for minute in range(0, 60, 3)))

    page = open_page("history", index=["btc_usd", "eth_usd"], pair=how, **HOUR_OF_MINUTES)

    name = f"btc_usd {how[2]} eth_usd"
    assert titles(page) == [f"{name}, {unit}" if unit else name]
    drawn = [each for each in chart(page, "history")["figure"]["data"] if each["name"] == name]
    found = {at: value for each in drawn for at, value in points(each).items() if not math.isnan(value)}
    assert found == pytest.approx(
        {
            NOON + minute * MINUTE: (100.0 + minute) - (50 + 2 * minute)
            if unit
            else (100.0 + minute) / (50 + 2 * minute)
            for minute in range(0, 60, 3)
        }
    )


def points(trace: dict[str, Any]) -> dict[datetime, float]:
    times = (datetime.fromisoformat(f"{at}+00:00") for at in trace["x"])
    return dict(zip(times, np.frombuffer(base64.b64decode(trace["y"]["bdata"])), strict=True))


def test_the_two_can_be_chosen_and_stand_in_the_address(open_page, seeded):
    record_dvol(seeded, NOON, NOON + HOUR, MINUTE)

    page = open_page("history", beside=["BTC DVOL"], pair="A / B", a="BTC DVOL", b="btc_usd", **HOUR_OF_MINUTES)

    assert known(line(page, "BTC DVOL / btc_usd")) == pytest.approx(
        {NOON + minute * MINUTE: dvol(NOON + minute * MINUTE) / (100.0 + minute) for minute in range(60)}
    )
    assert titles(page)[-1] == "BTC DVOL / btc_usd, % per USD"


def test_two_without_a_common_unit_have_no_difference(open_page, seeded):
    record_dvol(seeded, NOON, NOON + HOUR, MINUTE)

    page = open_page("history", beside=["BTC DVOL"], pair="A - B", **HOUR_OF_MINUTES)

    assert "BTC / USD in USD and BTC DVOL in % have no difference; they have a ratio: A / B." in " ".join(
        captions(page)
    )
    assert titles(page) == ["Volatility, % a year"]


def test_two_that_are_never_known_together_say_so(open_page, seeded):
    append(seeded, Tick("eth_usd", NOON - DAY, 50.0))

    page = open_page("history", index=["btc_usd", "eth_usd"], pair="A / B", **HOUR_OF_MINUTES)

    assert "Nothing is known of btc_usd / eth_usd: it needs both at the same time." in " ".join(captions(page))


def test_a_choice_of_another_range_or_of_other_names_is_replaced(open_page, seeded):
    page = open_page("history", beside=["BTC DVOL"], pair="Correlation", a="ETH DVOL", window="nope", **HOUR_OF_TICKS)

    chosen = {key: page.selectbox(key=key).value for key in ("pair", "a", "b", "window")}
    assert chosen == {"pair": "Correlation", "a": "btc_usd", "b": "BTC DVOL", "window": "1d"}


def test_one_name_alone_has_nothing_to_compare_with(open_page, seeded):
    page = open_page("history", pair="Correlation", **HOUR_OF_TICKS)

    assert [box.key for box in page.selectbox] == ["bars"]


def test_correlation_and_beta_equal_those_of_pandas(open_page, database):
    prices, volatility = record_hours(database, 9 * 24)
    end = prices.index[-1] - 3 * HOUR

    page = open_page(
        "history",
        beside=["BTC DVOL"],
        pair="Correlation",
        a="BTC DVOL",
        b="btc_usd",
        window="1w",
        start=f"{NOON + 4 * DAY:%Y-%m-%dT%H:%MZ}",
        end=f"{end:%Y-%m-%dT%H:%MZ}",
    )

    moved = pd.DataFrame({"a": volatility.diff(), "b": 100 * np.log(prices).diff()})
    moved = moved[moved.index <= end]
    last = moved[-168:].dropna()
    correlation, beta = last.corr().loc["a", "b"], last.cov().loc["a", "b"] / last["b"].var()
    found = {metric.label: metric.value for metric in page.metric}
    assert found["Correlation"] == f"{correlation:z.2f}"
    assert found["Beta, points per %"] == f"{beta:z.3f}"
    assert found["Moves, n"] == f"{len(last)} of 168"
    drawn = known(line(page, "Correlation", "correlation"))
    expected = moved["a"].rolling(168, min_periods=84).corr(moved["b"]).dropna()
    assert drawn == pytest.approx({at - HOUR: value for at, value in expected.items() if at > NOON + 4 * DAY})
    assert titles(page, "correlation") == ["Correlation, 1w", "Beta, points per %, 1w"]
    assert not page.exception


def test_too_few_moves_have_no_correlation(open_page, database):
    record_hours(database, 40)

    page = open_page("history", beside=["BTC DVOL"], pair="Correlation", window="1w", **WEEK)

    assert page.info[-1].value == (
        "No correlation of BTC / USD and BTC DVOL is known in this range: it needs 84 moves of both in 7 d, each from "
        "one 1 h to the next."
    )
    assert not page.exception


def test_a_market_that_cannot_be_read_says_so_beside_the_index(open_page, seeded):
    with seeded.write() as cursor:
        cursor.execute("ALTER TABLE surfaces RENAME TO away")

    page = open_page("history", beside=["BTC IV 30 d"], **HOUR_OF_MINUTES)

    assert [words.partition(" can't be read. ")[0] for words in failed(page)] == ["The market"]
    assert list(traces(page)) == ["BTC / USD"]
    assert not page.exception


def test_the_rows_of_the_lines_are_in_the_table(open_page, seeded):
    record_dvol(seeded, NOON, NOON + HOUR, MINUTE)
    page = open_page("history", beside=["BTC DVOL"], **HOUR_OF_MINUTES)

    page.session_state["table"] = True
    page.run()

    rows = page.dataframe[-1].value
    assert list(rows["Value"]) == [dvol(NOON + number * MINUTE) for number in range(60)]
    assert set(rows["Series"]) == {"BTC DVOL"}
    assert set(rows["Unit"]) == {"%"}
    assert rows["Time, UTC"].iloc[0] == "2026-11-01 12:00:00"
