"""Kills, conflicts and outages cost no slot and double none, and never hold a recorder up."""

import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from store.errors import StoreError
from store.lake.notice import read_notice
from store.lake.verify import compare
from tests.conftest import WHOLE, Program
from tests.store.lake.recordings import in_file, in_lake, observe, share, slots_in
from tests.support.forks import forking
from tests.support.forwarder import Forwarder
from tests.support.servers import IN_URL

KILLS = int(os.environ.get("LAKE_KILLS", "100" if WHOLE else "4"))

LONGEST_LIFE_S = 1.5
"""A publisher is killed at any moment of its first publication or of those that follow."""

STORM_SLOTS = 5

REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def publisher(database, place) -> Program:
    keys = place.keys
    return Program("tests.store.lake.processes", str(database.path), place.url, keys.endpoint, keys.key_id, keys.secret)


def published(program: Program) -> None:
    """Wait until the program has published once more."""
    assert program.process.stdout is not None
    assert program.process.stdout.readline()


@pytest.mark.timeout(580)
def test_two_recorders_with_other_holes_lose_and_double_nothing_under_kills(file, place, lake):
    chance = random.Random(21)  # noqa: S311 it hides nothing
    databases = [file("a"), file("b")]
    had: list[set[int]] = [set(), set()]
    running: list[Program | None] = [None, None]
    with forking(), ExitStack() as programs:
        for kill in range(KILLS):
            for number, database in enumerate(databases):
                slots = [slot for slot in range(kill * 10, kill * 10 + 10) if chance.random() < 0.8]
                had[number] |= set(slots)
                observe(database, slots, late_ms=10 + 20 * number)
                if running[number] is None:
                    running[number] = programs.enter_context(publisher(database, place))
            victim = chance.randrange(2)
            program = running[victim]
            assert program is not None
            if kill % 2:
                published(program)
            time.sleep(chance.random() * LONGEST_LIFE_S)
            program.process.kill()
            program.process.wait()
            running[victim] = None
    shared_before = slots_in(lake)

    for database in databases:
        share(database, lake)

    assert shared_before
    assert slots_in(lake) == sorted(had[0] | had[1])
    assert had[0] - had[1]
    assert had[1] - had[0]
    assert [compare(database, lake).faults for database in databases] == [(), ()]
    received = {row for database in databases for row in in_file(database, "ticks")}
    assert set(in_lake(lake, "ticks")) <= received


def test_four_recorders_that_publish_the_same_slots_at_once_double_none(file, lake):
    databases = [file(name) for name in "abcd"]
    together = threading.Barrier(len(databases))
    slots = range(3)

    def record(number: int) -> int:
        conflicts = 0
        for slot in slots:
            observe(databases[number], [slot], late_ms=10 + number)
            together.wait()
            conflicts = share(databases[number], lake).conflicts
        return conflicts

    with ThreadPoolExecutor(len(databases)) as threads:
        conflicts = list(threads.map(record, range(len(databases))))

    assert slots_in(lake) == list(slots)
    assert sum(conflicts) > 0


def test_a_storm_of_four_publishers_without_a_pause_doubles_none(file, place, lake):
    databases = [file(name) for name in "abcd"]
    with forking(), ExitStack() as programs:
        storm = [programs.enter_context(publisher(database, place)) for database in databases]
        for slot in range(STORM_SLOTS):
            for number, database in enumerate(databases):
                observe(database, [slot], late_ms=10 + number)
            for program in storm:
                published(program)

    for database in databases:
        share(database, lake)

    assert slots_in(lake) == list(range(STORM_SLOTS))
    assert sum(read_notice(database.path).conflicts for database in databases) > 0
    assert [compare(database, lake).faults for database in databases] == [()] * 4


def test_a_catalog_that_was_down_costs_nothing(file, place, lake):
    database = file("a")
    observe(database, [0])
    share(database, lake)
    observe(database, [1])
    place.server.stop()
    try:
        with pytest.raises(StoreError) as refused:
            share(database, lake)
        observe(database, [2])
    finally:
        place.server.start()

    share(database, lake)

    assert IN_URL not in str(refused.value)
    assert slots_in(lake) == [0, 1, 2]


@contextmanager
def between(place) -> Iterator[Forwarder]:
    """What stands between the publisher and the bucket."""
    forwarder = Forwarder(int(place.keys.endpoint.rpartition(":")[2]))
    try:
        yield forwarder
    finally:
        forwarder.close()


@pytest.mark.parametrize("hangs", [True, False])
def test_a_bucket_that_hangs_or_refuses_costs_no_slot(file, place, lake, hangs):
    database = file("a")
    observe(database, [0])
    with between(place) as forwarder:
        through = place.lake(endpoint=f"http://127.0.0.1:{forwarder.port}")
        share(database, through)
        if hangs:
            forwarder.hold()
        else:
            forwarder.answer(REFUSAL)
        observe(database, [1])
        with ThreadPoolExecutor(1) as thread:
            publishing = thread.submit(share, database, through)
            observe(database, [2])
            with pytest.raises(StoreError) as refused:
                publishing.result()
        forwarder.forward()
        share(database, through)

    assert place.keys.secret not in str(refused.value)
    assert slots_in(lake) == [0, 1, 2]
