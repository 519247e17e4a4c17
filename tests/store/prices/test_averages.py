"""Averages fill what nothing finer covers, on any grid, are stored once, and give way to what is finer."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.file import schema
from store.file.database import Cursor, Database
from store.models import Tick
from store.prices import averages, candles, ticks
from store.prices.overruled import reach_of_all
from tests.conftest import START, tick
from tests.support.examples import examples

Points = Sequence[tuple[datetime, float]]
Row = tuple[datetime, float, int]
"""Instant, price and resolution of a row."""


def second(number: float) -> datetime:
    return START + timedelta(seconds=number)


def points(*seconds: float, price: float = 50.0) -> Points:
    return [(second(each), price) for each in seconds]


def append(database: Database, new: Points, resolution_s: int, index_name: str = "btc_usd") -> int:
    with database.write() as cursor:
        return averages.append(cursor, index_name, new, resolution_s)


def observe(database: Database, *new: Tick) -> None:
    with database.write() as cursor:
        ticks.append(cursor, new)


def empty(cursor: Cursor) -> None:
    for table in ("ticks", "overruled"):
        cursor.execute(f"DELETE FROM {table}")
    cursor.execute("UPDATE candles_closed SET averaged_to = NULL")


def stored(database: Database, index_name: str = "btc_usd", table: str = "ticks") -> list[Row]:
    """What is in a table of an index, asked without the code under test."""
    with database.read() as cursor:
        rows = cursor.execute(
            f"SELECT ts, price, resolution_s FROM {table} WHERE index_name = ? ORDER BY ALL", [index_name]
        ).fetchall()
    return [(ts.replace(tzinfo=UTC), price, resolution_s) for ts, price, resolution_s in rows]


def seconds_of(database: Database, resolution_s: int) -> list[float]:
    return [(ts - START).total_seconds() for ts, _, stored_s in stored(database) if stored_s == resolution_s]


def overruled(row: Row, known: Sequence[Row]) -> bool:
    """Does something finer lie in the time of a row?"""
    ts, _, resolution_s = row
    return any(
        ts <= at < ts + timedelta(seconds=resolution_s) and finer_s < resolution_s for at, _, finer_s in known
    )  # fmt: skip


def by_hand(known: Sequence[Row], new: Points, resolution_s: int) -> list[Row]:
    """What is known after an append, by comparing every point with every row."""
    first_words: dict[datetime, float] = {}
    for ts, price in new:
        first_words.setdefault(ts, price)
    instants = {ts for ts, _, as_fine_s in known if as_fine_s <= resolution_s}
    fitting = [(ts, price, resolution_s) for ts, price in first_words.items() if ts not in instants]
    return sorted([*known, *(row for row in fitting if not overruled(row, known))])


# A few minutes with some instants on a grid and some on none, so that many meet at edges.
instants = st.one_of(
    st.integers(-40, 60).map(lambda number: second(6 * number)),
    st.floats(-240, 360, allow_nan=False).map(second),
    st.sampled_from([second(edge) for edge in (-0.000001, 0, 0.000001, 59.999999, 60, 60.000001)]),
)
batches = st.tuples(
    st.lists(st.tuples(instants, st.floats(1, 2)), max_size=25), st.sampled_from([1, 6, 7, 60, 100])
)  # fmt: skip


@examples(150)
@given(
    observed=st.lists(instants, max_size=12),
    appended=st.lists(batches, min_size=1, max_size=4),
    late=st.lists(instants, max_size=4),
)
def test_any_averages_and_ticks_are_what_a_comparison_of_each_with_each_gives(open_database, observed, appended, late):
    with open_database.write() as cursor:
        empty(cursor)
        ticks.append(cursor, [Tick("btc_usd", ts, 1.0) for ts in observed])
        ticks.append(cursor, [Tick("eth_usd", second(number), 1.0) for number in range(0, 60, 10)])
    known = stored(open_database)

    for new, resolution_s in appended:
        before = len(known)
        known = by_hand(known, new, resolution_s)
        assert append(open_database, new, resolution_s) == len(known) - before
    observe(open_database, *(Tick("btc_usd", ts, 1.0) for ts in late))
    known = by_hand(known, [(ts, 1.0) for ts in late], 0)

    assert stored(open_database) == [row for row in known if not overruled(row, known)]
    assert stored(open_database, table="overruled") == [row for row in known if overruled(row, known)]
    with open_database.read() as cursor:
        ((others,),) = cursor.execute("SELECT count(*) FROM ticks WHERE index_name = 'eth_usd'").fetchall()
    assert others == 6


@examples(50)
@given(observed=st.lists(instants, max_size=12), batch=batches)
def test_appending_twice_is_appending_once(open_database, observed, batch):
    with open_database.write() as cursor:
        empty(cursor)
        ticks.append(cursor, [Tick("btc_usd", ts, 1.0) for ts in observed])
    append(open_database, *batch)
    once = stored(open_database)

    again = append(open_database, *batch)

    assert again == 0
    assert stored(open_database) == once


def test_an_average_is_stored_as_history_of_the_exchange(database):
    append(database, points(0, price=7.5), 60)

    with database.read() as cursor:
        rows = cursor.execute("SELECT * FROM ticks").fetchall()
    assert rows == [("btc_usd", START.replace(tzinfo=None), None, 7.5, "chart", 60)]


def test_an_average_is_left_out_where_a_tick_lies_in_its_time_but_not_at_its_end(database):
    observe(database, tick(59.999999), tick(120), tick(180.5))

    new = append(database, points(0, 60, 120, 180, 240), 60)

    assert new == 2
    assert seconds_of(database, 60) == [60, 240]


def test_ticks_of_another_index_cover_nothing(database):
    observe(database, tick(1, "eth_usd"))

    assert append(database, points(0), 60) == 1


def test_coarse_averages_fill_what_finer_ones_left(database):
    append(database, points(*range(0, 120, 6)), 6)

    new = append(database, points(*range(-120, 240, 60)), 60)

    assert new == 4
    assert seconds_of(database, 60) == [-120, -60, 120, 180]


def test_coarse_averages_give_way_to_finer_ones_at_their_instants_too(database):
    append(database, points(0, 60, price=1), 60)

    new = append(database, points(0, 6, 12, price=2), 6)

    assert new == 3
    assert [price for _, price, _ in stored(database)] == [2, 2, 2, 1]
    assert [price for _, price, _ in stored(database, table="overruled")] == [1]


def test_an_average_gives_way_to_a_tick_that_comes_late(database):
    append(database, points(0, 60, 120, price=1), 60)

    observe(database, tick(0, price=2), tick(119.999999, price=2), tick(180, price=2))

    assert stored(database) == [
        (second(0), 2, 0),
        (second(119.999999), 2, 0),
        (second(120), 1, 60),
        (second(180), 2, 0),
    ]
    with database.read() as cursor:
        assert cursor.execute("SELECT source, import_id FROM overruled").fetchall() == [("chart", None)] * 2


def test_an_average_in_a_file_of_an_older_version_gives_way_too(database_file):
    with duckdb.connect(database_file) as connection:
        schema.migrate(connection, up_to=16)
        connection.execute("INSERT INTO ticks VALUES ('btc_usd', '2026-11-01 12:00', NULL, 50, 'chart', 60)")
    database = Database(database_file)
    database.migrate()

    observe(database, tick(59))

    assert stored(database) == [(second(59), 100, 0)]


def test_averages_that_may_come_back_reach_as_far_as_the_others(database):
    append(database, points(60), 60)
    observe(database, tick(90))
    with database.write() as cursor:
        reach_of_all(cursor)

        assert candles.marks(cursor) == (None, second(120))


def test_an_average_that_gave_way_still_keeps_coarser_ones_out(database):
    append(database, points(60), 60)
    observe(database, tick(90))

    assert append(database, points(-10), 80) == 0


def test_a_tick_after_all_averages_is_not_compared_with_them(database, monkeypatch):
    append(database, points(0, 60), 60)
    monkeypatch.setattr("store.prices.overruled.overrule", None)

    observe(database, tick(120))

    assert seconds_of(database, 0) == [120]


def test_averages_of_one_resolution_do_not_cover_each_other(database):
    append(database, points(0, 60), 60)

    new = append(database, points(30, 60), 60)

    assert new == 1
    assert seconds_of(database, 60) == [0, 30, 60]


def test_of_points_at_one_instant_the_first_counts(database):
    new = append(database, [*points(0, price=1), *points(0, price=2)], 60)

    assert new == 1
    assert [price for _, price, _ in stored(database)] == [1]


def test_points_may_come_in_any_order_and_zone(database):
    kathmandu = ZoneInfo("Asia/Kathmandu")
    new = [(ts.astimezone(kathmandu), price) for ts, price in points(120, 0, 60)]

    append(database, new, 60)

    assert seconds_of(database, 60) == [0, 60, 120]


def test_points_years_apart_are_stored_too(database):
    year_s = 365 * 86_400

    assert append(database, points(-7 * year_s, 0, year_s), 6) == 3


def test_no_points_are_no_averages(database):
    assert append(database, [], 60) == 0
    assert stored(database) == []


def test_averages_are_stored_in_the_order_of_time(database):
    append(database, points(*range(5000, 0, -1)), 1)

    with database.read() as cursor:
        found = [ts for (ts,) in cursor.execute("SELECT ts FROM ticks").fetchall()]
    assert len(found) == 5000
    assert all(before < after for before, after in pairwise(found))


@pytest.mark.parametrize("asked", [[], ["btc_usd"], ["btc_usd", "eth_usd", "sol_usd"]])
def test_an_index_is_filled_once_it_has_history_of_the_exchange(database, asked):
    append(database, points(0), 60)
    observe(database, tick(0), tick(0, "eth_usd"), tick(0, "sol_usd", source="simulator"))

    with database.read() as cursor:
        assert averages.filled(cursor, asked) == {"btc_usd"} & set(asked)
