"""Options: each number is what pandas and brute force make of the simulator's chain, as of now and of any moment."""

import base64
import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from vollib.black.greeks import analytical
from vollib.black.implied_volatility import implied_volatility

from store.ledger import runs
from store.market import chains
from store.models import Cause, Miss, Run, Snapshot, utc_now
from tests.pages.conftest import Open, captions, failed
from tests.support.market import chain

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
YEAR_S = 365 * 86_400
COLUMNS = ["mark_price", "mark_iv", "forward", "bid", "ask", "last", "oi", "volume", "volume_usd"]


@pytest.fixture
def ts() -> datetime:
    """A time on the grid of the exchange's times, a minute ago."""
    now = utc_now().replace(microsecond=0) - MINUTE
    return now - timedelta(seconds=now.second % 2)


@pytest.fixture
def record(database):
    def note(*its: Snapshot) -> None:
        with database.write() as cursor:
            chains.append(cursor, its)

    return note


def framed(its: Snapshot) -> pd.DataFrame:
    frame = pd.DataFrame(its.rows, columns=["expiry", "strike", "side", *COLUMNS])
    frame["years"] = (frame["expiry"] - its.ts).dt.total_seconds() / YEAR_S
    return frame


def expiry_of(its: Snapshot, number: int = 5) -> tuple[str, pd.DataFrame]:
    """An expiry as the address names it, and its rows."""
    frame = framed(its)
    expiry = sorted(frame["expiry"].unique())[number]
    return f"{expiry:%Y-%m-%d}", frame[frame["expiry"] == expiry]


def traces(page: AppTest, key: str) -> dict[str, dict[str, Any]]:
    """The traces of a chart by name, with numbers as arrays."""
    data = json.loads(json.loads(page.get_by_key(key).proto.json)["figure"])["data"]
    return {trace["name"]: {name: unpacked(part) for name, part in trace.items()} for trace in data}


def unpacked(part: Any) -> Any:
    if not (isinstance(part, dict) and "bdata" in part):
        return part
    return np.frombuffer(base64.b64decode(part["bdata"]), part["dtype"])


def layout(page: AppTest, key: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.loads(page.get_by_key(key).proto.json)["figure"])["layout"]
    return found


def headline(page: AppTest) -> str:
    return next(each.value for each in page.markdown if each.value.startswith("**BTC**"))


def metrics(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def test_the_headline_says_what_chain_is_shown_and_how_old_it_is(open_page: Open, record, ts):
    its = chain("BTC", ts)
    record(its)

    page = open_page("options")

    assert headline(page) == (f"**BTC** · as of {ts.day} {ts:%b %Y, %H:%M:%S} (1 min old) · {len(its.rows)} contracts")
    assert not page.exception


def test_the_numbers_of_an_expiry_are_those_of_pandas_and_brute_force(open_page: Open, record, ts):
    its = chain("BTC", ts)
    record(its)
    name, rows = expiry_of(its)

    page = open_page("options", expiry=name)

    forward, years = rows["forward"].median(), rows["years"].iloc[0]
    ivs = rows.groupby("strike")["mark_iv"].mean()
    strikes = ivs.index.to_numpy()
    atm = np.interp(0, np.log(strikes / forward), ivs)
    deltas = [analytical.delta("c", forward, each, years, 0, iv / 100) for each, iv in ivs.items()]
    call25, put25 = (np.interp(delta, deltas[::-1], ivs.to_numpy()[::-1]) for delta in (0.25, 0.75))
    oi = rows.pivot(index="strike", columns="side", values="oi").fillna(0)
    pain = [
        (oi["call"] * np.maximum(at - strikes, 0)).sum() + (oi["put"] * np.maximum(strikes - at, 0)).sum()
        for at in strikes
    ]
    assert metrics(page) == {
        "Forward": f"{forward:,.0f}",
        "IV at the money": f"{atm:.2f} %",
        "Risk reversal, 25 delta": f"{call25 - put25:+.2f}",
        "Butterfly, 25 delta": f"{(call25 + put25) / 2 - atm:+.2f}",
        "Max pain": f"{strikes[np.argmin(pain)]:,.0f}",
        "Put / call": f"{oi['put'].sum() / oi['call'].sum():.2f}",
    }


def test_the_calendar_has_the_notional_of_each_expiry_and_marks_the_chosen_one(open_page: Open, record, ts):
    its = chain("BTC", ts)
    record(its)
    name, _ = expiry_of(its)

    page = open_page("options", expiry=name)

    bars = traces(page, "calendar")
    assert its.index_price
    expected = framed(its).groupby("expiry")["oi"].sum() * its.index_price / 1e6
    found = {day: height for part in bars.values() for day, height in zip(part["customdata"], part["y"], strict=True)}
    assert bars["Chosen"]["customdata"] == [name]
    assert found == pytest.approx({f"{expiry:%Y-%m-%d}": height for expiry, height in expected.items()})


@pytest.mark.parametrize(("left", "said"), [(2, "in 2 s"), (0, "expired"), (-2, "expired")])
def test_an_expiry_that_is_still_in_the_chain_when_it_is_over_is_called_expired(
    open_page: Open, record, ts, left, said
):
    its = chain("BTC", ts)
    ends_at = ts + timedelta(seconds=left)
    first = min(row[0] for row in its.rows)
    record(replace(its, rows=tuple((ends_at, *row[1:]) if row[0] == first else row for row in its.rows)))

    page = open_page("options", expiry=f"{ends_at:%Y-%m-%d}")

    day = f"{ends_at.day} {ends_at:%b %Y}"
    assert (page.selectbox[-1].label, page.selectbox[-1].options[0]) == (f"Expiry, {said}", day)
    assert traces(page, "calendar")["Chosen"]["hovertext"][0].startswith(f"{day}, {said}<br>")
    assert not page.exception


def test_without_a_choice_the_expiry_with_the_largest_open_interest_is_shown(open_page: Open, record, ts):
    its = chain("BTC", ts)
    record(its)

    page = open_page("options")

    largest = framed(its).groupby("expiry")["oi"].sum().idxmax()
    assert traces(page, "calendar")["Chosen"]["customdata"] == [f"{largest:%Y-%m-%d}"]
    assert not any("no expiry" in box.value for box in page.warning)


@pytest.mark.parametrize(("named", "told"), [("1999-01-01", "'1999-01-01'"), ("*a*", r"'\*a\*'")])
def test_an_expiry_that_the_chain_does_not_have_is_told(open_page: Open, record, ts, named, told):
    record(chain("BTC", ts))

    page = open_page("options", expiry=named)

    (warning,) = [box.value for box in page.warning if "no expiry" in box.value]
    assert warning == f"This chain has no expiry {told}. The one with the largest open interest is shown."


@pytest.mark.parametrize("axis", ["strike", "delta", "moneyness"])
def test_the_smile_has_the_iv_of_each_strike_on_each_axis(open_page: Open, record, ts, axis):
    its = chain("BTC", ts)
    record(its)
    name, rows = expiry_of(its)

    page = open_page("options", expiry=name, x=axis)

    line = traces(page, "smile")["IV of the marks"]
    forward, years = rows["forward"].median(), rows["years"].iloc[0]
    ivs = rows.groupby("strike")["mark_iv"].mean()
    places = {
        "strike": list(ivs.index),
        "moneyness": list(np.log(ivs.index / forward)),
        "delta": [analytical.delta("c", forward, each, years, 0, iv / 100) for each, iv in ivs.items()],
    }
    assert list(line["y"]) == pytest.approx(list(ivs))
    assert list(line["x"]) == pytest.approx(places[axis], rel=1e-7, abs=1e-9)
    assert len(line["hovertext"]) == len(ivs)


def test_whiskers_reach_from_the_iv_of_the_bid_to_that_of_the_ask(open_page: Open, record, ts):
    its = chain("BTC", ts)
    record(its)
    name, rows = expiry_of(its)

    page = open_page("options", expiry=name)

    whiskers = traces(page, "smile")["Bid to ask"]
    ends = dict(zip(whiskers["x"][::3], whiskers["y"].reshape(-1, 3)[:, :2], strict=True))
    assert np.isnan(whiskers["y"][2::3]).all()
    assert len(ends) > 10
    for _, row in rows[rows["side"] == np.where(rows["strike"] < rows["forward"], "put", "call")].iterrows():
        if row.strike in ends:
            usd = [price * row.forward for price in (row.bid, row.ask)]
            expected = [implied_volatility(each, row.forward, row.strike, 0, row.years, row.side[0]) for each in usd]
            assert list(ends[row.strike]) == pytest.approx([100 * iv for iv in expected], rel=1e-5)


def test_open_interest_has_calls_up_puts_down_and_lines_at_index_and_max_pain(open_page: Open, record, ts):
    its = chain("BTC", ts)
    record(its)
    name, rows = expiry_of(its)

    page = open_page("options", expiry=name)

    bars, about = traces(page, "open-interest"), layout(page, "open-interest")
    oi = rows.pivot(index="strike", columns="side", values="oi")
    assert its.index_price
    np.testing.assert_allclose(bars["Calls"]["y"], oi["call"])
    np.testing.assert_allclose(bars["Puts"]["y"], -oi["put"])
    lines = {note["text"].rpartition(" ")[0].replace("Mean index", "Index"): note["x"] for note in about["annotations"]}
    assert lines == pytest.approx(
        {
            "Index": np.interp(its.index_price, oi.index, range(len(oi))),
            "Max pain": list(oi.index).index(float(metrics(page)["Max pain"].replace(",", ""))),
        }
    )


def test_while_options_settle_the_line_is_that_of_the_mean_index(open_page: Open, record):
    record(chain("BTC", datetime.fromisoformat("2026-06-01T07:45:00Z")))

    page = open_page("options", at="2026-06-01T07:46Z")

    assert any(note["text"].startswith("Mean index ") for note in layout(page, "open-interest")["annotations"])


def test_a_moment_to_compare_with_is_dashed_and_outlined(open_page: Open, record, ts):
    its, before = chain("BTC", ts), chain("BTC", ts - DAY)
    record(before, its)
    name, rows = expiry_of(its)

    page = open_page("options", expiry=name, vs="1d")

    then = framed(before)
    then = then[then["expiry"] == rows["expiry"].iloc[0]]
    (dashed,) = [trace for trace in traces(page, "smile").values() if trace["meta"]["part"] == "before"]
    assert list(dashed["y"]) == pytest.approx(list(then.groupby("strike")["mark_iv"].mean()))
    bars = traces(page, "open-interest")
    outlined = then.pivot(index="strike", columns="side", values="oi")
    strikes = sorted({*then["strike"], *rows["strike"]})
    np.testing.assert_allclose(bars["Calls before"]["y"], outlined["call"].reindex(strikes))
    (dashed,) = [trace for trace in traces(page, "terms").values() if trace["meta"]["part"] == "before"]
    assert len(dashed["y"]) > 5
    assert not any("not listed" in line for line in captions(page))


def test_an_expiry_that_was_not_listed_at_the_moment_to_compare_with_is_told(open_page: Open, record, ts):
    its, before = chain("BTC", ts), chain("BTC", ts - 30 * DAY)
    record(before, its)
    new = sorted({*framed(its)["expiry"]} - {*framed(before)["expiry"]})

    page = open_page("options", expiry=f"{new[0]:%Y-%m-%d}", vs="30d")

    assert any("This expiry was not listed at" in line for line in captions(page))
    assert {trace["meta"]["part"] for trace in traces(page, "smile").values()} == {"whiskers", "points"}


def test_a_moment_to_compare_with_that_was_not_recorded_is_told(open_page: Open, record, ts):
    record(chain("BTC", ts))

    page = open_page("options", vs="7d")

    assert any("Nothing to compare with. No option chain at" in line for line in captions(page))
    assert {trace["meta"]["part"] for trace in traces(page, "smile").values()} == {"whiskers", "points"}


def test_the_term_structure_has_the_iv_at_the_money_by_days_to_expiry(open_page: Open, record, ts):
    its = chain("BTC", ts)
    record(its)

    page = open_page("options")

    line = traces(page, "terms")["IV at the money"]
    expected = {}
    for _, rows in framed(its).groupby("expiry"):
        ivs = rows.groupby("strike")["mark_iv"].mean()
        expected[365 * rows["years"].iloc[0]] = np.interp(0, np.log(ivs.index / rows["forward"].median()), ivs)
    assert dict(zip(line["x"], line["y"], strict=True)) == pytest.approx(expected)
    assert layout(page, "terms")["xaxis"]["type"] == "log"


def test_the_table_has_calls_strikes_and_puts_as_numbers_and_nothing_for_what_is_unknown(
    open_page: Open, record, database, ts
):
    its = chain("BTC", ts)
    record(its)
    name, rows = expiry_of(its)
    strike = sorted(rows["strike"])[3]
    with database.write() as cursor:
        cursor.execute("UPDATE options SET bid_price = NULL WHERE strike = ? AND option_type = 'call'", [strike])

    page = open_page("options", expiry=name)

    (table,) = page.dataframe
    frame = table.value.set_index("Strike")
    columns = {"IV": "mark_iv", "bid": "bid", "ask": "ask", "mark": "mark_price", "OI": "oi", "volume": "volume"}
    for label, column in columns.items():
        expected = rows.pivot(index="strike", columns="side", values=column)
        expected.loc[strike, "call"] = np.nan if column == "bid" else expected.loc[strike, "call"]
        np.testing.assert_allclose(frame[f"Call {label}"], expected["call"])
        np.testing.assert_allclose(frame[f"Put {label}"], expected["put"])
    assert np.isnan(frame.loc[strike, "Call bid"])
    assert table.proto.placeholder == "–"
    (nearest,) = frame.index[frame["At"] == "ATM"]
    assert nearest == min(frame.index, key=lambda strike: abs(strike - rows["forward"].median()))
    for _, row in rows.iloc[::5].iterrows():
        delta = analytical.delta(row.side[0], row.forward, row.strike, row.years, 0, row.mark_iv / 100)
        assert frame[f"{row.side.capitalize()} delta"][row.strike] == pytest.approx(delta, rel=1e-6, abs=1e-9)


def test_one_side_of_the_table_fits_a_phone(open_page: Open, record, ts):
    record(chain("BTC", ts))

    page = open_page("options", sides="Puts")

    (table,) = page.dataframe
    assert list(table.value.columns[:3]) == ["Strike", "At", "Put IV"]
    assert len(table.value.columns) == 9


def test_each_derived_number_opens_to_its_formula_its_source_and_its_version(open_page: Open, record, ts):
    record(chain("BTC", ts))

    page = open_page("options")

    told = "\n".join(each.value for each in page.markdown).replace("\\", "")
    for number in (
        "atm_iv",
        "rr25, rr10",
        "bf25, bf10",
        "max_pain",
        "delta",
        "bid_iv, ask_iv",
        "notional",
        "put / call",
    ):
        assert f"**{number}**" in told
    assert "Source: F. Black, The pricing of commodity contracts, 1976" in told
    assert "Method version 1." in told
    assert told.count("F is the forward of the expiry, S the index, K a strike") == 2


def test_as_of_a_moment_the_chain_of_then_is_shown_and_nothing_later(open_page: Open, record, ts):
    then = chain("BTC", ts - DAY)
    record(then, chain("BTC", ts))
    address = {"at": f"{ts - DAY + MINUTE:%Y-%m-%dT%H:%M:%SZ}", "expiry": expiry_of(then)[0]}
    page = open_page("options", **address)
    before = shown(page)

    record(chain("BTC", ts - DAY + 2 * MINUTE))
    page = open_page("options", **address)

    at = ts - DAY
    assert f"as of {at.day} {at:%b %Y, %H:%M:%S} (1 min old then)" in headline(page)
    assert shown(page) == before
    np.testing.assert_allclose(
        traces(page, "open-interest")["Calls"]["y"],
        expiry_of(then)[1].pivot(index="strike", columns="side", values="oi")["call"],
    )


def shown(page: AppTest) -> list[Any]:
    """All that a page shows of a chain."""
    keys = ("calendar", "smile", "open-interest", "terms")
    return [headline(page), metrics(page), *(json.loads(page.get_by_key(key).proto.json)["figure"] for key in keys)]


def test_a_missing_chain_is_told_with_its_cause_and_links_to_its_neighbours(open_page: Open, record, database, ts):
    slot = datetime.fromtimestamp(ts.timestamp() // 300 * 300, ts.tzinfo) - 60 * MINUTE
    first, last = slot - 10 * MINUTE, slot + 10 * MINUTE
    record(chain("BTC", first), chain("BTC", last))
    with database.write() as cursor:
        runs.note(cursor, Run(first - MINUTE, {"options/BTC": 300}, "1"))
        missed = [slot + number * 5 * MINUTE for number in (-1, 0, 1)]
        runs.append_misses(cursor, [Miss(at, "options/BTC", Cause.UNREACHABLE, "no route") for at in missed])

    page = open_page("options", at=f"{slot + MINUTE:%Y-%m-%dT%H:%M:%SZ}")

    (box,) = [box.value.replace("\\", "") for box in page.warning if "No option chain" in box.value]
    assert box.endswith(": unreachable.")
    links = {button.label: button for button in page.button if button.label.startswith("The nearest")}
    assert list(links) == [
        f"The nearest {word}: {at.day} {at:%b %Y, %H:%M:%S}" for word, at in (("before", first), ("after", last))
    ]
    assert not page.metric

    next(iter(links.values())).click().run()

    assert page.query_params["at"] == f"{first:%Y-%m-%dT%H:%M:%SZ}"
    assert f"as of {first.day} {first:%b %Y, %H:%M:%S}" in headline(page)


def test_the_bar_steps_from_snapshot_to_snapshot_and_back_to_now(open_page: Open, record, ts):
    times = [ts - 10 * MINUTE, ts - 5 * MINUTE, ts]
    record(*(chain("BTC", at) for at in times))
    page = open_page("options")
    assert [button(page, label).disabled for label in ("Now", "Later")] == [True, True]

    seen, told = [], []
    for arrow in (*3 * ["Earlier"], *3 * ["Later"]):
        button(page, arrow).click().run()
        seen.append(page.query_params.get("at"))
        told += [each.value for each in page.toast]

    second, first, newest = (f"{times[number]:%Y-%m-%dT%H:%M:%SZ}" for number in (1, 0, 2))
    assert seen == [second, first, first, second, newest, None]
    assert told == ["There is no snapshot before."]


def test_a_day_and_a_week_before_are_counted_from_what_is_shown(open_page: Open, record, ts):
    record(chain("BTC", ts))
    page = open_page("options", at=f"{ts:%Y-%m-%dT%H:%M:%SZ}")

    button(page, "−1 d").click().run()
    button(page, "−7 d").click().run()

    assert page.query_params["at"] == f"{ts - 8 * DAY:%Y-%m-%dT%H:%M:%SZ}"


def test_a_typed_time_is_one_of_the_readers_zone(open_page: Open, record):
    record(chain("BTC", datetime.fromisoformat("2026-06-01T10:00:00Z")))
    page = open_page("options", "Europe/Berlin", at="2026-06-01T10:04Z")
    assert page.datetime_input[0].value == datetime.fromisoformat("2026-06-01T12:04")

    page.datetime_input[0].set_value(datetime.fromisoformat("2026-06-01T12:02")).run()

    assert page.query_params["at"] == "2026-06-01T10:02:00Z"


@pytest.mark.parametrize(
    ("at", "why"),
    [
        ("soon", "must be a time such as 2026-11-22T18:00Z. Now is shown."),
        ("2099-01-01", "still to come. Now is shown."),
    ],
)
def test_a_time_in_the_address_that_is_none_or_to_come_is_told_and_now_is_shown(open_page: Open, record, ts, at, why):
    record(chain("BTC", ts))

    page = open_page("options", at=at)

    assert any(why in box.value for box in page.warning)
    assert "old)" in headline(page)


def button(page: AppTest, label: str) -> Any:
    return next(each for each in page.button if each.label == label)


def test_before_the_first_chain_the_page_counts_down(open_page: Open, database, monkeypatch):
    monkeypatch.setenv("TICKWELL_MARKETS", "BTC")

    page = open_page("options")

    (box,) = page.info
    assert box.value.startswith("No option chain of BTC yet. The next one is due in ")


def test_where_chains_are_not_recorded_the_page_says_so(open_page: Open, database, monkeypatch):
    monkeypatch.setenv("TICKWELL_MARKETS", "BTC")
    monkeypatch.setenv("TICKWELL_OPTIONS_SECONDS", "0")

    page = open_page("options")

    assert [box.value for box in page.info] == ["Option chains aren't recorded: TICKWELL_OPTIONS_SECONDS=0."]


def test_what_was_recorded_stays_where_chains_are_not_recorded_any_more(open_page: Open, record, ts, monkeypatch):
    monkeypatch.setenv("TICKWELL_OPTIONS_SECONDS", "0")
    record(chain("BTC", ts))

    page = open_page("options")

    assert "1 min old" in headline(page)
    assert "Option chains aren't recorded any more: TICKWELL_OPTIONS_SECONDS=0." in captions(page)


def test_without_a_market_the_page_says_so(open_page: Open, database, monkeypatch):
    monkeypatch.setenv("TICKWELL_MARKETS", "none")

    page = open_page("options")

    assert [box.value for box in page.info] == ["No market is recorded: TICKWELL_MARKETS=none."]


def test_a_market_that_is_not_recorded_any_more_is_told_beside_its_newest_chain_alone(
    open_page: Open, record, ts, monkeypatch
):
    monkeypatch.setenv("TICKWELL_MARKETS", "ETH")
    record(chain("BTC", ts))
    told = "BTC is not in TICKWELL_MARKETS: this is what was recorded before."

    assert told in captions(open_page("options", currency="BTC"))
    assert told not in captions(open_page("options", currency="BTC", at=ts.isoformat()))


def test_an_old_chain_stays_and_is_marked_stale(open_page: Open, record, ts):
    record(chain("BTC", ts - 2 * DAY))

    page = open_page("options")

    assert ":orange[:material/schedule: stale, 2 d old]" in headline(page)
    assert len(page.metric) == 6


def test_another_currency_is_chosen_by_the_address(open_page: Open, record, ts):
    record(chain("BTC", ts), chain("ETH", ts))

    page = open_page("options", currency="ETH")

    assert any(each.value.startswith("**ETH** · as of") for each in page.markdown)
    assert not failed(page)


def test_a_chain_of_which_little_is_known_has_dashes(open_page: Open, record, database, ts):
    record(chain("BTC", ts))
    with database.write() as cursor:
        cursor.execute("UPDATE options SET mark_iv = NULL, open_interest = NULL, bid_price = NULL, ask_price = NULL")
        cursor.execute("UPDATE snapshots SET index_price = NULL")

    page = open_page("options")

    assert not page.exception
    assert metrics(page)["IV at the money"] == metrics(page)["Put / call"] == "–"
