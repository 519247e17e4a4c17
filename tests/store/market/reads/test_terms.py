"""Forward volatility, expected moves and IV by delta are what numpy and vollib make of the simulator's chain."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from vollib.black import black

from store.file.database import Database
from store.kinds import OPTIONS
from store.market import chains
from store.market.reads.as_of import chain_at
from store.market.reads.smiles import SmileAt, smiles_of
from store.market.reads.terms import DELTAS, Term, ivs_by_delta, terms_of
from tests.conftest import START
from tests.store.market import snapshots
from tests.support.examples import examples
from tests.support.market import chain

SECOND = timedelta(seconds=1)


def recorded(database: Database) -> list[SmileAt]:
    """The smiles of the simulator's chain at START."""
    with database.write() as cursor:
        chains.append(cursor, [chain("BTC", START)])
    with database.read() as cursor:
        found = chain_at(cursor, "BTC", START + SECOND)
    assert found is not None
    return smiles_of(found)


def test_forward_volatility_makes_the_total_variance_of_the_next_expiry(database: Database):
    smiles = recorded(database)

    frame = pd.DataFrame(terms_of(smiles))

    assert frame["atm_iv"].tolist() == [each.smile.atm_iv for each in smiles]
    variance = (frame["atm_iv"] / 100) ** 2 * frame["years"]
    steps = (frame["forward_iv"] / 100) ** 2 * frame["years"].diff()
    assert np.isnan(frame["forward_iv"][0])
    np.testing.assert_allclose(variance[0] + steps[1:].cumsum(), variance[1:])
    assert not frame["falls"].any()


def test_an_expected_move_is_a_standard_deviation_and_a_straddle_a_call_and_a_put_at_the_forward(database: Database):
    smiles = recorded(database)

    for its, term in zip(smiles, terms_of(smiles), strict=True):
        forward, iv = its.smile.forward, its.smile.atm_iv
        assert forward is not None
        assert iv is not None
        assert term.expected_move == pytest.approx(forward * iv / 100 * np.sqrt(its.years))
        assert term.expected_move_percent == pytest.approx(100 * (term.expected_move or 0) / forward)
        both = sum(black(side, forward, forward, its.years, 0, iv / 100) for side in "cp")
        assert term.straddle == pytest.approx(100 * both / forward)


def test_where_total_variance_falls_there_is_no_forward_volatility_and_the_next_counts_from_there(database: Database):
    smiles = recorded(database)[:3]
    smiles[1] = smiles[1]._replace(smile=smiles[1].smile._replace(atm_iv=1.0))

    first, second, third = terms_of(smiles)

    assert (first.falls, second.falls, second.forward_iv, third.falls) == (False, True, None, False)
    assert third.forward_iv is not None


def test_what_is_not_known_or_over_is_left_out_of_the_chain_of_expiries(database: Database):
    smiles = recorded(database)[:4]
    smiles[0] = smiles[0]._replace(years=0.0)
    smiles[2] = smiles[2]._replace(smile=smiles[2].smile._replace(atm_iv=None))

    found = terms_of(smiles)

    assert found[0] == Term(smiles[0].smile.expiry, 0.0)
    assert found[2] == Term(smiles[2].smile.expiry, smiles[2].years)
    assert found[1].forward_iv is None
    low, high = smiles[1], smiles[3]
    variances = [((each.smile.atm_iv or 0) / 100) ** 2 * each.years for each in (low, high)]
    expected = 100 * np.sqrt((variances[1] - variances[0]) / (high.years - low.years))
    assert found[3].forward_iv == pytest.approx(expected)


def test_the_iv_at_each_delta_is_that_of_numpy_and_none_beyond_the_last_strikes(database: Database):
    beyond = 0
    for its in recorded(database):
        points = pd.DataFrame(its.points).iloc[::-1]
        if not points["delta"].is_monotonic_increasing:
            continue
        for delta, iv in zip(DELTAS, ivs_by_delta(its), strict=True):
            if not points["delta"].min() <= delta <= points["delta"].max():
                assert iv is None
                beyond += 1
            else:
                assert iv == pytest.approx(np.interp(delta, points["delta"], points["iv"]))
    assert beyond


def test_a_smile_without_iv_has_none_at_any_delta(database: Database):
    its = recorded(database)[0]
    unknown = its._replace(points=tuple(each._replace(iv=None, delta=None) for each in its.points))

    assert ivs_by_delta(unknown) == ivs_by_delta(its._replace(points=())) == (None,) * len(DELTAS)


@examples(15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(later=st.sets(st.integers(1, 3000), min_size=1, max_size=3), at=st.integers(0, 300))
def test_what_is_recorded_later_changes_no_answer(database: Database, later: set[int], at: int):
    instant = START + at * SECOND

    def answers() -> object:
        with database.read() as cursor:
            found = chain_at(cursor, "BTC", instant)
        assert found is not None
        its = smiles_of(found)
        return terms_of(its), [ivs_by_delta(each) for each in its]

    with database.write() as cursor:
        for table in ("snapshots", *OPTIONS.tables, "smiles", "surfaces"):
            cursor.execute(f"DELETE FROM {table}")
        chains.append(cursor, [snapshots.chain(START)])
    before = answers()

    with database.write() as cursor:
        chains.append(cursor, [snapshots.chain(instant + each * SECOND, iv=70) for each in later])

    assert answers() == before
