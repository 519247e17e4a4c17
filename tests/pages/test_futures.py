"""Futures in each of its states: its numbers equal an independent calculation."""

import base64
import math
import re
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from store.file.database import Database
from store.instants import DAY, HOUR, MINUTE
from store.ledger import gaps
from store.models import Cause, Gap, utc_now
from store.prices.candles import floor
from tests.pages.conftest import captions, chart, failed, format_of, recorder
from tests.support.carry import record_funding, record_futures
from tests.support.market import interpolated_basis
from tests.support.volatility import record_dvol

PERPETUAL = "BTC-PERPETUAL"
YEAR_H = 8760
NO_FUNDING = (
    f"No funding of {PERPETUAL} is recorded in this range yet. The exchange's history comes with the first start."
)


@pytest.fixture(autouse=True)
def _with_markets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKWELL_MARKETS", "BTC,ETH")


def pay(database: Database, end: datetime, hours: int, *, without: tuple[int, ...] = ()) -> pd.Series:
    """The rates of `record_funding` by the end of each hour."""
    ends, rates = zip(*record_funding(database, end, hours, without=without), strict=True)
    return pd.Series(rates, pd.DatetimeIndex(ends))


def metrics(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def infos(page: AppTest) -> list[str]:
    return [box.value for box in page.info]


def line(page: AppTest, key: str) -> pd.Series:
    """The line of a chart by its times; NaN where it breaks."""
    trace = next(each for each in chart(page, key)["figure"]["data"] if each["meta"]["part"] == "line")
    return pd.Series(unpacked(trace["y"]), pd.to_datetime(trace["x"]).tz_localize("UTC"))


def unpacked(values: dict[str, str]) -> list[float]:
    return list(np.frombuffer(base64.b64decode(values["bdata"])))


def percent(fraction: float) -> str:
    return f"{100 * fraction:+.2f} %"


def test_before_the_first_snapshot_the_page_says_so(open_page):
    page = open_page("futures")

    assert infos(page) == [
        "No futures of BTC are recorded yet.",
        "No futures of BTC are recorded in this range yet.",
        NO_FUNDING,
    ]
    assert metrics(page) == {}
    assert not page.exception


def test_a_running_recorder_tells_when_the_first_snapshot_comes(open_page, database):
    with recorder(database):
        page = open_page("futures")

    assert re.fullmatch(
        r"No futures of BTC are recorded yet\. The first snapshot comes in (\d+ s|1 min|under 1 s)\.", infos(page)[0]
    )


def test_the_numbers_of_the_cards_are_those_by_hand(open_page, database, minute):
    *_, newest = record_futures(database, minute - MINUTE, minute)
    record_futures(database, minute, currency="ETH")
    rates = pay(database, utc_now(), 200, without=(5, 6, 180))

    page = open_page("futures")

    week = rates[rates.index > floor(utc_now(), HOUR) - 7 * DAY]
    rows = {row[0]: row for row in newest.rows}
    interest = sum(row[6] for row in newest.rows) / 1e9
    assert metrics(page) == {
        PERPETUAL: f"{rows[PERPETUAL][2]:,.2f}",
        "Funding, 7 d, a year": percent(week.mean() * YEAR_H),
        "Basis, 90 d, a year": percent(interpolated_basis(newest, 90 * DAY)),
        "Open interest, USD": f"{interest:.2f} bn",
    }
    mark, funding_known, between, known = captions(page)[:4]
    assert newest.index_price is not None
    premium = rows[PERPETUAL][2] / newest.index_price - 1
    assert mark.startswith(f"Premium {100 * premium:+z.4f} %, index {newest.index_price:,.2f}  \n")
    assert mark.endswith(f", {minute:%H:%M:%S}")
    now, last = rows[PERPETUAL][-2:]
    assert funding_known.split("  \n") == [
        "166 of 168 hours known",
        *(f"{name} {rate_in_words(rate)}" for name, rate in (("Now", now), ("Last 8 h", last))),
    ]
    near, far = re.findall(r"BTC-\w+", between)
    assert rows[near][1] - minute <= 90 * DAY <= rows[far][1] - minute
    assert known == f"{len(rows)} of {len(rows)} contracts known"
    assert not page.exception


def rate_in_words(rate: float) -> str:
    eight_hours, year = f"{100 * rate:+z.4f} %", f"{100 * rate * 3 * 365:+z.2f} %"
    return f"{eight_hours.replace('+0.0000', '0.0000')}, {year.replace('+0.00 ', '0.00 ')} a year"


def test_each_number_opens_to_its_formula_its_source_and_its_version(open_page, database, minute):
    record_futures(database, minute)
    pay(database, utc_now(), 2)

    page = open_page("futures")

    opened = "\n\n".join(each.value for each in page.markdown)
    sources = [each for each in opened.split("\n\n") if each.startswith("Source: ")]
    assert [re.findall(r"`(\w+)\.", each)[0] for each in sources] == [
        *("futures", "funding", "futures", "futures"),
        *("futures", "futures", "futures", "futures", "funding", "funding"),
    ]
    assert sum("Method version 1." in each for each in sources) == len(sources) - 1  # open interest is only a sum
    for formula in (
        "F / S - 1",
        "S is the index of the same reply.",
        "basis / T, simple",
        "ln(F/S) linear in T",
        "cumulated x 8760 / hours_known",
    ):
        assert formula in opened


def test_the_table_of_contracts_is_that_of_pandas(open_page, database, minute):
    (snapshot,) = record_futures(database, minute)

    page = open_page("futures")

    found = page.dataframe[0].value
    assert snapshot.index_price is not None
    rows = sorted(snapshot.rows, key=lambda row: (row[1] is not None, row[1]))
    frame = pd.DataFrame([(row[0], row[1], row[2], row[6], row[8]) for row in rows])
    plain = 100 * (frame[2] / snapshot.index_price - 1)
    days = (pd.to_datetime(frame[1]) - minute) / DAY
    assert found["Contract"].tolist() == frame[0].tolist()
    assert found["Mark"].tolist() == frame[2].tolist()
    np.testing.assert_allclose(found["Basis"], plain, rtol=1e-9)
    np.testing.assert_allclose(found["Days"], days, rtol=1e-9)
    np.testing.assert_allclose(found["Annual basis"], (plain / (days / 365)).where(days >= 1), rtol=1e-9)
    assert found["Open interest, USD"].tolist() == frame[3].tolist()
    assert found["Volume 24 h, USD"].tolist() == frame[4].tolist()
    assert found["Annual basis"].isna().sum() in {1, 2}  # the perpetual, and what expires within a day
    assert page.dataframe[0].proto.placeholder == "–"
    assert format_of(page.dataframe[0], "Annual basis") == "%.2f %%"


def test_the_table_of_calendar_spreads_is_that_of_pandas(open_page, database, minute):
    (snapshot,) = record_futures(database, minute)

    page = open_page("futures")

    found = page.dataframe[1].value
    listed = pd.DataFrame(sorted((row[1], row[0], row[2]) for row in snapshot.rows if row[1]))
    between = pd.to_datetime(listed[0]).diff()[1:] / DAY
    assert list(zip(found["Near"], found["Far"], strict=True)) == list(pairwise(listed[1]))
    np.testing.assert_allclose(found["Spread, USD"], listed[2].diff()[1:], rtol=1e-9)
    np.testing.assert_allclose(found["Days between"], between, rtol=1e-9)
    np.testing.assert_allclose(found["Annual"], 100 * listed[2].pct_change()[1:] / (between / 365), rtol=1e-7)
    assert format_of(page.dataframe[1], "Annual") == "%.2f %%"


def test_what_is_not_known_is_empty_and_never_0(open_page, database, minute):
    record_futures(database, minute)
    with database.write() as cursor:
        cursor.execute(
            "UPDATE futures SET mark_price = NULL, open_interest = NULL, volume_usd = NULL, current_funding = NULL "
            "WHERE expiry IS NULL"
        )

    page = open_page("futures")

    first = page.dataframe[0].value.iloc[0]
    assert first[["Mark", "Basis", "Annual basis", "Days", "Open interest, USD", "Volume 24 h, USD"]].isna().all()
    assert metrics(page)[PERPETUAL] == "–"
    assert metrics(page)["Funding, 7 d, a year"] == "–"
    mark, rates, _, known = captions(page)[:4]
    assert mark.startswith("Premium –, index ")
    assert rates.split("  \n")[:2] == ["0 of 168 hours known", "Now –"]
    total = len(page.dataframe[0].value)
    assert known == f"{total - 1} of {total} contracts known"


def test_a_snapshot_without_a_perpetual_or_a_later_future_has_no_such_numbers(open_page, database, minute):
    record_futures(database, minute)
    with database.write() as cursor:
        cursor.execute("DELETE FROM futures WHERE expiry IS NULL OR expiry > ts + INTERVAL 80 DAY")

    page = open_page("futures")

    assert metrics(page)[PERPETUAL] == "–"
    assert metrics(page)["Basis, 90 d, a year"] == "–"
    assert "No futures around 90 d" in captions(page)


def test_an_old_snapshot_stays_and_is_marked_stale(open_page, database):
    (snapshot,) = record_futures(database, floor(utc_now(), MINUTE) - 3 * HOUR)

    page = open_page("futures")

    assert metrics(page)[PERPETUAL] == next(f"{row[2]:,.2f}" for row in snapshot.rows if row[1] is None)
    assert ":orange[:material/schedule:] Stale, 3 h old" in captions(page)[0]


def test_in_the_half_hour_of_settlement_there_is_no_basis_and_the_page_says_why(open_page, database):
    now = utc_now() - MINUTE
    at = floor(now, DAY) + timedelta(hours=7, minutes=45)
    record_futures(database, at if at <= now else at - DAY)

    page = open_page("futures", range="1w")

    assert metrics(page)["Basis, 90 d, a year"] == "–"
    assert page.dataframe[0].value["Basis"].isna().all()
    assert captions(page)[0].startswith("Premium –, index –")
    assert any("From 07:30 to 08:00 UTC there is no basis" in each for each in captions(page))
    assert "The basis of 90 d is not known in this range." in infos(page)


def test_the_chart_says_why_its_line_breaks_in_the_half_hour_of_settlement(open_page, database, minute):
    settling = floor(minute - DAY, DAY) + timedelta(hours=7, minutes=45)
    record_futures(database, settling, minute)

    page = open_page("futures", range="1w")

    assert np.isnan(unpacked(chart(page, "basis")["figure"]["data"][0]["y"])).tolist() == [True, False]
    assert sum("From 07:30 to 08:00 UTC there is no basis" in each for each in captions(page)) == 1


def test_the_term_structure_is_that_of_now_and_of_a_day_and_a_week_before(open_page, database, minute):
    times = [minute, minute - DAY, minute - 7 * DAY - MINUTE]
    snapshots = record_futures(database, *times)

    page = open_page("futures", utc="true")

    drawn = chart(page, "terms")["figure"]["data"]
    assert [trace["name"] for trace in drawn] == ["Now", "1 d before", "7 d before"]
    for trace, snapshot in zip(drawn, snapshots, strict=True):
        assert snapshot.index_price is not None
        days = {row[0]: (row[1] - snapshot.ts) / DAY for row in snapshot.rows if row[1]}
        expected = sorted(
            (days[row[0]], 100 * (row[2] / snapshot.index_price - 1) / (days[row[0]] / 365))
            for row in snapshot.rows
            if days.get(row[0], 0) >= 1
        )
        found = zip(unpacked(trace["x"]), unpacked(trace["y"]), strict=True)
        np.testing.assert_allclose(list(found), expected, rtol=1e-9)
    told = next(each for each in captions(page) if each.startswith("Now: "))
    assert told == " ".join(
        f"{trace['name']}: {at.day} {at:%b %Y, %H:%M}." for trace, at in zip(drawn, times, strict=True)
    )


def test_a_moment_before_without_a_snapshot_is_told_and_not_replaced(open_page, database, minute):
    near = minute - DAY - 72 * timedelta(seconds=1)
    record_futures(database, minute, near)

    page = open_page("futures", utc="true")

    assert [trace["name"] for trace in chart(page, "terms")["figure"]["data"]] == ["Now"]
    day, week, nearest, newest = (
        f"{at.day} {at:%b %Y, %H:%M:%S}" for at in (minute - DAY, minute - 7 * DAY, near, minute)
    )
    told = next(each for each in captions(page) if each.startswith("Now: ")).replace("\\", "")
    none = "nothing was recorded then. The nearest:"
    assert f"1 d before: No snapshot of futures at {day}: {none} {nearest} before, {newest} after." in told
    assert f"7 d before: No snapshot of futures at {week}: {none} {nearest} after." in told


def test_the_line_of_the_basis_is_that_of_each_snapshot_and_breaks_in_a_gap(open_page, database, minute):
    start = minute - 50 * MINUTE
    times = [start + 2 * step * MINUTE for step in (0, 1, 2, 10, 11)]
    snapshots = record_futures(database, *times)
    lost = Gap("futures/BTC", start + 5 * MINUTE, start + 20 * MINUTE, 15, 60, Cause.UNREACHABLE, "refused", "healed")
    with database.write() as cursor:
        gaps.note(cursor, [lost], minute)

    page = open_page("futures", range="1d", utc="true")

    found = line(page, "basis")
    known = found.dropna()
    assert known.index.tolist() == times
    assert known.tolist() == pytest.approx([100 * interpolated_basis(each, 90 * DAY) for each in snapshots])
    assert found.isna().tolist().index(True) == 3
    told = captions(page)[-1]
    assert told.startswith("Futures are recorded since")
    assert "1 gap of 15 min: the line breaks there." in told
    assert "Annual basis at 90 d from" in chart(page, "basis")["alt"]


def test_the_line_of_funding_is_the_running_sum_and_breaks_where_an_hour_is_not_known(open_page, database):
    now = floor(utc_now(), MINUTE)
    rates = pay(database, now, 23, without=(3, 4, 10))

    page = open_page("futures", range="1d", utc="true")

    found, known = line(page, "funding"), line(page, "funding").dropna()
    assert known.index.tolist() == rates.index.tolist()
    assert known.tolist() == pytest.approx((100 * rates.cumsum()).tolist())
    assert len(found) - len(known) == 2
    sentence = next(each for each in captions(page) if "of a position in" in each)
    assert f" {abs(100 * rates.sum()):.4f} % of a position in {PERPETUAL}" in sentence
    assert percent(rates.mean() * YEAR_H) in sentence
    assert sentence.startswith("Longs paid shorts" if rates.sum() >= 0 else "Shorts paid longs")
    due = 24 if now == floor(now, HOUR) else 23
    assert f"20 of {due} hours known" in sentence


def test_each_known_hour_of_60_days_is_a_square_of_its_rate_and_an_unknown_one_is_empty(open_page, database):
    now = floor(utc_now(), MINUTE)
    rates = pay(database, now, 70 * 24, without=(3, 4, 1000))

    page = open_page("futures", utc="true")

    shown = rates[rates.index > pd.Timestamp(floor(now, DAY) - 59 * DAY)]
    annual = 100 * YEAR_H * shown
    classes = pd.cut(annual, [-math.inf, -30, -10, -2, 2, 10, 30, math.inf], labels=False)
    drawn = chart(page, "funding-days")["figure"]["data"]
    assert [trace["name"] for trace in drawn] == [
        *("below −30 %", "−30 to −10 %", "−10 to −2 %", "−2 to 2 % a year", "2 to 10 %", "10 to 30 %", "above 30 %"),
    ]
    for number, trace in enumerate(drawn):
        its = shown[classes == number]
        opened = [at - HOUR for at in its.index]
        assert trace["x"] == [f"{at:%Y-%m-%d} 00:00:00" for at in opened]
        np.testing.assert_allclose(trace["base"], [at.hour + 0.06 for at in opened])
        assert [words.partition("<br>")[2] for words in trace["hovertext"]] == [
            f"{100 * rate:+z.4f} %, {100 * rate * YEAR_H:+z.2f} %".replace("+0.0000", "0.0000").replace(
                "+0.00 %", "0.00 %"
            )
            + " a year"
            for rate in its
        ]
    assert sum(len(trace["x"]) for trace in drawn) == len(shown)
    assert f"{len(shown):,} hours known." in chart(page, "funding-days")["alt"]
    first, last = (pd.Timestamp(at) for at in chart(page, "funding-days")["figure"]["layout"]["meta"]["narrow"])
    assert last - first == 14 * DAY


def test_all_begins_with_the_first_hour_and_a_long_line_has_a_point_in_each_step(open_page, database):
    now = floor(utc_now(), MINUTE)
    rates = pay(database, now, 1600)

    page = open_page("futures", range="All", utc="true")

    known = line(page, "funding")
    assert len(known) == math.ceil(len(rates) / 2) or len(known) == math.ceil(len(rates) / 2) + 1
    assert known.iloc[-1] == pytest.approx(100 * rates.sum())
    start, _ = chart(page, "funding")["figure"]["layout"]["xaxis"]["range"]
    assert pd.Timestamp(start, tz="UTC") == rates.index[0] - HOUR
    assert "1,600 of 1,600 hours known" in " ".join(captions(page))


def test_the_address_chooses_currency_and_range(open_page, database, minute):
    (snapshot,) = record_futures(database, minute, currency="ETH")

    page = open_page("futures", currency="ETH", range="1w")

    assert [control.value for control in page.segmented_control] == ["ETH", "1w", "Nothing"]
    assert metrics(page)["ETH-PERPETUAL"] == next(f"{row[2]:,.2f}" for row in snapshot.rows if row[1] is None)


def test_a_server_without_a_market_says_so(open_page, database, monkeypatch):
    monkeypatch.setenv("TICKWELL_MARKETS", "none")

    page = open_page("futures")

    assert infos(page) == ["No market is recorded: TICKWELL_MARKETS=none."]
    assert not page.segmented_control


def test_a_list_of_markets_that_cannot_be_read_is_not_taken_for_none(open_page, database, monkeypatch):
    monkeypatch.setenv("TICKWELL_MARKETS", "none")
    with database.write() as cursor:
        cursor.execute("ALTER TABLE snapshots RENAME TO away")

    page = open_page("futures")

    assert [each.partition(" can't be read.")[0] for each in failed(page)] == ["The list of markets"]
    assert not page.info


def test_futures_that_were_recorded_before_stay_visible(open_page, database, monkeypatch, minute):
    monkeypatch.setenv("TICKWELL_MARKETS", "none")
    record_futures(database, minute, currency="ETH")

    page = open_page("futures")

    assert page.segmented_control[0].options == ["ETH"]
    assert captions(page)[0] == "ETH is not in TICKWELL_MARKETS: this is what was recorded before."
    assert infos(page)[-1] == "No funding of ETH-PERPETUAL is recorded in this range yet."


def test_a_currency_of_another_page_that_has_no_futures_gives_way(open_page, database, monkeypatch, minute):
    monkeypatch.setenv("TICKWELL_MARKETS", "none")
    record_futures(database, minute)
    record_dvol(database, minute - 3 * DAY, minute, HOUR, "ETH")
    page = open_page("volatility")
    chosen = page.segmented_control[0].value

    page.switch_page("pages/futures.py").run()

    assert (chosen, page.segmented_control[0].value) == ("ETH", "BTC")
    assert not page.exception
