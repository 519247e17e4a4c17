"""Options: the chain as a table, and how its numbers are computed."""

import numpy as np
import pytest
from vollib.black.greeks import analytical

from tests.pages.conftest import Open
from tests.support.market import chain

from .seen import expiry_of


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
