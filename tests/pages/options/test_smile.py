"""Options: the smile and the term structure, and another moment beside them."""

import numpy as np
import pytest
from vollib.black.greeks import analytical
from vollib.black.implied_volatility import implied_volatility

from store.instants import DAY
from tests.pages.conftest import Open, captions
from tests.support.market import chain

from .seen import expiry_of, framed, layout, traces


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


def test_a_moment_to_compare_with_is_dashed_and_outlined(open_page: Open, record, ts):
    its, before = chain("BTC", ts), chain("BTC", ts - DAY)
    record(before, its)
    name, rows = expiry_of(its)

    page = open_page("options", expiry=name, vs="1d")

    then = framed(before)
    then = then[then["expiry"] == rows["expiry"].iloc[0]]
    (dashed,) = [trace for trace in traces(page, "smile").values() if trace["meta"]["part"] == "before"]
    assert list(dashed["y"]) == pytest.approx(list(then.groupby("strike")["mark_iv"].mean()))
    bars = traces(page, "by-strike")
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
