"""The charts of a chain show what is known of it, and mark the right places."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from pages.common.figures.options import interest as of_interest
from pages.common.figures.options import smiles as of_smiles
from store.market.reads.as_of import Row
from store.market.reads.smiles import SmileAt, smiles_of
from store.market.reads.snapshots import SnapshotAt
from tests.store.market.snapshots import EXPIRIES, FORWARD, STRIKES, chain

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def smiles(**changes: Any) -> list[SmileAt]:
    """The smiles of a made-up chain, with changes to all its rows."""
    its = chain(NOON)
    rows = sorted(Row._make(row)._replace(**changes) for row in its.rows)
    return smiles_of(
        SnapshotAt(NOON, NOON, "live", len(rows), FORWARD, 0, feed=its.feed, at=NOON, slot=NOON, rows=tuple(rows))
    )


def rows(**changes: Any) -> list[Row]:
    return [Row._make(row)._replace(**changes) for row in chain(NOON).rows if row[0] == EXPIRIES[0]]


def test_a_line_lies_between_the_strikes_around_its_price_and_none_beyond_the_last_ones():
    lines = {"Index": 92_500.0, "Max pain": 100_000.0, "Far": 130_000.0, "Unknown": None}

    about = of_interest.open_interest(rows(), [], lines, "BTC").layout

    assert [(each.text, each.x) for each in about.annotations] == [("Index 92,500", 1.5), ("Max pain 100,000", 3.0)]
    assert [each.x0 for each in about.shapes] == [1.5, 3.0]


def test_open_interest_of_another_moment_has_the_same_places_for_its_strikes():
    before = [row._replace(open_interest=4.0) for row in rows() if row.strike != STRIKES[0]]
    now = [row for row in rows() if row.strike != STRIKES[-1]]

    drawn = {trace.name: trace for trace in of_interest.open_interest(now, before, {}, "BTC").data}

    np.testing.assert_array_equal(drawn["Calls"].y, [10.0] * 6 + [np.nan])
    np.testing.assert_array_equal(drawn["Puts before"].y, [np.nan] + [-4.0] * 6)
    assert drawn["Calls"].hovertext[1] == "Calls of 90,000: 10.0 BTC, +6.0 since"
    assert drawn["Calls"].hovertext[-1] == "Calls of 120,000: –"


def test_the_labels_of_open_interest_have_no_sign_and_are_round():
    axis = of_interest.open_interest(rows(open_interest=70.0), [], {}, "BTC").layout.yaxis

    assert list(axis.tickvals[3:8]) == [-40.0, -20.0, 0.0, 20.0, 40.0]
    assert axis.ticktext[3:8] == ("40", "20", "0", "20", "40")


@pytest.mark.parametrize("interest", [None, 0.0])
def test_a_chain_without_open_interest_is_drawn(interest):
    figure = of_interest.open_interest(rows(open_interest=interest), [], {"Index": FORWARD}, "BTC")

    assert len(figure.data) == 2
    assert list(figure.layout.yaxis.tickvals)[4:7] == [-1.0, 0.0, 1.0]


def test_where_nothing_is_known_the_words_say_so():
    unknown = smiles(mark_iv=None, open_interest=None)

    assert of_interest.describe_calendar(unknown, FORWARD) == "The open interest of no expiry is known."
    assert of_smiles.describe_smile(unknown[0]) == "No IV of 6 Nov 2026 is known."
    assert of_smiles.describe_terms(unknown) == "No IV at the money is known."
    assert "calls, – BTC of puts, max pain –" in of_interest.describe_interest(unknown[0], None, "BTC")


def test_the_words_say_what_the_charts_show():
    its = smiles()

    assert of_interest.describe_calendar(its, FORWARD) == (
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
