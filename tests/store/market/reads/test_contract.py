"""The life of an option is what its snapshots say, its payoff is arithmetic, and nothing later has a part in either."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from store.file.database import Cursor, Database
from store.instants import DAY, MINUTE
from store.kinds import DELIVERIES, OPTIONS
from store.market import chains
from store.market.entries import append_new
from store.market.instruments import Option
from store.market.reads.as_of import Row
from store.market.reads.contract import (
    Moment,
    Settlement,
    life,
    listed_expiries,
    options_of,
    settled,
    settlement,
    usual_option,
)
from store.market.reads.snapshots import EACH
from store.models import to_column
from tests.conftest import START
from tests.store.market.snapshots import EXPIRIES, FORWARD, STRIKES, chain
from tests.support.examples import examples

SECOND = timedelta(seconds=1)
OPTION = Option("BTC", EXPIRIES[0], STRIKES[2], "put")


def record(database: Database, *seconds: float, **more: Any) -> None:
    with database.write() as cursor:
        chains.append(cursor, [chain(START + second * SECOND, **more) for second in seconds])


def deliver(database: Database, ts: datetime, price: float, index_name: str = "btc_usd") -> None:
    with database.write() as cursor:
        append_new(cursor, DELIVERIES, [(index_name, to_column(ts), price, "simulator")])


def test_a_life_has_the_last_snapshot_of_each_step_as_pandas_finds_it(database: Database):
    for number, second in enumerate([0, 300, 3600, 3900, 7000]):
        record(database, second, iv=40 + number)
    record(database, 600, underlying="ETH")
    end = START + 3900 * SECOND

    with database.read() as cursor:
        found = life(cursor, OPTION, START, end, timedelta(hours=1))
        every = life(cursor, OPTION, START, end, EACH)
        rows = cursor.execute("SELECT * FROM options WHERE underlying = 'BTC'").df()

    its = rows[(rows["expiry"] == OPTION.expiry.replace(tzinfo=None)) & (rows["strike"] == OPTION.strike)]
    its = its[(its["option_type"] == "put") & (its["ts"] <= end.replace(tzinfo=None))].sort_values("ts")
    by_hour = its.groupby(its["ts"].dt.floor("h")).tail(1)
    assert [each.ts for each in found] == list(by_hour["ts"].dt.tz_localize("UTC"))
    assert [each.row.mark_iv for each in found] == by_hour["mark_iv"].tolist() == [41.5, 43.5]
    assert [each.ts for each in every] == list(its["ts"].dt.tz_localize("UTC"))
    assert every[0] == Moment(START, Row(*OPTION[1:], 0.02, 40.5, FORWARD, 0.01, 0.03, None, 10, 2, 4000))


def test_what_is_not_quoted_in_the_last_snapshot_of_a_step_is_not_taken_from_an_earlier_one(database: Database):
    record(database, 0, 60)
    with database.write() as cursor:
        cursor.execute("UPDATE options_by_snapshot SET mark_iv = NULL WHERE ts = ?", [to_column(START + MINUTE)])

    with database.read() as cursor:
        (found,) = life(cursor, OPTION, START, START + MINUTE, timedelta(hours=1))

    assert (found.ts, found.row.mark_iv, found.row.mark_price) == (START + MINUTE, None, 0.02)


def test_the_expiries_of_the_record_are_listed_with_their_first_and_last_chain(database: Database):
    record(database, 0, expiries=EXPIRIES[:2])
    record(database, 300, 600, expiries=EXPIRIES[1:])

    with database.read() as cursor:
        found = listed_expiries(cursor, "BTC", START + 600 * SECOND)
        options = options_of(cursor, "BTC", found[0])
        none = listed_expiries(cursor, "ETH", START + DAY)

    assert [each[0] for each in found] == list(EXPIRIES)
    assert [(each.first - START, each.last - START) for each in found] == [
        (timedelta(), timedelta()),
        (timedelta(), 600 * SECOND),
        (300 * SECOND, 600 * SECOND),
    ]
    assert options == [Option("BTC", EXPIRIES[0], strike, kind) for strike in STRIKES for kind in ("call", "put")]
    assert none == []


def test_the_usual_option_is_the_call_at_the_forward_of_the_expiry_with_most_open_interest(database: Database):
    record(database, 0)
    with database.write() as cursor:
        cursor.execute(
            "UPDATE smiles SET forward = 104000, call_oi = 1000 WHERE expiry = ?", [EXPIRIES[1].replace(tzinfo=None)]
        )

    with database.read() as cursor:
        assert usual_option(cursor, "BTC", START) == Option("BTC", EXPIRIES[1], 105_000, "call")
        assert usual_option(cursor, "BTC", START - SECOND) is None


def test_without_a_forward_no_option_is_the_usual_one(database: Database):
    record(database, 0)
    with database.write() as cursor:
        cursor.execute("UPDATE smiles SET forward = NULL")

    with database.read() as cursor:
        assert usual_option(cursor, "BTC", START) is None


@pytest.mark.parametrize(
    ("option", "price", "usd", "coin"),
    [
        (OPTION._replace(strike=90_000, option_type="call"), 95_000, 5_000, 5_000 / 95_000),
        (OPTION._replace(strike=90_000, option_type="put"), 95_000, 0, 0),
        (OPTION._replace(strike=90_000, option_type="put"), 80_000, 10_000, 0.125),
        (Option("XRP_USDC", EXPIRIES[0], 2.0, "call"), 2.5, 0.5, 0.5),
    ],
)
def test_a_payoff_is_the_intrinsic_value_at_the_delivery_price(option, price, usd, coin):
    found = settled(option, price)

    assert tuple(found) == pytest.approx((price, usd, coin))


def test_a_settlement_is_known_from_the_expiry_on(database: Database):
    deliver(database, OPTION.expiry - DAY, 1.0)
    deliver(database, OPTION.expiry, 90_000.0)
    deliver(database, OPTION.expiry, 2.0, "xrp_usdc")

    with database.read() as cursor:
        before = settlement(cursor, OPTION, OPTION.expiry - SECOND)
        found = settlement(cursor, OPTION, OPTION.expiry)
        linear = settlement(cursor, Option("XRP_USDC", OPTION.expiry, 1.5, "call"), OPTION.expiry)

    assert before is None
    assert found is not None
    assert tuple(found) == pytest.approx((90_000, 5_000, 5_000 / 90_000))
    assert linear == Settlement(2, 0.5, 0.5)


def _of_expiry(cursor: Cursor, at: datetime) -> list[Option]:
    return [option for each in listed_expiries(cursor, "BTC", at) for option in options_of(cursor, "BTC", each)]


READS: tuple[Callable[[Cursor, datetime], Any], ...] = (
    lambda cursor, at: life(cursor, OPTION, START - DAY, at, EACH),
    lambda cursor, at: life(cursor, OPTION, START - DAY, at, 10 * MINUTE),
    lambda cursor, at: listed_expiries(cursor, "BTC", at),
    _of_expiry,
    lambda cursor, at: usual_option(cursor, "BTC", at),
    lambda cursor, at: settlement(cursor, OPTION._replace(expiry=START + 1500 * SECOND), at),
)
SECONDS = st.integers(0, 3000)


@examples(25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(known=st.sets(SECONDS, max_size=4), later=st.sets(SECONDS, min_size=1, max_size=4), at=SECONDS)
def test_what_is_recorded_later_changes_no_answer(database: Database, known: set[int], later: set[int], at: int):
    instant = START + at * SECOND
    with database.write() as cursor:
        for table in ("snapshots", *OPTIONS.tables, "smiles", "surfaces", "deliveries"):
            cursor.execute(f"DELETE FROM {table}")
    record(database, *(each for each in known if each <= at))
    with database.read() as cursor:
        before = [read(cursor, instant) for read in READS]

    record(database, *(at + 1 + each for each in later), iv=70, expiries=EXPIRIES[1:])
    deliver(database, START + max(1500, at + 1) * SECOND, 70_000.0)

    with database.read() as cursor:
        assert [read(cursor, instant) for read in READS] == before
