"""The self-checks of what is stored: each is judged once, and its stretches are kept."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from store.file.database import Database
from store.file.exchange import admit
from store.health import checks
from store.health.checks import MOST_STRETCHES, Result, Stretch
from store.kinds import DELIVERIES, VOLATILITY_INDEX
from store.ledger import arrivals
from store.market import chains
from store.market.checks import CHECKS, DVOL, FUNDING, PARITY, Found
from store.market.entries import EntriesOf
from store.models import Exchange, Snapshot
from tests.conftest import START, tick
from tests.store.market.snapshots import chain
from tests.support.stored import append

SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
NOW = START + MINUTE


@pytest.fixture
def database(open_database: Database) -> Database:
    """An open database, which each test finds empty."""
    return open_database


def sound_chain(ts: datetime = START) -> Snapshot:
    """A chain whose marks keep parity."""
    made = chain(ts)
    rows = tuple(_at_parity(*row) for row in made.rows)
    return replace(made, rows=rows)


def _at_parity(expiry: datetime, strike: float, option_type: str, mark: float, iv: float, forward: float, *rest: Any):
    in_the_money = max(0.0, 1 - strike / forward if option_type == "call" else strike / forward - 1)
    return expiry, strike, option_type, 0.01 + in_the_money, iv, forward, *rest


def store(database: Database, *snapshots: Snapshot) -> None:
    with database.write() as cursor:
        for snapshot in snapshots:
            (chains if snapshot.feed.startswith("options/") else arrivals).append(cursor, [snapshot])


def store_dvol(database: Database, open_time: datetime, close: float, chain_iv: float | None = 42.0) -> None:
    """Store a minute of DVOL. The strikes of the made-up chain don't reach 5 delta, so its volatility is set too."""
    with database.write() as cursor:
        cursor.execute("UPDATE surfaces SET iv_chain_30d = ?", [chain_iv])
        admit(cursor, Exchange.REAL, START)
        EntriesOf(VOLATILITY_INDEX, "BTC", 60).append(cursor, [(open_time, *[close] * 4)])


def futures(ts: datetime = START, *, index_price: float | None = 100_000.0, **changes: Any) -> Snapshot:
    """The perpetual and a dated future; the premium of the perpetual is 0.05 %."""
    its = {"name": "BTC-PERPETUAL", "mark": 100_050.0, "funding": 0.00025} | changes
    rows = (
        (its["name"], None, its["mark"], *[None] * 6, its["funding"], 0.0),
        ("BTC-25DEC26", START + 30 * DAY, 101_000.0, *[None] * 8),
    )
    return Snapshot("futures/BTC", ts, ts, rows, index_price=index_price)


def deliver(database: Database, price: float = 100.0) -> datetime:
    """Store the delivery price of 08:00 UTC of the day."""
    at = START.replace(hour=8)
    with database.write() as cursor:
        admit(cursor, Exchange.REAL, START)
        EntriesOf(DELIVERIES, "btc_usd").append(cursor, [(at, price)])
    return at


def due(database: Database, now: datetime = NOW) -> dict[str, Result]:
    with database.read() as cursor:
        return {result.check.name: result for result in checks.due(cursor, now)}


def note(database: Database, *results: Result) -> list[Stretch]:
    with database.write() as cursor:
        return checks.note(cursor, results)


def newest(database: Database) -> list[Stretch]:
    with database.read() as cursor:
        return checks.newest(cursor)


def result(minutes: float, value: float, check: str = DVOL.name, feed: str = "options/BTC") -> Result:
    return Result(CHECKS[check], feed, START + minutes * MINUTE, Found(value, f"{value:g}"))


def test_nothing_is_due_without_a_market(database: Database):
    append(database, tick(0))

    assert due(database) == {}


def test_a_sound_chain_is_judged_by_its_pairs_and_by_dvol(database: Database):
    store(database, sound_chain(), sound_chain(START - 5 * MINUTE))
    store_dvol(database, START - MINUTE, 41.0)

    found = due(database)

    assert found.keys() == {"put_call_parity", "one_iv_a_strike", "chain_against_dvol"}
    assert {(each.feed, each.ts) for each in found.values()} == {("options/BTC", START)}
    assert found["put_call_parity"].found.value == pytest.approx(0, abs=1e-12)
    assert found["one_iv_a_strike"].found.value == 0
    assert found["chain_against_dvol"].found == Found(1.0, "chain 42.00, DVOL 41.00")


def test_a_chain_whose_marks_contradict_each_other_breaks_parity(database: Database):
    store(database, chain(START))

    found = due(database)["put_call_parity"]

    assert PARITY.state(found.found.value) == "warn"
    assert found.found.detail == "strike 80,000 of 2026-11-06, largest of 21 pairs"


def test_a_chain_whose_strikes_do_not_reach_far_enough_is_not_compared_with_dvol(database: Database):
    store(database, sound_chain())
    store_dvol(database, START - MINUTE, 41.0, chain_iv=None)

    assert "chain_against_dvol" not in due(database)


def test_a_chain_whose_surface_was_deleted_is_not_compared_with_dvol(database: Database):
    store(database, sound_chain())
    with database.write() as cursor:
        cursor.execute("DELETE FROM surfaces")
    store_dvol(database, START - MINUTE, 41.0)

    assert "chain_against_dvol" not in due(database)


@pytest.mark.parametrize("age", [timedelta(0), 11 * MINUTE])
def test_dvol_of_another_time_is_not_compared(database: Database, age: timedelta):
    store(database, sound_chain())
    store_dvol(database, START - age, 41.0)

    assert "chain_against_dvol" not in due(database)


def test_dvol_that_comes_later_is_compared_then_and_nothing_is_judged_twice(database: Database):
    store(database, sound_chain())
    note(database, *due(database).values())
    assert due(database) == {}

    store_dvol(database, START - MINUTE, 41.0)
    late = due(database)
    note(database, *late.values())

    assert list(late) == ["chain_against_dvol"]
    assert due(database) == {}


def test_the_newest_snapshot_of_futures_is_judged_by_its_perpetual(database: Database):
    store(database, futures(START - MINUTE, funding=0.0), futures())

    (found,) = due(database).values()

    assert (found.check, found.feed, found.ts) == (FUNDING, "futures/BTC", START)
    assert found.found.value == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    "snapshot", [futures(index_price=None), futures(funding=None), futures(name="BTC_USDC-PERPETUAL")]
)
def test_futures_without_the_numbers_of_a_perpetual_are_not_judged(database: Database, snapshot: Snapshot):
    store(database, snapshot)

    assert due(database) == {}


def test_snapshots_of_other_feeds_and_of_past_days_are_not_judged(database: Database):
    store(database, futures())
    with database.write() as cursor:
        cursor.execute(
            "INSERT INTO snapshots VALUES ('moons/JUPITER', ?, ?, 'live', 2, NULL, 0)", 2 * [NOW.replace(tzinfo=None)]
        )

    assert due(database, START + 2 * DAY) == {}
    assert list(due(database)) == ["funding_against_premium"]


def test_a_delivery_price_is_judged_by_our_ticks_of_its_half_hour(database: Database):
    at = deliver(database, 100.0)
    begin = (at - 30 * MINUTE - START) // SECOND
    append(database, *(tick(begin + second, price=100.0) for second in range(0, 1800, 20)))
    append(database, tick(begin - 1, price=9.0), tick(begin + 1800, price=9.0))

    (found,) = due(database).values()

    assert (found.feed, found.ts) == ("deliveries/btc_usd", at)
    assert found.found.value == pytest.approx(0)


def test_a_delivery_price_waits_for_ticks_of_all_minutes(database: Database):
    at = deliver(database)
    begin = (at - 30 * MINUTE - START) // SECOND
    append(database, *(tick(begin + second, price=100.0) for second in range(0, 1740, 20)))

    assert due(database) == {}


def test_results_of_one_state_are_one_stretch_with_the_newest_and_the_worst_value(database: Database):
    assert note(database, result(0, 0.5)) == []
    assert note(database, result(5, -1.4)) == []
    assert note(database, result(10, 0.1)) == []

    (kept,) = newest(database)
    assert (kept.since, kept.ts) == (START, START + 10 * MINUTE)
    assert (kept.value, kept.worst, kept.state, kept.warn_above, kept.detail) == (0.1, -1.4, "ok", 3.0, "0.1")


def test_a_check_that_turns_bad_or_good_begins_a_stretch_and_is_returned(database: Database):
    (bad,) = note(database, result(0, 4.0))
    (good,) = note(database, result(5, 1.0))
    note(database, result(5, 2.0, feed="options/ETH"))

    assert (bad.state, good.state, good.since) == ("warn", "ok", START + 5 * MINUTE)
    assert good.words == "Chain against DVOL of options/BTC: 1.00 points, at most 3.00 points (1)"
    with database.read() as cursor:
        troubles = checks.troubles(cursor, START)
        later = checks.troubles(cursor, START + MINUTE)
    assert [(each.feed, each.state) for each in troubles] == [("options/ETH", "note"), ("options/BTC", "warn")]
    assert [each.feed for each in later] == ["options/ETH"]


def test_the_newest_stretches_are_in_the_order_of_the_checks(database: Database):
    note(database, result(0, 0, DVOL.name, "options/ETH"), result(0, 0), result(0, 0, FUNDING.name, "futures/BTC"))
    note(database, result(0, 0, PARITY.name))

    assert [(each.name, each.feed) for each in newest(database)] == [
        ("put_call_parity", "options/BTC"),
        ("chain_against_dvol", "options/BTC"),
        ("chain_against_dvol", "options/ETH"),
        ("funding_against_premium", "futures/BTC"),
    ]


def test_a_check_that_turns_often_keeps_its_newest_stretches(database: Database):
    note(database, result(0, 0.0, feed="options/ETH"))
    for number in range(MOST_STRETCHES + 5):
        note(database, result(number, 4.0 * (number % 2)))

    with database.read() as cursor:
        kept = dict(cursor.execute("SELECT feed, count(*) FROM checks GROUP BY feed").fetchall())
        ((oldest,),) = cursor.execute("SELECT min(since) FROM checks WHERE feed = 'options/BTC'").fetchall()
    assert kept == {"options/BTC": MOST_STRETCHES, "options/ETH": 1}
    assert oldest == (START + 5 * MINUTE).replace(tzinfo=None)


def test_a_stretch_as_json_has_its_age(database: Database):
    note(database, result(0, 4.0))
    (kept,) = newest(database)

    told = checks.as_json(kept, NOW)

    assert json.loads(json.dumps(told)) == told
    assert told == {
        "check": "chain_against_dvol",
        "feed": "options/BTC",
        "state": "warn",
        "since": "2026-11-01T12:00:00+00:00",
        "last": "2026-11-01T12:00:00+00:00",
        "age_s": 60.0,
        "value": 4.0,
        "warn_above": 3.0,
        "words": "Chain against DVOL of options/BTC: 4.00 points, at most 3.00 points (4)",
    }
