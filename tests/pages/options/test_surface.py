"""Options: the surface as squares, and the table of forward volatility and expected moves."""

import numpy as np
import pandas as pd
import pytest
from vollib.black import black
from vollib.black.greeks import analytical

from tests.pages.conftest import Open
from tests.support.market import chain

from .seen import framed, layout, traces

DELTAS = (0.95, 0.9, 0.85, 0.75, 0.5, 0.25, 0.15, 0.1, 0.05)


def test_each_square_has_the_iv_of_its_expiry_and_delta_and_its_colour_is_that_of_the_legend(
    open_page: Open, record, ts
):
    its = chain("BTC", ts)
    record(its)

    page = open_page("options")

    found, classes = {}, traces(page, "surface")
    for name, bars in classes.items():
        low, high = map(float, name.removesuffix(" %").split(" to "))
        for x, base, text, day in zip(bars["x"], bars["base"], bars["text"], bars["customdata"], strict=True):
            found[day, DELTAS[int(x)]] = float(text)
            assert low - 0.11 <= float(text) <= high + 0.11
            assert layout(page, "surface")["yaxis"]["tickvals"][int(base)] == pytest.approx(base + 0.45)
    expected = {}
    for expiry, rows in framed(its).groupby("expiry"):
        forward, years = rows["forward"].median(), rows["years"].iloc[0]
        ivs = rows.groupby("strike")["mark_iv"].mean()
        deltas = [analytical.delta("c", forward, strike, years, 0, iv / 100) for strike, iv in ivs.items()]
        for delta in DELTAS:
            if min(deltas) <= delta <= max(deltas):
                at = np.interp(delta, deltas[::-1], ivs.to_numpy()[::-1])
                expected[f"{expiry:%Y-%m-%d}", delta] = pytest.approx(at, abs=0.051)
    assert found == expected
    assert len(classes) == 6


def test_the_table_below_the_term_structure_has_forward_volatility_and_expected_moves(open_page: Open, record, ts):
    its = chain("BTC", ts)
    record(its)

    page = open_page("options")

    table = page.dataframe[0].value
    rows = []
    for _, each in framed(its).groupby("expiry"):
        forward, years = each["forward"].median(), each["years"].iloc[0]
        ivs = each.groupby("strike")["mark_iv"].mean()
        rows.append((forward, years, np.interp(0, np.log(ivs.index / forward), ivs)))
    frame = pd.DataFrame(rows, columns=["forward", "years", "iv"])
    variance = (frame["iv"] / 100) ** 2 * frame["years"]
    np.testing.assert_allclose(table["IV at the money"], frame["iv"])
    np.testing.assert_allclose(table["Days"], 365 * frame["years"])
    np.testing.assert_allclose(table["Forward IV"], 100 * np.sqrt(variance.diff() / frame["years"].diff()))
    np.testing.assert_allclose(table["Expected move, USD"], frame["forward"] * np.sqrt(variance))
    np.testing.assert_allclose(table["Expected move"], 100 * np.sqrt(variance))
    known = zip(frame["years"], frame["iv"] / 100, strict=True)
    straddles = [sum(100 * black(side, 1, 1, years, 0, iv) for side in "cp") for years, iv in known]
    np.testing.assert_allclose(table["Straddle"], straddles)
    assert set(table["Note"]) == {""}


def test_a_chain_without_iv_has_no_square_and_says_so(open_page: Open, record, database, ts):
    record(chain("BTC", ts))
    with database.write() as cursor:
        cursor.execute("UPDATE options_by_snapshot SET mark_iv = NULL")

    page = open_page("options")

    assert traces(page, "surface") == {}
    assert "Surface: no IV is known." in page.get_by_key("surface").proto.json
    assert page.dataframe[0].value["Forward IV"].isna().all()
