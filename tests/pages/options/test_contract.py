"""Contract: each number of an option's life is what pandas makes of its rows, until its settlement, with its gaps."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from vollib.black.greeks import analytical

from store.instants import DAY, HOUR, MINUTE
from store.kinds import DELIVERIES
from store.ledger import runs
from store.market.entries import append_new
from store.market.instruments import Option, option_name
from store.models import Cause, Miss, Run, Snapshot, to_column
from tests.pages.conftest import Open, captions, parts
from tests.support.market import chain

from .seen import framed, layout, metrics, traces


def option_at_the_money(its: Snapshot, number: int = 5, kind: str = "call") -> Option:
    """The option of an expiry whose strike is the nearest to the forward."""
    frame = framed(its)
    expiry = sorted(frame["expiry"].unique())[number]
    rows = frame[(frame["expiry"] == expiry) & (frame["side"] == kind)]
    strike = rows["strike"].iloc[(rows["strike"] - rows["forward"]).abs().argmin()]
    return Option("BTC", expiry.to_pydatetime(), float(strike), "call" if kind == "call" else "put")


def lived(option: Option, *snapshots: Snapshot) -> pd.DataFrame:
    """The rows of an option in some snapshots, by their times."""
    frames = [framed(its).assign(ts=its.ts) for its in snapshots]
    whole = pd.concat(frames)
    of = (whole["expiry"] == option.expiry) & (whole["strike"] == option.strike) & (whole["side"] == option.option_type)
    return whole[of].set_index("ts")


def headline(page: AppTest, option: Option) -> str:
    return next(each.value for each in page.markdown if each.value.startswith(f"**{option_name(option)}**"))


def boxes(page: AppTest) -> list[str]:
    return [each.value.replace("\\", "") for each in page.info]


def test_the_life_of_an_option_is_that_of_its_rows(open_page: Open, record, ts):
    snapshots = [chain("BTC", ts - hours * HOUR) for hours in (6, 4, 2, 0)]
    record(*snapshots, chain("ETH", ts))
    option = option_at_the_money(snapshots[-1])

    page = open_page("contract", name=option_name(option))

    rows = lived(option, *snapshots)
    last = rows.iloc[-1]
    delta = analytical.delta("c", last.forward, option.strike, last.years, 0, last.mark_iv / 100)
    assert metrics(page) == {
        "Mark": f"{last.mark_price:.4f}",
        "IV of the mark": f"{last.mark_iv:.2f} %",
        "Bid": f"{last.bid:.4f}",
        "Ask": f"{last.ask:.4f}",
        "Delta": f"{delta:+.3f}",
        "Forward": f"{last.forward:,.0f}",
        "Open interest": f"{last.oi:,.1f}",
        "Volume, 24 h": f"{last.volume:,.1f}",
    }
    drawn = {**traces(page, "iv"), **traces(page, "price"), **traces(page, "forward"), **traces(page, "interest")}
    columns = {
        "IV of the mark": "mark_iv",
        "Mark": "mark_price",
        "Bid": "bid",
        "Ask": "ask",
        "Forward": "forward",
        "Open interest": "oi",
    }
    for name, column in columns.items():
        np.testing.assert_allclose(drawn[name]["y"], rows[column])
        np.testing.assert_allclose(drawn[name]["x"], [at.timestamp() * 1000 for at in rows.index])
    assert list(drawn[f"Strike {option.strike:,.2f}"]["y"]) == [option.strike] * 2
    assert "1 min old" in headline(page, option)
    assert not page.exception


def test_the_only_chain_stands_with_its_open_interest_inside_the_range(open_page: Open, record, ts):
    only = chain("BTC", ts)
    record(only)
    option = option_at_the_money(only)

    page = open_page("contract", name=option_name(option))

    for key, name in {
        "iv": "IV of the mark",
        "price": "Mark",
        "forward": "Forward",
        "interest": "Open interest",
    }.items():
        start, end = map(datetime.fromisoformat, layout(page, key)["xaxis"]["range"])
        (at,) = traces(page, key)[name]["x"]
        drawn = datetime.fromtimestamp(at / 1000, UTC).replace(tzinfo=start.tzinfo)
        assert start < drawn <= end - 5 * MINUTE
    (width,) = traces(page, "interest")["Open interest"]["width"]
    assert 0 < width <= 300_000


def test_an_expired_option_has_its_settlement_and_its_payoff(open_page: Open, record, database, ts):
    option = option_at_the_money(chain("BTC", ts - 4 * DAY), number=1, kind="put")
    assert option.expiry < ts
    snapshots = [chain("BTC", option.expiry - hours * HOUR) for hours in (12, 6)]
    record(*snapshots, chain("BTC", ts))
    price = option.strike - 1234.5
    with database.write() as cursor:
        append_new(cursor, DELIVERIES, [("btc_usd", to_column(option.expiry), price, "simulator")])

    page = open_page("contract", name=option_name(option))

    found = metrics(page)
    assert (found["Delivery price"], found["Payoff, USD"]) == (f"{price:,.2f}", "1,234.50")
    assert found["Payoff, BTC"] == f"{1234.5 / price:.4f}"
    assert found["Last mark"] == f"{lived(option, *snapshots)['mark_price'].iloc[-1]:.4f}"
    assert list(traces(page, "forward")[f"Delivery price {price:,.2f}"]["y"]) == [price] * 2
    assert traces(page, "price")[f"Payoff {1234.5 / price:.4f}"]["y"][0] == pytest.approx(1234.5 / price)
    assert "expired" in headline(page, option)
    assert "stale" not in headline(page, option)

    before = open_page("contract", name=option_name(option), at=f"{option.expiry - HOUR:%Y-%m-%dT%H:%M:%SZ}")

    assert "Delivery price" not in metrics(before)
    assert "expires" in headline(before, option)


def test_an_expired_option_without_a_delivery_price_says_so(open_page: Open, record, ts):
    option = option_at_the_money(chain("BTC", ts - 4 * DAY), number=1)
    record(chain("BTC", option.expiry - 6 * HOUR), chain("BTC", ts))

    page = open_page("contract", name=option_name(option))

    assert "Its delivery price is not recorded yet." in captions(page)
    assert "Payoff, USD" not in metrics(page)


def test_a_gap_breaks_the_lines_and_is_marked_with_its_cause(open_page: Open, record, database, ts):
    slot = datetime.fromtimestamp(ts.timestamp() // 300 * 300, ts.tzinfo) - HOUR
    times = [slot + number * 5 * MINUTE for number in range(12)]
    missed = times[4:8]
    record(*(chain("BTC", at + timedelta(seconds=2)) for at in times if at not in missed))
    with database.write() as cursor:
        runs.note(cursor, Run(times[0] - MINUTE, {"options/BTC": 300}, "1"))
        runs.append_misses(cursor, [Miss(at, "options/BTC", Cause.UNREACHABLE, "no route") for at in missed])
    option = option_at_the_money(chain("BTC", times[0]))

    page = open_page("contract", name=option_name(option))

    line = traces(page, "iv")["IV of the mark"]
    assert np.flatnonzero(np.isnan(line["y"])).tolist() == [4]
    assert "missing" in parts(page, "iv")
    assert "unreachable" in traces(page, "iv")["gap"]["hovertext"][0]
    bars = traces(page, "interest")["Open interest"]
    assert bars["width"][3] == MINUTE * 1000 / timedelta(seconds=1)
    assert any("1 gap of 20 min is unfillable" in line for line in captions(page))


def test_as_of_a_moment_nothing_later_is_used_and_a_missing_chain_is_told(open_page: Open, record, ts):
    first, last = chain("BTC", ts - DAY), chain("BTC", ts)
    record(first)
    option = option_at_the_money(first)
    address = {"name": option_name(option), "at": f"{ts - DAY + MINUTE:%Y-%m-%dT%H:%M:%SZ}"}
    before = metrics(open_page("contract", **address))

    record(last)
    page = open_page("contract", **address)
    between = open_page("contract", **{**address, "at": f"{ts - DAY + HOUR:%Y-%m-%dT%H:%M:%SZ}"})

    assert metrics(page) == before
    assert "1 min old then" in headline(page, option)
    assert any("No option chain at" in box.value for box in between.warning)
    assert "stale" in headline(between, option)
    assert not between.metric
    assert len(traces(between, "iv")["IV of the mark"]["y"]) == 1


def test_an_old_life_is_marked_stale(open_page: Open, record, ts):
    its = chain("BTC", ts - 2 * HOUR)
    record(its)
    option = option_at_the_money(its)

    page = open_page("contract", name=option_name(option))

    assert ":orange[:material/schedule: stale, 2 h old]" in headline(page, option)


def test_without_a_name_the_call_at_the_money_of_the_largest_expiry_is_shown_and_named(open_page: Open, record, ts):
    its = chain("BTC", ts)
    record(its)

    page = open_page("contract")

    frame = framed(its)
    expiry = max(frame["expiry"].unique(), key=lambda each: frame.loc[frame["expiry"] == each, "oi"].sum())
    rows = frame[(frame["expiry"] == expiry) & (frame["side"] == "call")]
    strike = rows["strike"].iloc[(rows["strike"] - rows["forward"].median()).abs().argmin()]
    assert page.query_params["name"] == option_name(Option("BTC", expiry, strike, "call"))


def test_another_option_is_chosen_from_lists_expired_ones_too(open_page: Open, record, ts):
    old = chain("BTC", ts - 4 * DAY)
    record(old, chain("BTC", ts), chain("ETH", ts))
    page = open_page("contract", name=option_name(option_at_the_money(chain("BTC", ts))))
    expired = option_at_the_money(old, number=1)

    box(page, "Expiry").set_value(f"{expired.expiry:%Y-%m-%d}").run()
    box(page, "Type").set_value("put").run()
    chosen = page.query_params["name"]
    box(page, "Strike").set_value(box(page, "Strike").options[0]).run()
    lowest = page.query_params["name"]
    box(page, "Underlying").set_value("ETH").run()

    assert chosen.startswith(option_name(expired)[:11])
    assert chosen.endswith("-P")
    strikes = framed(old).loc[lambda rows: rows["expiry"] == expired.expiry, "strike"]
    assert lowest == option_name(Option("BTC", expired.expiry, strikes.min(), "put"))
    assert page.query_params["name"].startswith("ETH-")
    assert not page.exception


def box(page: AppTest, label: str) -> Any:
    return next(each for each in page.selectbox if each.label == label)


def test_a_name_that_was_never_recorded_and_one_that_is_none_are_told(open_page: Open, record, ts):
    record(chain("BTC", ts))

    never = open_page("contract", name="BTC-25DEC26-1-C")
    none = open_page("contract", name="*BTC*")

    assert boxes(never)[0].startswith("BTC-25DEC26-1-C is in no option chain that was recorded up to ")
    assert any("is not the name of an option" in each.value for each in none.warning)
    assert "Mark" in metrics(none)


def test_before_the_first_chain_and_where_none_is_recorded_the_page_says_so(open_page: Open, database, monkeypatch):
    monkeypatch.setenv("TICKWELL_MARKETS", "BTC")
    assert boxes(open_page("contract")) == ["No option chain of BTC yet."]
    at_once = open_page("contract", at="2026-06-01T10:00Z")
    assert boxes(at_once) == ["No option chain of BTC was recorded up to 1 Jun 2026, 10:00:00."]
    named = open_page("contract", name="BTC-25DEC26-90000-C")
    assert boxes(named) == ["BTC-25DEC26-90000-C is in no option chain that was recorded."]


def test_what_is_not_known_is_a_dash(open_page: Open, record, database, ts):
    its = chain("BTC", ts)
    record(its)
    with database.write() as cursor:
        cursor.execute(
            "UPDATE options_by_snapshot SET mark_iv = NULL, bid_price = NULL, underlying_price = NULL, volume = NULL"
        )

    page = open_page("contract", name=option_name(option_at_the_money(its)))

    found = metrics(page)
    assert {found[name] for name in ("IV of the mark", "Bid", "Delta", "Forward", "Volume, 24 h")} == {"–"}
    assert not page.exception


def test_chains_are_read_only_as_of_the_chosen_moment(open_page: Open, record, ts):
    """An expiry that was listed later is not offered."""
    record(chain("BTC", ts - 30 * DAY), chain("BTC", ts))
    its = option_at_the_money(chain("BTC", ts - 30 * DAY), number=8)

    page = open_page("contract", name=option_name(its), at=f"{ts - 30 * DAY + MINUTE:%Y-%m-%dT%H:%M:%SZ}")

    then = {f"{each.day} {each:%b %Y}" for each in framed(chain("BTC", ts - 30 * DAY))["expiry"]}
    assert set(box(page, "Expiry").options) == then
