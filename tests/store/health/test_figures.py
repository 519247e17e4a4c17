"""The figures of a file."""

from datetime import timedelta

import pytest

from store.file.database import Database
from store.health.figures import Figures, figures
from store.ledger.gaps import advance
from store.ledger.heal import heal
from store.models import Cause
from store.prices import candles, ticks
from tests.conftest import tick
from tests.store.histories import LATENCY, at, averaged, missed, observed, ran

DAY = 86_400


def at_second(database: Database, now_s: float) -> Figures:
    with database.read() as cursor:
        return figures(cursor, ["btc_usd", "eth_usd"], at(now_s))


def test_an_empty_file_has_no_figures(database: Database):
    assert at_second(database, 0) == Figures({}, {}, {}, {}, {}, {}, {}, {}, [])


@pytest.mark.parametrize("closed_to_s", [None, 0, 3600, 3 * 3600])
def test_ticks_are_counted_once_wherever_candles_end(database: Database, closed_to_s):
    with database.write() as cursor:
        observed(cursor, range(0, 7200, 60))
        observed(cursor, range(0, 600, 60), "eth_usd")
        averaged(cursor, -6000, 0, 600)
        if closed_to_s is not None:
            while candles.close(cursor, at(closed_to_s)):
                pass

    found = at_second(database, 7200)

    assert found.observed == {"btc_usd": 120, "eth_usd": 10}
    assert found.averages == {"btc_usd": 10, "eth_usd": 0}


def test_the_newest_tick_is_an_observation_although_an_average_is_newer(database: Database):
    with database.write() as cursor:
        observed(cursor, [0, 5])
        averaged(cursor, 60, 120, 6)

    assert at_second(database, 120).newest == {"btc_usd": at(5) + LATENCY}


def test_the_newest_tick_of_an_index_that_is_no_longer_recorded_is_not_read(database: Database):
    with database.write() as cursor:
        ticks.append(cursor, [tick(index_name="ada_usd")])

    found = at_second(database, 5)

    assert found.newest == {}
    assert found.observed == {"ada_usd": 1}


def test_missed_slots_are_counted_by_cause(database: Database):
    with database.write() as cursor:
        missed(cursor, range(0, 50, 5))
        missed(cursor, range(50, 60, 5), Cause.EXCHANGE_ERROR, code=11051)
        missed(cursor, [60], Cause.EXCHANGE_ERROR, "eth_usd")

    assert at_second(database, 60).missed == {
        ("btc_usd", "unreachable"): 10,
        ("btc_usd", "exchange error"): 2,
        ("eth_usd", "exchange error"): 1,
    }


def test_the_seconds_in_gaps_are_summed_by_state(database: Database):
    with database.write() as cursor:
        ran(cursor, 0, None)
        observed(cursor, [*range(0, 500, 5), *range(800, 1000, 5), *range(1100, 2000, 5)])
        missed(cursor, [*range(500, 800, 5), *range(1000, 1100, 5)])
    before = at_second(database, 2000).gap_s
    advance(database, at(2000), at(2000), 1)
    noted = at_second(database, 2000).gap_s
    with database.write() as cursor:
        averaged(cursor, 0, 900, 6)
        heal(cursor, "btc_usd", at(2000))

    healed = at_second(database, 2000).gap_s

    assert before == noted == {("btc_usd", "open"): 400}
    assert healed == {("btc_usd", "healed"): 300, ("btc_usd", "open"): 100}


def test_old_gaps_and_a_gap_of_days_count_in_full(database: Database):
    with database.write() as cursor:
        ran(cursor, 0, 2000)
        observed(cursor, [*range(0, 500, 5), *range(600, 2000, 5)])
        missed(cursor, range(500, 600, 5))
    advance(database, at(2000), at(2000), 1)

    found = at_second(database, 5 * DAY)

    (seconds,) = found.gap_s.values()
    down = timedelta(days=5).total_seconds() - 2000
    assert seconds == pytest.approx(100 + down, abs=10)  # the last two slots may be on their way


def test_coverage_is_that_of_the_last_day_and_of_indexes_that_were_due(database: Database):
    with database.write() as cursor:
        ran(cursor, 0, None, 60)
        observed(cursor, [*range(0, DAY, 60), *range(DAY + DAY // 2, 2 * DAY, 60)])
        missed(cursor, range(DAY, DAY + DAY // 2, 60))
        ticks.append(cursor, [tick(index_name="ada_usd")])

    found = at_second(database, 2 * DAY)

    assert found.coverage == {"btc_usd": pytest.approx(0.5)}
