"""A chain, a contract and surfaces are read as they were known at an instant: nothing later has a part in them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from store.file.database import Cursor, Database
from store.kinds import OPTIONS, SURFACES
from store.ledger import runs
from store.market import chains, packing
from store.market.instruments import Option
from store.market.reads.as_of import Row, chain_at, contract, surfaces
from store.market.reads.snapshots import InSlot, Neighbours, in_slot, neighbours
from store.market.smile import Quote
from store.market.surface import METHOD, derived
from store.models import Run
from tests.conftest import START
from tests.store.market.snapshots import EXPIRIES, FORWARD, STRIKES, chain
from tests.support.examples import examples

SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
A_CHAIN = 2 * len(EXPIRIES) * len(STRIKES)
OPTION = Option("BTC", EXPIRIES[1], STRIKES[2], "put")


def record(database: Database, *seconds: float, underlying: str = "BTC", **more: Any) -> None:
    """Store a chain some seconds after each of these times, as a recorder with a slot at them does."""
    with database.write() as cursor:
        chains.append(cursor, [chain(START + (each + 1) * SECOND, underlying, **more) for each in seconds])


def began(database: Database, second: float, period_s: int) -> None:
    with database.write() as cursor:
        runs.note(cursor, Run(START + second * SECOND, {"btc_usd": 1, "options/BTC": period_s}, "0"))


def in_slot_at(cursor: Cursor, at: datetime) -> InSlot[Row]:
    """The chain of BTC at an instant, with its slot."""
    found = chain_at(cursor, "BTC", at)
    assert found is not None
    return in_slot(cursor, found)


def test_the_chain_at_an_instant_is_the_newest_of_that_time_with_its_slot_and_its_age(database: Database):
    began(database, -900, 300)
    record(database, 0, iv=40)
    record(database, 300, iv=50)
    record(database, 300, underlying="ETH", iv=60)

    with database.read() as cursor:
        found = in_slot_at(cursor, START + 302 * SECOND)
        before = in_slot_at(cursor, START + 300.5 * SECOND)

    assert (found.slot, found.ts, found.age) == (START + 300 * SECOND, START + 301 * SECOND, SECOND)
    assert (found.received_at, found.source) == (START + 301.5 * SECOND, "live")
    assert (found.index_price, found.rejected, len(found.rows)) == (FORWARD, 1, A_CHAIN)
    assert [row.mark_iv for row in found.rows if row.strike == FORWARD][:2] == [50, 50]
    assert [each[:3] for each in found.rows] == sorted(each[:3] for each in found.rows)
    assert found.rows[0] == (EXPIRIES[0], 80_000, "call", 0.02, 52, FORWARD, None, 0.03, None, 10, 2, 4000)
    assert (before.slot, before.age) == (START, 299.5 * SECOND)


def test_the_rows_of_a_chain_lie_by_contract_in_whatever_order_they_came(database: Database):
    snapshot = chain(START)
    with database.write() as cursor:
        chains.append(cursor, [replace(snapshot, rows=tuple(sorted(snapshot.rows, key=itemgetter(1, 2, 0))))])

    with database.read() as cursor:
        found = chain_at(cursor, "BTC", START)

    assert found is not None
    assert [each[:3] for each in found.rows] == sorted(tuple(each[:3]) for each in snapshot.rows)


def test_a_smile_is_the_rows_of_one_expiry(database: Database):
    record(database, 0)

    with database.read() as cursor:
        whole = chain_at(cursor, "BTC", START + MINUTE)
        smile = chain_at(cursor, "BTC", START + MINUTE, EXPIRIES[1])
        other = chain_at(cursor, "BTC", START + MINUTE, EXPIRIES[1] + DAY)

    assert whole is not None
    assert smile is not None
    assert other is not None
    assert smile.rows == tuple(row for row in whole.rows if row.expiry == EXPIRIES[1])
    assert (len(smile.rows), other.rows) == (2 * len(STRIKES), ())


@pytest.mark.parametrize(("period_s", "last_s"), [(60, 71), (300, 311), (86_400, 86_411)])
def test_a_chain_that_is_older_than_a_period_is_none_and_its_neighbours_are_told(
    database: Database, period_s: int, last_s: int
):
    began(database, -1, period_s)
    record(database, 0, 7 * 86_400)

    with database.read() as cursor:
        found = chain_at(cursor, "BTC", START + last_s * SECOND)
        none = chain_at(cursor, "BTC", START + (last_s + 1) * SECOND)
        around = neighbours(cursor, "options/BTC", START + (last_s + 1) * SECOND)

    assert found is not None
    assert none is None
    assert around == Neighbours(START + SECOND, START + 7 * DAY + SECOND)


def test_the_period_is_that_of_the_run_at_the_instant(database: Database):
    began(database, -1, 300)
    began(database, 200, 60)
    record(database, 0)

    with database.read() as cursor:
        before = chain_at(cursor, "BTC", START + 199 * SECOND)
        after = chain_at(cursor, "BTC", START + 201 * SECOND)

    assert before is not None
    assert after is None


def test_a_file_without_chains_has_none(database: Database):
    with database.read() as cursor:
        assert chain_at(cursor, "BTC", START) is None
        assert neighbours(cursor, "options/BTC", START) == Neighbours(None, None)
        assert contract(cursor, OPTION, START, START + DAY) == []
        assert surfaces(cursor, "BTC", START, START + DAY) == []


def test_the_slot_of_a_chain_is_that_of_its_exchange_time_if_the_local_clock_was_wrong(database: Database):
    with database.write() as cursor:
        chains.append(cursor, [chain(START + SECOND)])
        cursor.execute("UPDATE snapshots SET received_at = received_at + INTERVAL 1 HOUR, rejected = NULL")

    with database.read() as cursor:
        found = in_slot_at(cursor, START + MINUTE)

    assert (found.slot, found.rejected) == (START, 0)


def test_a_contract_and_the_surfaces_are_read_over_a_time_also_where_days_are_packed(database: Database):
    times = [0, 300, 600, 900]
    for number, second in enumerate(times):
        record(database, second, iv=40 + number)
    with database.write() as cursor:
        packed = packing.next_chains(cursor, START + DAY)
        assert packed is not None
        packing.pack(cursor, packed)
    start, end = START + 300 * SECOND, START + 901 * SECOND

    with database.read() as cursor:
        life = contract(cursor, OPTION, start, end)
        found = surfaces(cursor, "BTC", start, end)

    assert [(row[0], row[2], row[5]) for row in life] == [
        (START + 301 * SECOND, 42.5, 0.03),
        (START + 601 * SECOND, 43.5, 0.03),
    ]
    assert list(Row._fields) == [column.name for column in OPTIONS.brought]
    assert {len(row) for row in life} == {1 + len(Row._fields) - 3}
    assert [row[0] for row in found] == [START + 301 * SECOND, START + 601 * SECOND]
    assert [len(row) for row in found] == [len(SURFACES.columns) - 1] * 2
    with database.read() as cursor:
        its = chain_at(cursor, "BTC", start + SECOND)
    assert its is not None
    made = derived(its.ts, [quote(row) for row in its.rows], FORWARD).surface
    assert found[0] == (its.ts, *made.columns, METHOD)


def test_of_each_interval_the_last_surface_is_read(database: Database):
    record(database, 0, 300, 3600, 3900, 4200)
    record(database, 600, underlying="ETH")

    with database.read() as cursor:
        every = surfaces(cursor, "BTC", START, START + 4200 * SECOND)
        hours = surfaces(cursor, "BTC", START, START + 4200 * SECOND, timedelta(hours=1))

    assert [row[0] for row in every] == [START + (each + 1) * SECOND for each in (0, 300, 3600, 3900)]
    assert hours == [every[1], every[3]]


def test_a_contract_is_ascending_also_where_a_packed_day_lies_behind_later_rows(database: Database):
    seconds = [0, 300, 86_400, 86_700]
    record(database, *seconds)
    with database.write() as cursor:
        packed = packing.next_chains(cursor, START + DAY)
        assert packed is not None
        packing.pack(cursor, packed)

    with database.read() as cursor:
        life = contract(cursor, OPTION, START, START + 2 * DAY)
        found = [chain_at(cursor, "BTC", START + (each + 1) * SECOND) for each in seconds]

    its = [row for each in found if each for row in each.rows if row[:3] == OPTION[1:]]
    assert [row[0] for row in life] == [START + (each + 1) * SECOND for each in seconds]
    assert [row[1:] for row in life] == [row[3:] for row in its]
    assert None in life[0]


def quote(row: Row) -> Quote:
    return Quote(*(getattr(row, name) for name in Quote._fields))


READS: tuple[Callable[[Cursor, str, datetime], Any], ...] = (
    chain_at,
    lambda cursor, underlying, at: chain_at(cursor, underlying, at, EXPIRIES[0]),
    lambda cursor, underlying, at: contract(cursor, OPTION._replace(underlying=underlying), START - DAY, at),
    lambda cursor, underlying, at: surfaces(cursor, underlying, START - DAY, at),
    lambda cursor, underlying, at: surfaces(cursor, underlying, START - DAY, at, 10 * MINUTE),
    lambda cursor, underlying, at: neighbours(cursor, OPTIONS.feed(underlying), at).before,
)
SECONDS = st.integers(0, 3000)


@examples(25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(known=st.sets(SECONDS, max_size=4), later=st.sets(SECONDS, min_size=1, max_size=4), at=SECONDS)
def test_what_is_recorded_later_changes_no_answer(database: Database, known: set[int], later: set[int], at: int):
    instant = START + at * SECOND
    with database.write() as cursor:
        for table in ("snapshots", *OPTIONS.tables, "smiles", "surfaces", "runs"):
            cursor.execute(f"DELETE FROM {table}")
    began(database, -1, 300)
    record(database, *known)
    with database.read() as cursor:
        before = [read(cursor, "BTC", instant) for read in READS]

    record(database, *(at + each for each in later), iv=70)
    began(database, at + 1, 60)

    with database.read() as cursor:
        assert [read(cursor, "BTC", instant) for read in READS] == before
