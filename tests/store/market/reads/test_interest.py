"""Open interest, volume and gamma by strike are those of the rows, summed and multiplied by pandas and vollib."""

from datetime import timedelta

import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from vollib.black.greeks import analytical

from store.file.database import Database
from store.kinds import OPTIONS
from store.market import chains
from store.market.reads.as_of import Chain, chain_at
from store.market.reads.interest import AtStrike, InterestAt, interest_of
from store.market.reads.smiles import greeks_of
from tests.conftest import START
from tests.store.market import snapshots
from tests.support.examples import examples
from tests.support.market import chain

SECOND = timedelta(seconds=1)
YEAR_S = 365 * 86_400


def recorded(database: Database, *changes: str) -> Chain:
    """The simulator's chain at START, with changes to its rows."""
    with database.write() as cursor:
        chains.append(cursor, [chain("BTC", START)])
        for change in changes:
            cursor.execute(change)
    with database.read() as cursor:
        found = chain_at(cursor, "BTC", START + 30 * SECOND)
    assert found is not None
    return found


def test_each_strike_has_open_interest_volume_and_gamma_of_its_call_and_its_put(database: Database):
    found = recorded(database)

    ours = interest_of(found, greeks_of(found))

    frame = pd.DataFrame(found.rows)
    frame["years"] = (frame["expiry"] - found.ts).dt.total_seconds() / YEAR_S
    assert [each.expiry for each in ours] == sorted(frame["expiry"].unique())
    for its, (_, rows) in zip(ours, frame.groupby("expiry"), strict=True):
        wide = rows.pivot(index="strike", columns="option_type", values=["open_interest", "volume"])
        got = pd.DataFrame(its.strikes).set_index("strike")
        for side in ("call", "put"):
            assert got[f"{side}_oi"].tolist() == wide["open_interest"][side].tolist()
            assert got[f"{side}_volume"].tolist() == wide["volume"][side].tolist()
        forward = rows["underlying_price"].median()
        for _, row in rows.iloc[::9].iterrows():
            gamma = analytical.gamma(row.option_type[0], forward, row.strike, row.years, 0, row.mark_iv / 100)
            expected = gamma * row.open_interest * forward**2 / 100
            assert got[f"{row.option_type}_gamma"][row.strike] == pytest.approx(expected, rel=1e-6, abs=1e-6)
        assert its.total("call_oi", "put_oi") == pytest.approx(rows["open_interest"].sum())
        assert its.total("put_volume") == pytest.approx(rows.loc[rows["option_type"] == "put", "volume"].sum())


def test_the_gamma_of_a_strike_is_the_change_of_delta_when_the_forward_moves_by_a_percent(database: Database):
    """G is a derivative: half of a percent up and down by brute force gives the same within a thousandth."""
    found = recorded(database)
    its = interest_of(found, greeks_of(found))[8]
    rows = pd.DataFrame(row for row in found.rows if row.expiry == its.expiry)
    forward, years = rows["underlying_price"].median(), (its.expiry - found.ts).total_seconds() / YEAR_S

    near = min(its.strikes, key=lambda each: abs(each.strike - forward))

    (call,) = (row for row in found.rows if row[:3] == (its.expiry, near.strike, "call"))
    assert call.mark_iv
    given = (near.strike, years, 0, call.mark_iv / 100)
    low, high = (analytical.delta("c", forward * factor, *given) for factor in (0.995, 1.005))
    assert near.call_gamma == pytest.approx((high - low) * (call.open_interest or 0) * forward, rel=1e-3)


def test_what_is_not_known_stays_unknown_and_without_open_interest_gamma_is_zero(database: Database):
    found = recorded(
        database,
        "UPDATE options_by_snapshot SET mark_iv = NULL",
        "UPDATE options_by_snapshot SET open_interest = NULL, volume = NULL WHERE option_type = 'put'",
        "UPDATE options_by_snapshot SET open_interest = 0 WHERE option_type = 'call' AND strike >= 100000",
        "DELETE FROM options_by_snapshot WHERE option_type = 'put' AND strike < 90000",
    )

    its = interest_of(found, greeks_of(found))[0]

    assert its.total("put_oi") is None
    for each in its.strikes:
        assert (each.put_oi, each.put_volume, each.put_gamma) == (None, None, None)
        assert each.call_gamma == (0.0 if each.call_oi == 0 else None)


def test_without_a_forward_there_is_no_gamma(database: Database):
    found = recorded(database, "UPDATE options_by_snapshot SET underlying_price = NULL, open_interest = 1")

    assert {each.call_gamma for its in interest_of(found, greeks_of(found)) for each in its.strikes} == {None}


def test_a_chain_without_rows_has_no_expiry(database: Database):
    found = recorded(database, "DELETE FROM options_by_snapshot")

    assert interest_of(found, []) == []
    assert InterestAt(START, ()).total("call_oi") is None
    assert AtStrike._fields[0] == "strike"


@examples(15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(later=st.sets(st.integers(1, 3000), min_size=1, max_size=3), at=st.integers(0, 300))
def test_what_is_recorded_later_changes_no_answer(database: Database, later: set[int], at: int):
    instant = START + at * SECOND
    with database.write() as cursor:
        for table in ("snapshots", *OPTIONS.tables, "smiles", "surfaces"):
            cursor.execute(f"DELETE FROM {table}")
        chains.append(cursor, [snapshots.chain(START)])
    before = read(database)(instant)

    with database.write() as cursor:
        chains.append(cursor, [snapshots.chain(instant + each * SECOND, iv=70) for each in later])

    assert read(database)(instant) == before


def read(database: Database):
    def at(instant):
        with database.read() as cursor:
            found = chain_at(cursor, "BTC", instant)
        assert found is not None
        return interest_of(found, greeks_of(found))

    return at
