"""A chain is stored together with what follows from it, and a rebuild makes the same of the stored rows."""

from datetime import timedelta
from typing import Any

import pytest

from store.file.database import Database
from store.kinds import SMILES, SURFACES, TENORS_D
from store.ledger import arrivals
from store.market import chains, packing
from store.market.smile import Smile
from store.market.surface import METHOD
from store.models import to_column
from tests.conftest import START
from tests.store.market.snapshots import EXPIRIES, FORWARD, STRIKES, chain

MINUTE = timedelta(minutes=1)


def store(database: Database, *minutes: int, underlying: str = "BTC", **more: Any) -> None:
    with database.write() as cursor:
        chains.append(cursor, [chain(START + minute * MINUTE, underlying, **more) for minute in minutes])


def derived_rows(database: Database) -> dict[str, list[Any]]:
    with database.read() as cursor:
        return {
            table: cursor.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() for table in ("smiles", "surfaces")
        }


def test_the_columns_of_smiles_and_surfaces_are_those_of_the_formulas():
    of_tenors = [f"{name}_{days}d" for name in ("iv", "rr25", "bf25") for days in TENORS_D]

    assert SMILES.column_names == ["underlying", "ts", *Smile._fields, "method"]
    assert SURFACES.column_names[2:23] == of_tenors
    assert SURFACES.column_names[23:] == [
        *("iv_chain_30d", "call_oi", "put_oi", "call_volume", "put_volume", "index_price", "method")
    ]


def test_a_chain_is_stored_once_with_its_smiles_and_its_surface(database: Database):
    store(database, 0, 0)
    store(database, 0, 5)

    with database.read() as cursor:
        options = cursor.execute("SELECT count(*), count(DISTINCT ts) FROM options").fetchall()
        (noted, _) = cursor.execute("SELECT rows, index_price, rejected FROM snapshots").fetchall()
        (row,) = cursor.execute(
            "FROM options WHERE strike = 80000 AND option_type = 'put' ORDER BY ts, expiry LIMIT 1"
        ).fetchall()
        smiles = cursor.execute(
            "SELECT underlying, ts, expiry, forward, atm_iv, strikes, method FROM smiles ORDER BY ts, expiry"
        ).fetchall()
        surfaces = cursor.execute(
            "SELECT ts, iv_30d, call_oi, index_price, method FROM surfaces ORDER BY ts"
        ).fetchall()
    a_chain = 2 * len(EXPIRIES) * len(STRIKES)
    at, later = to_column(START), to_column(START + 5 * MINUTE)
    assert options == [(2 * a_chain, 2)]
    assert noted == (a_chain, FORWARD, 1)
    expiry = to_column(EXPIRIES[0])
    assert row == ("BTC", expiry, 80000, "put", at, 0.02, 42.0, FORWARD, None, 0.03, None, 10.0, 2.0, 4000.0)
    assert smiles[:3] == [
        ("BTC", at, to_column(each), FORWARD, 40.0 + number, len(STRIKES), METHOD)
        for number, each in enumerate(EXPIRIES)
    ]
    assert len(smiles) == 2 * len(EXPIRIES)
    assert [(ts, call_oi, price, method) for ts, _, call_oi, price, method in surfaces] == [
        (ts, 10.0 * a_chain / 2, FORWARD, METHOD) for ts in (at, later)
    ]
    assert 40 < surfaces[0][1] < 41


def test_a_snapshot_without_rows_has_no_surface(database: Database):
    store(database, 0, expiries=())

    assert derived_rows(database) == {"smiles": [], "surfaces": []}


@pytest.mark.parametrize("at_once", [2, 100])
def test_a_rebuild_makes_the_same_rows_of_packed_chains_too(database: Database, at_once: int):
    store(database, 0, 5, 10, 15)
    store(database, 5, 10, 20, underlying="ETH")
    before = derived_rows(database)
    with database.write() as cursor:
        packed = packing.next_chains(cursor, START + timedelta(days=1))
        assert packed is not None
        packing.pack(cursor, packed)
        cursor.execute("UPDATE smiles SET forward = 1, method = 7 WHERE underlying = 'ETH'")
        cursor.execute("DELETE FROM surfaces WHERE underlying = 'BTC'")
    told: list[tuple[int, int]] = []

    chains.rebuild(database, lambda *step: told.append(step), at_once)

    assert derived_rows(database) == before
    assert told[-1] == (7, 7)


def test_a_rebuild_leaves_what_was_made_of_rows_that_are_gone(database: Database):
    store(database, 0, 5)
    before = derived_rows(database)
    with database.write() as cursor:
        cursor.execute("DELETE FROM options_by_snapshot WHERE ts = ?", [to_column(START)])

    chains.rebuild(database)

    assert derived_rows(database) == before


def test_nothing_of_a_snapshot_is_stored_if_its_surface_can_not_be(database: Database, monkeypatch):
    def fails(*_: object) -> None:
        raise RuntimeError("no surface")

    monkeypatch.setattr(chains, "derived", fails)
    with pytest.raises(RuntimeError):
        store(database, 0)

    with database.read() as cursor:
        assert cursor.execute("SELECT (FROM options SELECT count(*)), count(*) FROM snapshots").fetchall() == [(0, 0)]
        assert arrivals.newest(cursor) == {}
