"""What the tests of History share: an hour of ticks after a day of averages, and what the page shows of them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from store.models import Tick
from store.prices import averages
from tests.pages.conftest import chart
from tests.support.stored import append

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
"""The time of the first tick that `seeded` stores."""

HOUR_OF_TICKS = {"start": "2026-11-01T12:00Z", "end": "2026-11-01T13:00Z"}


@pytest.fixture
def seeded(database):
    """An hour of btc_usd, a tick a minute from 100.00 to 159.00, and before that a day of averages."""
    append(database, *(Tick("btc_usd", NOON + timedelta(minutes=minute), 100.0 + minute) for minute in range(60)))
    average(database, "btc_usd", range(-24, 0))
    return database


def average(database, index_name: str, hours: Iterable[int]) -> None:
    """Store averages over an hour, at these hours after noon."""
    with database.write() as cursor:
        averages.append(cursor, index_name, [(NOON + timedelta(hours=hour), 90.0) for hour in hours], 3600)


def measures(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def shown_range(page: AppTest) -> Any:
    """The wall-clock times at which the chart begins and ends."""
    return chart(page, "history")["figure"]["layout"]["xaxis"]["range"]
