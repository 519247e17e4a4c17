"""Options: the chain as a table, and how its numbers are computed."""

from dataclasses import replace
from urllib.parse import quote

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from vollib.black.greeks import analytical

from store.instants import MINUTE
from store.market.instruments import Option, option_name
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
        cursor.execute(
            "UPDATE options_by_snapshot SET bid_price = NULL WHERE strike = ? AND option_type = 'call'", [strike]
        )

    page = open_page("options", expiry=name, strikes="All")

    table = page.dataframe[-1]
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

    table = page.dataframe[-1]
    assert list(table.value.columns[:3]) == ["Strike", "At", "Put IV"]
    assert len(table.value.columns) == 9


def test_the_table_opens_with_the_strikes_around_the_forward(open_page: Open, record, ts):
    its = chain("BTC", ts)
    record(its)
    name, rows = expiry_of(its)

    table = open_page("options", expiry=name).dataframe[-1]

    strikes, forward = sorted(rows["strike"].unique()), rows["forward"].median()
    nearest = min(range(len(strikes)), key=lambda place: abs(strikes[place] - forward))
    assert table.value["Strike"].tolist() == strikes[nearest - 5 : nearest + 6]
    assert table.value["At"].tolist()[5] == "ATM"


@pytest.mark.parametrize("option_type", ["call", "put"])
def test_where_few_strikes_lie_on_one_side_of_the_forward_the_table_has_more_of_the_other(
    open_page: Open, record, database, ts, option_type
):
    its = chain("BTC", ts)
    name, rows = expiry_of(its)
    strikes = sorted(rows["strike"].unique())
    end, expected = (strikes[1], strikes[:11]) if option_type == "put" else (strikes[-2], strikes[-11:])
    record(replace(its, rows=tuple((*row[:5], end, *row[6:]) for row in its.rows)))

    table = open_page("options", expiry=name).dataframe[-1]

    assert table.value["Strike"].tolist() == expected


def test_the_contracts_of_a_picked_cell_are_linked_and_before_that_those_at_the_money(open_page: Open, record, ts):
    its = chain("BTC", ts)
    record(its)
    name, rows = expiry_of(its)
    at = f"{ts + MINUTE / 2:%Y-%m-%dT%H:%M:%SZ}"
    page = open_page("options", expiry=name, at=at)
    table = page.dataframe[-1]
    strikes = table.value["Strike"].tolist()

    before = links(page)
    page.session_state[str(table.key)] = {"selection": {"rows": [], "columns": [], "cells": [(2, "Put IV")]}}
    page.run()

    expiry = rows["expiry"].iloc[0].to_pydatetime()
    for found, strike in ((before, strikes[5]), (links(page), strikes[2])):
        names = [option_name(Option("BTC", expiry, strike, side)) for side in ("call", "put")]
        assert found == {f"The life of {each}": f"name={each}&at={quote(at)}" for each in names}


def links(page: AppTest) -> dict[str, str]:
    """The query of each link to a contract, by its words."""
    found = [each.proto for each in page.get("page_link")]
    assert {each.page for each in found} == {"contract"}
    return {each.label: each.query_string for each in found}


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
        "put_call_oi",
        "put_call_volume",
        "call_gamma, put_gamma",
    ):
        assert f"**{number}**" in told
    assert "Source: F. Black, The pricing of commodity contracts, 1976" in told
    assert "Method version 1." in told
    assert told.count("F is the forward of the expiry, S the index, K a strike") == 4
