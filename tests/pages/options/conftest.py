"""A recorded chain for the tests of Options."""

from datetime import datetime, timedelta

import pytest

from store.instants import MINUTE
from store.market import chains
from store.models import Snapshot, utc_now


@pytest.fixture
def ts() -> datetime:
    """A time on the grid of the exchange's times, a minute ago."""
    now = utc_now().replace(microsecond=0) - MINUTE
    return now - timedelta(seconds=now.second % 2)


@pytest.fixture
def record(database):
    def note(*its: Snapshot) -> None:
        with database.write() as cursor:
            chains.append(cursor, its)

    return note
