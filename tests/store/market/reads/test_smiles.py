"""Smiles and greeks of a chain that was read equal what vollib, NumPy and brute force make of the simulator's chain."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from vollib.black import black
from vollib.black.greeks import analytical

from store.file.database import Database
from store.market import chains
from store.market.reads.as_of import Chain, Row, chain_at
from store.market.reads.smiles import Point, greeks_of, smiles_of
from store.models import to_column
from tests.conftest import START
from tests.support.market import chain

AT = START + timedelta(seconds=30)
YEAR_S = 365 * 86_400


def recorded(database: Database, *changes: str) -> Chain:
    """The simulator's chain at START, with changes to its rows."""
    with database.write() as cursor:
        chains.append(cursor, [chain("BTC", START)])
        for change in changes:
            cursor.execute(f"UPDATE options_by_snapshot SET {change}")
    with database.read() as cursor:
        found = chain_at(cursor, "BTC", AT)
    assert found is not None
    return found


def framed(found: Chain) -> pd.DataFrame:
    """The rows with their years to expiry."""
    frame = pd.DataFrame(found.rows)
    frame["years"] = (frame["expiry"] - found.ts).dt.total_seconds() / YEAR_S
    return frame


def test_the_greeks_of_each_option_are_those_of_vollib(database: Database):
    found = recorded(database)

    ours = greeks_of(found)

    assert len(ours) == len(found.rows) > 500
    for (_, row), its in list(zip(framed(found).iterrows(), ours, strict=True))[::7]:
        asked = (row.option_type[0], row.underlying_price, row.strike, row.years, 0, row.mark_iv / 100)
        assert its is not None
        assert its.delta == pytest.approx(analytical.delta(*asked), rel=1e-7, abs=1e-9)
        assert its.gamma == pytest.approx(analytical.gamma(*asked), rel=1e-7, abs=1e-12)
        assert its.vega == pytest.approx(analytical.vega(*asked), rel=1e-7, abs=1e-7)


def test_an_option_without_iv_or_forward_has_no_greeks(database: Database):
    found = recorded(database, "mark_iv = NULL WHERE option_type = 'put'")
    without_forward = recorded(database, "underlying_price = NULL")

    assert {row.option_type for row, its in zip(found.rows, greeks_of(found), strict=True) if its} == {"call"}
    assert set(greeks_of(without_forward)) == {None}


def test_the_strikes_of_a_smile_have_moneyness_delta_and_the_mean_iv_of_call_and_put(database: Database):
    found = recorded(database)

    smiles = smiles_of(found)

    frame = framed(found)
    assert [each.smile.expiry for each in smiles] == sorted(frame["expiry"].unique())
    for smile, (_, rows) in zip(smiles, frame.groupby("expiry"), strict=True):
        forward, years = rows["underlying_price"].median(), rows["years"].iloc[0]
        ivs = rows.groupby("strike")["mark_iv"].mean()
        assert smile.years == pytest.approx(years)
        assert [point.strike for point in smile.points] == list(ivs.index)
        assert [point.iv for point in smile.points] == pytest.approx(list(ivs))
        assert [point.moneyness for point in smile.points] == pytest.approx(list(np.log(ivs.index / forward)))
        deltas = [analytical.delta("c", forward, strike, years, 0, iv / 100) for strike, iv in ivs.items()]
        assert [point.delta for point in smile.points] == pytest.approx(deltas, rel=1e-7, abs=1e-9)


def test_the_numbers_of_a_smile_equal_interpolation_by_numpy_and_brute_force(database: Database):
    found = recorded(database)

    for its, (_, rows) in zip(smiles_of(found), framed(found).groupby("expiry"), strict=True):
        forward, points = rows["underlying_price"].median(), pd.DataFrame(its.points)
        atm = np.interp(0, points["moneyness"], points["iv"])
        assert its.smile.atm_iv == pytest.approx(atm)
        if points["delta"].is_monotonic_decreasing and points["delta"].max() > 0.75 and points["delta"].min() < 0.25:
            rising = points.iloc[::-1]
            call, put = (np.interp(delta, rising["delta"], rising["iv"]) for delta in (0.25, 0.75))
            assert its.smile.rr25 == pytest.approx(call - put)
            assert its.smile.bf25 == pytest.approx((call + put) / 2 - atm)
        for kind, oi in (("call", its.smile.call_oi), ("put", its.smile.put_oi)):
            assert oi == pytest.approx(rows.loc[rows["option_type"] == kind, "open_interest"].sum())
        pain = {settled: payout(rows, settled) for settled in sorted(rows["strike"].unique())}
        assert its.smile.max_pain == min(pain, key=lambda strike: round(pain[strike], 4))
        assert its.smile.forward == forward


def payout(rows: pd.DataFrame, settled: float) -> float:
    """What all options of an expiry together pay at a price."""
    sign = np.where(rows["option_type"] == "call", 1, -1)
    return float((rows["open_interest"] * np.maximum(sign * (settled - rows["strike"]), 0)).sum())


def test_the_ivs_of_bid_and_ask_give_back_the_quotes_of_the_option_out_of_the_money(database: Database):
    found = recorded(database)
    quoted: dict[tuple[object, ...], Row] = {row[:3]: row for row in found.rows}

    known = 0
    for its in smiles_of(found):
        forward = its.smile.forward
        assert forward is not None
        for point in its.points:
            kind = "put" if point.strike < forward else "call"
            row = quoted[(its.smile.expiry, point.strike, kind)]
            for price, iv in ((row.bid_price, point.bid_iv), (row.ask_price, point.ask_iv)):
                if price is None:
                    assert iv is None
                elif iv is not None:
                    known += 1
                    again = black(kind[0], forward, point.strike, its.years, 0, iv / 100) / forward
                    assert again == pytest.approx(price, rel=1e-6, abs=1e-9)
    assert known > 500


def test_a_strike_without_iv_or_without_the_option_out_of_the_money_stays_with_what_is_known(database: Database):
    whole = recorded(database)
    strike = min(row.strike for row in whole.rows)
    with database.write() as cursor:
        cursor.execute("DELETE FROM options_by_snapshot WHERE strike = ? AND option_type = 'put'", [strike])
        cursor.execute("UPDATE options_by_snapshot SET mark_iv = NULL WHERE strike = ?", [strike])
    with database.read() as cursor:
        found = chain_at(cursor, "BTC", AT)
    assert found is not None

    points = [point for its in smiles_of(found) for point in its.points if point.strike == strike]

    assert points
    for point in points:
        assert point.moneyness is not None
        assert point == Point(strike, point.moneyness, None, None, None, None)


def test_without_a_forward_and_after_the_expiry_a_smile_has_strikes_and_open_interest_alone(database: Database):
    found = recorded(database, "underlying_price = NULL")
    first = found.rows[0].expiry
    late = at_its_end(database, first)

    for its in (smiles_of(found)[-1], smiles_of(late)[0]):
        assert {point[1:] for point in its.points} == {(None,) * 5}
        assert (its.smile.atm_iv, its.smile.rr25) == (None, None)
        assert its.smile.call_oi is not None
    assert (smiles_of(late)[0].smile.expiry, smiles_of(late)[0].years) == (first, 0)


def at_its_end(database: Database, expiry: datetime) -> Chain:
    """The chain again, as if it were of the instant at which an expiry ends."""
    with database.write() as cursor:
        for table in ("options_by_snapshot", "snapshots"):
            cursor.execute(f"UPDATE {table} SET ts = ?", [to_column(expiry)])
    with database.read() as cursor:
        found = chain_at(cursor, "BTC", expiry)
    assert found is not None
    return found
