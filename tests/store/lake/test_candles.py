"""Candles of a lake equal its ticks, whoever brought them and whenever."""

from datetime import datetime

from store.instants import DAY, HOUR, MINUTE
from store.lake.connection import Lake
from store.models import from_column
from store.prices import candles
from tests.conftest import START
from tests.store.histories import averaged
from tests.store.lake.recordings import observe, share
from tests.support.candles import expect_candles_of_ticks

A_MINUTE, AN_HOUR, A_DAY = 12, 720, 17_280
"""How many slots each has."""


def closed_to(lake: Lake) -> datetime | None:
    """Up to when the lake has candles, which equal its ticks."""
    with lake.open(read_only=True) as cursor:
        expect_candles_of_ticks(cursor)
        return candles.closed_to(cursor)


def averaged_to(lake: Lake) -> datetime | None:
    with lake.open(read_only=True) as cursor:
        ((found,),) = cursor.execute("SELECT averaged_to FROM candles_closed").fetchall()
    return None if found is None else from_column(found)


def test_an_hour_is_folded_once_it_is_over_for_all_recorders(file, lake):
    database = file("a")
    observe(database, range(AN_HOUR + 60))

    share(database, lake, START + HOUR + 4 * MINUTE)
    before = closed_to(lake)
    share(database, lake, START + HOUR + 5 * MINUTE)

    assert before is None
    assert closed_to(lake) == START + HOUR
    assert averaged_to(lake) is None


def test_what_another_recorder_brings_late_is_folded_in(file, lake):
    one, other = file("a"), file("b")
    observe(one, [slot for slot in range(AN_HOUR + 60) if slot % 7])
    share(one, lake, START + 2 * HOUR)
    assert closed_to(lake) == START + HOUR
    observe(other, range(AN_HOUR + 60), late_ms=400)

    share(other, lake, START + 2 * HOUR)

    assert closed_to(lake) == START + HOUR
    with lake.open(read_only=True) as cursor:
        assert cursor.execute("SELECT sum(tick_count) FROM candles_1h").fetchall() == [(AN_HOUR,)]


def test_averages_that_give_way_are_folded_out(file, lake):
    one, other = file("a"), file("b")
    observe(one, [0, AN_HOUR + 60])
    with one.write() as cursor:
        averaged(cursor, 0, 3_600, 300)
    share(one, lake, START + 2 * HOUR)
    assert closed_to(lake) == START + HOUR
    assert averaged_to(lake) == START + HOUR
    observe(other, [100, 101], late_ms=20)

    share(other, lake, START + 2 * HOUR)

    assert closed_to(lake) == START + HOUR
    with lake.open(read_only=True) as cursor:
        assert cursor.execute("SELECT count(*) FROM overruled").fetchall() == [(1,)]


def test_averages_that_come_later_move_their_end(file, lake):
    database = file("a")
    observe(database, [0, 2 * AN_HOUR])
    with database.write() as cursor:
        averaged(cursor, 0, 600, 60)
    share(database, lake, START + 3 * HOUR)
    with database.write() as cursor:
        averaged(cursor, 1_200, 1_800, 60)

    share(database, lake, START + 3 * HOUR)

    assert averaged_to(lake) == START + 30 * MINUTE
    assert closed_to(lake) == START + 2 * HOUR


def test_an_older_history_of_another_recorder_is_folded_in_portions(file, lake):
    one, other = file("a"), file("b")
    observe(one, range(9 * A_DAY, 9 * A_DAY + AN_HOUR + 60))
    share(one, lake, START + 10 * DAY)
    for day in range(6):
        observe(other, range(day * A_DAY, day * A_DAY + 30))

    share(other, lake, START + 10 * DAY)

    assert closed_to(lake) == START + 9 * DAY + HOUR + 4 * MINUTE
    with lake.open(read_only=True) as cursor:
        assert cursor.execute("SELECT sum(tick_count) FROM candles_1h").fetchall() == [(6 * 30 + AN_HOUR,)]
