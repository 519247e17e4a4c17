"""Each (index_name, ts) is stored once, whoever appends it, in whatever order, and exactly as it was."""

import itertools
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.file.database import Database
from store.models import Tick
from store.prices import ticks
from tests.conftest import START, tick
from tests.store.processes import start
from tests.support.examples import examples

CLOCKS_BACK = datetime(2026, 10, 25, 1, tzinfo=UTC)
"""When Berlin's clocks go back from 3 to 2 h: the hour before and the hour after look alike there."""

ZONES = [UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu"), timezone(timedelta(hours=-9, minutes=-30))]

# Few instants, so that many repeat; each one in any zone, so that equal instants look different.
crowded_instants = st.builds(
    lambda steps, zone: (CLOCKS_BACK + steps * timedelta(minutes=20)).astimezone(zone),
    st.integers(-5, 5),
    st.sampled_from(ZONES),
)
crowded_ticks = st.builds(Tick, st.sampled_from(["btc_usd", "eth_usd"]), crowded_instants, st.floats(1, 2))
any_instant = st.datetimes(datetime(1900, 1, 2), datetime(2200, 1, 1), timezones=st.sampled_from(ZONES))  # noqa: DTZ001 the zone follows


def key(tick: Tick) -> tuple[str, datetime]:
    return tick.index_name, tick.ts.astimezone(UTC)


def append(database: Database, new: Sequence[Tick]) -> set[tuple[str, datetime]]:
    with database.write(wait_s=30) as cursor:
        return ticks.append(cursor, new)


def empty(database: Database) -> Database:
    with database.write() as cursor:
        cursor.execute("DELETE FROM ticks")
    return database


def stored(database: Database) -> list[tuple[str, datetime, float]]:
    """What is in the table, asked without the code under test."""
    with database.read(wait_s=30) as cursor:
        rows = cursor.execute("SELECT index_name, ts, price FROM ticks ORDER BY ALL").fetchall()
    return [(name, ts.replace(tzinfo=UTC), price) for name, ts, price in rows]


def run_at_once(*work: Callable[[], object]) -> None:
    """Each on a thread of its own, all let loose at the same moment."""
    together = threading.Barrier(len(work))

    def run(each: Callable[[], object]) -> None:
        together.wait()
        each()

    threads = [threading.Thread(target=run, args=(each,)) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@examples(40)
@given(batch=st.lists(crowded_ticks))
def test_appending_twice_is_appending_once(open_database, batch):
    database = empty(open_database)
    append(database, batch)
    once = stored(database)

    again = append(database, batch)

    assert again == set()
    assert stored(database) == once


@examples(40)
@given(batch=st.lists(crowded_ticks), data=st.data())
def test_any_order_and_any_split_into_batches_stores_the_same_set(open_database, batch, data):
    database = empty(open_database)
    shuffled = data.draw(st.permutations(batch))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(batch)))))

    for first, last in zip([0, *cuts], [*cuts, len(batch)], strict=True):
        append(database, shuffled[first:last])

    assert [(name, ts) for name, ts, _ in stored(database)] == sorted({key(tick) for tick in batch})


@examples(40)
@given(batches=st.lists(st.lists(crowded_ticks), max_size=5))
def test_the_first_price_of_an_instant_stands_within_a_batch_and_across_batches(open_database, batches):
    database = empty(open_database)
    first: dict[tuple[str, datetime], float] = {}
    for each in itertools.chain(*batches):
        first.setdefault(key(each), each.price)

    for batch in batches:
        append(database, batch)

    assert {(name, ts): price for name, ts, price in stored(database)} == first


@examples(40)
@given(before=st.lists(crowded_ticks), batch=st.lists(crowded_ticks))
def test_the_answer_names_exactly_what_is_new(open_database, before, batch):
    database = empty(open_database)
    append(database, before)

    answer = append(database, batch)

    assert answer == {key(tick) for tick in batch} - {key(tick) for tick in before}


@examples(60)
@given(
    ts=any_instant,
    received_at=st.none() | any_instant,
    price=st.floats(allow_nan=False),
    source=st.sampled_from(["live", "chart", "import", "simulator"]),
    resolution_s=st.integers(0, 2**31 - 1),
    index_name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)
def test_a_tick_comes_back_to_the_microsecond_and_in_utc(
    open_database, ts, received_at, price, source, resolution_s, index_name
):
    database = empty(open_database)
    append(database, [Tick(index_name, ts, price, source, received_at, resolution_s)])

    with database.read() as cursor:
        back = ticks.latest(cursor, index_name)

    received_in_utc = received_at and received_at.astimezone(UTC)
    assert back == Tick(index_name, ts.astimezone(UTC), price, source, received_in_utc, resolution_s)
    assert back.ts.tzinfo is UTC
    assert received_at is None or (back.received_at is not None and back.received_at.tzinfo is UTC)


def test_a_microsecond_tells_two_ticks_apart(database):
    append(database, [tick(0), tick(0.000001)])

    assert [ts.microsecond for _, ts, _ in stored(database)] == [0, 1]


def test_the_two_hours_that_look_alike_when_clocks_go_back_are_both_kept(database):
    berlin = ZoneInfo("Europe/Berlin")
    summer = datetime(2026, 10, 25, 2, 30, tzinfo=berlin)
    winter = summer.replace(fold=1)

    append(database, [Tick("btc_usd", summer, 1), Tick("btc_usd", winter, 2), Tick("btc_usd", summer, 3)])

    assert [(ts, price) for _, ts, price in stored(database)] == [
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), 1),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), 2),
    ]


def test_thousands_of_ticks_in_one_batch_are_each_stored_once(database):
    new = [tick(second) for second in range(2500)]

    answer = append(database, [*new, *reversed(new)])

    assert answer == {key(each) for each in new}
    assert [ts for _, ts, _ in stored(database)] == [each.ts for each in new]


def test_the_same_instant_of_two_indexes_is_two_ticks(database):
    answer = append(database, [tick(0, "btc_usd"), tick(0, "eth_usd")])

    assert answer == {("btc_usd", START), ("eth_usd", START)}


def test_an_empty_batch_stores_nothing(database):
    answer = append(database, [])

    assert answer == set()
    assert stored(database) == []


@pytest.mark.parametrize("how", ["one object", "an object each", "one object that holds the file"])
def test_threads_that_append_at_once_lose_nothing_and_double_nothing(new_database, how):
    new: list[tuple[str, datetime]] = []
    databases = [Database(new_database.path) if how == "an object each" else new_database for _ in range(4)]

    def append_overlapping(number: int) -> None:
        for first in range(5 * number, 5 * number + 40, 10):
            new.extend(append(databases[number], [tick(first + second) for second in range(10)]))

    def all_at_once() -> None:
        run_at_once(*(lambda number=number: append_overlapping(number) for number in range(4)))

    if how == "one object that holds the file":
        with new_database.hold():
            all_at_once()
    else:
        all_at_once()

    expected = [START + timedelta(seconds=second) for second in range(55)]
    assert [ts for _, ts, _ in stored(new_database)] == expected
    assert sorted(ts for _, ts in new) == expected  # of all writers, one was told that it is new


def test_processes_that_append_at_once_lose_nothing_and_double_nothing(new_database):
    with (
        start("append", new_database.path, 0, 8) as one,
        start("append", new_database.path, 25, 8) as other,
        new_database.hold(),
    ):
        batches = [[tick(second + more) for more in range(5)] for second in range(0, 100, 5)]
        new_here = sum(len(append(new_database, batch)) for batch in batches)
        new_elsewhere = sum(int(program.finish()[1]) for program in (one, other))

    assert [ts for _, ts, _ in stored(new_database)] == [START + timedelta(seconds=second) for second in range(105)]
    assert new_here + new_elsewhere == 105
