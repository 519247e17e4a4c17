"""The charts of a chain show what is known of it, and mark the right places."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from pages.common.figures.options import interest as of_interest
from pages.common.figures.options import smiles as of_smiles
from store.market.reads.as_of import Row
from store.market.reads.interest import InterestAt, interest_of
from store.market.reads.smiles import SmileAt, greeks_of, smiles_of
from store.market.reads.snapshots import SnapshotAt
from tests.store.market.snapshots import EXPIRIES, FORWARD, STRIKES, chain

INTEREST, CHANGE = of_interest.MEASURES["Open interest"], of_interest.MEASURES["Change"]
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def smiles(**changes: Any) -> list[SmileAt]:
    """The smiles of a made-up chain, with changes to all its rows."""
    its = chain(NOON)
    rows = sorted(Row._make(row)._replace(**changes) for row in its.rows)
    return smiles_of(SnapshotAt(NOON, NOON, "live", len(rows), FORWARD, 0, feed=its.feed, at=NOON, rows=tuple(rows)))


def at_first_expiry(*left_out: float, **changes: Any) -> InterestAt:
    """What is held at the strikes of the first expiry of a made-up chain, with changes to its rows."""
    its = chain(NOON, expiries=EXPIRIES[:1])
    rows = tuple(sorted(Row._make(row)._replace(**changes) for row in its.rows if row[1] not in left_out))
    found = SnapshotAt(NOON, NOON, "live", len(rows), FORWARD, 0, feed=its.feed, at=NOON, rows=rows)
    return interest_of(found, greeks_of(found))[0]


def test_a_line_lies_between_the_strikes_around_its_price_and_none_beyond_the_last_ones():
    lines = {"Index": 92_500.0, "Max pain": 100_000.0, "Far": 130_000.0, "Unknown": None}

    about = of_interest.by_strike(at_first_expiry(), None, INTEREST, lines, "BTC").layout

    assert [(each.text, each.x) for each in about.annotations] == [("Index 92,500", 1.5), ("Max pain 100,000", 3.0)]
    assert [each.x0 for each in about.shapes] == [1.5, 3.0]


def test_open_interest_of_another_moment_has_the_same_places_for_its_strikes():
    before, now = at_first_expiry(STRIKES[0], open_interest=4.0), at_first_expiry(STRIKES[-1])

    drawn = {trace.name: trace for trace in of_interest.by_strike(now, before, INTEREST, {}, "BTC").data}

    np.testing.assert_array_equal(drawn["Calls"].y, [10.0] * 6 + [np.nan])
    np.testing.assert_array_equal(drawn["Puts before"].y, [np.nan] + [-4.0] * 6)
    assert drawn["Calls"].hovertext[1] == "Calls of 90,000: 10.0 BTC, +6.0 since"
    assert drawn["Calls"].hovertext[-1] == "Calls of 120,000: –"


def test_a_change_has_its_sign_and_is_unknown_where_a_strike_was_not_listed():
    before, now = at_first_expiry(STRIKES[0], open_interest=14.0), at_first_expiry()

    figure = of_interest.by_strike(now, before, CHANGE, {}, "BTC")

    assert [trace.name for trace in figure.data] == ["Calls", "Puts"]
    for trace in figure.data:
        np.testing.assert_array_equal(trace.y, [np.nan] + [-4.0] * 6)
    assert figure.layout.barmode == "group"
    assert of_interest.describe_by_strike(now, before, CHANGE, {"Index": 1.0}, "BTC") == (
        "Change of open interest of 6 Nov 2026 by strike: -14 BTC of calls, -14 BTC of puts, index 1."
    )
    assert "– BTC of calls" in of_interest.describe_by_strike(now, None, CHANGE, {}, "BTC")


def test_the_labels_of_open_interest_have_no_sign_and_are_round():
    axis = of_interest.by_strike(at_first_expiry(open_interest=70.0), None, INTEREST, {}, "BTC").layout.yaxis

    assert list(axis.tickvals[3:8]) == [-40.0, -20.0, 0.0, 20.0, 40.0]
    assert axis.ticktext[3:8] == ("40", "20", "0", "20", "40")


@pytest.mark.parametrize("interest", [None, 0.0])
def test_a_chain_without_open_interest_is_drawn(interest):
    its = at_first_expiry(open_interest=interest)

    figure = of_interest.by_strike(its, None, INTEREST, {"Index": FORWARD}, "BTC")

    assert len(figure.data) == 2
    assert list(figure.layout.yaxis.tickvals)[4:7] == [-1.0, 0.0, 1.0]


def test_gamma_is_in_millions_of_usd():
    its = at_first_expiry()

    figure = of_interest.by_strike(its, None, of_interest.MEASURES["Gamma"], {}, "BTC")

    np.testing.assert_allclose(figure.data[0].y, [(each.call_gamma or 0) / 1e6 for each in its.strikes])
    assert figure.data[1].hovertext[3].endswith(" M USD")


def test_without_an_index_no_expiry_has_a_value_in_usd():
    its = [at_first_expiry()]

    assert of_interest.values_of(its, [], INTEREST, None) == [None]
    assert of_interest.values_of(its, [], CHANGE, FORWARD) == [None]


def test_where_nothing_is_known_the_words_say_so():
    unknown = smiles(mark_iv=None, open_interest=None)

    assert of_interest.describe_calendar(unknown, [None] * 3, INTEREST) == "Notional: nothing is known of any expiry."
    assert of_smiles.describe_smile(unknown[0]) == "No IV of 6 Nov 2026 is known."
    assert of_smiles.describe_terms(unknown) == "No IV at the money is known."
    its = at_first_expiry(open_interest=None)
    told = of_interest.describe_by_strike(its, None, INTEREST, {"Max pain": None}, "BTC")
    assert "– BTC of calls, – BTC of puts, max pain –" in told


def test_the_words_say_what_the_charts_show():
    its = smiles()

    assert of_interest.describe_calendar(its, [14e6] * 3, INTEREST) == (
        "Notional of 3 expiries, 42.0 M USD in all; most on 6 Nov 2026, 14.0 M USD."
    )
    assert of_smiles.describe_smile(its[0]) == (
        "Smile of 6 Nov 2026: IV 40.00 % at the money, 42.00 % at 80,000, 42.00 % at 120,000."
    )
    assert of_smiles.describe_terms(its) == ("IV at the money from 40.00 % on 6 Nov 2026 to 42.00 % on 26 Mar 2027.")


def test_an_expiry_that_is_over_has_no_place_in_the_term_structure():
    its = [each._replace(years=-1.0) if each.smile.expiry == EXPIRIES[0] else each for each in smiles()]

    (line,) = of_smiles.term_structure(its, [], "").data

    assert list(line.customdata) == ["2026-12-25", "2027-03-26"]
    assert list(line.x) == pytest.approx([(at - NOON) / timedelta(days=1) for at in EXPIRIES[1:]])


def test_no_whisker_is_drawn_without_both_quotes_and_a_long_one_is_cut():
    its = smiles(ask_price=None)[0]
    wide = smiles(ask_price=0.2)[0]

    assert len(of_smiles.smile(its, "strike", None, "").data[0].x) == 0
    figure = of_smiles.smile(wide, "strike", None, "")
    assert np.nanmax(figure.data[0].y) > figure.layout.yaxis.range[1] == pytest.approx(43.0)
