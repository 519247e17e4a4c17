"""A page deep in the past is found by the counts of its hours, and is the one that counting the ticks would find."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from store.file.database import Cursor, Database
from store.models import Tick
from store.prices import averages, candles, ticks
from tests.conftest import START, tick

HOUR_S = 3600
OBSERVED = sorted(
    [
        *range(-4000, -3000, 50),  # up to and over the full hour before START
        -1,
        *(0.5, 1, HOUR_S - 0.000001),
        *(5 * HOUR_S, 5 * HOUR_S + 1),  # after hours with none
        *range(9 * HOUR_S, 9 * HOUR_S + 400, 10),
    ]
)
"""Seconds from START, over eleven hours."""

CLOSED_TO_S = {"not at all": None, "within the last hour": 9.05 * HOUR_S, "long ago": 90, "in the future": 1e6}


@pytest.fixture(params=CLOSED_TO_S.values(), ids=list(CLOSED_TO_S))
def cursor(request, database: Database) -> Iterator[Cursor]:
    """Observations amid averages and another index, whose candles are stored up to a time."""
    with database.write() as cursor:
        ticks.append(cursor, [each for second in OBSERVED for each in (tick(second), tick(second, "eth_usd"))])
        for hour in (-2, 3, 9):
            points = [(START + timedelta(seconds=hour * HOUR_S + 600 + second), 50.0) for second in range(0, 600, 60)]
            averages.append(cursor, "btc_usd", points, 60)
        if request.param is not None:
            candles.close(cursor, START + timedelta(seconds=request.param))
    with database.read() as cursor:
        yield cursor


def page(cursor: Cursor, limit: int, offset: int, near: int = -1) -> list[Tick]:
    """A page that is not looked for among the newest ticks, as if it were far."""
    return ticks.newest_first(cursor, "btc_usd", limit, offset, near)


@pytest.mark.parametrize("limit", [1, 7, 50, 1000])
def test_each_page_has_its_ticks_wherever_hours_begin_and_end(cursor, limit):
    newest_first = [tick(second) for second in reversed(OBSERVED)]

    pages = [page(cursor, limit, offset) for offset in range(0, len(OBSERVED) + 2, 3)]

    assert pages == [newest_first[offset : offset + limit] for offset in range(0, len(OBSERVED) + 2, 3)]


@pytest.mark.parametrize("offset", [len(OBSERVED), 2**31 - 1, 10**18, 2**63, 10**40])
def test_behind_the_last_tick_there_is_nothing_however_far(cursor, offset):
    assert page(cursor, 10, offset) == []


def test_an_index_without_ticks_has_no_page(cursor):
    assert ticks.newest_first(cursor, "sol_usdc", 10, 5, near=-1) == []


def test_what_is_near_and_what_is_far_is_one_sequence(cursor):
    far, near = ([page(cursor, 5, offset, most) for offset in range(len(OBSERVED))] for most in (-1, 10**6))

    assert far == near
